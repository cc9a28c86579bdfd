"""What a command says: tables for people on a terminal, plain lines for other programs, JSON on demand."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from rich.console import Console


class UsageError(Exception):
    """The words of the command make no sense together, or ask what nobody is there to answer."""


class Screen:
    """Where a command prints.

    Attributes:
        is_terminal: whether people look at what is printed.
    """

    def __init__(self) -> None:
        self.is_terminal = sys.stdout.isatty()
        self._console: Console | None = None

    def line(self, text: str = "") -> None:
        """Print one line, or several."""
        sys.stdout.write(text + "\n")

    def note(self, text: str) -> None:
        """Tell the user something that is not part of the answer."""
        sys.stderr.write(text + "\n")

    def complain(self, error: BaseException) -> None:
        """Tell an error in one sentence."""
        text = str(error) or type(error).__name__
        self.note(f"cachedeco: {text}")

    def json(self, value: Any) -> None:
        """Print a value as JSON; what JSON does not know becomes text."""
        import json

        json.dump(value, sys.stdout, default=str, indent=2, ensure_ascii=False)
        self.line()

    def table(
        self, columns: Sequence[str], rows: Iterable[Sequence[str]], numbers: Iterable[str] = ()
    ) -> None:
        """Print rows: a table on a terminal, else a line each with tabs between the columns and no heading.

        Args:
            columns: their headings.
            rows: the cells.
            numbers: headings of the columns that are set to the right.
        """
        if not self.is_terminal:
            for row in rows:
                self.line("\t".join(row))
            return
        from rich.table import Table
        from rich.text import Text

        cells, right = [list(row) for row in rows], set(numbers)
        table = Table(box=None, pad_edge=False, header_style="bold")
        for place, column in enumerate(columns):
            # Where the line is too short, the last column gives way, and others only beyond what they usually need.
            width = max((len(row[place]) for row in cells), default=0)
            table.add_column(
                column,
                justify="right" if column in right else "left",
                no_wrap=True,
                overflow="ellipsis",
                min_width=None if column == columns[-1] else min(max(width, len(column)), _NARROW),
            )
        for row in cells:
            # Not as markup: a label may hold brackets.
            table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
        self.console().print(table)

    def console(self) -> Console:
        """Rich's view of the standard output."""
        if self._console is None:
            from rich.console import Console

            self._console = Console(highlight=False)
        return self._console

    def confirm(self, question: str, *, yes: bool) -> bool:
        """Ask before something is deleted.

        Args:
            question: ends with a question mark.
            yes: the answer was given beforehand.

        Raises:
            UsageError: nobody is there to answer.
        """
        if yes:
            return True
        if not sys.stdin.isatty():
            raise UsageError(f"{question} Nobody is there to answer: say --yes, or --dry-run to look only")
        sys.stderr.write(f"{question} [y/N] ")
        sys.stderr.flush()
        return sys.stdin.readline().strip().lower() in {"y", "yes"}


_NARROW = 24
_STYLES = {"READY": "green", "FAILED": "red", "WRITE": "yellow", "TRASH": "dim", "DELETED": "dim"}


def size(count: int | None) -> str:
    """A number of bytes for people, in powers of ten."""
    if count is None:
        return ""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 999.5:  # noqa: PLR2004 - it would be shown as 1000
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 99.5 else f"{amount:.1f} {unit}"  # noqa: PLR2004 - as above
        amount /= 1000
    return f"{amount:.1f} TB"


def duration(seconds: float | None) -> str:
    """A length of time for people."""
    if seconds is None:
        return ""
    if seconds < 1e-3:  # noqa: PLR2004 - a millisecond
        return f"{seconds * 1e6:.0f} us"
    if seconds < 1:
        return f"{seconds * 1e3:.0f} ms"
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    shown = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    first = next(place for place, (number, _) in enumerate(shown) if number)
    return " ".join(f"{number} {unit}" for number, unit in shown[first : first + 2] if number)


def width() -> int:
    """How many characters a line of the terminal has."""
    import shutil

    return shutil.get_terminal_size().columns


def home_short(path: str) -> str:
    """A path with ``~`` for the home folder."""
    home = os.path.expanduser("~")
    return "~" + path[len(home) :] if path.startswith(home + os.sep) else path

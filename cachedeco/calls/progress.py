"""Progress bars for what takes long: shown on a terminal or in a notebook, never elsewhere."""

from __future__ import annotations

import contextlib
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextlib.contextmanager
def bar(title: str, total: int, wanted: bool | None) -> Iterator[Callable[[], None]]:
    """Show a bar for the length of a block.

    Args:
        title: what progresses.
        total: number of steps.
        wanted: True and False decide; None shows it on a terminal or in a notebook.

    Yields:
        A function to call after each step.
    """
    if wanted is False or total == 0 or (wanted is None and not _somebody_looks()):
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    # Not to the standard output, which may be the program's result on its way to a file.
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=total)
        yield lambda: progress.advance(task)


@contextlib.contextmanager
def bytes_bar(title: str, wanted: bool | None) -> Iterator[Callable[[int, int | None], None]]:
    """Show how many bytes have come, for the length of a block.

    Args:
        title: what is coming.
        wanted: as of `bar`.

    Yields:
        A function to tell how many bytes have come, and how many there are if that is known.
    """
    if wanted is False or (wanted is None and not _somebody_looks()):
        yield lambda done, total: None  # noqa: ARG005 - nobody looks
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        "{task.description}",
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        # A title may hold what rich takes for markup.
        task = progress.add_task(title.replace("[", r"\["), total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _somebody_looks() -> bool:
    return sys.stderr.isatty() or "ipykernel" in sys.modules

"""What the cache was good for: hits, computations and time saved, per function, those first that saved most.

Time saved is what the hits would have taken to compute. Items that were deleted do not count any more.
"""

from __future__ import annotations

from cachedeco.cli import choosing
from cachedeco.cli.screen import duration, size
from cachedeco.describing import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from cachedeco.cli.screen import Screen

_COLUMNS = ("hits", "computed", "failed", "saved", "computing", "size", "name")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `stats` can be told."""
    parser.add_argument("--json", action="store_true", help="a list of objects, with everything exact")


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Show statistics; 1 if there are no items."""
    found = choosing.cache_of(arguments, "read-only").stats()
    if arguments.json:
        screen.json(found)
    elif found:
        screen.table(_COLUMNS, (_row(each, screen) for each in found), _COLUMNS[:-1])
    else:
        screen.note("no items")
    return 0 if found else 1


def _row(each: dict[str, Any], screen: Screen) -> list[str]:
    people = screen.is_terminal
    times = (each["seconds_saved"], each["seconds_computed"])
    return [
        *(str(each[name]) for name in ("hits", "computed", "failed")),
        *(duration(seconds) if people else f"{seconds:.6f}" for seconds in times),
        size(each["bytes"]) if people else str(each["bytes"]),
        printable(each["name"]),
    ]

"""List what failed and was not made up for since, each with the last line of its traceback.

`cachedeco show ITEM` shows the whole traceback. The exit code is 1 if there is a failure.
"""

from __future__ import annotations

from cachedeco.cli import choosing, columns
from cachedeco.describing import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from cachedeco.cli.screen import Screen
    from cachedeco.item import CacheItem


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `failed` can be told."""
    choosing.add_query(parser)
    parser.add_argument("--json", action="store_true", help="a list of objects, with the tracebacks")


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """List failures; 1 if there are some."""
    cache = choosing.cache_of(arguments, "read-only")
    found = failures(cache.failed(), choosing.matching(cache, arguments))
    if arguments.json:
        screen.json([columns.as_json(item) | {"error": item.error} for item in found])
    elif found:
        names = ("id", "cause", "created", "call")
        rows = (
            [*(columns.cell(item, name, for_people=screen.is_terminal) for name in names), reason(item)]
            for item in found
        )
        screen.table((*names, "error"), rows, columns.NUMBERS)
    else:
        screen.note("no failures")
    return 1 if found else 0


def failures(failed: list[CacheItem], matching: list[CacheItem]) -> list[CacheItem]:
    """Those failures that a condition finds."""
    wanted = set(matching)
    return [item for item in failed if item in wanted]


def reason(item: CacheItem) -> str:
    """The last line of what is known of a failure."""
    lines = (item.error or "").strip().splitlines()
    return printable(lines[-1]) if lines else ""

"""List items, the oldest first.

On a terminal the newest hundred are shown in a table; elsewhere all, a line each with tabs between the columns.
"""

from __future__ import annotations

from cachedeco.cli import choosing, columns

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from cachedeco.cli.screen import Screen
    from cachedeco.item import CacheItem

_SHOWN = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `ls` can be told."""
    choosing.add_query(parser)
    parser.add_argument("-a", "--all", action="store_true", help="also what is in the trash")
    parser.add_argument("--columns", metavar="NAMES", help=f"some of {', '.join(columns.COLUMNS)}")
    parser.add_argument("--sort", metavar="COLUMN", help="-COLUMN (as --sort=-size) for the largest first")
    parser.add_argument("-n", "--limit", type=int, metavar="N", help="the last N of them; 0 for all")
    parser.add_argument("--json", action="store_true", help="a list of objects, with everything exact")


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """List items; 1 if there are none."""
    names = columns.chosen(arguments.columns)
    cache = choosing.cache_of(arguments, "read-only")
    found = choosing.matching(cache, arguments, removed=arguments.all)
    if arguments.sort:
        found = columns.sorted_by(found, arguments.sort)
    shown = _last(found, arguments.limit, screen, sure=arguments.json)
    if arguments.json:
        screen.json([columns.as_json(item, names if arguments.columns else None) for item in shown])
    else:
        show(shown, names, screen)
        if len(shown) < len(found):
            screen.note(f"the last {len(shown):,} of {len(found):,}; --limit 0 shows all")
    return 0 if found else 1


def show(items: list[CacheItem], names: Sequence[str], screen: Screen) -> None:
    """Print a table of items."""
    if not items:
        screen.note("no items")
        return
    rows = ([columns.cell(item, name, for_people=screen.is_terminal) for name in names] for item in items)
    screen.table(names, rows, columns.NUMBERS)


def _last(items: list[CacheItem], limit: int | None, screen: Screen, *, sure: bool) -> list[CacheItem]:
    if limit is None:
        limit = _SHOWN if screen.is_terminal and not sure else 0
    return items[-limit:] if limit > 0 else items

"""How much space the items of each function or uri take, the largest first."""

from __future__ import annotations

from cachedeco.cli import choosing
from cachedeco.cli.screen import size
from cachedeco.describing import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from cachedeco.cli.screen import Screen
    from cachedeco.item import CacheItem

_BY: dict[str, Callable[[CacheItem], str]] = {
    "function": lambda item: item.function or item.uri,
    "uri": lambda item: item.uri,
    "status": lambda item: item._record.status.name,  # noqa: SLF001 - as it was read with the rest
    "label": lambda item: item.label or "",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `du` can be told."""
    choosing.add_query(parser)
    parser.add_argument(
        "--by", choices=tuple(_BY), default="function", help="what is summed up (default: function)"
    )
    parser.add_argument("--json", action="store_true", help="a list of objects, with bytes")


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Show what takes space; 1 if there are no items."""
    cache = choosing.cache_of(arguments, "read-only")
    sums = _sums(choosing.matching(cache, arguments, removed=True), arguments.by)
    rows = sorted(sums.items(), key=lambda each: (-each[1][1], each[0]))
    if arguments.json:
        screen.json([{arguments.by: name, "items": count, "bytes": total} for name, (count, total) in rows])
        return 0 if rows else 1
    shown = [(_bytes(total, screen), f"{count}", printable(name)) for name, (count, total) in rows]
    if screen.is_terminal:
        items, total = sum(count for count, _ in sums.values()), sum(total for _, total in sums.values())
        shown.append((size(total), f"{items}", "all"))
    screen.table(("size", "items", arguments.by), shown, ("size", "items"))
    return 0 if rows else 1


def _sums(items: list[CacheItem], by: str) -> dict[str, tuple[int, int]]:
    sums: dict[str, tuple[int, int]] = {}
    for item in items:
        count, total = sums.get(_BY[by](item), (0, 0))
        sums[_BY[by](item)] = count + 1, total + (item.size or 0)
    return sums


def _bytes(count: int, screen: Screen) -> str:
    return size(count) if screen.is_terminal else str(count)

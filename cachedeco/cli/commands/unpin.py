"""Let clean-ups take items again that were pinned."""

from __future__ import annotations

from cachedeco.cli import choosing

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from cachedeco.cli.screen import Screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `unpin` can be told."""
    choosing.add_items(parser)


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Unpin items; 1 if there are none."""
    cache = choosing.cache_of(arguments)
    items = choosing.named_or_matching(cache, arguments)
    for item in items:
        item.unpin()
    screen.note("no items" if not items else f"{len(items):,} unpinned")
    return 0 if items else 1

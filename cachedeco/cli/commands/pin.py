"""Keep items from every clean-up, whatever their age and the room that they take."""

from __future__ import annotations

from cachedeco.cli import choosing

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from cachedeco.cli.screen import Screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `pin` can be told."""
    choosing.add_items(parser)


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Pin items; 1 if there are none."""
    cache = choosing.cache_of(arguments)
    items = choosing.named_or_matching(cache, arguments)
    for item in items:
        item.pin()
    screen.note("no items" if not items else f"{len(items):,} pinned")
    return 0 if items else 1

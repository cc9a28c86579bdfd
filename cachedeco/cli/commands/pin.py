"""Keep items from every clean-up, whatever their age and the room that they take; with --off no longer."""

from __future__ import annotations

from cachedeco.cli import choosing

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from cachedeco.cli.screen import Screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `pin` can be told."""
    choosing.add_items(parser)
    parser.add_argument("--off", action="store_true", help="let clean-ups take them again")


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Pin items, or unpin them; 1 if there are none."""
    cache = choosing.cache_of(arguments)
    items = choosing.named_or_matching(cache, arguments)
    for item in items:
        item.unpin() if arguments.off else item.pin()
    screen.note(f"{len(items):,} {'unpinned' if arguments.off else 'pinned'}" if items else "no items")
    return 0 if items else 1

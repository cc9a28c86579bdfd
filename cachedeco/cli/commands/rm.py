"""Move items to the trash, from where `restore` brings them back; or delete them for good.

It shows what would go and asks before. What is being computed is left alone.
"""

from __future__ import annotations

from cachedeco.cli import choosing
from cachedeco.cli.columns import USUAL
from cachedeco.cli.commands import ls
from cachedeco.cli.screen import size

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from cachedeco.cli.screen import Screen
    from cachedeco.item import CacheItem


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `rm` can be told."""
    choosing.add_items(parser)
    parser.add_argument("--delete", action="store_true", help="for good, with their files")
    choosing.add_consent(parser)


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Remove items; 1 if there are none, or if nobody wanted it."""
    cache = choosing.cache_of(arguments)
    items = choosing.named_or_matching(cache, arguments)
    if not items:
        screen.note("no items")
        return 1
    ls.show(items, USUAL, screen)
    total = size(sum(item.size or 0 for item in items))
    goes = "Delete for good" if arguments.delete else "Move to the trash"
    count = "1 item" if len(items) == 1 else f"{len(items):,} items"
    if arguments.dry_run:
        screen.note(f"{goes}: {count}, {total}. Nothing was done.")
        return 0
    if not screen.confirm(f"{goes}: {count}, {total}?", yes=arguments.yes):
        screen.note("Nothing was done.")
        return 1
    return _remove(items, screen, disk=arguments.delete)


def _remove(items: list[CacheItem], screen: Screen, *, disk: bool) -> int:
    from cachedeco.errors import StatusError

    left = 0
    for item in items:
        try:
            item.remove(disk=disk)
        except StatusError as error:
            screen.note(str(error))
            left += 1
    return 1 if left else 0

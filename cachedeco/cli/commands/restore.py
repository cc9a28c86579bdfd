"""Bring items back from the trash as what they were."""

from __future__ import annotations

from cachedeco.cli import choosing
from cachedeco.status import Status

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from cachedeco.cli.screen import Screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `restore` can be told."""
    choosing.add_items(parser)


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Restore items; 1 if there are none."""
    cache = choosing.cache_of(arguments)
    items = choosing.named_or_matching(cache, arguments, status=Status.TRASH)
    for item in items:
        item.restore()
        screen.line(f"{item!r} is back")
    if not items:
        screen.note("no items")
    return 0 if items else 1

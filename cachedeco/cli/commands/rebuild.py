"""Make the registry anew from what lies beside the values.

For a registry that is damaged in a way that nobody has noticed; one that is lost is made anew by itself.
"""

from __future__ import annotations

from cachedeco.cli import choosing

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from cachedeco.cli.screen import Screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `rebuild` can be told."""
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Rebuild the registry; 1 if nobody wanted it."""
    cache = choosing.cache_of(arguments)
    question = f"Set the registry of {cache.path} aside and make a new one?"
    if not screen.confirm(question, yes=arguments.yes):
        screen.note("Nothing was done.")
        return 1
    count = cache.rebuild()
    screen.line(f"{count:,} items are in the new registry")
    return 0

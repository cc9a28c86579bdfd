"""Print where the file or folder of an item is.

With it, other programs use what is cached: wc -l "$(cachedeco path 42)".
"""

from __future__ import annotations

from cachedeco.cli import choosing
from cachedeco.errors import OptionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from cachedeco.cli.screen import Screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `path` can be told."""
    parser.add_argument("items", metavar="ITEM", nargs="+")


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Print paths; 1 if one of them does not exist."""
    cache = choosing.cache_of(arguments, "read-only")
    missing = 0
    for item in choosing.items_of(cache, arguments.items):
        path = item.path
        if path is None:
            raise OptionError(f"{item!r} is kept in the registry and has no file; `open` prints it")
        if not path.exists():
            screen.note(f"{item!r}: nothing is there")
            missing = 1
        screen.line(str(path))
    return missing

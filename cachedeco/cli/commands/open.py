"""Print what is in an item: text and files decompressed, other values as Python shows them.

Of an archive it lists the members, or prints those that are named. A stored value is loaded as a cached call loads
it, with the working directory on the path.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping

from cachedeco.cli import calling, choosing
from cachedeco.errors import OptionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from cachedeco.cli.screen import Screen
    from cachedeco.item import CacheItem


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `open` can be told."""
    parser.add_argument("item", metavar="ITEM")
    parser.add_argument("members", metavar="MEMBER", nargs="*", help="of an archive")


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Print the content of an item."""
    item = choosing.item_of(choosing.cache_of(arguments, "read-only"), arguments.item)
    if item._record.form in {None, "file"} and item.path is not None and not item.path.is_dir():  # noqa: SLF001
        _print_file(item, arguments.members, screen)
        return 0
    if arguments.members:
        raise OptionError(f"{item!r} is no archive")
    calling.add_working_directory()
    _print_value(item.load(), screen)
    return 0


def _print_file(item: CacheItem, members: list[str], screen: Screen) -> None:
    with item.open(default_mode="rb", needed=members or None) as opened:
        content: Any = opened.result
        if not isinstance(content, Mapping):
            if members:
                raise OptionError(f"{item!r} is no archive")
            _copy(content)
        elif not members:
            for name in content:
                screen.line(name)
        else:
            for name in members:
                _copy(content[name])


def _copy(pieces: Iterable[bytes]) -> None:
    sys.stdout.flush()
    for piece in pieces:
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def _print_value(value: Any, screen: Screen) -> None:
    if isinstance(value, bytes | bytearray):
        _copy([bytes(value)])
    elif isinstance(value, str):
        screen.line(value)
    else:
        from pprint import pformat

        screen.line(pformat(value))

"""Which cache, and which of its items, the words of a command mean."""

from __future__ import annotations

import os

from cachedeco.cli.screen import UsageError
from cachedeco.errors import CachedecoError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from cachedeco.cache import Cache
    from cachedeco.item import CacheItem
    from cachedeco.status import Status

_HEX = frozenset("0123456789abcdef")
_KEY_LENGTH = 32


class NoCacheError(CachedecoError, FileNotFoundError):
    """There is no cache in the folder."""


class NoItemError(CachedecoError, LookupError):
    """There is no such item, or there are several."""


def cache_of(arguments: argparse.Namespace, mode: str = "read-write") -> Cache:
    """The cache that a command is about.

    Raises:
        NoCacheError: there is none. A command that only looks must not make one.
    """
    from cachedeco.cache import Cache
    from cachedeco.location import folder_of

    folder = folder_of(arguments.cache, None)
    if not os.path.isdir(os.path.join(folder, "registry")) and not os.path.isdir(
        os.path.join(folder, "items")
    ):
        what = "no cache in" if os.path.isdir(folder) else "no folder"
        raise NoCacheError(f"there is {what} {folder}; name one with --cache FOLDER or with CACHEDECO_DIR")
    return Cache(folder, mode=mode)


def add_query(parser: argparse.ArgumentParser) -> None:
    """The argument for a condition; several words are one condition."""
    parser.add_argument("query", nargs="*", metavar="QUERY", help="a condition; default: all")


def add_items(parser: argparse.ArgumentParser) -> None:
    """The arguments for items by name, or by a condition."""
    parser.add_argument("items", metavar="ITEM", nargs="*")
    parser.add_argument("--where", dest="query", metavar="QUERY", help="all that meet a condition")


def add_consent(parser: argparse.ArgumentParser) -> None:
    """The options of what deletes."""
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    parser.add_argument("--dry-run", action="store_true", help="only show what would go")


def named_or_matching(
    cache: Cache, arguments: argparse.Namespace, *, status: Status | None = None
) -> list[CacheItem]:
    """The items that a command names, or that meet its condition.

    Args:
        cache: where they are.
        arguments: of the command, see `add_items`.
        status: that of what a condition finds; default all that are not removed.

    Raises:
        UsageError: it names none and has no condition, or both.
    """
    if bool(arguments.items) == (arguments.query is not None):
        raise UsageError("name items, or give a condition with --where QUERY")
    if arguments.items:
        return items_of(cache, arguments.items)
    return cache.search(where=arguments.query, status=status)


def matching(cache: Cache, arguments: argparse.Namespace, *, removed: bool = False) -> list[CacheItem]:
    """The items that the condition of a command finds, the oldest first."""
    query = " ".join(arguments.query) or None
    return cache.search(where=query, include_removed=removed)


def items_of(cache: Cache, names: Sequence[str]) -> list[CacheItem]:
    """The items of these names, each once."""
    return list(dict.fromkeys(item_of(cache, name) for name in names))


def item_of(cache: Cache, name: str) -> CacheItem:
    """The item that a name means: its number, its key or the beginning of it, with ``-VERSION`` or without, or a uri.

    Raises:
        NoItemError: there is none, or the name fits several keys.
    """
    found = _by_number(cache, name) or _by_key(cache, name) or _by_uri(cache, name)
    if found is None:
        raise NoItemError(f"there is no item {name!r} in {cache.path}; `cachedeco ls` shows which there are")
    return found


def _by_number(cache: Cache, name: str) -> CacheItem | None:
    from cachedeco.item import CacheItem

    if not (name.isascii() and name.isdecimal()):
        return None
    record = cache.store.items.get(min(int(name), 2**63 - 1))
    return None if record is None else CacheItem(record, cache.store)


def _by_key(cache: Cache, name: str) -> CacheItem | None:
    digits, dash, version = name.lower().partition("-")
    if not digits or len(digits) > _KEY_LENGTH or set(digits) - _HEX or (dash and not version.isdecimal()):
        return None
    keys = cache.store.items.keys_from(digits)
    if len(keys) > 1:
        raise NoItemError(f"{digits} is the beginning of several keys; give more of its digits")
    return cache.by_key(keys[0], int(version) if dash else None) if keys else None


def _by_uri(cache: Cache, name: str) -> CacheItem | None:
    found = cache.search(uri=name)
    if len({item.key for item in found}) > 1:
        raise NoItemError(f"{len(found)} items have the uri {name}; `cachedeco ls` shows their numbers")
    return found[-1] if found else None

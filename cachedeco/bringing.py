"""Copying an item up: from a cache that is only looked up to the cache that a call belongs to, without an archive.

It is exported and imported, so the same is checked; what was looked at is read again while it is copied, and compared.
"""

from __future__ import annotations

import hashlib

from cachedeco import exporting, importing, log
from cachedeco.errors import ArchiveError
from cachedeco.files.bundle import Part
from cachedeco.receipt import REFUSED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from cachedeco.store import Store


def bring(store: Store, upstream: Store, id_: int) -> bool:
    """Copy an item.

    Args:
        store: the cache folder that it is copied to.
        upstream: the one that it lies in.
        id_: its number there.

    Returns:
        Whether it is there by now: False when it has gone or is damaged, or when this cache does not take it, as
        when it takes only what is signed with its own key.

    Raises:
        OSError: it cannot be copied.
    """
    record = upstream.items.get(id_)
    if record is None:
        return False
    item = _Item()
    if not exporting.put(upstream, record, item):
        return False
    entry = importing.take_one(store, item)
    log.debug("%s-%d of %s: %s", record.key, record.version, upstream.folder, entry.outcome)
    return entry.outcome != REFUSED


class _Item:
    """One item between two caches, written as into an archive and read as from one."""

    def __init__(self) -> None:
        self._parts: dict[int, Callable[[], Iterable[bytes]]] = {}
        self._described: tuple[dict[str, Any], list[Part]] | None = None

    def begin(self) -> None:
        """There is but one."""

    def part(self, role: str, path: str, number: int, chunks: Callable[[], Iterable[bytes]]) -> Part:
        """Look at a part of it; see `cachedeco.files.bundle.Writer.part`."""
        size, total = 0, hashlib.sha256()
        for chunk in chunks():
            total.update(chunk)
            size += len(chunk)
        self._parts[number] = chunks
        return Part(role, path, size, total.digest())

    def put(self, known: dict[str, Any], parts: Sequence[Part]) -> None:
        """Describe it."""
        import json

        self._described = json.loads(json.dumps(known)), list(parts)

    def item(self, _: int) -> tuple[dict[str, Any], list[Part]]:
        """What is known of it, and its parts; see `cachedeco.files.bundle.Reader.item`."""
        if self._described is None:
            raise ValueError("it has not been described")
        return self._described

    def chunks(self, _: int, number: int, part: Part) -> Iterator[bytes]:
        """The bytes of a part; see `cachedeco.files.bundle.Reader.chunks`."""
        total = hashlib.sha256()
        for chunk in self._parts[number]():
            total.update(chunk)
            yield chunk
        if total.digest() != part.sha256:
            raise ArchiveError("it was changed meanwhile")

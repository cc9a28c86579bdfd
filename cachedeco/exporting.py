"""Putting items into an archive: what is known of them, and their bytes, each looked at before."""

from __future__ import annotations

import io
import os
from functools import partial

from cachedeco import contents, log
from cachedeco.errors import OptionError
from cachedeco.files.bundle import Part, Writer
from cachedeco.files.check import look
from cachedeco.files.manifest import Manifest, plain
from cachedeco.files.tree import entries
from cachedeco.item import CacheItem
from cachedeco.keys.key import SCHEMES
from cachedeco.receipt import REFUSED, TAKEN, Entry, Receipt
from cachedeco.status import Status
from cachedeco.trust import refuse_links
from cachedeco.values.contract import DamagedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any, BinaryIO, Protocol

    from cachedeco.record import Record
    from cachedeco.store import Store

ALLOWED = (Status.READY, Status.FAILED)
"""The statuses in which an item can be exported: nobody writes to it any more."""

FIELDS = tuple(name for name in Manifest.FIELDS if name != "pinned")
"""What of a record goes along. Whether it is pinned is for the cache to say that it lies in."""

_CHUNK = 1 << 20

if TYPE_CHECKING:

    class Writing(Protocol):
        """What `cachedeco.files.bundle.Writer` has for one item."""

        def begin(self) -> None:
            """Begin with an item."""

        def part(self, role: str, path: str, number: int, chunks: Callable[[], Iterable[bytes]]) -> Part:
            """Put in a part of it."""

        def put(self, known: dict[str, Any], parts: Sequence[Part]) -> None:
            """Describe it."""


class _LeftOutError(Exception):
    """Why an item does not go along."""


def export(
    store: Store,
    records: Iterable[Record],
    path: str,
    *,
    dry_run: bool,
) -> Receipt:
    """Export items; see `cachedeco.Cache.export`.

    Args:
        store: the cache folder.
        records: of the items.
        path: of the archive.
        dry_run: write nothing.
    """
    if dry_run:
        told = [_told(store, each, lambda record: _check(store, record)) for each in records]
        return Receipt(path, told, dry_run=True)
    with Writer(path, SCHEMES) as writer:
        done = [_told(store, each, lambda record: _put(store, record, writer)) for each in records]
    receipt = Receipt(path, done, dry_run=False)
    log.info("exported %d items of %s to %s", len(receipt.taken), store.folder, path)
    return receipt


def _told(store: Store, record: Record, work: Callable[[Record], object]) -> Entry:
    facts: dict[str, Any] = {"uri": record.uri, "key": record.key, "version": record.version}
    try:
        work(record)
    except (_LeftOutError, FileNotFoundError) as error:
        gone = "it was removed meanwhile"
        return Entry(**facts, outcome=REFUSED, reason=gone if isinstance(error, OSError) else str(error))
    return Entry(**facts, outcome=TAKEN, size=record.size or 0, item=CacheItem(record, store))


def put(store: Store, record: Record, writer: Writing) -> bool:
    """Put one item into whatever takes it as an archive does; False where it cannot go along."""
    try:
        _put(store, record, writer)
    except (_LeftOutError, FileNotFoundError):
        return False
    return True


def _check(store: Store, record: Record) -> str | None:
    """See that an item can go along; where its file is, None for one without.

    Raises:
        _LeftOutError: it cannot.
    """
    if record.status == Status.FAILED:
        return None
    if record.form is None:
        raise _LeftOutError("it has no value or file")
    if not contents.is_intact(store, record):
        raise _LeftOutError("its value or file is gone, is not what was stored, or is not signed")
    try:
        place = contents.place_of(store, record)
    except DamagedError as error:
        raise _LeftOutError(str(error)) from error
    if place is not None:
        refuse_links(store.folder, place)
        if any(kind not in {"file", "folder"} for _, kind, _ in entries(place, lambda _: b"")):
            raise _LeftOutError("there are links in its folder, which lead elsewhere on another machine")
    return place


def _put(store: Store, record: Record, writer: Writing) -> None:
    place = _check(store, record)
    known = store.items.manifest(record.id)
    if known is None:
        raise _LeftOutError("it was removed meanwhile")
    row, attributes = known
    described: dict[str, Any] = dict(zip(Manifest.FIELDS, (*row, attributes), strict=True))
    if described["status"] != record.status:
        raise _LeftOutError("it was changed meanwhile")
    writer.begin()
    parts = _parts(store, record, place, writer)
    if record.status == Status.FAILED:
        described |= {"form": None, "filename": None, "size": None, "digest": None, "mac": None}
    code = described["code"]
    further = {
        "cause": record.cause if record.status == Status.FAILED else None,
        "error": record.error,
        "code_parts": None if code is None else store.items.code_parts(code),
        "sealed": store.guard is not None and store.guard.signer is not None,
    }
    writer.put({name: plain(described[name]) for name in FIELDS} | further, parts)


def _parts(store: Store, record: Record, place: str | None, writer: Writing) -> list[Part]:
    parts: list[Part] = []
    if record.status == Status.READY and place is None:
        inline = store.items.inline(record.id) or b""
        parts.append(writer.part("inline", "", 1, lambda: [inline]))
    elif place is not None:
        before = look(place)[1]
        for path, kind, _ in sorted(entries(place, lambda _: b"")):
            if kind == "folder":
                parts.append(Part("folder", _with_slashes(path)))
            else:
                chunks = partial(_file, os.path.join(place, path) if path else place)
                parts.append(writer.part("file", _with_slashes(path), len(parts) + 1, chunks))
        if look(place)[1] != before:
            raise _LeftOutError("it was changed meanwhile")
    arguments = store.items.arguments(record.id)
    if arguments is not None:
        parts.append(writer.part("arguments", "", len(parts) + 1, lambda: _chunks(io.BytesIO(arguments))))
    return parts


def _with_slashes(path: str) -> str:
    return path.replace(os.sep, "/")


def _file(path: str) -> Iterator[bytes]:
    with open(path, "rb", buffering=0) as file:
        yield from _chunks(file)


def _chunks(file: BinaryIO | io.FileIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk


def checked_statuses(status: Iterable[Status]) -> tuple[Status, ...]:
    """Refuse the statuses in which somebody may still write to an item, or it is no more.

    Raises:
        OptionError: one is such.
    """
    wanted = tuple(status)
    for each in wanted:
        if each not in ALLOWED:
            raise OptionError(f"export(status={each.name}): only READY and FAILED items are exported")
    return wanted

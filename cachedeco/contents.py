"""What an item holds: where its bytes are, whether they are there, and the value made of them."""

from __future__ import annotations

import contextlib
import io
import os
import stat

from xxhash import xxh3_128_digest

from cachedeco.calls.outputs import read_names
from cachedeco.errors import RegistryUnavailableError
from cachedeco.files.check import examine
from cachedeco.files.folder import is_plain
from cachedeco.files.staging import size_in
from cachedeco.status import Status
from cachedeco.values import table
from cachedeco.values.contract import DamagedError
from cachedeco.values.reading import open_value
from cachedeco.values.stream import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cachedeco.guard import Stored
    from cachedeco.record import Record
    from cachedeco.store import Store


def place_of(store: Store, record: Record) -> str | None:
    """Where the file or folder of an item is; of several files the folder; None for a value in the registry.

    Raises:
        DamagedError: the record speaks of a place outside the item's folder.
    """
    if record.filename is None:
        return None
    folder = store.item_folder(record.key, record.version, record.token)
    if record.form == "files":
        return folder
    if not is_plain(record.filename):
        raise DamagedError(f"{record.filename!r} is no name of a file in the folder of item {record.id}")
    return os.path.join(folder, record.filename)


def size_now(store: Store, record: Record) -> int | None:
    """Bytes of its file or folder by now; None when there is none."""
    try:
        place = place_of(store, record)
        if place is None:
            return None
        found = store.trust.look(store.folder, place)
        return size_in(place) if stat.S_ISDIR(found.st_mode) else found.st_size
    except (OSError, DamagedError):
        return None


def is_intact(store: Store, record: Record, *, thorough: bool = False) -> bool:
    """Whether its bytes are there, are what was recorded, and are signed if the cache is.

    A file is read only if something has touched it since it was read last, or if that is asked for.
    """
    if record.form is None or record.size is None:
        return False
    try:
        if not _is_as_recorded(store, record, thorough=thorough):
            return False
        if store.guard is not None and record.status == Status.READY:
            store.guard.check(_stored(store, record))
    except (OSError, DamagedError):
        return False
    return True


def _is_as_recorded(store: Store, record: Record, *, thorough: bool) -> bool:
    place = place_of(store, record)
    digest = None if record.digest is None else bytes.fromhex(record.digest)
    if place is None:
        data = store.items.inline(record.id)
        return data is not None and (digest is None or xxh3_128_digest(data) == digest)
    store.trust.look(store.folder, place)
    token = bytes.fromhex(record.token)
    known = store.checked.get(token, record.signature)
    found = examine(place, record.size or 0, digest, known, thorough=thorough)
    if found is not None and found != known:
        store.checked[token] = found
        if store.mode != "read-only":
            # Who cannot write reads the file once a process.
            with contextlib.suppress(RegistryUnavailableError):
                store.claims.sign(record.id, token, found)
    return found is not None


def load(store: Store, record: Record) -> Any:
    """The value of a READY item; for an output file or folder its path, for several a dict of paths.

    Raises:
        OSError: its file is gone, or not signed in a cache that is.
        DamagedError: the record or the bytes are damaged.
        MissingSerializerError: its serializer, or a library that it needs, is not installed.
    """
    place, guard = place_of(store, record), store.guard
    if not _is_as_recorded(store, record, thorough=False):
        raise DamagedError(f"the value or file of item {record.id} is not what was stored")
    if guard is not None:
        facts = _stored(store, record)
        if record.form == "stream":
            return read(guard.open_stream(facts))
        if record.form == "value":
            return guard.load(facts, mmap=store.mmap)
        guard.check(facts)
    if record.form in {"file", "files"} and place is not None:
        from pathlib import Path

        if record.form == "file":
            return Path(place)
        return {name: Path(place, file) for name, file in read_names("files", record.filename or "").items()}
    inline = store.items.inline(record.id) if place is None else None
    if record.form == "stream":
        return read(io.BufferedReader(open_value(str(place))) if inline is None else io.BytesIO(inline))
    return _value(store, record, place, inline)


def _value(store: Store, record: Record, place: str | None, inline: bytes | None) -> Any:
    serializer = table.stored(record.serializer)
    if record.compression is not None:
        from cachedeco.values import compression

        source = str(place) if inline is None else inline
        return compression.load(serializer, record.compression, source, record.size or 0)
    return serializer.load(str(place), mmap=store.mmap) if inline is None else serializer.unpack(inline)


def check(store: Store, record: Record, place: str) -> None:
    """Look at the file of an item before it is opened.

    Raises:
        OSError: a link leads to it, or it is not signed in a cache that is.
    """
    store.trust.look(store.folder, place)
    if store.guard is not None:
        store.guard.check(_stored(store, record))


def _stored(store: Store, record: Record) -> Stored:
    """What its signature speaks of."""
    from cachedeco.guard import Stored

    code, mac = store.items.seal(record.id)
    place = place_of(store, record)
    return Stored(
        key=bytes.fromhex(record.key),
        version=record.version,
        form=record.form or "",
        serializer=record.serializer,
        compression=record.compression,
        filename=record.filename,
        code=code,
        mac=mac,
        data=store.items.inline(record.id) if place is None else None,
        path=place or "",
    )

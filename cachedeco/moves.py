"""Moving an item from one status to another, with what its file is by then."""

from __future__ import annotations

import os

from cachedeco import events, held, log, manifests
from cachedeco.errors import MissingOutputError, StatusError
from cachedeco.files.check import look
from cachedeco.files.staging import measure, protect, sync_content, sync_place
from cachedeco.status import MOVES, Status
from cachedeco.trust import refuse_links

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cachedeco.record import Record
    from cachedeco.store import Store

_ENDS = {Status.READY: "commit", Status.FAILED: "fail"}
"""What an item becomes by hand -> the event that it is."""


def move(store: Store, record: Record, after: Status, error: str | None, name: str) -> None:
    """Move an item made by hand, or end a claim by hand.

    Args:
        store: the cache folder.
        record: of the item, as it is by now.
        after: the new status, neither TRASH nor DELETED. READY takes size and digest of the file, and makes it
            read-only.
        error: what went wrong, for people.
        name: of the item, for messages.

    Raises:
        OSError: its file cannot be read, or a durable one not be kept by the disk.
        StatusError: it cannot become that from what it is, or another process or call owns it.
        MissingOutputError: others wait for it, and its file has not been written.
    """
    if record.status == Status.TRASH:
        raise StatusError(f"{name} cannot become {after.name}; restore() makes it what it was")
    if after not in MOVES[record.status]:
        raise StatusError(f"{name} cannot become {after.name}")
    claimed = held.is_by_hand(record)
    if not (held.is_ours(record) if claimed else record.owner is None):
        raise StatusError(f"{name} is another process's or a running call's; only that one can end it")
    measured = _measured(store, record) if after == Status.READY else None
    durable = measured is not None and store.durability == "full"
    if durable:
        final = store.item_folder(record.key, record.version, record.token)
        sync_content(final)
        sync_place(final, store.folder)
    if claimed and after == Status.READY:
        if measured is None:
            raise MissingOutputError(f"{name} cannot become READY without its file {record.filename}")
        done = held.commit(store, record, *measured, durable=durable)
    elif claimed:
        done = held.fail(store, record, error)
    else:
        size, digest, signature, mac = measured or (None, None, None, None)
        done = store.items.move(
            record.id,
            record.status,
            after,
            size=size,
            digest=digest,
            signature=signature,
            error=error,
            mac=mac,
            durable=durable,
        )
    if not done:
        raise StatusError(f"{name} was changed by somebody else just now")
    if measured is not None:
        manifests.keep(store, [record.id])
        store.grown(measured[0])
    log.debug("%s-%d is %s", record.key, record.version, after.name)
    _tell(store, record, after, measured)


def _tell(
    store: Store, record: Record, after: Status, measured: tuple[int, bytes, bytes, bytes | None] | None
) -> None:
    if not events.listening or after not in _ENDS:
        return
    reason = "raised" if after == Status.FAILED else None
    size = measured[0] if measured is not None else None
    known = {"version": record.version, "reason": reason, "size": size}
    events.tell(_ENDS[after], store.folder, record.uri, record.key, **known)


def _measured(store: Store, record: Record) -> tuple[int, bytes, bytes, bytes | None] | None:
    """Size, digest and signature of its file or folder, made read-only; None if there is none."""
    folder = store.item_folder(record.key, record.version, record.token)
    place = os.path.join(folder, record.filename or "")
    if record.filename is None or not os.path.lexists(place):
        return None
    if os.path.islink(place):
        raise StatusError(
            f"{place} is a link; what is READY lies in the cache itself: Cache.move_in copies it"
        )
    refuse_links(store.folder, place)
    protect(place, store.trust)
    # The signature first: what changes while it is read has another one afterwards.
    signature = look(place)[1]
    size, digest = measure(place)
    if store.guard is None:
        return size, digest, signature, None
    from cachedeco.guard import Stored

    key = bytes.fromhex(record.key)
    facts = Stored(key=key, version=record.version, form="file", filename=record.filename, path=place)
    return size, digest, signature, store.guard.sign_files(facts)

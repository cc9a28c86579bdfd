"""What people do to items that exist: remove, bring back, describe anew."""

from __future__ import annotations

import os

from cachedeco import events, log, manifests
from cachedeco.errors import OptionError
from cachedeco.files.intake import remove as remove_folder
from cachedeco.registry import changes
from cachedeco.registry.attributes import check_name, encode
from cachedeco.search import extension
from cachedeco.status import Status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from cachedeco.record import Record
    from cachedeco.store import Store

FIELDS = ("attrs", "remove_attrs", "label", "ext", "status")
"""What of an item can be changed."""

_NAME_LIMIT = 255
_PAIR = 2


def remove(
    store: Store, records: Sequence[Record], *, disk: bool, keep_record: bool, unowned_writes: bool
) -> int:
    """Move items to the trash, or delete their bytes, or their records as well.

    Args:
        store: the cache folder.
        records: of the items. A running claim is left alone.
        disk: delete the bytes.
        keep_record: with `disk`, leave a record with the status DELETED.
        unowned_writes: also what somebody writes by hand and nobody waits for.

    Returns:
        How many items were removed.

    Raises:
        OptionError: the record is to go and the bytes are to stay.
    """
    if not keep_record and not disk:
        raise OptionError("remove(keep_record=False) needs disk=True: bytes without a record are lost")
    removed = set(changes.trash(store.pool, [each.id for each in records], unowned_writes=unowned_writes))
    for record in records:
        if record.id in removed:
            manifests.drop(store, record.key, [(record.version, record.token)])
            if events.listening:
                known = {"function": record.function, "size": record.size, "reason": "removed"}
                events.tell("evict", store.folder, record.uri, record.key, version=record.version, **known)
    if disk:
        gone = removed | {each.id for each in records if each.status in {Status.TRASH, Status.DELETED}}
        # The rows first: a crash in between leaves bytes that nobody takes for a result.
        changes.delete(store.pool, gone, forget=not keep_record)
        for record in records:
            if record.id in gone:
                remove_folder(store.item_folder(record.key, record.version, record.token))
        removed = gone
    log.info("removed %d items from %s", len(removed), store.folder)
    return len(removed)


def would_go(records: Sequence[Record], *, disk: bool, unowned_writes: bool) -> list[Record]:
    """Those that `remove` would remove."""
    goes = {Status.UNINITIALIZED, Status.FAILED, Status.READY} | (
        {Status.TRASH, Status.DELETED} if disk else set()
    )
    return [
        each
        for each in records
        if each.status in goes or (each.status == Status.WRITE and each.owner is None and unowned_writes)
    ]


def restore(store: Store, record: Record) -> bool:
    """Bring an item back from the trash; False when it is not there."""
    done = changes.restore(store.pool, record.id)
    if done:
        manifests.keep(store, [record.id])
    return done


def pin(store: Store, record: Record, *, pinned: bool) -> bool:
    """Keep an item from clean-ups, or no longer; False when its record is gone."""
    done = changes.pin(store.pool, record.id, pinned=pinned)
    if done:
        manifests.keep(store, [record.id])
    return done


def update(store: Store, records: Sequence[Record], fields: Mapping[str, Any]) -> None:
    """Change what is said of items, but for their status: of all of them, or of none.

    Args:
        store: the cache folder.
        records: of the items.
        fields: of `FIELDS`. The file keeps its name and place, whatever the extension is.

    Raises:
        OptionError: there is no such field, or its value cannot be used.
    """
    for name in fields:
        if name not in FIELDS:
            raise OptionError(
                f"update: {name!r} cannot be changed, only {', '.join(FIELDS)}; "
                'attributes are given as update={"attrs": {...}}'
            )
    said = changes.Changes(
        attributes=encode(fields.get("attrs") or {}),
        removed=_names(fields.get("remove_attrs", ())),
        label=(fields["label"],) if "label" in fields else (),
        ext=(checked_name(extension(fields["ext"]), "ext"),) if "ext" in fields else (),
    )
    changes.describe(store.pool, [each.id for each in records], said)
    manifests.keep(store, [each.id for each in records])
    log.info("updated %d items of %s", len(records), store.folder)


def checked_name(name: str | None, option: str) -> str | None:
    """Refuse a name that would leave the item's folder, or that a file system cannot hold.

    Args:
        name: of a file, or an extension; None is none.
        option: that it was given as.

    Raises:
        OptionError: it cannot be used.
    """
    if name is None:
        return None
    try:
        size = len(os.fsencode(name))
    except (TypeError, UnicodeEncodeError):
        size = 0
    if not isinstance(name, str) or not 0 < size <= _NAME_LIMIT or name in {".", ".."}:
        raise OptionError(f"{option}={name!r} is not a usable file name")
    if any(sign in name for sign in ("/", "\\", "\0")):
        raise OptionError(f"{option}={name!r} must be a plain name without folders")
    return name


def _names(given: Iterable[str | tuple[str, str]]) -> list[tuple[str, str]]:
    names: list[tuple[str, str]] = []
    for each in [given] if isinstance(given, str) else given:
        pair = each if isinstance(each, tuple) and len(each) == _PAIR else ("", each)
        check_name(pair[1])
        names.append((pair[0], str(pair[1])))
    return names

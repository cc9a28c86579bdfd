"""Bringing registry and disk together: records without bytes, bytes without a record."""

from __future__ import annotations

import contextlib
import os
import re
import time

from cachedeco import contents
from cachedeco.files.intake import remove as remove_folder
from cachedeco.files.listing import item_folders, manifests
from cachedeco.files.staging import size_in
from cachedeco.registry import upkeep
from cachedeco.registry.items import Filter
from cachedeco.registry.upkeep import Candidate
from cachedeco.status import Status
from cachedeco.upkeep.going import for_good, to_trash
from cachedeco.upkeep.report import Gone, Report
from cachedeco.values.contract import DamagedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cachedeco.record import Record
    from cachedeco.store import Store

_MOMENT = 60.0
_NAME = re.compile(r"([0-9a-f]{32})-([1-9][0-9]*)-([0-9a-f]{32})(\.part)?")
_MANIFEST = re.compile(r"([0-9a-f]{32})-([1-9][0-9]*)-([0-9a-f]{32})\.json(\.[0-9a-f]+\.part)?")


def clean_db(store: Store, *, dry_run: bool = False) -> Report:
    """Let go of records that have no bytes any more, see `cachedeco.Cache.clean_db`."""
    report = Report("clean_db", dry_run=dry_run)
    lost = [
        each for each in store.items.search(Filter(status=(Status.READY,))) if _is_without_bytes(store, each)
    ]
    to_trash(store, report, [Candidate.of(each) for each in lost], "its file is gone", "lost")
    for_good(store, report, upkeep.without_bytes(store.pool), "its bytes were deleted")
    return report


def clean_disk(store: Store, *, dry_run: bool = False) -> Report:
    """Delete bytes that no record speaks of, see `cachedeco.Cache.clean_disk`."""
    report = Report("clean_disk", dry_run=dry_run)
    # The folder is listed first: what is written in between has a record before it has bytes.
    listed = item_folders(store.folder) | {os.path.basename(path): path for path in _manifests(store.folder)}
    for name, path in listed.items():
        found = _NAME.fullmatch(name) or _MANIFEST.fullmatch(name)
        if found is None:
            continue  # whatever it is, it was not made here
        key, version, token = found[1], int(found[2]), found[3]
        if not upkeep.is_known(store.pool, key, version, token):
            _delete(report, path, "no record speaks of it")
        elif found[4] is not None and not _is_being_written(store, key, version) and _is_left(path):
            _delete(report, path, "left behind by a process that died")
    return report


def clean(store: Store, grace: int, *, dry_run: bool = False) -> Report:
    """Both of these and the trash, see `cachedeco.Cache.clean`."""
    report = Report("clean", dry_run=dry_run)
    before = time.time_ns() // 1000 - grace
    for_good(store, report, upkeep.in_trash(store.pool, before), "in the trash for longer than grace")
    for each in (clean_db, clean_disk):
        report.gone += each(store, dry_run=dry_run).gone
    return report


def autoclean(store: Store, *, dry_run: bool = False) -> Report:
    """Keep the newest READY version of each key, see `cachedeco.Cache.autoclean`."""
    report = Report("autoclean", dry_run=dry_run)
    why = "a newer READY version is there"
    to_trash(store, report, upkeep.candidates(store.pool, upkeep.UNUSED, ()), why, "autoclean")
    report.gone += clean_disk(store, dry_run=dry_run).gone
    return report


def _is_without_bytes(store: Store, record: Record) -> bool:
    if record.pinned or record.filename is None:
        return False
    with contextlib.suppress(DamagedError):
        place = contents.place_of(store, record)
        return place is not None and not os.path.lexists(place)
    return False


def _manifests(folder: str) -> list[str]:
    return [*manifests(folder), *manifests(folder, unfinished=True)]


def _is_being_written(store: Store, key: str, version: int) -> bool:
    """Whether what is half there may still become whole: by a claim, or by hand."""
    found = store.items.search(Filter(key=bytes.fromhex(key), version=(version,), status=tuple(Status)))
    return any(each.status in {Status.WRITE, Status.UNINITIALIZED} for each in found)


def _is_left(path: str) -> bool:
    """Whether nobody can be writing it just now. The manifest of a finished item is written anew in a moment."""
    try:
        return os.path.isdir(path) or os.stat(path).st_mtime < time.time() - _MOMENT
    except OSError:
        return False


def _delete(report: Report, path: str, why: str) -> None:
    size = 0
    with contextlib.suppress(OSError):
        size = size_in(path) if os.path.isdir(path) else os.stat(path).st_size
    if not report.dry_run:
        try:
            if os.path.isdir(path):
                remove_folder(path)
            else:
                os.unlink(path)
        except OSError:
            return  # somebody is faster, or it cannot be deleted now: then it is not gone
    report.gone.append(Gone(path, "", why, size))

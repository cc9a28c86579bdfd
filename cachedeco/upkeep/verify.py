"""Reading what is stored, to find what a disk has damaged before somebody asks for it."""

from __future__ import annotations

import time

from cachedeco import contents
from cachedeco.registry import upkeep
from cachedeco.registry.items import Filter
from cachedeco.registry.upkeep import Candidate
from cachedeco.status import Status
from cachedeco.upkeep.going import to_trash
from cachedeco.upkeep.report import Report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cachedeco.record import Record
    from cachedeco.store import Store

_MARK = "verified"
_AT_ONCE = 200


def verify(
    store: Store,
    *,
    full: bool,
    since: int | None,
    seconds: float | None,
    dry_run: bool,
    step: Callable[[], None],
) -> Report:
    """Look at READY items, see `cachedeco.Cache.verify`.

    Args:
        store: the cache folder.
        full: read every file, also those that nothing has touched since they were found right.
        since: only what became READY after this moment, in microseconds since 1970.
        seconds: stop after so long.
        dry_run: leave what is damaged where it is.
        step: called after each item.
    """
    report, begun = Report("verify", dry_run=dry_run), time.monotonic()
    last = 0 if seconds is None else upkeep.mark(store.pool, _MARK)
    while records := _page(store, last, since):
        for record in records:
            if seconds is not None and time.monotonic() - begun >= seconds:
                report.complete = False
                break
            last = record.id
            report.checked += 1
            if not contents.is_intact(store, record, thorough=full):
                to_trash(store, report, [Candidate.of(record)], "damaged or lost", "damaged")
            step()
        if not report.complete:
            break
    if seconds is not None and store.mode != "read-only":
        upkeep.set_mark(store.pool, _MARK, 0 if report.complete else last)
    return report


def _page(store: Store, after: int, since: int | None) -> list[Record]:
    wanted = Filter(status=(Status.READY,), after=after, ended_after=since)
    # Made by hand without a file, it has nothing that could be damaged.
    while found := store.items.search(wanted, limit=_AT_ONCE):
        if stored := [each for each in found if each.form is not None]:
            return stored
        wanted = Filter(status=(Status.READY,), after=found[-1].id, ended_after=since)
    return []

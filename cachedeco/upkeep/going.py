"""Making items go: to the trash, from where they come back, and from there for good."""

from __future__ import annotations

import contextlib

from cachedeco import events, log, manifests
from cachedeco.files.intake import remove as remove_folder
from cachedeco.registry import upkeep
from cachedeco.upkeep.report import Gone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cachedeco.registry.upkeep import Candidate
    from cachedeco.store import Store
    from cachedeco.upkeep.report import Report

_AT_ONCE = 200
"""So many items are moved in one transaction: nobody who writes waits for longer than that takes."""


def to_trash(store: Store, report: Report, chosen: Sequence[Candidate], why: str, cause: str) -> None:
    """Move items to the trash, unless the report is of a dry run.

    Args:
        store: the cache folder.
        report: gets what goes.
        chosen: the items.
        why: for people.
        cause: what the record says of it.
    """
    for some in _pieces(chosen):
        gone = some if report.dry_run else upkeep.trash(store.pool, some, cause)
        report.gone += [_gone(each, why) for each in gone]
        if not report.dry_run:
            for each in gone:
                manifests.drop(store, each.key, [(each.version, each.token)])
                if events.listening:
                    known = {"function": each.function, "size": each.size, "reason": cause}
                    events.tell("evict", store.folder, each.uri, each.key, version=each.version, **known)
    if chosen:
        log.info("%s: %d items of %s %s", report.verb, len(chosen), store.folder, why)


def for_good(store: Store, report: Report, chosen: Sequence[Candidate], why: str) -> None:
    """Delete what is in the trash, records and bytes, unless the report is of a dry run."""
    for some in _pieces(chosen):
        # The rows first: a crash in between leaves bytes that nobody takes for a result. Who restores one before that
        # keeps it, who comes later finds nothing.
        gone = some if report.dry_run else upkeep.forget(store.pool, some)
        report.gone += [_gone(each, why) for each in gone]
        if not report.dry_run:
            for each in gone:
                # What cannot be deleted now, as a file that is open on Windows, has no record: `clean_disk` finds it.
                with contextlib.suppress(OSError):
                    remove_folder(store.item_folder(each.key, each.version, each.token))


def _pieces(chosen: Sequence[Candidate]) -> Iterator[Sequence[Candidate]]:
    for start in range(0, len(chosen), _AT_ONCE):
        yield chosen[start : start + _AT_ONCE]


def _gone(each: Candidate, why: str) -> Gone:
    return Gone(f"{each.key}-{each.version}", each.name, why, each.size, each.id)


def without(chosen: Iterable[Candidate], report: Report) -> list[Candidate]:
    """Those that a report does not have yet."""
    known = {each.id for each in report.gone}
    return [each for each in chosen if each.id not in known]

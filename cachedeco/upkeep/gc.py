"""Letting go of what is old, too much or of no use any more, the least recently used first."""

from __future__ import annotations

import time

from cachedeco.registry import upkeep
from cachedeco.upkeep.going import for_good, to_trash, without
from cachedeco.upkeep.report import Report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cachedeco.registry.operators import Condition
    from cachedeco.registry.upkeep import Candidate
    from cachedeco.store import Store

_DAY = 86_400 * 10**6
FAILURES_AGE, FAILURES_KEPT = 30 * _DAY, 3
"""Failures that are older go, and those of a call beyond so many."""

REPLACED_AGE = 30 * _DAY
"""What older code has made goes when it was not used for so long and newer code has made it, too."""

CAUSE = "gc"


class Rules:
    """What is to go.

    Args:
        max_size: bytes that may stay, None for any number.
        max_age: microseconds since the last use after which an item goes, None for any.
        keep: READY versions of a key that stay, None for all.
        grace: microseconds that what went to the trash stays there.
        where: a condition that everything that goes must meet.
    """

    __slots__ = ("grace", "keep", "max_age", "max_size", "where")

    def __init__(
        self,
        *,
        max_size: int | None = None,
        max_age: int | None = None,
        keep: int | None = None,
        grace: int = 0,
        where: Condition | None = None,
    ) -> None:
        self.max_size = max_size
        self.max_age = max_age
        self.keep = keep
        self.grace = grace
        self.where = where


def gc(store: Store, rules: Rules, *, dry_run: bool = False) -> Report:
    """Let items go, see `cachedeco.Cache.gc`."""
    report, now = Report("gc", dry_run=dry_run), time.time_ns() // 1000
    before_age = None if rules.max_age is None else now - rules.max_age
    tests = [
        (upkeep.FAILED, (now - FAILURES_AGE, FAILURES_KEPT), "an old failure, or one of many"),
        (upkeep.REPLACED, (now - REPLACED_AGE,), "made by code that was replaced, and not used for 30 days"),
    ]
    if before_age is not None:
        tests.append((upkeep.AGED, (before_age,), "not used for longer than max_age"))
    if rules.keep is not None:
        tests.append((upkeep.SURPLUS, (rules.keep,), f"more than the newest {rules.keep} versions"))
    for test, parameters, why in tests:
        found = upkeep.candidates(store.pool, test, parameters, rules.where)
        to_trash(store, report, without(found, report), why, CAUSE)
    if rules.max_size is not None:
        used, _ = upkeep.sizes(store.pool)
        to_trash(
            store,
            report,
            excess_of(store, rules, report, used),
            "least recently used, to keep max_size",
            CAUSE,
        )
    # Not what has just gone there, even without any grace: who has its path reads on.
    emptied = Report("gc", dry_run=dry_run)
    for_good(
        store, emptied, upkeep.in_trash(store.pool, now - rules.grace), "in the trash for longer than grace"
    )
    report.gone += emptied.gone
    return report


def excess_of(store: Store, rules: Rules, report: Report, used: int) -> list[Candidate]:
    """The least recently used items that are too much.

    Args:
        store: the cache folder.
        rules: with `max_size`.
        report: what goes already; in a dry run it is still part of what is used.
        used: bytes in use.
    """
    excess = used - (rules.max_size or 0) - (report.size if report.dry_run else 0)
    chosen = []
    for each in without(upkeep.candidates(store.pool, upkeep.EVERY, (), rules.where), report):
        if excess <= 0:
            break
        if each.size:
            chosen.append(each)
            excess -= each.size
    return chosen

"""Decisions: pure functions of what was seen."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from cachedeco import Status
from cachedeco.policy import Ended, candidates, end_of_claim, is_cooling_down, is_fresh, next_pause
from cachedeco.settings import FIRST_POLL, LAST_POLL


@pytest.mark.parametrize(
    ("status", "cause", "ended"),
    [
        (Status.WRITE, None, Ended.RUNNING),
        (Status.READY, None, Ended.LOOK_AGAIN),
        (Status.FAILED, "raised", Ended.RAISED),
        (Status.FAILED, "store", Ended.UNSTORABLE),
        (Status.FAILED, "abandoned", Ended.LOOK_AGAIN),
        (Status.TRASH, "removed", Ended.LOOK_AGAIN),
        (None, None, Ended.LOOK_AGAIN),
    ],
)
def test_what_the_end_of_a_claim_means(status, cause, ended):
    """Only a raised one ends those who wait; a vanished row lets them go on."""
    assert end_of_claim(status, cause) is ended


def record(version, code="c", status=Status.READY, form="value"):
    return SimpleNamespace(version=version, code=code, status=status, form=form)


def chosen(versions, **rules):
    defaults = {"form": "value", "code": "c", "code_counts": True, "prefer_code": False}
    return [each.version for each in candidates(versions, **{**defaults, **rules})]


def test_candidates_are_ready_of_the_right_form_newest_first():
    """Nothing else can become a value."""
    versions = [
        record(1),
        record(4, status=Status.FAILED),
        record(3),
        record(2, form="file"),
        record(5, code=None),
    ]
    assert chosen(versions) == [3, 1]


def test_other_code_counts_only_where_it_may():
    """And comes after the own code where that is preferred."""
    versions = [record(1), record(2, code="other")]
    assert chosen(versions) == [1]
    assert chosen(versions, code_counts=False) == [2, 1]
    assert chosen(versions, code_counts=False, prefer_code=True) == [1, 2]


@pytest.mark.parametrize(
    ("ended", "expires", "fresh"),
    [(100, None, True), (100, 50, True), (100, 49, False), (100, 0, False), (None, 1, True), (1000, 5, True)],
)
def test_an_item_is_fresh_up_to_its_expiry(ended, expires, fresh):
    """At the moment of expiry it is not."""
    assert is_fresh(ended, expires, 149) is fresh


@pytest.mark.parametrize(
    ("failed", "cooldown", "now", "cooling"),
    [
        (None, 5, 10, False),
        (0, None, 10, False),
        (0, 1, 999_999, True),
        (0, 1, 1_000_000, False),
        (10, 5, 9, False),
    ],
)
def test_a_failure_cools_down(failed, cooldown, now, cooling):
    """For so long; a clock that was set back does not prolong it."""
    assert is_cooling_down(failed, cooldown, now) is cooling


def test_pauses_grow_to_the_longest():
    """Short at first, so that short computations are not waited for long."""
    pauses = [FIRST_POLL]
    while pauses[-1] < LAST_POLL:
        pauses.append(next_pause(pauses[-1], LAST_POLL))
    assert pauses == sorted(set(pauses))
    assert len(pauses) < 12
    assert next_pause(LAST_POLL, LAST_POLL) == LAST_POLL

"""The states of an item and the moves between them."""

from __future__ import annotations

import pytest

from cachedeco import Status
from cachedeco.status import MOVES


def test_members_are_their_integers():
    """Both may be written, compared and stored."""
    numbers = {"UNINITIALIZED": 0, "WRITE": 1, "FAILED": 2, "READY": 3, "TRASH": -1, "DELETED": -2}
    assert {status.name: int(status) for status in Status} == numbers
    assert Status(3) is Status.READY
    assert Status.READY == 3


@pytest.mark.parametrize("name", ["ready", "READY", "Ready"])
def test_a_name_in_any_case_will_do(name):
    """People write it as they like."""
    assert Status.from_str(name) is Status.READY


def test_an_unknown_name_is_a_key_error():
    """As for any look-up."""
    with pytest.raises(KeyError):
        Status.from_str("done")


def test_every_status_has_its_moves():
    """None is forgotten, and none moves to itself."""
    assert set(MOVES) == set(Status)
    assert not [status for status, to in MOVES.items() if status in to]


def test_moves_are_those_of_the_design():
    """READY leads to the trash only, DELETED nowhere."""
    assert MOVES[Status.WRITE] == {Status.READY, Status.FAILED}
    assert MOVES[Status.READY] == {Status.TRASH}
    assert MOVES[Status.FAILED] == {Status.READY, Status.TRASH}
    assert MOVES[Status.DELETED] == set()
    assert Status.WRITE not in MOVES[Status.TRASH]

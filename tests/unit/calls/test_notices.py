"""Warnings: one per function and cause, pointing at the caller."""

from __future__ import annotations

import pytest

from cachedeco import StoreWarning
from cachedeco.calls import notices


def test_a_cause_is_said_once(recwarn):
    """Per function."""
    for _ in range(3):
        notices.warn_once("f", "full", "the disk is full")
    notices.warn_once("f", "broken", "the disk is broken")
    notices.warn_once("g", "full", "the disk is full")
    assert [str(each.message) for each in recwarn] == [
        "f: the disk is full",
        "f: the disk is broken",
        "g: the disk is full",
    ]


def test_it_points_outside_the_package():
    """At the line that called, here this file."""
    with pytest.warns(StoreWarning) as caught:
        notices.warn_once("f", "c", "m")
    assert caught[0].filename == __file__


def test_it_may_be_an_error():
    """Where the user asks for that, it is raised once too."""
    with pytest.raises(StoreWarning):
        notices.warn_once("f", "c", "m")
    notices.warn_once("f", "c", "m")

"""A run over many files of which two are broken, and a server that fails: what is tried, kept and recorded."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from cachedeco import Cache, Status

NAME = "04_failed_run.py"
EMPTY, PAGE = "EmptyDataError: No columns to parse from file", "KeyError: 'precip'"


class Done(NamedTuple):
    """A run of the example and its cache."""

    cache: Path
    lines: list[str]


def copied(cache: Path, folder: Path) -> Path:
    """A copy of the cache, so that the other tests see what the first run has left."""
    return shutil.copytree(cache, folder / "cache")


@pytest.fixture(scope="module")
def done(tmp_path_factory, run_example) -> Done:
    cache = tmp_path_factory.mktemp("cache")
    return Done(cache, run_example(NAME, "--cache", cache))


def part(lines: list[str], beginning: str) -> list[str]:
    """A line that begins so, and the indented ones after it."""
    (start,) = [number for number, line in enumerate(lines) if line.startswith(beginning)]
    end = next((n for n in range(start + 1, len(lines)) if not lines[n].startswith("  ")), len(lines))
    return lines[start:end]


def test_broken_files_do_not_keep_the_others_from_being_computed(done):
    """All 36 are tried; the two that fail are named with what they raised."""
    assert part(done.lines, "Run 1") == [
        "Run 1, two files are broken: failed, but only after all files had their turn",
        "  36 files: 0 hits, 36 tried, 2 failed",
        f"  EWR-03.csv: {EMPTY}",
        f"  JFK-07.csv: {PAGE}",
    ]


def test_next_run_does_not_try_them_again(done):
    """During the cooldown they fail without being read, with the error of the first time."""
    said = part(done.lines, "Run 2")
    assert said[1:4] == [
        "  36 files: 34 hits, 0 tried, 2 failed",
        f"  EWR-03.csv: PreviousFailureError: pandas.errors.{EMPTY}",
        f"  JFK-07.csv: PreviousFailureError: {PAGE}",
    ]
    assert [line.partition(", ")[2] for line in said[4:]] == [f"pandas.errors.{EMPTY}", PAGE]


def test_repaired_run_computes_what_is_missing(done):
    """Two files of other content: they are tried although the broken ones are cooling down."""
    assert part(done.lines, "Run 3") == [
        "Run 3, they are repaired: 116.7 inches of rain",
        "  36 files: 34 hits, 2 tried, 0 failed",
    ]


def test_failures_are_on_record_with_their_tracebacks(done):
    """Both tracebacks begin in the function, not in the library."""
    with Cache(done.cache) as cache:
        failed = cache.search("py://04_failed_run/rain", status=Status.FAILED)
        ready = cache.search("py://04_failed_run/rain", status=Status.READY)
    assert [item.cause for item in failed] == ["raised", "raised"]
    assert [Path(item.params["month"].partition(" (")[0]).name for item in failed] == [
        "EWR-03.csv",
        "JFK-07.csv",
    ]
    for item in failed:
        own = item.error.rpartition("Traceback (most recent call last):\n")[2].splitlines()
        assert NAME in own[0]
        assert own[0].endswith("in rain")
    assert len(ready) == 36


def test_sum_is_that_of_the_stored_results(done):
    """What map returned is what is stored."""
    with Cache(done.cache) as cache:
        rain = [item.load() for item in cache.search("py://04_failed_run/rain", status=Status.READY)]
    assert f"{sum(rain):.1f}" == "116.7"


def test_busy_server_is_asked_again_within_one_call(done):
    """Two failures and an answer are one version with three attempts."""
    assert "A busy server: 17 lines after 3 attempts" in done.lines
    with Cache(done.cache) as cache:
        answer, failure = cache.search("py://04_failed_run/download")
    assert (answer.status, answer.attempts, failure.status, failure.attempts) == (
        Status.READY,
        3,
        Status.FAILED,
        3,
    )


def test_server_that_is_down_leaves_the_last_answer(done):
    """It comes with a warning; the failure is on record as a version of its own."""
    said = part(done.lines, "It is down: 17 lines, the last answer there is, and a warning: ")
    assert "ConnectionError: 503 Service Unavailable" in said[0]
    assert said[1:] == ["  versions, the newest first: 2 FAILED, 1 READY"]


def test_another_run_with_the_same_cache_tries_nothing_that_is_known(done, tmp_path, run_example):
    """The files lie elsewhere by then, with the same content: they are hits, and the broken ones cool down."""
    lines = run_example(NAME, "--cache", copied(done.cache, tmp_path))
    assert part(lines, "Run 1")[1] == "  36 files: 34 hits, 0 tried, 2 failed"
    assert part(lines, "Run 3")[1] == "  36 files: 36 hits, 0 tried, 0 failed"


def test_by_itself_it_leaves_nothing_behind(run_example):
    """Without a folder for the cache everything goes with the temporary one."""
    assert part(run_example(NAME), "Run 1")[1] == "  36 files: 0 hits, 36 tried, 2 failed"

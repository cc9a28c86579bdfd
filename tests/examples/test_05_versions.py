"""Versions of one result: which there are, which a call gets, how they are found, and when they are outdated."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, NamedTuple

import pytest

from cachedeco import Cache, Status

if TYPE_CHECKING:
    from pathlib import Path

NAME = "05_versions.py"
VERSION = re.compile(r"  version (\d+): accuracy (\d\.\d{3}), [\d,]+ bytes")


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


def part(lines: list[str], number: int) -> list[str]:
    """The lines of one part of the story."""
    (start,) = [position for position, line in enumerate(lines) if line.startswith(f"{number}. ")]
    end = next((n for n in range(start + 1, len(lines)) if not lines[n].startswith("  ")), len(lines))
    return lines[start + 1 : end]


def test_each_refresh_makes_a_version_and_the_best_one_is_chosen(done, computed):
    """Four forests; the call after them computes nothing and gets the most accurate, the newest of equals."""
    said = part(done.lines, 1)
    assert computed(said) == ["growing 1 trees"] * 4
    accuracies = {int(found[1]): float(found[2]) for found in map(VERSION.fullmatch, said) if found}
    assert sorted(accuracies) == [1, 2, 3, 4]
    chosen = re.fullmatch(r"  a call gets version (\d) with (\d\.\d{3})", said[-1])
    assert accuracies[int(chosen[1])] == float(chosen[2]) == max(accuracies.values())


def test_attributes_are_those_of_the_value(done):
    """Each item's accuracy is that of its model's call, and `search` compares it."""
    with Cache(done.cache) as cache:
        forests = cache.search(label="trees", status=Status.READY)
        assert len(forests) == 5
        for item in forests:
            assert item.attrs["accuracy"] == item.load()[1]
            assert item.attrs["size"] == {"trees": item.params["trees"]}
        best = max(item.attrs["accuracy"] for item in forests)
        found = cache.search(attrs={"accuracy": (">=", best)})
        assert found == [item for item in forests if item.attrs["accuracy"] == best]
        (large,) = cache.search(attrs={"size": {"trees": (">", 10)}})
        assert len(large.load()[0]) == 20


def test_attributes_can_be_added_later(done):
    """The item that was reviewed is found by that, and has kept what it had."""
    with Cache(done.cache) as cache:
        (reviewed,) = cache.search(attrs={"reviewed": True})
        assert reviewed.attrs["by"] == "Ada"
        assert reviewed.attrs["accuracy"] > 0.5
    said = "\n".join(part(done.lines, 2))
    assert "'reviewed': True" in said
    assert "loaded: ExtraTreesClassifier of 20 trees" in said


def test_expiry_is_the_readers(done, computed):
    """What has expired for one is a hit for the other; what the one computes again is there for both."""
    said = part(done.lines, 3)
    assert computed(said) == ["counting the wines", "counting the wines"]
    assert "Hit: version 1 of " in said[1]
    assert re.search("Miss: version 1 of .* has expired", said[2])
    assert "Hit: version 2 of " in said[4]


def test_settings_say_what_an_edit_means(done):
    """Four policies and two version numbers, each with the result of the old or of the new code."""
    assert part(done.lines, 4) == [
        "  on_code_change='ignore': 14.83",
        "  on_code_change='warn': 14.83 and a StoreWarning",
        "  on_code_change='raise': CodeChangedError",
        "  on_code_change='recompute': 14.8",
        "  code_version='1': 14.83",
        "  code_version='2': 14.8",
    ]


def test_next_run_adds_versions_and_keeps_the_old_ones(done, tmp_path, run_example, computed):
    """Only what is refreshed or expired computes; seven forests are there to choose from."""
    lines = run_example(NAME, "--cache", copied(done.cache, tmp_path))
    assert computed(lines) == [*["growing 1 trees"] * 3, "counting the wines"]
    assert sum(VERSION.fullmatch(line) is not None for line in lines) == 7


def test_by_itself_it_leaves_nothing_behind(run_example, computed):
    """Without a folder for the cache everything goes with the temporary one."""
    assert len(computed(run_example(NAME))) == 7

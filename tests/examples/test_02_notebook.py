"""A notebook-style script: what a cell computes when it is run again, edited, or met by a new kernel."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from cachedeco import Cache

SCRIPT = Path(__file__).parents[2] / "examples" / "02_notebook.py"

# What a notebook does: each cell is a text of its own, run in the one namespace of `__main__`.
NOTEBOOK = """
import linecache, pathlib, sys
cells = pathlib.Path(sys.argv.pop(1)).read_text(encoding="utf-8").split("\\n# %%")[1:]
for number, cell in enumerate([*cells[:-1], *cells[1:]]):
    name = f"<cell {number}>"
    linecache.cache[name] = (len(cell), None, cell.splitlines(keepends=True), name)
    exec(compile("#" + cell, name, "exec"), globals())
    if number == len(cells) - 2:
        print("All cells again")
"""


class Kernels(NamedTuple):
    """Two runs with one cache."""

    cache: Path
    first: list[str]
    second: list[str]


@pytest.fixture(scope="module")
def kernels(tmp_path_factory, run_example) -> Kernels:
    cache = tmp_path_factory.mktemp("cache")
    return Kernels(cache, *(run_example(SCRIPT.name, "--cache", cache) for _ in range(2)))


def after(lines: list[str], beginning: str) -> list[str]:
    """The lines that follow the one that begins so."""
    (position,) = [number for number, line in enumerate(lines) if line.startswith(beginning)]
    return lines[position + 1 :]


def test_each_thing_is_computed_once(kernels, computed):
    """An equal frame, a keyword, a constant set back, a closure made anew: none of them computes again."""
    assert computed(kernels.first) == [
        "reading flights.csv.zip",
        "counting flights more than 15 minutes late by hour",
        "counting flights more than 15 minutes late by hour",
        "counting flights more than 30 minutes late by hour",
        "finding the 3 busiest destinations",
        "finding the 5 busiest destinations",
        "ranking the carriers",
        "counting flights more than 15 minutes late by carrier",
        "ranking the carriers",
    ]


def test_fewer_flights_are_another_frame(kernels):
    """The second count by hour is that of the part of the frame."""
    assert after(kernels.first, "With fewer flights")[0].startswith("  ... counting")


def test_an_edited_constant_is_named(kernels):
    """A miss because of a constant shows both its values; set back, it is a hit."""
    said = after(kernels.first, "LATE is 30 now")
    assert said[0].startswith("Miss: version 1 of ")
    assert re.fullmatch(r"  global .*LATE: 15 -> 30", said[1])
    assert any(line.startswith("And 15 again: Hit: version 1 of ") for line in said)


def test_an_edited_cell_shows_its_edit_without_comments(kernels):
    """The difference has the line that does something else, not the comment, and the result is another one."""
    said = "\n".join(after(kernels.first, "The cell is edited."))
    assert "-    return late_by(flights, 'carrier').sort_values()\n" in said
    assert "+    return late_by(flights, 'carrier').sort_values(ascending=False)\n" in said
    assert "People want" not in said
    assert "HA is the most punctual" in "\n".join(kernels.first)
    assert "F9 is the least punctual" in said


def test_a_new_kernel_finds_everything(kernels, computed):
    """The second run computes nothing, and comes to the same results."""
    assert computed(kernels.second) == []
    assert [line for line in kernels.second if "punctual" in line or "Two functions" in line] == [
        line for line in kernels.first if "punctual" in line or "Two functions" in line
    ]


def test_results_are_those_of_pandas(kernels):
    """What is stored is what the functions compute."""
    with Cache(kernels.cache) as cache:
        shares = cache.search("py://02_notebook/late_by", function="02_notebook.late_by")
        (late,) = [item.load() for item in shares if item.params["column"] == "carrier"]
        assert len(cache) == 9
    assert (late.idxmin(), late.idxmax(), len(late)) == ("HA", "F9", 16)


def test_by_itself_it_leaves_nothing_behind(run_example, computed):
    """Without a folder for the cache everything goes with the temporary one."""
    lines = run_example(SCRIPT.name)
    assert len(computed(lines)) == 9
    assert lines[-1] == "9 results are kept in a temporary folder, until now"


def test_cells_run_again_in_a_notebook_compute_nothing(tmp_path, computed):
    """Cell by cell, as a notebook does it: all cells, then all again in the same kernel."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", NOTEBOOK, SCRIPT, "--cache", tmp_path / "cache"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(computed(lines)) == 9
    assert computed(after(lines, "All cells again")) == []

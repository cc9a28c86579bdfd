"""Cached functions of a notebook: after a restart of the kernel, under another name, between edits, in workers."""

from __future__ import annotations

import pytest

nbformat = pytest.importorskip("nbformat", reason="needs the extra test-notebook")
pytest.importorskip("nbclient", reason="needs the extra test-notebook")
pytest.importorskip("ipykernel", reason="needs the extra test-notebook")
pytest.importorskip("joblib", reason="needs the extra test-notebook")

SETUP = """
import dataclasses, enum, json, warnings
from cachedeco import StoreWarning, cached
from pipeline.engines import note, through
warnings.simplefilter("error", StoreWarning)
"""
CLASSES = """
class Unit(enum.Enum):
    METRE = "m"

@dataclasses.dataclass
class Point:
    x: int
    unit: Unit = Unit.METRE

    def twice(self):
        return self.x * 2
"""
HELPER = """
OFFSET = 1

def helper(x):
    return x + OFFSET
"""
FUNCTION = """
@cached
def moved(point, by):
    note("computed", f"moved-{by}")
    return Point(point.twice() + helper(by))
"""
CALLS = """
here = [moved(Point(3), by) for by in (1, 2, 1)]
there = through("loky", moved, [Point(3)] * 3, [1, 2, 3])
keys = through("loky", moved.key, [Point(3)] * 2, [1, 2])
print(json.dumps({
    "values": [point.x for point in here + there],
    "classes": [type(point) is Point for point in here + there],
    "keys": keys == [moved.key(Point(3), by) for by in (1, 2)],
    "after": moved(Point(3), 3).x,
    "uri": moved.item(Point(3), 3).uri,
}))
"""
TOLD = {
    "values": [8, 9, 8, 8, 9, 10],
    "classes": [True] * 6,
    "keys": True,
    "after": 10,
    "uri": "py://__main__/moved",
}


def run(project, name, *cells):
    """Run a notebook of these cells in a new kernel."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(notebook, project.folder / name)
    return project.run("notebook.py", name, pythonwarnings="default")


def computed(project):
    """What has been computed until now."""
    return sorted(line.split()[0] for line in project.calls())


@pytest.mark.notebook
def test_a_restarted_kernel_finds_everything(project):
    """Also what the workers of the first one have stored; nothing is computed twice."""
    cells = (SETUP, CLASSES, HELPER, FUNCTION, CALLS)
    assert run(project, "analysis.ipynb", *cells) == TOLD
    assert computed(project) == ["moved-1", "moved-2", "moved-3"]
    assert run(project, "analysis.ipynb", *cells) == TOLD
    assert len(computed(project)) == 3


@pytest.mark.notebook
def test_renamed_notebook_and_edited_cells_elsewhere_find_everything(project):
    """The name of the notebook, the order of cells, comments and what is not used do not count."""
    run(project, "analysis.ipynb", SETUP, CLASSES, HELPER, FUNCTION, CALLS)
    edited = run(
        project,
        "final analysis (2).ipynb",
        SETUP,
        "print(end='')\ndef unused(x):\n    return x",
        HELPER,
        f"# a comment\n{CLASSES}",
        FUNCTION,
        CALLS,
    )
    assert edited == TOLD
    assert len(computed(project)) == 3


@pytest.mark.notebook
@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        pytest.param("OFFSET = 1", "OFFSET = 2", 1, id="global"),
        pytest.param("return x + OFFSET", "return x + OFFSET + 1", 1, id="helper"),
        pytest.param("self.x * 2", "self.x * 2 + 1", 1, id="method"),
        pytest.param("helper(by))", "helper(by) + 1)", 1, id="function"),
    ],
)
def test_edited_code_counts(project, old, new, change):
    """In the kernel and in its workers."""
    cells = (SETUP, CLASSES, HELPER, FUNCTION, CALLS)
    run(project, "analysis.ipynb", *cells)
    told = run(project, "analysis.ipynb", *(cell.replace(old, new) for cell in cells))
    assert told["values"] == [value + change for value in TOLD["values"]]
    assert told["keys"]
    assert len(computed(project)) == 6

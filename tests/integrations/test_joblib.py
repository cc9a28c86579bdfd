"""Cached functions in the workers of joblib: loky, threads and multiprocessing."""

from __future__ import annotations

import pytest

pytest.importorskip("joblib", reason="joblib is not installed")

ENGINES = ["loky", "threading", "multiprocessing"]
STARTS = ["script", "module", "import"]
STORIES = {
    "loky": "shared,objects,local",
    "threading": "shared,objects,local",
    "multiprocessing": "shared,objects",  # it sends no functions by value
}
"""What is told in one process, for starting it and its workers takes longer than all of it."""


@pytest.mark.parametrize("how", STARTS)
@pytest.mark.parametrize("engine", ENGINES)
def test_workers_and_parent_share_results(tell, engine, how):
    """Each key is computed once over all workers, found by the parent, and the same in all of them."""
    stories, project = tell(how, engine, STORIES[engine])
    told = stories["shared"]
    assert told["there"] == told["here"]
    assert [value for value, _ in told["here"]] == told["direct"]
    assert [facts["key"] for _, facts in told["here"]] == told["keys"]
    assert {facts["uri"] for _, facts in told["here"]} == {"py://pipeline.steps/outer"}
    assert {facts["status"] for _, facts in told["here"]} == {"READY"}
    assert project.computed("inner", "outer") == [
        f"{step}-{x}" for step in ("inner", "outer") for x in (1, 2, 3)
    ]


@pytest.mark.parametrize("engine", ENGINES)
def test_workers_that_ask_at_once_compute_once(project, engine):
    """One worker computes; the others, which ask meanwhile, wait for it."""
    told = project.start("script", "at_once", engine)
    assert told == {"values": [70] * 6, "after": 70, "items": 1}
    assert len(project.calls()) == 1
    assert len({line.split()[-1] for line in project.calls("asked")}) == 3


@pytest.mark.parametrize("engine", ENGINES)
def test_errors_arrive_with_their_facts(project, engine):
    """The function's own error, the cached failure and the unkeyable argument keep kind, text and facts."""
    told = project.start("module", "errors", engine)
    assert (told["raised"]["kind"], told["raised"]["text"]) == ("ValueError", "no 1 today")
    for each in (told["previous"], told["here"]):
        assert each["kind"] == "PreviousFailureError"
        assert "ValueError: no 1 today" in each["text"]
        assert "ValueError: no 1 today" in each["facts"]["traceback"]
    assert told["unkeyable"]["kind"] == "KeyingError"
    assert told["unkeyable"]["facts"]["path"].startswith("shape['parts'][0]")
    assert len(project.calls()) == 1


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("how", STARTS)
def test_caches_items_and_values_of_the_scripts_classes_travel(tell, engine, how):
    """What a worker stores of a class of the script, the parent gets as an instance of that class."""
    stories, project = tell(how, engine, STORIES[engine])
    assert stories["objects"] == {
        "path": True,
        "value": True,
        "same": True,
        "classes": [True] * 3,
        "shapes": [True] * 2,
    }
    assert project.computed("grown") == ["grown-1"]


@pytest.mark.parametrize("engine", ["loky", "threading"])
@pytest.mark.parametrize("how", STARTS)
def test_nested_functions_and_lambdas(tell, engine, how):
    """What goes to a worker by value has the key that it has at home; closures are part of it."""
    stories, project = tell(how, engine, STORIES[engine])
    assert stories["local"] == {"nested": [6, 6], "square": [4, 4], "keys": True, "after": [6, 4, 1, 1]}
    assert project.computed("nested", "square") == ["nested-2", "square-2"]

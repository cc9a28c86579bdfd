"""Cached functions in a ProcessPoolExecutor: forked, spawned, and from a fork server."""

from __future__ import annotations

import multiprocessing

import pytest

ENGINES = [
    pytest.param(
        engine,
        marks=pytest.mark.skipif(
            engine not in multiprocessing.get_all_start_methods(), reason=f"there is no {engine} here"
        ),
    )
    for engine in ("fork", "spawn", "forkserver")
]
STARTS = ["script", "module", "import"]
STORIES = "shared,objects"
"""What is told in one process, for starting it and its workers takes longer than all of it."""


@pytest.mark.parametrize("how", STARTS)
@pytest.mark.parametrize("engine", ENGINES)
def test_workers_and_parent_share_results(tell, engine, how):
    """Each key is computed once over all workers, found by the parent, and the same in all of them."""
    stories, project = tell(how, engine, STORIES)
    told = stories["shared"]
    assert told["there"] == told["here"]
    assert [value for value, _ in told["here"]] == told["direct"]
    assert [facts["key"] for _, facts in told["here"]] == told["keys"]
    assert {facts["uri"] for _, facts in told["here"]} == {"py://pipeline.steps/outer"}
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
    told = project.start("script", "errors", engine)
    assert (told["raised"]["kind"], told["raised"]["text"]) == ("ValueError", "no 1 today")
    for each in (told["previous"], told["here"]):
        assert each["kind"] == "PreviousFailureError"
        assert "ValueError: no 1 today" in each["facts"]["traceback"]
    assert told["unkeyable"]["kind"] == "KeyingError"
    assert told["unkeyable"]["facts"]["path"].startswith("shape['parts'][0]")
    assert len(project.calls()) == 1


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("how", STARTS)
def test_caches_items_and_values_of_the_scripts_classes_travel(tell, engine, how):
    """What a worker stores of a class of the script, the parent gets as an instance of that class."""
    stories, project = tell(how, engine, STORIES)
    assert stories["objects"] == {
        "path": True,
        "value": True,
        "same": True,
        "classes": [True] * 3,
        "shapes": [True] * 2,
    }
    assert project.computed("grown") == ["grown-1"]

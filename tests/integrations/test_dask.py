"""Cached functions in the worker processes of a local Dask cluster."""

from __future__ import annotations

import pytest

pytest.importorskip("distributed", reason="needs the extra test-dask")

STARTS = ["script", "module", "import"]


@pytest.mark.dask
@pytest.mark.parametrize("how", STARTS)
def test_workers_and_client_share_results(project, how):
    """Each key is computed once over all workers, found by the client, and the same in all of them."""
    told = project.start(how, "shared", "dask")
    assert told["there"] == told["here"]
    assert [value for value, _ in told["here"]] == told["direct"]
    assert [facts["key"] for _, facts in told["here"]] == told["keys"]
    assert {facts["uri"] for _, facts in told["here"]} == {"py://pipeline.steps/outer"}
    computed = sorted(line.split()[0] for line in project.calls())
    assert computed == ["inner-1", "inner-2", "inner-3", "outer-1", "outer-2", "outer-3"]


@pytest.mark.dask
def test_workers_that_ask_at_once_compute_once(project):
    """One worker computes; the others, which ask meanwhile, wait for it."""
    told = project.start("script", "at_once", "dask")
    assert told == {"values": [70] * 6, "after": 70, "items": 1}
    assert len(project.calls()) == 1
    assert len({line.split()[-1] for line in project.calls("asked")}) == 3


@pytest.mark.dask
def test_errors_arrive_with_their_facts(project):
    """The function's own error, the cached failure and the unkeyable argument keep kind, text and facts."""
    told = project.start("script", "errors", "dask")
    assert (told["raised"]["kind"], told["raised"]["text"]) == ("ValueError", "no 1 today")
    for each in (told["previous"], told["here"]):
        assert each["kind"] == "PreviousFailureError"
        assert "ValueError: no 1 today" in each["facts"]["traceback"]
    assert told["unkeyable"]["kind"] == "KeyingError"
    assert told["unkeyable"]["facts"]["path"].startswith("shape['parts'][0]")
    assert len(project.calls()) == 1


@pytest.mark.dask
@pytest.mark.parametrize("how", STARTS)
def test_caches_items_and_values_of_the_scripts_classes_travel(project, how):
    """What a worker stores of a class of the script, the client gets as an instance of that class."""
    told = project.start(how, "objects", "dask")
    assert told == {
        "path": True,
        "value": True,
        "same": True,
        "classes": [True] * 3,
        "shapes": [True] * 2,
    }
    assert len([line for line in project.calls() if line.startswith("grown")]) == 1


@pytest.mark.dask
def test_nested_functions_and_lambdas(project):
    """What goes to a worker by value has the key that it has at home; closures are part of it."""
    told = project.start("script", "local", "dask")
    assert told == {"nested": [6, 6], "square": [4, 4], "keys": True, "after": [6, 4, 1, 1]}
    assert sorted(line.split()[0] for line in project.calls()) == ["nested-2", "square-2"]

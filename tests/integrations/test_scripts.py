"""One module as a script, with -m, imported, in workers: results are shared, and not confused."""

from __future__ import annotations

import pytest

ORDERS = [("script", "module"), ("module", "import"), ("import", "script")]


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_what_one_way_of_starting_stores_the_other_finds(project, order):
    """The uri has the module's full name, the code is the same, nothing is computed twice."""
    first, second = [project.start(how, "shared", "plain") for how in order]
    assert first == second
    assert {facts["uri"] for _, facts in first["here"]} == {"py://pipeline.steps/outer"}
    assert len(project.calls()) == 6


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_values_of_the_scripts_own_classes_are_shared(project, order):
    """Whoever loads one gets an instance of the class that it knows itself."""
    for how in order:
        assert project.start(how, "objects", "plain")["classes"] == [True] * 3
    assert len([line for line in project.calls() if line.startswith("grown")]) == 1


@pytest.mark.parametrize("engine", ["spawn", "loky"])
def test_what_workers_store_the_next_run_finds_without_workers(project, engine):
    """A worker's name for the script is nobody else's."""
    for each in (engine, "plain"):
        assert project.start("script", "objects", each)["classes"] == [True] * 3
    assert len([line for line in project.calls() if line.startswith("grown")]) == 1


@pytest.mark.parametrize("engine", ["plain", "loky"])
def test_a_class_of_the_same_name_in_another_script_is_not_taken(project, engine):
    """A stored value of a class of one script is never made an instance of another script's class."""
    project.start("script", "objects", engine)
    assert project.run("lookalike.py") == {"theirs": True, "ours": False}
    assert len([line for line in project.calls() if line.startswith("grown")]) == 1


def test_who_does_not_know_the_script_is_told_so(project):
    """Nothing is imported behind one's back, for an import may run a whole script."""
    project.start("script", "objects", "plain")
    told = project.run("stranger.py")
    assert told["kind"] == "UnloadableError"
    assert (
        "Shape of the script pipeline.steps, which this process neither runs nor has imported" in told["text"]
    )


@pytest.mark.parametrize("engine", ["plain", "loky", "spawn"])
def test_an_edited_method_of_a_class_of_the_script_counts(project, engine):
    """Also where the class has come to a worker by value."""
    before = project.start("script", "shared", engine)["direct"]
    steps = project.folder / "pipeline" / "steps.py"
    text = steps.read_text(encoding="utf-8")
    steps.write_text(
        text.replace("self.size.height * SCALE", "self.size.height * SCALE + 1"), encoding="utf-8"
    )
    assert project.start("script", "shared", engine)["direct"] == [value + 1 for value in before]
    assert sorted(line.split()[0] for line in project.calls())[3:] == [
        f"outer-{x}" for x in (1, 1, 2, 2, 3, 3)
    ]


@pytest.mark.parametrize("engine", ["loky", "fork"])
def test_program_of_a_package(project, engine):
    """Run with -m by the package's name, and imported, it is one module."""
    told = [
        project.run("-m", "pipeline", engine),
        project.run("-c", "import pipeline.__main__ as program; program.main()", engine),
    ]
    assert told[0] == told[1] == {"values": [6, 6, 7], "uri": "py://pipeline.__main__/programmed", "after": 6}
    assert len(project.calls()) == 2


def test_two_scripts_of_one_name_do_not_get_each_others_results(project):
    """Their functions have one uri, but not the same code."""
    text = (
        "import json\nfrom cachedeco import cached\n"
        "@cached\ndef f(x):\n    return [x, {!r}]\nprint(json.dumps(f(1)))\n"
    )
    for name in ("left", "right"):
        folder = project.folder / name
        folder.mkdir()
        (folder / "job.py").write_text(text.format(name), encoding="utf-8")
    for name in ("left", "right", "left"):
        assert project.run(f"{name}/job.py") == [1, name]

"""The verbs of a cached function: they take the arguments of a call and never compute, but for refresh."""

from __future__ import annotations

import threading

import pytest

from cachedeco import Status, cached

STATE = {"calls": 0}


def compute(x, y=2):
    STATE["calls"] += 1
    STATE.get("during", lambda: None)()
    if x == "bad":
        raise ValueError("bad x")
    return (x, y)


@pytest.fixture
def f(cache):
    STATE.clear()
    STATE["calls"] = 0
    return cached(cache=cache, code_version="1")(compute)


def test_item_is_what_a_call_would_get(f):
    """None where it would compute."""
    assert f.item(1) is None
    f(1)
    assert f.item(1).load() == (1, 2)
    assert f.item(x=1, y=2) == f.item(1)
    assert f.item(2) is None
    assert STATE["calls"] == 1


def test_items_are_all_versions_newest_first(f):
    """Whatever their status."""
    f(1)
    f.refresh(1)
    assert [item.version for item in f.items(1)] == [2, 1]
    with pytest.raises(ValueError, match="bad x"):
        f("bad")
    assert [item.status for item in f.items("bad")] == [Status.FAILED]
    assert f.items(3) == []


def test_status_goes_through_its_stages(f):
    """UNINITIALIZED, WRITE while it is computed, READY; FAILED after a failure; TRASH after a removal."""
    seen = []
    STATE["during"] = lambda: seen.append(f.status(1))
    assert f.status(1) == Status.UNINITIALIZED
    f(1)
    assert seen == [Status.WRITE]
    assert f.status(1) == Status.READY
    with pytest.raises(ValueError, match="bad x"):
        f("bad")
    assert f.status("bad") == Status.FAILED


def test_a_refresh_leaves_the_status_ready(f):
    """A hit is a hit, also while a new version is being computed."""
    seen = []
    f(1)
    STATE["during"] = lambda: seen.append(f.status(1))
    f.refresh(1)
    assert seen == [Status.READY]


def test_key_and_params_are_those_of_the_call(f):
    """However the arguments were written."""
    assert f.key(1) == f.key(x=1, y=2) != f.key(2)
    assert len(f.key(1)) == 32
    assert f.params(1) == {"x": 1, "y": 2}
    f(1)
    assert f.item(1).key == f.key(1)
    assert STATE["calls"] == 1


def test_refresh_computes_a_new_version(f):
    """The old one stays, the new one is the hit."""
    assert f.refresh(1) == (1, 2)
    assert f.refresh(1) == (1, 2)
    assert STATE["calls"] == 2
    assert f.item(1).version == 2
    f(1)
    assert STATE["calls"] == 2


def test_refresh_waits_for_who_computes(f):
    """Then computes itself: two versions, one after the other."""
    entered, go = threading.Event(), threading.Event()
    running = []

    def during():
        running.append(1)
        assert len(running) == 1
        entered.set()
        assert go.wait(30)
        running.pop()

    STATE["during"] = during
    first = threading.Thread(target=f, args=(1,))
    first.start()
    assert entered.wait(30)
    second = threading.Thread(target=f.refresh, args=(1,))
    second.start()
    go.set()
    first.join()
    second.join()
    assert [item.version for item in f.items(1)] == [2, 1]


def test_remove_sets_all_versions_aside(f):
    """And says how many; the next call computes, with the next number."""
    f(1)
    f.refresh(1)
    f(2)
    assert f.remove(1) == 2
    assert f.remove(1) == 0
    assert f.item(1) is None
    assert f(1) == (1, 2)
    assert f.item(1).version == 3
    assert f.item(2).version == 1


def test_remove_leaves_a_running_claim_alone(f):
    """Its caller stores its value all the same."""
    removed = []
    STATE["during"] = lambda: removed.append(f.remove(1))
    assert f(1) == (1, 2)
    assert removed == [0]
    assert f.item(1).load() == (1, 2)


def test_remove_takes_failures_too(f):
    """They are versions."""
    with pytest.raises(ValueError, match="bad x"):
        f("bad")
    assert f.remove("bad") == 1
    assert f.items("bad") == []


@pytest.mark.parametrize("verb", ["item", "items", "status", "key", "params", "refresh", "remove", "why"])
def test_arguments_that_do_not_fit_are_named(f, verb):
    """As by a call."""
    with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
        getattr(f, verb)(1, z=3)


@pytest.mark.parametrize("verb", ["item", "items", "status", "key", "params", "refresh", "remove", "why"])
def test_a_verb_explains_itself(f, verb):
    """``help`` shows what it does."""
    assert getattr(f, verb).__doc__.strip().endswith(".")


def by_name(function, name, self):
    return (function, name, self)


def test_any_argument_name_will_do(cache):
    """Also those that the verbs use themselves."""
    f = cached(cache=cache)(by_name)
    f(function=1, name=2, self=3)
    assert f.item(function=1, name=2, self=3).load() == (1, 2, 3)
    assert f.params(1, 2, 3) == {"function": 1, "name": 2, "self": 3}

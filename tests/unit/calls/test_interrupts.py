"""Ctrl-C at awkward places: nothing committed is lost, no claim leaks, later calls compute."""

from __future__ import annotations

import asyncio
import gc
import sys

import pytest

from cachedeco import Status, cached
from cachedeco.calls import flights
from cachedeco.calls import work as work_module
from cachedeco.registry import owner
from cachedeco.registry.claims import Claims

STATE = {"calls": 0, "result": None}


@pytest.fixture(params=["value", "file"])
def function(request, cache):
    """A function whose value is kept inside the registry, or in a file of its own."""
    STATE.update(calls=0, result=b"x" * (10 if request.param == "value" else 50_000))

    @cached(cache=cache, code_version="1")
    def compute(x):
        STATE["calls"] += 1
        return STATE["result"]

    return compute


def raise_after(monkeypatch, owner, name):
    """Let a method do all its work, and strike before its caller learns of it; once."""
    original = getattr(owner, name)

    def interrupted(*args, **kwargs):
        original(*args, **kwargs)
        monkeypatch.setattr(owner, name, original)
        raise KeyboardInterrupt

    monkeypatch.setattr(owner, name, interrupted)


def raise_before(monkeypatch, owner, name):
    """Strike before a method does anything; once."""
    original = getattr(owner, name)

    def interrupted(*args, **kwargs):
        monkeypatch.setattr(owner, name, original)
        raise KeyboardInterrupt

    monkeypatch.setattr(owner, name, interrupted)


def statuses(cache, function):
    return [item.status for item in reversed(function.items(1))]


def test_after_the_commit_of_a_result_it_is_kept(cache, function, monkeypatch):
    """The caller is interrupted, but the value is READY with its bytes."""
    raise_after(monkeypatch, Claims, "commit")
    with pytest.raises(KeyboardInterrupt):
        function(1)
    assert statuses(cache, function) == [Status.READY]
    assert function(1) == STATE["result"]
    assert STATE["calls"] == 1


def test_before_the_commit_of_a_result_the_claim_is_let_go(cache, function, monkeypatch):
    """And its bytes are removed."""
    raise_before(monkeypatch, Claims, "commit")
    with pytest.raises(KeyboardInterrupt):
        function(1)
    assert statuses(cache, function) == [Status.FAILED]
    assert function(1) == STATE["result"]
    assert statuses(cache, function) == [Status.FAILED, Status.READY]


def test_after_the_commit_of_a_claim_it_is_let_go(cache, function, monkeypatch):
    """The row is there although its claimant never heard of it."""
    raise_after(monkeypatch, Claims, "claim")
    with pytest.raises(KeyboardInterrupt):
        function(1)
    assert statuses(cache, function) == [Status.FAILED]
    assert function(1) == STATE["result"]


def test_between_claim_and_function_the_claim_is_let_go(cache, function, monkeypatch):
    """Nothing has run."""
    raise_before(monkeypatch, work_module, "run")
    with pytest.raises(KeyboardInterrupt):
        function(1)
    assert STATE["calls"] == 0
    assert statuses(cache, function) == [Status.FAILED]


def test_in_place_of_the_clean_up_the_next_call_cleans_up(cache, function, monkeypatch):
    """A second Ctrl-C that strikes the clean-up itself leaves a row that the next call of any key ends."""
    raise_before(monkeypatch, work_module, "run")
    raise_before(monkeypatch, work_module.Work, "end")
    with pytest.raises(KeyboardInterrupt):
        function(1)
    assert statuses(cache, function) == [Status.WRITE]
    function(2)
    assert statuses(cache, function) == [Status.FAILED]


def test_in_place_of_the_clean_up_a_call_of_the_same_key_goes_on(cache, function, monkeypatch):
    """It does not wait for a writer that there is not."""
    raise_before(monkeypatch, work_module, "run")
    raise_before(monkeypatch, work_module.Work, "end")
    with pytest.raises(KeyboardInterrupt):
        function(1)
    assert function(1) == STATE["result"]


class Striker:
    """Raises KeyboardInterrupt at the n-th place where Python looks for signals, within this package.

    Signals are looked for at the first instruction of a Python function and after each call into C.
    """

    def __init__(self, place):
        self.left = place
        self.struck = None

    def __call__(self, frame, event, arg):
        if event not in {"call", "c_return"} or not frame.f_globals.get("__name__", "").startswith(
            "cachedeco"
        ):
            return
        if self.left == 0 and self.struck is None:
            self.struck = (frame.f_code.co_qualname, frame.f_lineno, event)
            sys.setprofile(None)
            raise KeyboardInterrupt
        self.left -= 1


def strike(function, argument, place):
    """Call with a strike at a place; tells where it struck, or None when the call was over before."""
    striker = Striker(place)
    sys.setprofile(striker)
    try:
        function(argument)
    except KeyboardInterrupt:
        pass
    finally:
        sys.setprofile(None)
    return striker.struck


# A file that was just opened is closed by its destructor, which warns.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_at_every_place_of_a_call(cache, function):
    """Wherever it strikes: what was READY stays, the key computes, and no claim is left running."""
    function(0)
    place = 0
    while True:
        key = 1_000 + place
        struck = strike(function, key, place)
        if struck is None:
            break
        ready = [item.version for item in function.items(key) if item.status == Status.READY]
        calls = STATE["calls"]
        assert function(key) == STATE["result"], struck
        assert STATE["calls"] == calls + (not ready), struck
        assert [item.version for item in function.items(key) if item.status == Status.READY][-1:] == (
            ready[-1:] or [function.items(key)[0].version]
        ), struck
        place += 1
    assert place > 100
    function(1)
    assert cache.search(status=Status.WRITE) == []
    assert all(flight.over for flight in flights._flights.values())
    flights._flights.clear()
    assert owner.live_tokens == set()
    assert cache.store.pool._gate._inside == set()


def refresh(cache, function):
    return function.refresh, lambda key: function.refresh(key) == STATE["result"]


def call_again(cache, function):
    return lambda _: function(0), lambda _: function(0) == STATE["result"]


def map_over(cache, function):
    return lambda key: function.map([0, key]), lambda key: function.map([0, key]) == [STATE["result"]] * 2


def awaited(cache, function):
    @cached(cache=cache, code_version="1", uri="awaited")
    async def later(x):
        return STATE["result"]

    def step(key):
        # Without a loop of its own, in which the strike would meet asyncio's own code.
        return asyncio.run(later(key))

    return step, lambda key: step(key) == STATE["result"]


def streamed(cache, function):
    @cached(cache=cache, code_version="1", uri="streamed")
    def stream(x):
        yield STATE["result"]

    return lambda key: list(stream(key)), lambda key: list(stream(key)) == [STATE["result"]]


def by_hand(cache, function):
    def write(key):
        item = cache.best_or_new("by hand", {"key": key}, filename="f")
        if item.status == Status.WRITE:
            item.path.write_bytes(STATE["result"])
            item.ready()
        return item.path.read_bytes()

    return write, lambda key: write(key) == STATE["result"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("make", [refresh, call_again, map_over, streamed, by_hand, awaited])
def test_at_every_place_of_other_roads(cache, function, make):
    """Wherever it strikes: it works the next time, what was READY stays, and no claim is left running."""
    function(0)
    act, works = make(cache, function)
    act(0)
    place = 0
    while (struck := strike(act, 1_000 + place, place)) is not None:
        ready = {item.id for item in cache.search(status=Status.READY)} if place % 20 == 0 else set()
        assert works(1_000 + place), struck
        assert ready <= {item.id for item in cache.search(status=Status.READY)} if ready else True, struck
        place += 1
    assert place > 10
    gc.collect()
    function(1)
    assert cache.search(status=Status.WRITE) == []
    assert owner.live_tokens == set()
    assert cache.store.pool._gate._inside == set()
    flights._flights.clear()

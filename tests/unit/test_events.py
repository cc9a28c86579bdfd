"""What happens in a cache, told to who has subscribed."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

from cachedeco import Cache, OptionError, Status, StoreWarning, cached
from cachedeco.events import KINDS, listening

BEGUN, GO = threading.Event(), threading.Event()


def slow():
    """Returns when it may."""
    BEGUN.set()
    assert GO.wait(10)
    return 1


@pytest.fixture
def heard(cache):
    """The events of the cache, in their order."""
    events = []
    with cache.subscribe(events.append):
        yield events
    assert not listening


def kinds(heard):
    """Their kinds, of which the list is emptied."""
    found = [event.kind for event in heard]
    heard.clear()
    return found


def test_a_call_tells_what_it_does(cache, heard):
    """From disk, from the memory of the process, and what it has found out of an item."""

    @cached(cache=cache, uri="test://f", code_version="1")
    def f(x):
        return "x" * x

    f(3)
    assert [(event.kind, event.version) for event in heard] == [("miss", None), ("claim", 1), ("commit", 1)]
    commit = heard[-1]
    assert (commit.cache, commit.uri, commit.key) == (cache.path, "test://f", f.key(3))
    assert commit.function == f"{__name__}.{f.__qualname__}"
    assert commit.seconds is not None
    assert commit.size > 0
    assert commit.at > 0
    heard.clear()
    f(3)
    f(3)
    assert [(event.kind, event.version, event.size) for event in heard] == [("hit", 1, commit.size)] * 2
    assert repr(heard[0]).startswith("Event(hit, ")
    heard.clear()
    cache.close()
    f(3)
    assert kinds(heard) == ["hit"]
    f.refresh(3)
    assert kinds(heard) == ["claim", "commit"]


def test_a_call_that_raises_tells_of_its_failure(cache, heard):
    """With the cause that the item has."""

    @cached(cache=cache)
    def f():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        f()
    assert [(event.kind, event.reason) for event in heard] == [
        ("miss", None),
        ("claim", None),
        ("fail", "raised"),
    ]


def test_an_interrupted_call_tells_of_its_end(cache, heard):
    """Ctrl-C leaves a claim that is let go."""

    @cached(cache=cache)
    def f():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        f()
    assert (heard[-1].kind, heard[-1].reason) == ("fail", "abandoned")


def test_who_waits_tells_it(cache, heard):
    """Before he does."""
    BEGUN.clear()
    GO.clear()
    f = cached(cache=cache, code_version="1")(slow)

    def release(event):
        GO.set()

    first = threading.Thread(target=f)
    first.start()
    assert BEGUN.wait(10)
    with cache.subscribe(release, "wait"):
        assert f() == 1
    first.join()
    assert [event.kind for event in heard] == ["miss", "claim", "miss", "wait", "commit", "hit"]


def test_async_functions_and_generators_tell_the_same(cache, heard):
    """On their own roads."""

    @cached(cache=cache)
    async def one(x):
        return x

    @cached(cache=cache)
    def many(n):
        yield from range(n)

    for _ in range(2):
        assert asyncio.run(one(1)) == 1
        assert kinds(heard) == (["miss", "claim", "commit"] if _ == 0 else ["hit"])
    for _ in range(2):
        assert list(many(2)) == [0, 1]
        assert kinds(heard) == (["miss", "claim", "commit"] if _ == 0 else ["hit"])


def test_items_made_by_hand_tell_too(cache, heard):
    """What is claimed, and what becomes of it."""
    item = cache.best_or_new("u", filename="f")
    item.path.write_text("x")
    item.ready()
    assert [(event.kind, event.uri, event.function) for event in heard] == [
        ("claim", "u", None),
        ("commit", "u", None),
    ]
    heard.clear()
    cache.create("v").failed("no")
    assert [(event.kind, event.uri, event.reason) for event in heard] == [("fail", "v", "raised")]
    heard.clear()
    cache.move_in(__file__, "w")
    assert [(event.kind, event.size) for event in heard] == [("commit", os.path.getsize(__file__))]


@pytest.mark.parametrize("verb", ["item", "cache", "function", "gc", "damage"])
def test_what_goes_to_the_trash_is_told(cache, heard, verb):
    """Whoever sends it there, with a word for why."""

    @cached(cache=cache, uri="test://f")
    def f():
        return b"x" * 100_000

    f()
    heard.clear()
    item = f.item()
    reason = "removed"
    if verb == "item":
        item.remove()
    elif verb == "cache":
        cache.remove(uri="test://f")
    elif verb == "function":
        f.remove()
    elif verb == "gc":
        cache.gc(max_size=0)
        reason = heard[0].reason
        assert reason
    else:
        item.path.chmod(0o644)
        item.path.write_bytes(b"y" * 100_000)
        f()
        reason = "damaged"
        del heard[1:]
        heard[:] = [event for event in heard if event.kind == "evict"]
    (event,) = heard
    assert (event.kind, event.uri, event.version, event.reason) == ("evict", "test://f", 1, reason)


def test_nothing_that_is_only_shown_is_told(cache, heard):
    """A dry run removes nothing."""
    cache.move_in(__file__, "u")
    heard.clear()
    cache.gc(max_size=0, dry_run=True)
    cache.remove(uri="u", dry_run=True)
    assert heard == []


def test_only_the_kinds_that_are_wanted_are_heard(cache):
    """And only of this cache, but of every object that stands for it."""
    events = []
    other = Cache(os.path.join(cache.path, "..", "other"))
    with cache.subscribe(events.append, "commit", "evict"), other:
        other.move_in(__file__, "u")
        assert events == []
        with Cache(cache.path) as same:
            same.move_in(__file__, "u")
        cache.remove(uri="u")
    assert [event.kind for event in events] == ["commit", "evict"]


def test_a_cancelled_listener_hears_nothing_more(cache):
    """Cancelling twice is as good as once."""
    events = []
    subscription = cache.subscribe(events.append)
    subscription.cancel()
    subscription.cancel()
    cache.move_in(__file__, "u")
    assert events == []


def test_a_listener_that_raises_costs_nobody_a_result(cache):
    """It is said once."""

    def broken(event):
        raise RuntimeError("broken")

    @cached(cache=cache)
    def f(x):
        return x

    with cache.subscribe(broken), pytest.warns(StoreWarning, match="broken") as said:
        assert [f(1), f(1), f(2)] == [1, 1, 2]
    assert len(said) == 1
    assert [item.status for item in cache.search()] == [Status.READY] * 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((print, "hits"), "no event 'hits'; there are hit"), (("print",), "cannot be called")],
)
def test_what_cannot_listen_is_refused(cache, arguments, message):
    """At once."""
    with pytest.raises(OptionError, match=message):
        cache.subscribe(*arguments)
    assert not listening
    assert len(KINDS) == 7

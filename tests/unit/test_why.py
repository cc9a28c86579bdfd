"""Why a call is a hit or a miss, in one sentence and then in detail."""

from __future__ import annotations

import threading

import pytest

from cachedeco import cached

STATE = {}


def compute(year, cohort="A"):
    STATE.get("during", lambda: None)()
    if year == 0:
        raise ValueError("there is no year 0")
    return (year, cohort)


@pytest.fixture
def f(cache):
    STATE.clear()
    return cached(cache=cache)(compute)


def test_never_computed(f):
    """Nothing is known of the function."""
    why = f.why(2013)
    assert (why.hit, why.cause, why.nearest, why.differences) == (False, "never", None, ())
    assert "was never computed" in str(why)


def test_a_hit_names_its_version(f):
    """And the item."""
    f(2013)
    why = f.why(2013)
    assert (why.hit, why.cause, why.nearest) == (True, "hit", f.item(2013))
    assert str(why).startswith("Hit: version 1 of ")


def test_another_argument_is_named(f):
    """With what it was and is, of the nearest item."""
    f(2013, "A")
    f(2014, "B")
    why = f.why(2014, "C")
    assert (why.hit, why.cause) == (False, "argument")
    assert [(each.name, each.before, each.now) for each in why.differences] == [
        ("argument cohort", "'B'", "'C'")
    ]
    assert why.nearest == f.item(2014, "B")
    assert "cohort" in str(why).splitlines()[0]
    assert "'B' -> 'C'" in str(why)


def test_a_failure_is_named(f):
    """With its item."""
    with pytest.raises(ValueError, match="year 0"):
        f(0)
    why = f.why(0)
    assert (why.hit, why.cause, why.nearest) == (False, "failed", f.items(0)[0])
    assert "it raised" in str(why)


def test_a_running_computation_is_named(f):
    """Somebody is at it."""
    seen = []
    STATE["during"] = lambda: seen.append(f.why(2013))
    f(2013)
    assert [(why.hit, why.cause) for why in seen] == [(False, "computing")]


def test_a_removal_is_named(f):
    """The version was set aside."""
    f(2013)
    f.remove(2013)
    why = f.why(2013)
    assert (why.hit, why.cause) == (False, "removed")


def test_other_code_is_named(cache):
    """With the part that differs and its lines."""

    def version(body):
        space = {"__name__": "pipeline"}
        exec(body, space)
        return cached(cache=cache)(space["load"])

    old = version("def load(x):\n    return x + 1\n")
    new = version("def load(x):\n    return x + 2\n")
    old(1)
    why = new.why(1)
    assert (why.hit, why.cause, why.nearest) == (False, "code", old.item(1))
    assert why.differences
    assert "other code" in str(why)


def test_it_never_computes(f):
    """Asking is free."""
    STATE["during"] = lambda: pytest.fail("it computed")
    f.why(2013)
    f.why(0)


def test_a_value_that_cannot_be_stored_is_named(cache, recwarn):
    """As such, not as a failure of the function."""
    f = cached(cache=cache)(unstorable)
    f(1)
    assert "could not be stored" in str(f.why(1))


def unstorable(x):
    return threading.Lock()


def test_a_vanished_file_is_named(cache):
    """The bytes are gone."""
    f = cached(cache=cache)(large)
    f(1)
    f.item(1).path.unlink()
    why = f.why(1)
    assert (why.hit, why.cause) == (False, "removed")


def large(x):
    return b"x" * 50_000


def test_it_has_a_short_text_for_programmers(f):
    """``repr`` is not the whole story."""
    assert "never" in repr(f.why(1)) or "Why" in repr(f.why(1))


def test_an_item_says_which_argument_was_new(cache):
    """Of the first version of a call the nearest call before it."""

    @cached(cache=cache)
    def f(x, y=0):
        return x

    f(1)
    f(1, y=2)
    answer = cache.why(f.item(1, y=2))
    assert (answer.cause, str(answer.differences)) == (
        "argument",
        "(Difference('argument y', before='0', now='2'),)",
    )
    assert "first call" in str(cache.why(f.item(1)))


def test_an_item_says_which_code_was_new(cache):
    """Of a later version the code, with its difference."""

    @cached(cache=cache, uri="demo://f")
    def f(x):
        return x * 2

    @cached(cache=cache, uri="demo://f")
    def g(x):
        return x * 3

    f(5)
    g(5)
    answer = cache.why(g.item(5))
    assert answer.cause == "code"
    assert "-    return x * 2" in str(answer)


def test_an_item_says_that_it_was_refreshed(cache):
    """Although the same code had computed it."""

    @cached(cache=cache)
    def f(x):
        return x

    f(1)
    f.refresh(1)
    assert cache.why(f.item(1)).cause == "refreshed"


def test_a_failed_item_says_how(cache):
    """With its traceback."""

    @cached(cache=cache)
    def f(x):
        raise ValueError("no such thing")

    with pytest.raises(ValueError, match="no such"):
        f(1)
    (item,) = cache.failed()
    assert cache.why(item).cause == "failed"
    assert "no such thing" in str(cache.why(item))


def test_an_item_made_by_hand_says_so(cache):
    """There is no call to explain."""
    assert "by hand" in str(cache.why(cache.create("demo://x", filename="x")))

"""Which stored result a call gets: one that has not expired, passes a check, is chosen."""

from __future__ import annotations

import datetime
import threading
import time

import pytest

from cachedeco import CacheItem, OptionError, Status, cached
from cachedeco.calls import flights

CALLS = []
SEEN = []


@pytest.fixture(autouse=True)
def no_calls():
    """Forget the calls of the test before."""
    CALLS.clear()
    SEEN.clear()


def count(x=0):
    CALLS.append(x)
    return len(CALLS)


@pytest.fixture
def make(cache):
    """Makes `count` a cached function."""

    def make(function=count, **options):
        return cached(cache=cache, code_version="1", **options)(function)

    return make


@pytest.fixture
def clock(monkeypatch):
    """A clock that runs faster when it is told to."""
    offset = [0]
    real = time.time_ns

    def later(**span):
        offset[0] += round(datetime.timedelta(**span).total_seconds() * 1e9)

    monkeypatch.setattr(time, "time_ns", lambda: real() + offset[0])
    return later


# expires


def test_without_expires_a_result_is_a_hit_for_ever(make, clock):
    """That is the default."""
    f = make()
    f()
    clock(days=36500)
    assert f() == 1


@pytest.mark.parametrize("expires", [datetime.timedelta(days=1), 86400, 86400.0])
def test_an_expired_result_is_a_miss(make, clock, expires):
    """A timedelta, or seconds."""
    f = make(expires=expires)
    assert f() == 1
    clock(hours=23)
    assert f() == 1
    clock(hours=2)
    assert f.item() is None
    assert f() == 2
    assert f() == 2


def test_it_counts_from_the_commit(make, clock):
    """Not from the call, nor from the last hit."""
    f = make(expires=datetime.timedelta(hours=1))
    f()
    for _ in range(2):
        clock(minutes=29)
        assert f() == 1
    clock(minutes=29)
    assert f() == 2


def test_it_is_the_readers_setting(make, clock):
    """One result is expired for one reader and fresh for another."""
    short, long, never = make(expires=60), make(expires=6000), make()
    assert short() == 1
    clock(seconds=100)
    assert (long(), never()) == (1, 1)
    assert short() == 2


def test_an_expired_version_stays(make, clock):
    """It is passed over, not removed."""
    f = make(expires=60)
    f()
    clock(seconds=61)
    f()
    assert [(item.version, item.status) for item in f.items()] == [(2, Status.READY), (1, Status.READY)]


def test_nothing_is_fresh_when_results_expire_at_once(make):
    """Each call computes."""
    f = make(expires=0)
    assert (f(), f(), f()) == (1, 2, 3)


def test_an_expired_result_is_no_status_of_ready(make, clock):
    """`status` and `item` agree with the call."""
    f = make(expires=60)
    f()
    assert f.status() == Status.READY
    clock(seconds=61)
    assert f.status() != Status.READY
    assert (f.why().cause, f.why().nearest.version) == ("expired", 1)
    assert "version 1 of" in str(f.why())


def test_why_tells_a_check_and_a_choice_from_an_expiry(make):
    """Whichever did not take what is stored."""
    checked, chosen = make(validate=lambda item: False), make(best=lambda items: None)
    both = {"best": lambda items: None, "validate": lambda item: True}
    checked()
    cases = [(checked, "validate"), (chosen, "best"), (make(**both), "best")]
    for f, option in [*cases, (make(**both | {"validate": lambda item: False}), "validate")]:
        assert f.why().cause == "refused"
        assert f"the function's `{option}` does not take it" in str(f.why())


def test_a_moved_zone_changes_nothing(make, monkeypatch):
    """Times are kept in UTC."""
    f = make(expires=datetime.timedelta(minutes=5))
    f()
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    try:
        assert f() == 1
    finally:
        monkeypatch.undo()
        time.tzset()


def test_an_expired_stream_is_produced_again(make, clock):
    """Generators expire too."""

    def produce(n):
        CALLS.append(n)
        yield from range(n)

    g = make(produce, expires=60)
    assert list(g(3)) == list(g(3)) == [0, 1, 2]
    assert len(CALLS) == 1
    clock(seconds=61)
    assert list(g(3)) == list(g(3)) == [0, 1, 2]
    assert len(CALLS) == 2


# validate


def test_an_item_that_fails_the_check_is_no_hit(make):
    """A new version is computed, and asked in turn."""
    f = make(validate=lambda item: item.version >= 3)
    assert [f() for _ in range(5)] == [1, 2, 3, 3, 3]


def test_the_check_gets_the_item(make):
    """With its attributes, its age and its value within reach."""

    def look(item):
        SEEN.append((type(item), item.status, item.attrs, item.load()))
        return True

    f = make(validate=look, attrs={"a": 1})
    f()
    f()
    assert [(CacheItem, Status.READY, {"a": 1}, 1)] == SEEN


def test_an_older_item_that_passes_is_a_hit(make):
    """The newest of those that pass."""
    plain, even = make(), make(validate=lambda item: item.version % 2 == 0)
    plain()
    plain.refresh()
    plain.refresh()
    assert even() == 2
    assert plain() == 3


def test_anything_true_passes(make):
    """And anything false does not."""
    assert make(validate=lambda item: "yes")() == 1
    assert make(validate=lambda item: "yes")() == 1
    assert make(validate=lambda item: [])() == 2


def test_an_error_of_the_check_is_raised(make):
    """It is a mistake of the program, not a miss."""
    f = make(validate=lambda item: 1 / 0)
    assert f() == 1
    with pytest.raises(ZeroDivisionError):
        f()
    assert len(CALLS) == 1


# best


def test_the_latest_is_the_default(make):
    """By version."""
    f = make(best="latest")
    f()
    f.refresh()
    assert f() == 2


def test_a_function_chooses(make):
    """It gets the READY items, the newest first, and returns one of them."""

    def choose(items):
        SEEN.append([item.version for item in items])
        return items[-1]

    f = make(best=choose)
    assert f() == 1
    f.refresh()
    f.refresh()
    assert f() == 1
    assert f.item().version == 1
    assert SEEN[0] == [3, 2, 1]


def test_to_choose_none_is_a_miss(make):
    """A new version is computed, which the function may choose or not."""
    f = make(best=lambda items: next((item for item in items if item.version == 3), None))
    assert [f() for _ in range(5)] == [1, 2, 3, 3, 3]


def test_the_function_gets_only_what_is_fresh_ready_and_of_this_scope(cache, clock):
    """Not what expired, failed, was removed, or was made by other code."""

    def choose(items):
        SEEN.append([item.version for item in items])
        return items[0]

    def fail():
        raise ValueError("no")

    fresh = cached(cache=cache, uri="family", code_version="1", best=choose, expires=60)(count)
    other = cached(cache=cache, uri="family", code_version="2")(count)
    failing = cached(cache=cache, uri="family", code_version="1")(fail)
    plain = cached(cache=cache, uri="family", code_version="1")(count)
    assert fresh() == 1  # version 1
    other()  # version 2
    clock(seconds=30)
    plain.refresh()  # version 3
    with pytest.raises(ValueError, match="no"):
        failing.refresh()  # version 4
    plain.refresh()  # version 5
    cache.store.claims.trash(plain.item()._record.id, "removed")
    assert fresh() == 3
    assert SEEN == [[3, 1]]


def test_to_choose_what_was_not_offered_is_told(make):
    """Whatever it is."""
    foreign = make(uri="elsewhere")
    foreign()
    f = make(best=lambda items: foreign.item())
    f()
    with pytest.raises(
        OptionError, match=r"best\(\.\.\.\) returned CacheItem.*which is none of the items that it got"
    ):
        f()
    g = make(best=lambda items: 5)
    with pytest.raises(OptionError, match="returned 5, which is none"):
        g()


def test_there_is_no_choice_of_what_fails_the_check(make):
    """An item that fails it is no candidate; where all fail, nobody is asked to choose."""

    def choose(items):
        SEEN.append([item.version for item in items])
        return items[0]

    plain, f = make(), make(best=choose, validate=lambda item: item.version % 2 == 0)
    plain()
    assert f() == 2
    assert SEEN == []
    plain.refresh()
    assert f() == 2
    assert SEEN == [[2]]


def test_a_chosen_item_whose_file_is_gone_is_a_miss(make):
    """The call computes, and gets what it computed."""

    def large(x=0):
        CALLS.append(x)
        return bytes([len(CALLS)]) * 10_000

    f = make(large, best=lambda items: items[-1])
    f()
    f.refresh()
    f.items()[-1].path.unlink()
    got = f()
    assert got in (b"\2" * 10_000, b"\3" * 10_000)
    assert f() == f()
    assert len(CALLS) <= 3


def test_refresh_makes_a_new_version_whatever_is_chosen(make):
    """And returns what it computed."""
    f = make(best=lambda items: items[-1])
    assert (f(), f.refresh(), f()) == (1, 2, 1)


def test_nothing_is_chosen_when_there_is_nothing(make):
    """The function is not called with an empty list."""
    f = make(best=lambda items: items[0])
    assert f() == 1
    assert f.item(5) is None


GATE = {"entered": threading.Event(), "go": threading.Event()}


def wait_at_gate(x=0):
    CALLS.append(x)
    GATE["entered"].set()
    assert GATE["go"].wait(30)
    return len(CALLS)


def test_threads_that_want_what_expired_compute_it_once(make, clock):
    """Those that wait get the new version."""
    f = make(wait_at_gate, expires=60)
    GATE["go"].set()
    assert f() == 1
    clock(seconds=61)
    GATE["go"].clear()
    GATE["entered"].clear()
    got = []
    threads = [threading.Thread(target=lambda: got.append(f())) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert GATE["entered"].wait(30)
    deadline = time.monotonic() + 30
    while len(flights._waiting) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    GATE["go"].set()
    for thread in threads:
        thread.join(30)
    assert got == [2] * 4

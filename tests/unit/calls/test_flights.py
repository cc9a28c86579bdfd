"""Single flight: one thread goes on, the others wait for it, nobody waits for itself."""

from __future__ import annotations

import contextlib
import contextvars
import threading
import time

import pytest

from cachedeco import WaitCycleError
from cachedeco.calls import flights
from cachedeco.calls.flights import Flight


def flight(key=b"k", folder="/c", scope=b"s", name="f"):
    return Flight(folder, key, scope, name)


@pytest.fixture(autouse=True)
def nobody_flies():
    """No flight is left to other tests."""
    flights._flights.clear()
    yield
    flights._flights.clear()
    assert flights._waiting == {}


def land(mine):
    mine.over = True
    mine.landed.release()
    mine.settle()


def in_thread(call):
    """Run in a thread; returns what it returned or raised."""
    got = []

    def run():
        try:
            got.append(call())
        except Exception as error:  # noqa: BLE001 - whatever it is, the test looks at it
            got.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, got


def test_the_first_boards_its_own_flight():
    """The others get that one."""
    first, second = flight(), flight()
    assert first.board() is first
    assert second.board() is first


@pytest.mark.parametrize("other", [{"key": b"x"}, {"folder": "/d"}, {"scope": b"x"}])
def test_other_work_flies_by_itself(other):
    """Another key, folder or code."""
    flight().board()
    mine = flight(**other)
    assert mine.board() is mine


def test_waiting_ends_with_the_landing():
    """At once, for all who wait."""
    mine = flight()
    mine.board()
    began = threading.Barrier(5)
    waiters = [in_thread(lambda: (began.wait(30), mine.wait())[1]) for _ in range(4)]
    began.wait(30)
    waiters[0][0].join(0.01)
    assert all(thread.is_alive() for thread, _ in waiters)
    land(mine)
    for thread, got in waiters:
        thread.join(30)
        assert got == [True]


def test_waiting_for_what_has_landed_ends_at_once():
    """Whoever came late does not wait."""
    mine = flight()
    mine.board()
    land(mine)
    thread, got = in_thread(mine.wait)
    thread.join(30)
    assert got == [True]


def test_waiting_ends_at_the_deadline():
    """Without the flight having landed."""
    mine = flight()
    mine.board()
    thread, got = in_thread(lambda: mine.wait(time.monotonic() + 0.01))
    thread.join(30)
    assert got == [False]


def test_a_deadline_that_has_passed_is_no_error():
    """It is looked at once."""
    mine = flight()
    mine.board()
    thread, got = in_thread(lambda: mine.wait(time.monotonic() - 5))
    thread.join(30)
    assert got == [False]


@contextlib.contextmanager
def waiting(awaited, *holding):
    """Somebody who holds flights waits for another one."""
    wait = object()
    try:
        flights.begin_waiting(wait, awaited, list(holding))
        yield
    finally:
        flights.stop_waiting(wait)


def circle(awaited, *holding):
    """The names in the circle that a wait would close; None if there is none."""
    try:
        with waiting(awaited, *holding):
            return None
    except WaitCycleError as error:
        return error.names


def test_nobody_waits_for_itself():
    """The circle of one is named."""
    mine = flight(name="module.f")
    with pytest.raises(WaitCycleError, match=r"module\.f -> module\.f;"), waiting(mine, mine):
        pass


def test_a_circle_is_refused_to_the_last_one():
    """A waits for B, B for C, and C would wait for A."""
    a, b, c = flight(b"a", name="a"), flight(b"b", name="b"), flight(b"c", name="c")
    with waiting(b, a), waiting(c, b):
        assert circle(a, c) == ["a", "b", "c"]
    assert circle(a, c) is None


def test_what_is_called_on_the_way_is_named_too():
    """F calls G, which would wait for F."""
    f, g = flight(b"f", name="f"), flight(b"g", name="g")
    assert circle(f, f, g) == ["f", "g"]


def test_who_waits_for_several_at_once_is_followed_everywhere():
    """As a function does that gathers tasks."""
    f, g, h = flight(b"f", name="f"), flight(b"g", name="g"), flight(b"h", name="h")
    with waiting(g, f), waiting(h, f):
        assert circle(f, g) == ["f", "g"]
        assert circle(f, h) == ["f", "h"]


def test_who_holds_nothing_may_wait_for_anything():
    """Nobody waits for such a one."""
    f, g = flight(b"f"), flight(b"g")
    with waiting(g, f), waiting(f):
        assert circle(f) is None


def test_waits_without_a_circle_are_let_be():
    """Two who wait for one, one who waits in a row of others."""
    f, g, h = flight(b"f"), flight(b"g"), flight(b"h")
    with waiting(h, f):
        assert circle(h, g) is None
        assert circle(f, g) is None


def test_what_has_landed_closes_no_circle():
    """Whoever waited for it is about to notice."""
    f, g, h = flight(b"f"), flight(b"g"), flight(b"h")
    with waiting(g, f), waiting(h, g):
        g.over = True
        assert circle(f, h) is None


def in_the_air(key, *, claim=None, in_task=False):
    made = Flight("/c", key, b"s", "f", in_task=in_task)
    made.board()
    made.claim = claim
    return made


def test_held_is_what_a_thread_has_claimed():
    """Not what it only waits for, nor what others hold, nor what is over."""
    mine = [in_the_air(b"1", claim=1), in_the_air(b"2"), in_the_air(b"3", claim=3), in_the_air(b"4", claim=4)]
    mine[2].over = True
    in_the_air(b"5", claim=5, in_task=True)
    thread, _ = in_thread(lambda: in_the_air(b"6", claim=6))
    thread.join(30)
    assert flights.held() == [mine[0], mine[3]]
    assert flights.held(in_task=True) == []


def test_held_is_also_what_those_hold_who_started_one():
    """With a copy of their context."""
    parent = in_the_air(b"k", claim=1, in_task=True)
    context = contextvars.copy_context()
    context.run(flights.computing.set, (parent,))
    assert context.run(lambda: flights.held(in_task=True)) == [parent]
    assert context.copy().run(flights.held) == [parent]
    assert flights.held() == []


def test_a_flight_that_is_over_makes_room():
    """Even when Ctrl-C kept its runner from tidying up."""
    first, second = flight(), flight()
    first.board()
    first.over = True
    first.landed.release()
    assert second.board() is second
    first.settle()
    assert flight().board() is second


def test_landing_makes_room():
    """The next one flies by itself."""
    first, second = flight(), flight()
    first.board()
    land(first)
    assert second.board() is second


def test_landing_calls_those_who_asked_for_it():
    """Tasks cannot wait for a lock."""
    mine = flight()
    mine.board()
    called = []
    mine.wake.append(lambda: called.append(1))
    land(mine)
    assert called == [1]

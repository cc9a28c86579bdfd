"""Single flight: one thread goes on, the others wait for it, nobody waits for itself."""

from __future__ import annotations

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
    waiters = [in_thread(mine.wait) for _ in range(4)]
    deadline = time.monotonic() + 30
    while len(flights._waiting) < 4:
        assert time.monotonic() < deadline
        time.sleep(0.001)
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


def test_nobody_waits_for_itself():
    """The circle of one is named."""
    mine = flight(name="module.f")
    mine.board()
    with pytest.raises(WaitCycleError, match=r"module\.f -> module\.f"):
        flight().board().wait()


def test_a_circle_of_threads_is_refused():
    """A waits for B, B for C, and C would wait for A."""
    mine = flight(b"a", name="a")
    mine.board()
    others = {}
    ready = threading.Barrier(3)

    def fly(name, waits_for):
        def run():
            own = flight(name.encode(), name=name)
            own.board()
            others[name] = own
            ready.wait(30)
            return flight(waits_for.encode()).board().wait()

        return run

    threads = [in_thread(fly("b", "c")), in_thread(fly("c", "a"))]
    ready.wait(30)
    deadline = time.monotonic() + 30
    while len(flights._waiting) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    with pytest.raises(WaitCycleError) as caught:
        others["b"].wait()
    assert caught.value.names == ["b", "c", "a"]
    for each in (mine, *others.values()):
        land(each)
    for thread, got in threads:
        thread.join(30)
        assert got == [True]


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


def test_a_runner_may_be_something_else_than_a_thread():
    """Two tasks of one thread do not take each other for themselves."""
    mine = Flight("/c", b"k", b"s", "f", runner="task one")
    mine.board()
    mine.check_cycle("task two")
    flights.stop_waiting("task two")
    with pytest.raises(WaitCycleError):
        mine.check_cycle("task one")
    flights.stop_waiting("task one")

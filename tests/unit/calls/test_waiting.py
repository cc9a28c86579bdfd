"""`wait=`: how long a call waits for another one that computes the same."""

from __future__ import annotations

import asyncio
import datetime
import subprocess
import sys
import threading
import time

import pytest

from cachedeco import Status, WaitTimeoutError, cached
from cachedeco.calls import flights

CALLS = []
GATE = {"entered": threading.Event(), "go": threading.Event()}

HOLDER = """
import sys
from cachedeco import cached
@cached(cache=sys.argv[1], uri="held", code_version="1")
def held(x=0):
    print("computing", flush=True)
    if sys.stdin.readline() == "raise\\n":
        raise ValueError("from afar")
    return "from afar"
try:
    held()
except ValueError:
    print("raised", flush=True)
else:
    print("done", flush=True)
"""


@pytest.fixture(autouse=True)
def no_calls():
    """Forget the calls of the test before."""
    CALLS.clear()
    GATE["entered"].clear()
    GATE["go"].clear()
    yield
    GATE["go"].set()


def held(x=0):
    CALLS.append(x)
    GATE["entered"].set()
    assert GATE["go"].wait(30)
    return "value"


async def held_later(x=0):
    CALLS.append(x)
    GATE["entered"].set()
    while not GATE["go"].is_set():  # noqa: ASYNC110 - set by a thread, or in another loop
        await asyncio.sleep(0.001)
    return "value"


def stumbling(x=0):
    held()
    if len(CALLS) == 1:
        raise ValueError("the first time")
    return "value"


async def stumbling_later(x=0):
    await held_later()
    if len(CALLS) == 1:
        raise ValueError("the first time")
    return "value"


def wait_until(happened):
    deadline = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def somebody_waits():
    """Whether a thread or a task of this process waits for another one."""
    return bool(flights._waiting)


@pytest.fixture
def make(cache):
    """Makes `held` a cached function."""

    def make(function=held, **options):
        return cached(cache=cache, code_version="1", uri="held", **options)(function)

    return make


@pytest.fixture
def computing(make):
    """A thread that computes until it is told to go on."""
    thread = threading.Thread(target=make())
    thread.start()
    assert GATE["entered"].wait(30)
    yield thread
    GATE["go"].set()
    thread.join(30)


@pytest.fixture
def elsewhere(cache):
    """Another process that computes until it is told to go on, or dies."""
    command = [sys.executable, "-c", HOLDER, cache.path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "computing\n"
        yield process
        if process.poll() is None:
            process.stdin.close()


def test_by_default_a_call_waits_as_long_as_it_takes(make, computing):
    """And gets the value."""
    got = []
    waiter = threading.Thread(target=lambda: got.append(make()()))
    waiter.start()
    waiter.join(0.05)
    assert waiter.is_alive()
    GATE["go"].set()
    waiter.join(30)
    assert got == ["value"]
    assert len(CALLS) == 1


@pytest.mark.parametrize("wait", [0.05, datetime.timedelta(milliseconds=50), 0])
def test_after_so_many_seconds_a_call_gives_up(make, computing, wait):
    """Nothing is computed, and what runs is left alone."""
    f = make(wait=wait)
    with pytest.raises(
        WaitTimeoutError, match="is being computed by another call, which took longer than wait="
    ) as caught:
        f()
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.function.endswith("held")
    assert len(CALLS) == 1
    assert f.status() == Status.WRITE
    GATE["go"].set()
    computing.join(30)
    assert f() == "value"


def test_a_call_that_gets_the_value_in_time_does_not_give_up(make, computing):
    """The limit is none when it is not reached."""
    threading.Timer(0.05, GATE["go"].set).start()
    assert make(wait=30)() == "value"
    assert len(CALLS) == 1


def test_the_limit_is_for_waiting_not_for_computing(make):
    """Who computes takes as long as it takes."""
    timer = threading.Timer(0.1, GATE["go"].set)
    timer.start()
    assert make(wait=0.01)() == "value"
    timer.join()


def test_refresh_waits_as_long_and_no_longer(make, computing):
    """Nor does it compute beside a running claim."""
    with pytest.raises(WaitTimeoutError):
        make(wait=0.05).refresh()
    assert len(CALLS) == 1


def test_refresh_waits_for_a_running_claim_then_computes(make, computing):
    """A new version of its own."""
    f = make()
    got = []
    waiter = threading.Thread(target=lambda: got.append(f.refresh()))
    waiter.start()
    waiter.join(0.05)
    assert waiter.is_alive()
    GATE["go"].set()
    waiter.join(30)
    assert got == ["value"]
    assert [item.version for item in f.items()] == [2, 1]
    assert len(CALLS) == 2


def test_refresh_computes_after_a_claim_that_raised(make):
    """The failure of another call is not its own."""
    f, got = make(stumbling), []

    def fail():
        with pytest.raises(ValueError, match="the first time"):
            f()

    first, second = threading.Thread(target=fail), threading.Thread(target=lambda: got.append(f.refresh()))
    first.start()
    assert GATE["entered"].wait(30)
    second.start()
    wait_until(somebody_waits)
    GATE["go"].set()
    first.join(30)
    second.join(30)
    assert got == ["value"]
    assert [item.status for item in f.items()] == [Status.READY, Status.FAILED]


def test_awaited_refresh_computes_after_a_claim_that_raised(make):
    """As a plain one does."""
    f = make(stumbling_later)

    async def both():
        first = asyncio.create_task(f())
        while not GATE["entered"].is_set():  # noqa: ASYNC110 - set by a thread, or in another loop
            await asyncio.sleep(0.001)
        second = asyncio.create_task(f.refresh())
        while not somebody_waits():  # noqa: ASYNC110 - nothing tells it
            await asyncio.sleep(0.001)
        GATE["go"].set()
        return await asyncio.gather(first, second, return_exceptions=True)

    first, second = asyncio.run(both())
    assert isinstance(first, ValueError)
    assert second == "value"


@pytest.mark.parametrize("function", [held, held_later])
def test_refresh_computes_after_another_process_raised(make, elsewhere, function):
    """Also when that failure cools down: a refresh does not mind."""
    f, got = make(function, cooldown=3600), []
    GATE["go"].set()

    def refresh():
        value = f.refresh()
        got.append(asyncio.run(value) if function is held_later else value)

    waiter = threading.Thread(target=refresh)
    waiter.start()
    waiter.join(0.05)
    assert waiter.is_alive()
    assert elsewhere.communicate("raise\n")[0] == "raised\n"
    waiter.join(30)
    assert got == ["value"]


def test_a_hit_does_not_wait(make, computing):
    """What another call computes is of no concern to it."""
    f = make(wait=0)
    GATE["go"].set()
    computing.join(30)
    GATE["go"].clear()
    GATE["entered"].clear()
    refresher = threading.Thread(target=f.refresh)
    refresher.start()
    assert GATE["entered"].wait(30)
    assert f() == "value"
    GATE["go"].set()
    refresher.join(30)


def test_other_arguments_do_not_wait(make, computing):
    """They are another key."""
    GATE["go"].set()
    assert make(wait=0)(5) == "value"


def test_another_process_is_waited_for_as_long(make, elsewhere):
    """By the same rule."""
    f = make(wait=0.05)
    began = time.monotonic()
    with pytest.raises(WaitTimeoutError):
        f()
    assert time.monotonic() - began < 5
    assert not CALLS
    elsewhere.stdin.write("\n")
    elsewhere.stdin.flush()
    assert elsewhere.stdout.readline() == "done\n"
    assert f() == "from afar"


def test_as_long_as_its_owner_lives(make, elsewhere):
    """When the process dies, a call that waits for it computes."""
    got = []
    waiter = threading.Thread(target=lambda: got.append(make()()))
    waiter.start()
    waiter.join(0.05)
    assert waiter.is_alive()
    GATE["go"].set()
    elsewhere.kill()
    waiter.join(30)
    assert got == ["value"]
    assert [item.cause for item in make().items()] == [None, "abandoned"]


def test_tasks_wait_as_long(make):
    """An awaited call gives up by itself, others go on."""
    patient, hasty = make(held_later), make(held_later, wait=0.05)

    async def crowd():
        leader = asyncio.create_task(patient())
        while not GATE["entered"].is_set():  # noqa: ASYNC110 - set by a thread, or in another loop
            await asyncio.sleep(0.001)
        with pytest.raises(WaitTimeoutError):
            await hasty()
        GATE["go"].set()
        return await leader, await hasty()

    assert asyncio.run(crowd()) == ("value", "value")
    assert len(CALLS) == 1


def test_tasks_wait_for_other_processes_as_long(make, elsewhere):
    """Without blocking the loop."""
    hasty = make(held_later, wait=0.05)
    with pytest.raises(WaitTimeoutError):
        asyncio.run(hasty())
    elsewhere.kill()
    GATE["go"].set()
    assert asyncio.run(make(held_later)()) == "value"
    assert len(CALLS) == 1


def test_several_waiters_give_up_each_for_itself(make, computing):
    """One that gives up wakes nobody."""
    got = []

    def wait(seconds):
        try:
            got.append((seconds, make(wait=seconds)()))
        except WaitTimeoutError:
            got.append((seconds, None))

    waiters = [threading.Thread(target=wait, args=(seconds,)) for seconds in (0.02, 0.04, 30)]
    for waiter in waiters:
        waiter.start()
    for waiter in waiters[:2]:
        waiter.join(30)
    assert sorted(got) == [(0.02, None), (0.04, None)]
    GATE["go"].set()
    waiters[2].join(30)
    assert got[2] == (30, "value")

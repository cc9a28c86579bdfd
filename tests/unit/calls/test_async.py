"""Functions that are awaited: the same decisions, and a loop that is never blocked."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import inspect
import subprocess
import sys
import threading
import time

import pytest

from cachedeco import PreviousFailureError, Status, StoreWarning, WaitCycleError, cached
from cachedeco.calls import flights

CALLS = []
GATE = {}
VARIABLE = contextvars.ContextVar("VARIABLE", default=None)


@pytest.fixture(autouse=True)
def no_calls():
    """Forget the calls of the test before."""
    CALLS.clear()
    GATE.update(entered=threading.Event(), go=threading.Event(), result="value")
    GATE["go"].set()
    yield
    GATE["go"].set()


async def held(x=0):
    CALLS.append(x)
    GATE["entered"].set()
    while not GATE["go"].is_set():  # noqa: ASYNC110 - set by a thread, or in another loop
        await asyncio.sleep(0.001)
    result = GATE["result"]
    if isinstance(result, BaseException):
        raise result
    return result


@pytest.fixture
def make(cache):
    """Makes `held` a cached function."""

    def make(function=held, **options):
        return cached(cache=cache, code_version="1", uri="held", **options)(function)

    return make


async def until(condition):
    """Let others run until something has come about."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)


def waiting():
    return len(flights._waiting)


async def lag_of(awaitable):
    """The result of an awaitable, and for how long the loop stood still meanwhile, at the most."""
    worst = 0.0

    async def tick():
        nonlocal worst
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.001)
            worst = max(worst, time.perf_counter() - began)

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0.01)
    try:
        return await awaitable, worst
    finally:
        ticking.cancel()


# The same decisions


def test_a_result_is_computed_once(make):
    """The second await loads it, in another loop too."""
    f = make()
    assert [asyncio.run(f(1)), asyncio.run(f(1)), asyncio.run(f(2))] == ["value"] * 3
    assert CALLS == [1, 2]


def test_it_stays_a_coroutine_function(make):
    """For frameworks that ask."""
    f = make()
    assert inspect.iscoroutinefunction(f)
    coroutine = f(1)
    assert inspect.iscoroutine(coroutine)
    coroutine.close()
    assert not CALLS


def test_verbs_are_plain_but_for_refresh(make):
    """They never compute; refresh is awaited."""
    f = make()
    asyncio.run(f(1))
    assert f.item(1).load() == "value"
    assert f.status(1) == Status.READY
    GATE["result"] = "new"
    assert asyncio.run(f.refresh(1)) == "new"
    assert asyncio.run(f(1)) == "new"
    assert [item.version for item in f.items(1)] == [2, 1]
    assert f.remove(1) == 2


def test_a_large_result_comes_back(make):
    """From a file of its own."""
    f = make()
    GATE["result"] = bytes(1_000_000)
    assert asyncio.run(f()) == asyncio.run(f()) == GATE["result"]
    assert len(CALLS) == 1


def test_a_vanished_file_is_a_miss(make):
    """It is computed again."""
    f = make()
    GATE["result"] = bytes(10_000)
    asyncio.run(f())
    f.item().path.unlink()
    assert asyncio.run(f()) == GATE["result"]
    assert len(CALLS) == 2


def test_none_is_a_value(make):
    """And a hit."""
    GATE["result"] = None
    f = make()
    assert asyncio.run(f()) is asyncio.run(f()) is None
    assert len(CALLS) == 1


def test_exceptions_are_recorded_and_raised(make):
    """The exception itself."""
    f = make()
    GATE["result"] = error = ValueError("no")
    with pytest.raises(ValueError, match="no") as caught:
        asyncio.run(f())
    assert caught.value is error
    assert (f.items()[0].cause, "ValueError: no" in f.items()[0].error) == ("raised", True)
    GATE["result"] = "value"
    assert asyncio.run(f()) == "value"


def test_methods_are_awaited_too(cache):
    """With `self` by its state."""

    class Station:
        def __init__(self, name):
            self.name = name

        @cached(cache=cache, code_version="1")
        async def read(self, x):
            CALLS.append(x)
            return f"{self.name} {x}"

    async def read():
        return [await Station(name).read(1) for name in "ABA"]

    assert asyncio.run(read()) == ["A 1", "B 1", "A 1"]
    assert len(CALLS) == 2


def test_the_function_runs_in_the_callers_task_and_context(make):
    """As without the cache."""

    async def look():
        CALLS.append((asyncio.current_task(), VARIABLE.get()))

    def check(item):
        CALLS.append(VARIABLE.get())
        return True

    f = make(look, validate=check)

    async def main():
        VARIABLE.set("mine")
        await f()
        await f()
        return asyncio.current_task()

    task = asyncio.run(main())
    assert [(task, "mine"), "mine"] == CALLS


# Computing once


def test_concurrent_awaits_of_one_key_compute_once(make):
    """All get the value."""
    f = make()
    GATE["go"].clear()

    async def crowd():
        tasks = [asyncio.create_task(f(1)) for _ in range(50)]
        await until(lambda: waiting() == 49)
        GATE["go"].set()
        return await asyncio.gather(*tasks)

    assert asyncio.run(crowd()) == ["value"] * 50
    assert CALLS == [1]
    assert waiting() == 0


def test_different_keys_are_computed_at_the_same_time(make):
    """None waits for another."""
    f = make()
    GATE["go"].clear()

    async def crowd():
        tasks = [asyncio.create_task(f(x)) for x in range(10)]
        await until(lambda: len(CALLS) == 10)
        GATE["go"].set()
        return await asyncio.gather(*tasks)

    assert asyncio.run(crowd()) == ["value"] * 10


def test_together_with_threads(make):
    """Each with a loop of its own."""
    f = make()
    GATE["go"].clear()
    got = []
    threads = [threading.Thread(target=lambda: got.append(asyncio.run(f(1)))) for _ in range(5)]

    async def crowd():
        tasks = [asyncio.create_task(f(1)) for _ in range(5)]
        for thread in threads:
            thread.start()
        await until(lambda: waiting() == 9)
        GATE["go"].set()
        return await asyncio.gather(*tasks)

    got += asyncio.run(crowd())
    for thread in threads:
        thread.join(30)
    assert got == ["value"] * 10
    assert CALLS == [1]


def test_a_plain_function_of_the_same_key_waits_for_a_task(make, cache):
    """In another thread; they share what they compute."""
    f = make()
    plain = cached(cache=cache, code_version="1", uri="held")(lambda x=0: CALLS.append("plain"))
    GATE["go"].clear()

    async def crowd():
        leader = asyncio.create_task(f(1))
        await until(GATE["entered"].is_set)
        follower = asyncio.create_task(asyncio.to_thread(plain, 1))
        await until(lambda: waiting() == 1)
        GATE["go"].set()
        return await leader, await follower

    assert asyncio.run(crowd()) == ("value", "value")
    assert CALLS == [1]


HOLDER = """
import asyncio, sys
from cachedeco import cached
@cached(cache=sys.argv[1], uri="held", code_version="1")
async def held(x=0):
    print("computing", flush=True)
    sys.stdin.readline()
    return "from afar"
print(asyncio.run(held(1)), flush=True)
"""


@contextlib.contextmanager
def elsewhere(cache):
    """Another process that computes `held(1)` until it is told to go on."""
    command = [sys.executable, "-c", HOLDER, cache.path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.stdin.close()


def test_together_with_other_processes(make, cache):
    """The loop is not blocked while it waits for them."""
    f = make()

    async def crowd(process):
        tasks = [asyncio.create_task(f(1)) for _ in range(5)]
        await until(lambda: waiting() == 5)
        await asyncio.sleep(0.1)
        assert not any(task.done() for task in tasks)
        process.stdin.write("\n")
        process.stdin.flush()
        return await asyncio.gather(*tasks)

    with elsewhere(cache) as process:
        assert process.stdout.readline() == "computing\n"
        values, lag = asyncio.run(lag_of_crowd(crowd, process))
    assert values == ["from afar"] * 5
    assert not CALLS
    assert lag < 0.5


async def lag_of_crowd(crowd, process):
    return await lag_of(crowd(process))


def test_when_the_other_process_dies_one_task_computes(make, cache):
    """And the others get what it computes."""
    f = make()

    async def crowd(process):
        tasks = [asyncio.create_task(f(1)) for _ in range(5)]
        await until(lambda: waiting() == 5)
        process.kill()
        return await asyncio.gather(*tasks)

    with elsewhere(cache) as process:
        assert process.stdout.readline() == "computing\n"
        assert asyncio.run(crowd(process)) == ["value"] * 5
    assert CALLS == [1]


def test_failures_reach_all_that_waited(make):
    """One runs; later calls compute."""
    f = make()
    GATE["go"].clear()
    GATE["result"] = error = ValueError("no")

    async def crowd():
        tasks = [asyncio.create_task(f(1)) for _ in range(5)]
        await until(lambda: waiting() == 4)
        GATE["go"].set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    got = asyncio.run(crowd())
    assert CALLS == [1]
    assert [each for each in got if type(each) is ValueError] == [error]
    assert [each.__cause__ for each in got if type(each) is PreviousFailureError] == [error] * 4


# Cancelling


def test_cancelling_the_one_that_computes_lets_a_waiter_go_on(make):
    """It releases the claim; a waiter computes, and the others wait for that one."""
    f = make()
    GATE["go"].clear()

    async def crowd():
        leader = asyncio.create_task(f(1))
        await until(GATE["entered"].is_set)
        followers = [asyncio.create_task(f(1)) for _ in range(3)]
        await until(lambda: waiting() == 3)
        leader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leader
        assert leader.cancelled()
        await until(lambda: len(CALLS) == 2)
        GATE["go"].set()
        return await asyncio.gather(*followers)

    assert asyncio.run(crowd()) == ["value"] * 3
    assert CALLS == [1, 1]
    assert [(item.status, item.cause) for item in f.items(1)] == [
        (Status.READY, None),
        (Status.FAILED, "abandoned"),
    ]


def test_cancelling_releases_the_claim_for_other_processes(make, cache):
    """At once, not when this process ends."""
    f = make()
    GATE["go"].clear()

    async def cancel():
        leader = asyncio.create_task(f(1))
        await until(GATE["entered"].is_set)
        leader.cancel()
        await asyncio.wait([leader])
        assert f.status(1) == Status.FAILED

    asyncio.run(cancel())
    with elsewhere(cache) as process:
        assert process.stdout.readline() == "computing\n"


def test_cancelling_a_waiter_is_its_own_affair(make):
    """The one that computes goes on."""
    f = make()
    GATE["go"].clear()

    async def crowd():
        leader = asyncio.create_task(f(1))
        await until(GATE["entered"].is_set)
        follower = asyncio.create_task(f(1))
        await until(lambda: waiting() == 1)
        follower.cancel()
        with pytest.raises(asyncio.CancelledError):
            await follower
        assert waiting() == 0
        GATE["go"].set()
        return await leader

    assert asyncio.run(crowd()) == "value"
    assert CALLS == [1]


def test_a_timeout_around_a_waiter(make):
    """It ends the wait as a TimeoutError, and nothing else."""
    f = make()
    GATE["go"].clear()

    async def crowd():
        leader = asyncio.create_task(f(1))
        await until(GATE["entered"].is_set)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await f(1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(f(1), 0.05)
        GATE["go"].set()
        assert asyncio.current_task().cancelling() == 0
        return await leader

    assert asyncio.run(crowd()) == "value"
    assert CALLS == [1]


def test_a_timeout_around_the_one_that_computes(make):
    """The claim is released; the next call computes."""
    f = make()
    GATE["go"].clear()

    async def hurry():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await f(1)
        GATE["go"].set()
        return await f(1)

    assert asyncio.run(hurry()) == "value"
    assert f.items(1)[1].cause == "abandoned"


def test_cancelling_while_a_value_is_stored_cuts_nothing_in_two(make, monkeypatch):
    """It is stored, then the task is cancelled; the next call is a hit."""
    from cachedeco.calls.work import Work

    f = make()
    entered, go, keep = threading.Event(), threading.Event(), Work.keep

    def slow_keep(self, value, packed=None):
        entered.set()
        assert go.wait(30)
        return keep(self, value, packed)

    monkeypatch.setattr(Work, "keep", slow_keep)

    async def cancel():
        task = asyncio.create_task(f(1))
        await until(entered.is_set)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0.005)
        assert not task.done()
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await f(1)

    assert asyncio.run(cancel()) == "value"
    assert CALLS == [1]


@pytest.mark.parametrize("moment", range(12))
def test_cancelling_at_any_moment_leaves_a_cache_that_works(make, moment):
    """The next call gets the value."""
    f = make()
    GATE["result"] = bytes(100_000)

    async def cancel():
        task = asyncio.create_task(f(moment))
        for _ in range(moment):
            await asyncio.sleep(0.0003)
        task.cancel()
        await asyncio.wait([task])
        return await f(moment)

    assert asyncio.run(cancel()) == GATE["result"]
    assert all(item.status != Status.WRITE for item in f.items(moment))


def test_a_task_group_that_fails_cancels_cleanly(make):
    """No claim remains."""
    f = make()
    GATE["go"].clear()

    async def group():
        async with asyncio.TaskGroup() as group:
            for x in range(3):
                group.create_task(f(x))
            await until(lambda: len(CALLS) == 3)
            raise ValueError("one of them")

    with pytest.raises(ExceptionGroup):
        asyncio.run(group())
    assert [f.status(x) for x in range(3)] == [Status.FAILED] * 3


# The loop


def test_storing_and_loading_a_large_value_does_not_block_the_loop(make, monkeypatch):
    """100 MB take their time; the others go on. Both are done in other threads than the loop's."""
    import numpy as np

    from cachedeco.calls import hits
    from cachedeco.calls.work import Work

    f, keep, load, threads = make(), Work.keep, hits.load, []

    def noted(function):
        return lambda *args: (threads.append(threading.get_ident()), function(*args))[1]

    monkeypatch.setattr(Work, "keep", noted(keep))
    monkeypatch.setattr(hits, "load", noted(load))
    GATE["result"] = np.zeros(100_000_000 // 8)
    value, lag = asyncio.run(lag_of_call(f))
    assert value.nbytes == 100_000_000
    assert lag < 0.5
    value, lag = asyncio.run(lag_of_call(f))
    assert value.nbytes == 100_000_000
    assert lag < 0.5
    assert len(CALLS) == 1
    assert len(threads) == 2
    assert threading.get_ident() not in threads


async def lag_of_call(f):
    return await lag_of(f())


def test_choosing_among_items_does_not_block_the_loop(make):
    """The functions given as `validate` and `best` may take their time."""

    def choose(items):
        time.sleep(0.6)
        return items[0]

    f = make(best=choose)
    asyncio.run(f())
    value, lag = asyncio.run(lag_of_call(f))
    assert value == "value"
    assert lag < 0.5


def test_moving_an_output_in_does_not_block_the_loop(cache, tmp_path, monkeypatch):
    """From another file system it is a copy."""
    import shutil

    move = shutil.move

    def slow_move(*args):
        time.sleep(0.6)
        return move(*args)

    async def make_file():
        (tmp_path / "made.txt").write_text("made")
        return tmp_path / "made.txt"

    monkeypatch.setattr(shutil, "move", slow_move)
    f = cached(cache=cache, code_version="1", output="return")(make_file)
    path, lag = asyncio.run(lag_of_call(f))
    assert path.read_text() == "made"
    assert lag < 0.5


# Circles


def test_a_function_that_awaits_its_own_result_is_refused(make):
    """Directly, and through a task of its own."""

    async def direct(x):
        return await GATE["f"](x)

    async def gathered(x):
        return (await asyncio.gather(GATE["f"](x)))[0]

    async def threaded(x):
        return await asyncio.to_thread(lambda: asyncio.run(GATE["f"](x)))

    for number, function in enumerate((direct, gathered, threaded)):
        GATE["f"] = make(function)
        with pytest.raises(WaitCycleError, match="a call cannot wait for its own result"):
            asyncio.run(GATE["f"](number))


def test_two_tasks_that_need_each_others_result_are_refused(make):
    """Nobody hangs."""
    GATE["both"] = asyncio.Event()

    async def cross(x):
        CALLS.append(x)
        if len(CALLS) == 2:
            GATE["both"].set()
        await GATE["both"].wait()
        return await GATE["f"](1 - x)

    GATE["f"] = f = make(cross)

    async def crowd():
        return await asyncio.wait_for(asyncio.gather(f(0), f(1), return_exceptions=True), 30)

    got = asyncio.run(crowd())
    assert all(isinstance(each, (WaitCycleError, PreviousFailureError)) for each in got)
    assert any(isinstance(each, WaitCycleError) for each in got)


def test_recursion_with_other_arguments_works(make):
    """Each value is computed once."""

    async def fibonacci(n):
        CALLS.append(n)
        if n < 2:
            return n
        return sum(await asyncio.gather(GATE["f"](n - 1), GATE["f"](n - 2)))

    GATE["f"] = make(fibonacci)
    assert asyncio.run(GATE["f"](12)) == 144
    assert sorted(CALLS) == list(range(13))


# Nothing is left


def test_nothing_is_left_behind(make):
    """No thread, no task, no warning, no waiter; whatever happened."""
    f = make()
    before = threading.active_count()

    async def crowd():
        GATE["go"].clear()
        tasks = [asyncio.create_task(f(1)) for _ in range(10)]
        await until(lambda: waiting() == 9)
        for task in tasks[::2]:
            task.cancel()
        GATE["go"].set()
        await asyncio.gather(*tasks, return_exceptions=True)
        GATE["result"] = ValueError("no")
        await asyncio.gather(*[f(2) for _ in range(5)], return_exceptions=True)
        return len(asyncio.all_tasks())

    assert asyncio.run(crowd()) == 1
    gc.collect()
    assert waiting() == 0
    assert not flights._flights
    deadline = time.monotonic() + 30
    while threading.active_count() > before:
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.mark.filterwarnings("ignore::cachedeco.StoreWarning")
def test_those_that_waited_for_what_cannot_be_stored_compute_at_the_same_time(make):
    """There is nothing to load, so each runs the function, all at once."""
    f = make()
    GATE["go"].clear()
    GATE["result"] = threading.Lock()

    async def crowd():
        tasks = [asyncio.create_task(f(1)) for _ in range(4)]
        await until(lambda: waiting() == 3)
        GATE["go"].set()
        return await asyncio.gather(*tasks)

    assert asyncio.run(crowd()) == [GATE["result"]] * 4
    assert len(CALLS) == 4


def test_warnings_point_at_the_caller_not_at_a_thread(make):
    """Where the awaited function was called, or near it."""
    f = make()
    GATE["result"] = threading.Lock()
    with pytest.warns(StoreWarning, match="could not be stored") as caught:
        asyncio.run(f())
    assert len(caught) == 1


def test_asyncio_debug_mode_finds_nothing(tmp_path):
    """Neither slow callbacks nor coroutines that nobody awaited nor exceptions that nobody saw."""
    story = (
        "import asyncio, sys\nfrom cachedeco import cached\n"
        "@cached(cache=sys.argv[1])\nasync def f(x):\n    await asyncio.sleep(0.02)\n    return bytes(10_000)\n"
        "@cached(cache=sys.argv[1])\nasync def bad(x):\n    await asyncio.sleep(0.02)\n    raise ValueError\n"
        "@cached(cache=sys.argv[1])\nasync def items(n):\n    for i in range(n):\n        yield i\n"
        "async def main():\n"
        "    await asyncio.gather(*[f(x % 2) for x in range(6)])\n"
        "    await asyncio.gather(*[bad(1) for x in range(3)], return_exceptions=True)\n"
        "    task = asyncio.create_task(f(7))\n    await asyncio.sleep(0.005)\n    task.cancel()\n"
        "    await asyncio.wait([task])\n"
        "    async for i in items(5):\n        break\n"
        "    print([i async for i in items(3)])\n"
        "asyncio.run(main(), debug=True)\n"
    )
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", story, str(tmp_path / "cache")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    slow = [line for line in done.stderr.splitlines() if "took" not in line]  # of a busy machine
    assert (done.returncode, done.stdout, slow) == (0, "[0, 1, 2]\n", [])

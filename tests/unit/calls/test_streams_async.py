"""Cached asynchronous generators: the same as generators, for ``async for``."""

from __future__ import annotations

import asyncio
import gc
import inspect
import os
import threading
import time
import tracemalloc
from contextlib import aclosing
from pathlib import Path

import pytest

import cachedeco
from cachedeco import OptionError, PreviousFailureError, Status, StoreError, StoreWarning, cached

CALLS = []
STATE = {}


@pytest.fixture(autouse=True)
def no_calls():
    """Forget the calls of the test before."""
    CALLS.clear()
    STATE.clear()


async def produce(n, size=0):
    CALLS.append(n)
    try:
        for number in range(n):
            await asyncio.sleep(0)
            yield (number, bytes(size)) if size else number
    finally:
        CALLS.append("closed")


async def fail_after(n):
    CALLS.append(n)
    for number in range(n):
        yield number
    raise ValueError("no more")


@pytest.fixture
def make(cache):
    """Makes `produce` a cached asynchronous generator."""

    def make(function=produce, **options):
        return cached(cache=cache, code_version="1", **options)(function)

    return make


async def collect(items):
    return [item async for item in items]


def run(items):
    """All items, in a loop of their own."""
    return asyncio.run(collect(items))


def files_of(cache):
    return [path for path in Path(cache.path, "items").rglob("*") if path.is_file()]


def open_spools(cache):
    """Files without a name that this process has open in the cache."""
    links = (f"/proc/self/fd/{descriptor}" for descriptor in os.listdir("/proc/self/fd"))
    targets = [os.readlink(link) for link in links if os.path.lexists(link)]
    return [target for target in targets if target.startswith(cache.path) and target.endswith("(deleted)")]


@pytest.mark.parametrize("n", [0, 1, 3, 2000])
def test_a_generator_is_run_once(make, n):
    """Its items come back."""
    f = make()
    assert run(f(n)) == run(f(n)) == list(range(n))
    assert [n, "closed"] == CALLS
    assert f.status(n) == Status.READY


def test_it_stays_an_asynchronous_generator_function(make):
    """Which does nothing until it is asked for an item."""
    f = make()
    assert inspect.isasyncgenfunction(f)
    assert inspect.isasyncgen(f(3))
    assert not CALLS


def test_items_reach_the_consumer_as_they_are_produced(make):
    """Not when all are there; nothing is claimed or published meanwhile."""
    f = make()

    async def look():
        async with aclosing(f(3)) as items:
            for number in range(3):
                assert await anext(items) == number
                assert CALLS == [3]
                assert f.items(3) == []
            assert await anext(items, "over") == "over"
        assert f.status(3) == Status.READY

    asyncio.run(look())


@pytest.mark.parametrize("stop", ["aclose", "break", "cancel", "forget"])
def test_a_consumer_that_stops_early_publishes_nothing(make, cache, stop):
    """It leaves no file and no row; the function is told, and the next call runs it."""
    f = make()

    async def consume():
        items = f(5)
        async for item in items:
            assert item == 0
            assert len(open_spools(cache)) == 1
            if stop == "cancel":
                await asyncio.sleep(3600)
            if stop == "forget":
                return
            break
        await items.aclose()

    async def main():
        task = asyncio.create_task(consume())
        if stop == "cancel":
            while not CALLS:  # noqa: ASYNC110 - the function must know of no event
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.01)
            task.cancel()
        await asyncio.wait([task])

    asyncio.run(main())
    gc.collect()
    assert CALLS == [5, "closed"]
    assert f.items(5) == []
    assert files_of(cache) == open_spools(cache) == []
    assert run(f(5)) == [0, 1, 2, 3, 4]
    assert f.status(5) == Status.READY


def test_cancelling_while_an_item_is_produced_publishes_nothing(make, cache):
    """The cancellation reaches the function."""

    async def endless():
        yield 1
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            CALLS.append("cancelled")
            raise

    f = make(endless)

    async def main():
        task = asyncio.create_task(collect(f()))
        while not open_spools(cache):  # noqa: ASYNC110 - the system tells of no event
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert CALLS == ["cancelled"]
    assert f.items() == []
    assert open_spools(cache) == []


def test_a_hit_streams_with_constant_memory(make):
    """One item at a time."""
    f = make()
    size, n = 100_000, 100

    async def count():
        return sum([len(data) async for _, data in f(n, size)])

    asyncio.run(count())
    tracemalloc.start()
    try:
        assert asyncio.run(count()) == n * size
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [n, "closed"] == CALLS
    assert peak < 20 * size


def test_two_consumers_at_once_both_run_the_function(make):
    """Neither waits for the other; one version there is."""
    f = make()

    async def both():
        return await asyncio.gather(collect(f(50)), collect(f(50)))

    assert asyncio.run(both()) == [list(range(50))] * 2
    assert [item.version for item in f.items(50)] == [1]
    assert run(f(50)) == list(range(50))
    assert CALLS.count(50) == 2


def test_exceptions_are_recorded_and_raised(make):
    """After the items that there were."""
    f = make(fail_after)

    async def look():
        items = f(2)
        assert [await anext(items), await anext(items)] == [0, 1]
        with pytest.raises(ValueError, match="no more"):
            await anext(items)

    asyncio.run(look())
    assert (f.items(2)[0].cause, "ValueError: no more" in f.items(2)[0].error) == ("raised", True)


def test_a_cooldown_holds(make):
    """The call raises the stored failure before the first item."""
    f = make(fail_after, cooldown=600)
    with pytest.raises(ValueError, match="no more"):
        run(f(1))
    with pytest.raises(PreviousFailureError, match="no more"):
        run(f(1))
    assert CALLS == [1]


def test_an_item_that_cannot_be_stored_reaches_the_consumer(make, cache):
    """As all others; where it is wanted, the end is an error."""

    async def odd():
        yield 1
        yield STATE["lock"]
        yield 3

    STATE["lock"] = threading.Lock()
    with pytest.warns(StoreWarning, match="its items are not stored"):
        assert run(make(odd)()) == [1, STATE["lock"], 3]

    async def strict():
        items = make(odd, on_store_error="raise")()
        seen = [await anext(items) for _ in range(3)]
        with pytest.raises(StoreError):
            await anext(items)
        return seen

    assert asyncio.run(strict()) == [1, STATE["lock"], 3]
    assert files_of(cache) == open_spools(cache) == []


def test_sending_is_refused_on_a_miss_and_on_a_hit(make):
    """What is sent could not be part of the key."""
    f = make()

    async def send():
        async with aclosing(f(3)) as items:
            await anext(items)
            with pytest.raises(TypeError, match="what is sent to it could not be part of its key"):
                await items.asend("x")

    asyncio.run(send())
    run(f(3))
    asyncio.run(send())


@pytest.mark.parametrize("position", [0, 9, 20_000])
def test_damage(make, position):
    """It is noticed before the first item is given, so it is a miss."""
    f = make()
    run(f(1000, 10))
    path = f.item(1000, 10).path
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.seek(position)
        file.write(b"\xff" * 40)
    assert len(run(f(1000, 10))) == 1000
    assert CALLS == [1000, "closed"] * 2


def test_disabled_and_refresh(make):
    """As for other functions."""
    f = make()
    run(f(2))
    with cachedeco.disabled():
        assert run(f(2)) == [0, 1]
    assert run(f.refresh(2)) == [0, 1]
    assert CALLS == [2, "closed"] * 3
    assert [item.version for item in f.items(2)] == [2, 1]


@pytest.mark.parametrize(
    "options", [{"retry": 3}, {"wait": 5}, {"on_error": "stale"}, {"output": "return"}], ids=str
)
def test_options_that_make_no_sense_for_generators_are_refused(make, options):
    """With what to do instead."""
    with pytest.raises(OptionError, match="is not for generators"):
        make(**options)


def test_publishing_does_not_block_the_loop(make, monkeypatch):
    """A long stream is copied into its place in a thread."""
    from cachedeco.calls.work import Work

    f = make()
    keep = Work.keep

    def slow_keep(self, value, packed=None):
        time.sleep(0.6)
        return keep(self, value, packed)

    monkeypatch.setattr(Work, "keep", slow_keep)

    async def look():
        worst, task = 0.0, asyncio.create_task(collect(f(10)))
        while not task.done():
            began = time.perf_counter()
            await asyncio.sleep(0.001)
            worst = max(worst, time.perf_counter() - began)
        return task.result(), worst

    items, worst = asyncio.run(look())
    assert items == list(range(10))
    assert worst < 0.5
    assert f.status(10) == Status.READY


def test_an_async_for_inside_an_awaited_function(cache, make):
    """No call waits for itself."""
    STATE["items"] = make()

    async def total(n):
        return sum([item async for item in STATE["items"](n)])

    f = make(total)
    assert asyncio.run(f(5)) == asyncio.run(f(5)) == 10
    assert CALLS == [5, "closed"]

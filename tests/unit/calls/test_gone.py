"""Claims whose thread or task is gone while the process lives on: the next call computes at once."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading

import pytest

from cachedeco import Status, cached
from cachedeco.registry import owner

STATE = {}


@pytest.fixture(autouse=True)
def first_call():
    """The first call does what the test says; later ones return."""
    STATE.clear()


def answer(x=0):
    error = STATE.pop("error", None)
    if error is not None:
        raise error
    return "value"


async def answer_later(x=0):
    entered = STATE.pop("entered", None)
    if entered is not None:
        entered.set()
        await asyncio.Event().wait()
    return answer(x)


def end_quietly(run):
    with contextlib.suppress(SystemExit):
        run()


@pytest.fixture(params=[answer, answer_later], ids=["plain", "awaited"])
def call(request, cache):
    """Calls a cached function of either kind."""
    f = cached(cache=cache, code_version="1", uri="gone", cooldown=1000)(request.param)
    run = f if request.param is answer else lambda: asyncio.run(f())
    return f, run


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError], ids=lambda e: e.__name__
)
def test_what_interrupts_a_function_is_no_failure_to_remember(call, error):
    """The item is FAILED as abandoned, and no cooldown stands in the way of the next call."""
    f, run = call
    STATE["error"] = error()
    with pytest.raises(error):
        run()
    assert [(item.status, item.cause) for item in f.items()] == [(Status.FAILED, "abandoned")]
    assert run() == "value"


def test_a_thread_that_has_ended(call):
    """SystemExit ends a thread without a word; its claim has ended with it."""
    f, run = call
    STATE["error"] = SystemExit()
    thread = threading.Thread(target=end_quietly, args=(run,))
    thread.start()
    thread.join()
    assert run() == "value"
    assert [item.cause for item in f.items()] == [None, "abandoned"]


@pytest.fixture
def awaited(cache):
    """The cached coroutine function alone."""
    return cached(cache=cache, code_version="1", uri="gone", wait=20)(answer_later)


def begin(f):
    """A loop with a task that computes and never ends."""
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda loop, context: None)  # it complains of the task that is left
    entered = STATE["entered"] = asyncio.Event()
    task = loop.create_task(f())
    loop.run_until_complete(entered.wait())
    assert f.status() == Status.WRITE
    return loop, task


def test_a_task_left_behind_by_a_closed_loop(awaited):
    """It is closed by the garbage collector, in a context that is not its own."""
    loop, task = begin(awaited)
    loop.close()
    del task
    gc.collect()
    assert awaited.status() == Status.FAILED
    assert owner.live_tokens == set()
    assert asyncio.run(awaited()) == "value"


def test_a_task_collected_while_it_waits_for_nothing(awaited):
    """The loop goes on without it."""
    loop, task = begin(awaited)
    del task
    gc.collect()
    try:
        assert loop.run_until_complete(awaited()) == "value"
    finally:
        loop.close()
    assert [item.cause for item in awaited.items()] == [None, "abandoned"]


def test_a_claim_that_loses_its_writer_while_it_is_waited_for(cache):
    """Nobody computes it any more, and nobody has been able to say so."""
    f = cached(cache=cache, code_version="1", uri="gone", wait=20)(answer)
    f()
    store = cache.store
    token = b"t" * 16
    owner.live_tokens.add(token)
    row = "SELECT id FROM items WHERE version = 1"
    own = owner.own(store.pool).id
    store.pool.write(
        lambda con: con.execute("UPDATE items SET status = 1, token = ?, owner = ?", (token, own))
    )
    got = []
    waiter = threading.Thread(target=lambda: got.append(f()))
    waiter.start()
    waiter.join(0.02)
    assert waiter.is_alive()
    owner.live_tokens.discard(token)
    waiter.join(20)
    assert got == ["value"]
    assert store.pool.read(row.replace("id", "status")) == (Status.FAILED,)

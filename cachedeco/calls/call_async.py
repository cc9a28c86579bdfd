"""The road of a call that is awaited: that of `call`, step for step, with the same decisions.

Notes:
    The event loop is never blocked: waiting is awaited, and what may take longer than looking a row up (claims,
    storing, loading a file) runs in a thread of its own. Not in the loop's pool of threads: those may all be
    taken by work that waits for this very call.
"""

from __future__ import annotations

import asyncio
import time
from contextvars import ContextVar
from functools import partial

from cachedeco import policy
from cachedeco.calls.flights import Flight, cycle, stop_waiting
from cachedeco.calls.hits import best, hit, load
from cachedeco.calls.plan import ANY_VERSION, Request
from cachedeco.calls.refusals import (
    previous_failure,
    refuse_miss,
    refuse_while_cooling_down,
    stale_instead,
    timeout,
)
from cachedeco.calls.run import run_async, run_uncached_async
from cachedeco.calls.threads_async import in_thread
from cachedeco.calls.work import Work, no_place
from cachedeco.errors import RegistryUnavailableError
from cachedeco.policy import Ended
from cachedeco.record import MISSING
from cachedeco.registry.owner import live_tokens
from cachedeco.settings import FIRST_POLL, LAST_POLL, switches

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cachedeco.calls.plan import Plan
    from cachedeco.registry.claims import Outcome, Running
    from cachedeco.store import Store

_LOOK_AGAIN = 0.25
"""Seconds after which a waiting task looks by itself, should nobody have woken it."""

# The flights that the current task computes, and those of the tasks that made it: waiting for one would never end.
_computing: ContextVar[tuple[Flight, ...]] = ContextVar("cachedeco_computing", default=())


async def call_async(
    plan: Plan, args: tuple[Any, ...], kwargs: dict[str, Any], *, refresh: bool = False
) -> Any:
    """Await a cached function: load the best value there is, or compute one; see `cachedeco.calls.call.call`."""
    if switches.disabled:
        return await run_uncached_async(Request.plain(plan, args, kwargs), None)
    request = Request(plan, args, kwargs)
    try:
        store = plan.store()
        if refresh or (switches.refresh is not None and switches.refreshes(request.uri)):
            return await _miss(store, request, refresh=True)
        value = await _hit(store, request)
        if value is not MISSING:
            return value
        return await _miss_or_stale(store, request)
    except RegistryUnavailableError as error:
        if request.attempts or plan.options.on_store_error == "raise":
            raise
        return await run_uncached_async(
            request, f"the cache could not be used ({error}); computed without it"
        )


async def _hit(store: Store, request: Request) -> Any:
    if not request.plan.options.picks:
        row = best(store, request, ANY_VERSION)
        if row is None:
            return MISSING
        if row[7] is not None and request.plan.options.on_code_change != "warn":
            try:
                return load(store, request, row)
            except Exception:  # noqa: BLE001 - whatever it is: below it is met again, and dealt with
                return await in_thread(hit, store, request)
    return await in_thread(hit, store, request)


async def _miss_or_stale(store: Store, request: Request) -> Any:
    try:
        return await _miss(store, request, refresh=False)
    except Exception as error:
        value = await in_thread(stale_instead, store, request, error)
        if value is MISSING:
            raise
        return value


async def _miss(store: Store, request: Request, *, refresh: bool) -> Any:
    refuse_miss(store, request, refresh=refresh)
    if store.mode == "read-only":
        return await run_uncached_async(request, None)
    deadline = request.deadline()
    while True:
        mine = Flight(store.folder, request.key, request.scope, request.plan.name, asyncio.current_task())
        try:
            flight = mine.board()
            if flight is mine:
                return await _lead(store, request, mine, refresh=refresh, deadline=deadline)
            if not await _landing(flight, deadline):
                raise timeout(request)
        finally:
            mine.over = True
            mine.landed.release()
            mine.settle()
        if refresh:
            continue
        if flight.error is not None:
            raise previous_failure(request, "", flight.error) from flight.error
        if flight.unstorable:
            # The call that could not store its result has said so.
            return await run_uncached_async(request, None)
        value = await _hit(store, request)
        if value is not MISSING:
            return value


async def _landing(flight: Flight, deadline: float | None) -> bool:
    """Wait until a flight of another task or thread has ended; False when it has not by the deadline."""
    runner = asyncio.current_task()
    if flight in _computing.get():
        raise cycle([flight.name])
    landed = asyncio.Event()
    flight.wake.append(partial(_wake, asyncio.get_running_loop(), landed))
    try:
        flight.check_cycle(runner)
        while not flight.over:
            left = _LOOK_AGAIN if deadline is None else min(_LOOK_AGAIN, deadline - time.monotonic())
            if left <= 0:
                return False
            await _wait_for(landed, left)
    finally:
        stop_waiting(runner)
    return True


async def _wait_for(landed: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(landed.wait(), seconds)
    except TimeoutError:
        return  # the caller looks


def _wake(loop: asyncio.AbstractEventLoop, landed: asyncio.Event) -> None:
    try:
        loop.call_soon_threadsafe(landed.set)
    except RuntimeError:
        return  # the loop has been closed: nobody waits there


async def _lead(
    store: Store, request: Request, flight: Flight, *, refresh: bool, deadline: float | None
) -> Any:
    while True:
        running = store.claims.running(request.key, request.scope)
        if running is None:
            if not refresh:
                refuse_while_cooling_down(store, request)
            value = await _compute(store, request, flight, None if refresh else request.seen)
            if value is not MISSING:
                return value
        else:
            outcome = await _wait(store, request, running, deadline)
            ended = policy.end_of_claim(outcome.status, outcome.cause, refresh=refresh)
            if ended is Ended.RAISED:
                flight.error = previous_failure(request, outcome.error or "", None)
                raise flight.error
            if ended is Ended.UNSTORABLE:
                flight.unstorable = True
                return await run_uncached_async(
                    request, "another process could not store the result; computed again"
                )
        if not refresh:
            value = await _hit(store, request)
            if value is not MISSING:
                return value


async def _wait(store: Store, request: Request, running: Running, deadline: float | None) -> Outcome:
    pause = FIRST_POLL
    while True:
        outcome = store.claims.outcome(running.id)
        if policy.end_of_claim(outcome.status, outcome.cause) is not Ended.RUNNING:
            return outcome
        if not running.ours and await in_thread(store.claims.reap_if_dead, running.owner):
            continue
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise timeout(request)
            pause = min(pause, left)
        await asyncio.sleep(pause)
        pause = policy.next_pause(pause, LAST_POLL)


async def _compute(store: Store, request: Request, flight: Flight, above: int | None) -> Any:
    work = Work(store, request, flight)
    token = work.token
    before = _computing.set((*_computing.get(), flight))
    try:
        live_tokens.add(token)
        if not await in_thread(work.claim, above):
            return MISSING
        try:
            await in_thread(work.prepare)
        except OSError as error:
            return await run_uncached_async(request, no_place(request, error))
        return await in_thread(work.keep, await _run(work, request))
    finally:
        ours = token in live_tokens
        live_tokens.discard(token)
        _computing.reset(before)
        if ours:
            work.end()


async def _run(work: Work, request: Request) -> Any:
    work.start()
    try:
        return await run_async(request, work.folder)
    except Exception as error:
        await in_thread(work.failed, error)
        raise
    finally:
        work.stop()

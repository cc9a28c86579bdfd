"""The road of a call that is awaited: that of `call`, step for step, with the same decisions.

Notes:
    The event loop is never blocked: waiting is awaited, and what may take longer than looking a row up (claims,
    storing, loading a file) runs in a thread of its own. Not in the loop's pool of threads: those may all be
    taken by work that waits for this very call.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from functools import partial

from cachedeco import policy
from cachedeco.calls import notices, upstream
from cachedeco.calls.flights import Flight, computing
from cachedeco.calls.hits import best, count_hit, hit, load
from cachedeco.calls.plan import ANY_VERSION, Request
from cachedeco.calls.refusals import (
    heed,
    previous_failure,
    refuse_miss,
    refuse_while_cooling_down,
    stale_instead,
    timeout,
)
from cachedeco.calls.run import run_async, run_uncached_async
from cachedeco.calls.threads_async import in_thread
from cachedeco.calls.watch import Watch
from cachedeco.calls.work import UNSTORED_ELSEWHERE, Work, no_place
from cachedeco.errors import RegistryUnavailableError
from cachedeco.events import listening
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


async def call_async(
    plan: Plan, args: tuple[Any, ...], kwargs: dict[str, Any], *, refresh: bool = False
) -> Any:
    """Await a cached function: load the best value there is, or compute one; see `cachedeco.calls.call.call`."""
    if switches.disabled:
        return await run_uncached_async(Request.plain(plan, args, kwargs), None)
    request = Request(plan, args, kwargs)
    try:
        store = plan.store()
        refresh = refresh or (switches.refresh is not None and switches.refreshes(request.uri))
        if not refresh:
            value = await _hit(store, request)
            if value is not MISSING:
                return value
        return await _miss(store, request, refresh=refresh)
    except Exception as error:
        value = await _instead(request, error, refresh=refresh)
        if value is MISSING:
            raise
        return value


async def _instead(request: Request, error: Exception, *, refresh: bool) -> Any:
    if isinstance(error, RegistryUnavailableError) and not request.attempts:
        if request.plan.options.on_store_error == "raise":
            return MISSING
        why = f"the cache could not be used ({error}); computed without it"
        return await run_uncached_async(request, why)
    return MISSING if refresh else await in_thread(stale_instead, request.plan.store(), request, error)


async def _hit(store: Store, request: Request) -> Any:
    if not request.plan.options.picks:
        row = best(store, request, ANY_VERSION)
        if row is None:
            return MISSING
        if row[7] is not None and request.plan.options.on_code_change != "warn":
            try:
                value = load(store, request, row)
            except Exception:  # noqa: BLE001 - whatever it is: below it is met again, and dealt with
                return await in_thread(hit, store, request)
            count_hit(store, request, row)
            store.pool.keep_due_uses()
            return value
    return await in_thread(hit, store, request)


async def _miss(store: Store, request: Request, *, refresh: bool) -> Any:
    value = await _begin(store, request, refresh=refresh)
    if value is not MISSING:
        return value
    if store.mode == "read-only":
        return await run_uncached_async(request, None)
    deadline = request.deadline()
    while True:
        mine = Flight(store.folder, request.key, request.scope, request.plan.name, in_task=True)
        try:
            ahead = await _wait_for_others(store, request, mine, refresh=refresh, deadline=deadline)
            if ahead is None:
                if not refresh:
                    refuse_while_cooling_down(store, request)
                value = await _compute(store, request, mine, None if refresh else request.seen)
                if value is not MISSING:
                    return value
        finally:
            mine.over = True
            mine.landed.release()
            mine.settle()
        if refresh:
            continue
        if ahead is not None and ahead.unstorable:
            # In this process, the call that could not store its result has said so.
            return await run_uncached_async(request, UNSTORED_ELSEWHERE if ahead is mine else None)
        value = await _hit(store, request)
        if value is not MISSING:
            return value


async def _begin(store: Store, request: Request, *, refresh: bool) -> Any:
    value = await in_thread(upstream.load, store, request) if store.upstream and not refresh else MISSING
    if value is MISSING:
        refuse_miss(store, request, refresh=refresh)
    return value


async def _wait_for_others(
    store: Store, request: Request, mine: Flight, *, refresh: bool, deadline: float | None
) -> Flight | None:
    flight = mine.board()
    if flight is not mine:
        if listening:
            notices.tell("wait", store, request)
        if not await _wait_here(store, flight, deadline):
            raise timeout(request)
        if flight.error is not None and not refresh:
            raise previous_failure(request, "", flight.error) from flight.error
        return flight
    running = store.claims.running(request.key, request.scope)
    if running is None:
        return None
    if listening:
        notices.tell("wait", store, request, version=running.version)
    outcome = await _wait(store, mine, running, deadline)
    if outcome is None:
        raise timeout(request)
    heed(request, mine, outcome)
    if mine.error is not None and not refresh:
        raise mine.error
    return mine


async def _wait_here(store: Store, flight: Flight, deadline: float | None) -> bool:
    landed = asyncio.Event()
    with Watch(store, flight, in_task=True) as watch:
        flight.wake.append(partial(_wake, asyncio.get_running_loop(), landed))
        while not flight.over:
            left = _LOOK_AGAIN if deadline is None else min(_LOOK_AGAIN, deadline - time.monotonic())
            if left <= 0:
                return False
            if watch.is_due():
                await in_thread(watch.note)
            await _wait_for(landed, left)
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


async def _wait(store: Store, flight: Flight, running: Running, deadline: float | None) -> Outcome | None:
    _, key, scope = flight.place
    pause = FIRST_POLL
    with Watch(store, flight, in_task=True) as watch:
        while True:
            now = store.claims.running(key, scope)
            if now is None or now.id != running.id:
                return store.claims.outcome(running.id)
            if not running.ours and await in_thread(store.claims.reap_if_dead, running.owner):
                continue
            if watch.is_due():
                await in_thread(watch.note)
            if deadline is not None:
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                pause = min(pause, left)
            await asyncio.sleep(pause)
            pause = policy.next_pause(pause, LAST_POLL)


async def _compute(store: Store, request: Request, flight: Flight, above: int | None) -> Any:
    work = Work(store, request, flight)
    token = work.token
    before = computing.set((*computing.get(), flight))
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
        if ours:
            work.end()
        with contextlib.suppress(
            ValueError
        ):  # closed by the garbage collector, in a context of somebody else
            computing.reset(before)


async def _run(work: Work, request: Request) -> Any:
    work.start()
    try:
        return await run_async(request, work.folder)
    except Exception as error:
        await in_thread(work.failed, error)
        raise
    finally:
        work.stop()

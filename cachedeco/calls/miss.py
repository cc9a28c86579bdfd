"""The road of a call that found nothing: wait for who computes the same, or claim it and compute.

It begins in `call`, whose picture shows all of it.
"""

from __future__ import annotations

import time

from cachedeco import policy
from cachedeco.calls import notices, upstream
from cachedeco.calls.flights import Flight
from cachedeco.calls.hits import hit
from cachedeco.calls.refusals import (
    heed,
    previous_failure,
    refuse_miss,
    refuse_while_cooling_down,
    timeout,
)
from cachedeco.calls.run import run_uncached
from cachedeco.calls.watch import Watch
from cachedeco.calls.work import UNSTORED_ELSEWHERE, compute
from cachedeco.events import listening
from cachedeco.record import MISSING
from cachedeco.settings import FIRST_POLL, LAST_POLL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cachedeco.calls.plan import Request
    from cachedeco.registry.claims import Outcome, Running
    from cachedeco.store import Store


def miss(store: Store, request: Request, *, refresh: bool) -> Any:
    """Wait for whoever computes the same, in this process or another one, or compute."""
    value = _begin(store, request, refresh=refresh)
    if value is not MISSING:
        return value
    if store.mode == "read-only":
        return run_uncached(request, None)
    deadline = request.deadline()
    while True:
        mine = Flight(store.folder, request.key, request.scope, request.plan.name)
        try:
            ahead = wait_for_others(store, request, mine, refresh=refresh, deadline=deadline)
            if ahead is None:
                if not refresh:
                    refuse_while_cooling_down(store, request)
                value = compute(store, request, mine, None if refresh else request.seen)
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
            return run_uncached(request, UNSTORED_ELSEWHERE if ahead is mine else None)
        value = hit(store, request)
        if value is not MISSING:
            return value


def _begin(store: Store, request: Request, *, refresh: bool) -> Any:
    """What another cache has for this call; MISSING when it is to be computed, and may be."""
    value = MISSING if refresh else upstream.load(store, request)
    if value is MISSING:
        refuse_miss(store, request, refresh=refresh)
    return value


def wait_for_others(
    store: Store, request: Request, mine: Flight, *, refresh: bool, deadline: float | None
) -> Flight | None:
    """Wait for whoever computes the same.

    Returns:
        Its flight, or ours for a claim of another process; None when nobody does: it is our turn.

    Raises:
        PreviousFailureError: the function raised there, and this call is no refresh.
        WaitTimeoutError: it takes longer than this call waits.
        WaitCycleError: it waits for this call.
    """
    flight = mine.board()
    if flight is not mine:
        if listening:
            notices.tell("wait", store, request)
        if not wait_here(store, flight, deadline):
            raise timeout(request)
        if flight.error is not None and not refresh:
            raise previous_failure(request, "", flight.error) from flight.error
        return flight
    running = store.claims.running(request.key, request.scope)
    if running is None:
        return None
    if listening:
        notices.tell("wait", store, request, version=running.version)
    outcome = wait(store, mine, running, deadline)
    if outcome is None:
        raise timeout(request)
    heed(request, mine, outcome)
    if mine.error is not None and not refresh:
        raise mine.error
    return mine


def wait_here(store: Store, flight: Flight, deadline: float | None) -> bool:
    """Wait until a flight of another thread lands; False when it has not by the deadline."""
    with Watch(store, flight) as watch:
        if watch.due is not None and (deadline is None or watch.due < deadline):
            if flight.wait(watch.due):
                return True
            watch.note()
        return flight.wait(deadline)


def wait(store: Store, flight: Flight, running: Running, deadline: float | None) -> Outcome | None:
    """Wait until another process's claim ends; a claim whose owner is dead is ended here.

    Args:
        store: the cache folder.
        flight: of the calling thread, on whose way the claim is.
        running: the claim.
        deadline: of the monotonic clock; None to wait as long as it takes.

    Returns:
        How it ended; None when it has not by the deadline.
    """
    _, key, scope = flight.place
    pause = FIRST_POLL
    with Watch(store, flight) as watch:
        while True:
            now = store.claims.running(key, scope)
            if now is None or now.id != running.id:
                return store.claims.outcome(running.id)
            if not running.ours and store.claims.reap_if_dead(running.owner):
                continue
            if watch.is_due():
                watch.note()
            if deadline is not None:
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                pause = min(pause, left)
            time.sleep(pause)
            pause = policy.next_pause(pause, LAST_POLL)

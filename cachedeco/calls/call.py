"""The road of a call: arguments, key, best item; else wait for who computes it, or claim it and compute.

    call -> hit -----------------------------------------------> value
         -> miss -> another thread is on it: wait for it, look again
                 -> lead -> another process is on it: wait for it, look again
                         -> it failed a moment ago: raise
                         -> work.compute: claim, run, store, commit -> value

`call_async` is the same road for functions that are awaited.
"""

from __future__ import annotations

import time

from cachedeco import policy
from cachedeco.calls.flights import Flight
from cachedeco.calls.hits import hit
from cachedeco.calls.plan import Request
from cachedeco.calls.refusals import (
    previous_failure,
    refuse_miss,
    refuse_while_cooling_down,
    stale_instead,
    timeout,
)
from cachedeco.calls.run import run_uncached
from cachedeco.calls.work import compute
from cachedeco.errors import RegistryUnavailableError
from cachedeco.policy import Ended
from cachedeco.record import MISSING
from cachedeco.settings import FIRST_POLL, LAST_POLL, switches

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cachedeco.calls.plan import Plan
    from cachedeco.registry.claims import Outcome, Running
    from cachedeco.store import Store


def call(plan: Plan, args: tuple[Any, ...], kwargs: dict[str, Any], *, refresh: bool = False) -> Any:
    """Call a cached function: load the best value there is, or compute one.

    Args:
        plan: of the function.
        args: its positional arguments.
        kwargs: its keyword arguments.
        refresh: compute a new version even when there is a value.
    """
    if switches.disabled:
        return run_uncached(Request.plain(plan, args, kwargs), None)
    request = Request(plan, args, kwargs)
    try:
        store = plan.store()
        if not refresh and (switches.refresh is None or not switches.refreshes(request.uri)):
            value = hit(store, request)
            if value is not MISSING:
                return value
            return _miss_or_stale(store, request)
        return miss(store, request, refresh=True)
    except RegistryUnavailableError as error:
        if request.attempts or plan.options.on_store_error == "raise":
            raise
        return run_uncached(request, f"the cache could not be used ({error}); computed without it")


def _miss_or_stale(store: Store, request: Request) -> Any:
    try:
        return miss(store, request, refresh=False)
    except Exception as error:
        value = stale_instead(store, request, error)
        if value is MISSING:
            raise
        return value


def miss(store: Store, request: Request, *, refresh: bool) -> Any:
    """One thread a process goes on; the others wait for it, then look again."""
    refuse_miss(store, request, refresh=refresh)
    if store.mode == "read-only":
        return run_uncached(request, None)
    deadline = request.deadline()
    while True:
        mine = Flight(store.folder, request.key, request.scope, request.plan.name)
        try:
            flight = mine.board()
            if flight is mine:
                return lead(store, request, mine, refresh=refresh, deadline=deadline)
            if not flight.wait(deadline):
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
            return run_uncached(request, None)  # the call that could not store its result has said so
        value = hit(store, request)
        if value is not MISSING:
            return value


def lead(store: Store, request: Request, flight: Flight, *, refresh: bool, deadline: float | None) -> Any:
    """Wait for another process's claim, or claim and compute."""
    while True:
        running = store.claims.running(request.key, request.scope)
        if running is None:
            if not refresh:
                refuse_while_cooling_down(store, request)
            value = compute(store, request, flight, None if refresh else request.seen)
            if value is not MISSING:
                return value
        else:
            outcome = wait(store, request, running, deadline)
            ended = policy.end_of_claim(outcome.status, outcome.cause, refresh=refresh)
            if ended is Ended.RAISED:
                flight.error = previous_failure(request, outcome.error or "", None)
                raise flight.error
            if ended is Ended.UNSTORABLE:
                flight.unstorable = True
                return run_uncached(request, "another process could not store the result; computed again")
        if not refresh:
            value = hit(store, request)
            if value is not MISSING:
                return value


def wait(store: Store, request: Request, running: Running, deadline: float | None) -> Outcome:
    """Wait until a claim ends; a claim whose owner is dead is ended here."""
    pause = FIRST_POLL
    while True:
        outcome = store.claims.outcome(running.id)
        if policy.end_of_claim(outcome.status, outcome.cause) is not Ended.RUNNING:
            return outcome
        if not running.ours and store.claims.reap_if_dead(running.owner):
            continue
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise timeout(request)
            pause = min(pause, left)
        time.sleep(pause)
        pause = policy.next_pause(pause, LAST_POLL)

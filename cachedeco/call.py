"""The road of a call: arguments, key, best item; else wait for who computes it, or claim it and compute.

call -> hit -----------------------------------------------> value
     -> miss -> another thread is on it: wait for it, look again
             -> lead -> another process is on it: wait for it, look again
                     -> it failed a moment ago: raise
                     -> work.compute: claim, run, store, commit -> value
"""

from __future__ import annotations

import time

from cachedeco import notices, policy
from cachedeco.errors import (
    CodeChangedError,
    MissError,
    PreviousFailureError,
    RegistryUnavailableError,
    WaitTimeoutError,
)
from cachedeco.flights import Flight, forget
from cachedeco.hits import hit, stale
from cachedeco.plan import ANY_VERSION, Request
from cachedeco.policy import Ended
from cachedeco.record import MISSING
from cachedeco.run import run_uncached
from cachedeco.settings import FIRST_POLL, LAST_POLL, switches
from cachedeco.work import compute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cachedeco.plan import Plan
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
        failed = request.attempts > 0 or isinstance(error, PreviousFailureError)
        if request.plan.options.on_error != "stale" or not failed:
            raise
        value = stale(store, request)
        if value is MISSING:
            raise
        kind = type(error).__name__
        message = f"it failed ({kind}: {error}), and an older result was returned (on_error='stale')"
        notices.warn_once(request.plan.name, f"stale {kind}", message)
        return value


def miss(store: Store, request: Request, *, refresh: bool) -> Any:  # noqa: C901, PLR0912 - landing cannot move out
    """One thread a process goes on; the others wait for it, then look again."""
    plan = request.plan
    if store.mode == "raise-on-miss":
        raise MissError(
            f"{plan.name} has no stored result for these arguments, and the cache has mode='raise-on-miss'"
        )
    if store.mode == "read-only":
        return run_uncached(request, None)
    if plan.options.on_code_change == "raise" and not refresh:
        _refuse_changed_code(store, request)
    deadline = None if plan.options.wait is None else time.monotonic() + plan.options.wait
    while True:
        mine = flight = Flight(store.folder, request.key, request.scope, plan.name)
        try:
            flight = mine.board()
            if flight is mine:
                return lead(store, request, mine, refresh=refresh, deadline=deadline)
            if not flight.wait(deadline):
                raise _timeout(request)
        finally:
            # One call into C before the next: a second Ctrl-C may strike any Python function at its first
            # instruction, and behind each call; a flight that is not forgotten keeps everybody waiting.
            if flight is mine:
                try:
                    forget(mine.place, None)
                finally:
                    mine.landed.release()
        if flight.error is not None:
            raise _previous_failure(request, "", flight.error) from flight.error
        if flight.unstorable:
            return run_uncached(request, None)  # the call that could not store its result has said so
        if not refresh:
            value = hit(store, request)
            if value is not MISSING:
                return value


def lead(store: Store, request: Request, flight: Flight, *, refresh: bool, deadline: float | None) -> Any:
    """Wait for another process's claim, or claim and compute."""
    while True:
        running = store.claims.running(request.key, request.scope)
        if running is None:
            if not refresh:
                _refuse_while_cooling_down(store, request)
            value = compute(store, request, flight, None if refresh else request.seen)
            if value is not MISSING:
                return value
        else:
            outcome = wait(store, request, running, deadline)
            ended = policy.end_of_claim(outcome.status, outcome.cause)
            if ended is Ended.RAISED:
                flight.error = _previous_failure(request, outcome.error or "", None)
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
                raise _timeout(request)
            pause = min(pause, left)
        time.sleep(pause)
        pause = policy.next_pause(pause, LAST_POLL)


def _timeout(request: Request) -> WaitTimeoutError:
    name, wait = request.plan.name, request.plan.options.wait
    return WaitTimeoutError(
        f"{name} is being computed by another call, which took longer than wait={wait} seconds", function=name
    )


def _refuse_while_cooling_down(store: Store, request: Request) -> None:
    cooldown = request.plan.options.cooldown
    if cooldown is None:
        return
    failure = store.claims.last_failure(request.key, request.scope)
    if failure is not None and policy.is_cooling_down(failure[0], cooldown, time.time_ns() // 1000):
        raise _previous_failure(request, failure[1] or "", None)


def _refuse_changed_code(store: Store, request: Request) -> None:
    row = store.claims.best_of_any_code(request.key, request.plan.form, ANY_VERSION)
    if row is None:
        return
    name = request.plan.name
    raise CodeChangedError(
        f"version {row[1]} of {name} was made by other code, and on_code_change='raise'; "
        f"{name}.why(...) shows what differs, {name}.refresh(...) computes a new version",
        function=name,
        version=row[1],
    )


def _previous_failure(request: Request, text: str, cause: BaseException | None) -> PreviousFailureError:
    if isinstance(cause, PreviousFailureError):
        text = cause.traceback
    elif cause is not None:
        import traceback

        text = "".join(traceback.format_exception(cause))
    return PreviousFailureError(
        f"{request.plan.name} failed before, without having been tried again:\n{text}", traceback=text
    )

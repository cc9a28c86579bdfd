"""The road of a call: arguments, key, best item; else wait for who computes it, or claim it and compute.

    call -> hit -----------------------------------------------> value
         -> miss -> another thread is on it: wait for it, look again
                 -> lead -> another process is on it: wait for it, look again
                         -> work.compute: claim, run, store, commit -> value
"""

from __future__ import annotations

import os
import time

from cachedeco import notices, policy
from cachedeco.errors import CodeChangedError, PreviousFailureError, RegistryUnavailableError
from cachedeco.files.folder import item_name
from cachedeco.flights import Flight
from cachedeco.plan import ANY_VERSION, Request
from cachedeco.policy import Ended, Step
from cachedeco.record import MISSING
from cachedeco.settings import FIRST_POLL, LAST_POLL
from cachedeco.values import table
from cachedeco.values.contract import DamagedError, UnloadableError
from cachedeco.work import compute, run_uncached

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cachedeco.plan import Plan
    from cachedeco.registry.claims import Hit, Outcome, Running
    from cachedeco.store import Store


def call(plan: Plan, args: tuple[Any, ...], kwargs: dict[str, Any], *, refresh: bool = False) -> Any:
    """Call a cached function: load the best value there is, or compute one.

    Args:
        plan: of the function.
        args: its positional arguments.
        kwargs: its keyword arguments.
        refresh: compute a new version even when there is a value.
    """
    request = Request(plan, args, kwargs)
    try:
        store = plan.store()
        if not refresh:
            value = hit(store, request)
            if value is not MISSING:
                return value
        return miss(store, request, refresh=refresh)
    except RegistryUnavailableError as error:
        if request.entered:
            raise  # from inside the function
        return run_uncached(request, f"the cache could not be read ({error}); computed without it")


def hit(store: Store, request: Request) -> Any:
    """Load the newest READY item that can be loaded; MISSING when there is none."""
    while True:
        row = best(store, request, request.below)
        if row is None:
            return MISSING
        try:
            value = load(store, request, row)
        except (FileNotFoundError, DamagedError) as error:
            _set_aside(store, request, row, "lost" if isinstance(error, FileNotFoundError) else "damaged")
        except (OSError, UnloadableError) as error:
            # Another environment may still read it, so it stays; an older version may do for this one.
            message = f"version {row[1]} is stored but cannot be loaded here: {error}"
            notices.warn_once(request.plan.name, type(error).__name__, message)
        else:
            if request.plan.options.on_code_change == "warn":
                _warn_of_other_code(store, request, row)
            return value
        request.reject(row[1])


def best(store: Store, request: Request, below: int) -> Hit | None:
    """The newest READY item below a version that the function's policy on code lets this call use."""
    plan = request.plan
    row = None
    if plan.options.on_code_change != "ignore":
        row = store.claims.best(request.key, request.code, plan.form, below)
    if row is None and not plan.code_counts:
        row = store.claims.best_of_any_code(request.key, plan.form, below)
    return row


def load(store: Store, request: Request, row: Hit) -> Any:
    """The value of a READY item.

    Raises:
        FileNotFoundError: its bytes are gone, or not as many as were recorded.
        DamagedError: they are not what was stored.
        UnloadableError: they are, but cannot become a value in this process.
    """
    serializer, size, data = row[3], row[4], row[7]
    if data is not None:
        return table.get(serializer or "").unpack(data)
    path = _path(store, request, row)
    found = os.stat(path).st_size
    if found != size:
        raise DamagedError(f"{path} has {found} bytes, {size} were stored")
    if serializer is None:
        from pathlib import Path

        return Path(path)
    return table.get(serializer).load(path)


def find(store: Store, request: Request) -> Hit | None:
    """The row that `hit` would load, as far as one can tell without loading it."""
    below = request.below
    while True:
        row = best(store, request, below)
        if row is None or row[7] is not None or _size(_path(store, request, row)) == row[4]:
            return row
        below = row[1]


def miss(store: Store, request: Request, *, refresh: bool) -> Any:
    """One thread a process goes on; the others wait for it, then look again."""
    if request.plan.options.on_code_change == "raise" and not refresh:
        _refuse_changed_code(store, request)
    while True:
        mine = Flight(store.folder, request.key, request.scope, request.plan.name)
        try:
            flight = mine.board()
            if flight is mine:
                return lead(store, request, mine, refresh=refresh)
            flight.wait()
        finally:
            mine.land()
        if flight.error is not None:
            raise _previous_failure(request, "", flight.error) from flight.error
        if flight.unstorable:
            return run_uncached(request, "another call of this process could not store the result; computed again")
        if not refresh:
            value = hit(store, request)
            if value is not MISSING:
                return value


def lead(store: Store, request: Request, flight: Flight, *, refresh: bool) -> Any:
    """Wait for another process's claim, or claim and compute."""
    while True:
        running = store.claims.running(request.key, request.scope)
        if policy.next_step(ready=False, running=running is not None, refresh=refresh) is Step.COMPUTE:
            value = compute(store, request, flight, None if refresh else request.seen)
            if value is not MISSING:
                return value
        elif running is not None:
            outcome = wait(store, running)
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


def wait(store: Store, running: Running) -> Outcome:
    """Wait until a claim ends; a claim whose owner is dead is ended here."""
    pause = FIRST_POLL
    while True:
        outcome = store.claims.outcome(running.id)
        if policy.end_of_claim(outcome.status, outcome.cause) is not Ended.RUNNING:
            return outcome
        if not running.ours and store.claims.reap_if_dead(running.owner):
            continue
        time.sleep(pause)
        pause = policy.next_pause(pause, LAST_POLL)


def _warn_of_other_code(store: Store, request: Request, row: Hit) -> None:
    plan = request.plan
    same = store.claims.best(request.key, request.code, plan.form, row[1] + 1)
    if same is None or same[0] != row[0]:
        message = f"version {row[1]} was made by other code and is used all the same (on_code_change='warn')"
        notices.warn_once(plan.name, f"code {request.code.hex()}", message)


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


def _path(store: Store, request: Request, row: Hit) -> str:
    folder = item_name(request.key.hex(), row[1], row[2].hex())
    return os.path.join(store.folder, folder, row[6] or "")


def _size(path: str) -> int | None:
    try:
        return os.stat(path).st_size
    except OSError:
        return None


def _set_aside(store: Store, request: Request, row: Hit, cause: str) -> None:
    try:
        store.claims.trash(row[0], cause)
    except RegistryUnavailableError as error:
        notices.warn_once(request.plan.name, cause, f"version {row[1]} is {cause} and could not be set aside: {error}")


def _previous_failure(request: Request, text: str, cause: BaseException | None) -> PreviousFailureError:
    if isinstance(cause, PreviousFailureError):
        text = cause.traceback
    elif cause is not None:
        import traceback

        text = "".join(traceback.format_exception(cause))
    return PreviousFailureError(
        f"{request.plan.name} failed in the call that this one waited for:\n{text}", traceback=text
    )

"""What a call raises instead of computing, in the words that both roads, plain and async, use."""

from __future__ import annotations

import time

from cachedeco import policy
from cachedeco.calls import notices
from cachedeco.calls.hits import stale
from cachedeco.calls.plan import ANY_VERSION
from cachedeco.errors import (
    CodeChangedError,
    MissError,
    OptionError,
    PreviousFailureError,
    StoreError,
    WaitTimeoutError,
)
from cachedeco.events import listening
from cachedeco.policy import Ended
from cachedeco.record import MISSING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from cachedeco.calls.flights import Flight
    from cachedeco.calls.plan import Plan, Request
    from cachedeco.registry.claims import Outcome
    from cachedeco.store import Store


def refuse_without_object(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """Raise for a verb of a method that does not get the object first, as in ``model.fit.item(3)``.

    Python hands what stands before the dot to the method alone: its verbs would take the 3 for the object.

    Raises:
        OptionError: the first argument is not of the method's class.
    """
    plan: Plan = function.__cachedeco__  # type: ignore[attr-defined]  # set by cached
    if not plan.method_of:
        return
    given = args[0] if args else kwargs.get("self", kwargs.get("cls", MISSING))
    for owner in (*(given.__mro__ if isinstance(given, type) else ()), *type(given).__mro__):
        # By its name, for a cell that is run again makes the class anew; or a class that borrows the method.
        if owner.__qualname__ == plan.method_of or any(each is function for each in vars(owner).values()):
            return
    what = "nothing" if given is MISSING else f"a value of the type {type(given).__name__}"
    raise OptionError(
        f"{plan.name} is a method, and its verbs do not see what stands before the dot. Pass it first, as in "
        f"{plan.method_of}.{function.__name__}.item(the_object, ...); they got {what}"
    )


def refuse_miss(store: Store, request: Request, *, refresh: bool) -> None:
    """Raise for a miss that must not be computed.

    Raises:
        MissError: the cache has the mode "raise-on-miss".
        CodeChangedError: there is a result of other code, and the function's policy is to raise.
    """
    if listening and not refresh:
        notices.tell("miss", store, request)
    name = request.plan.name
    if store.mode == "raise-on-miss":
        raise MissError(
            f"{name} has no stored result for these arguments, and the cache has mode='raise-on-miss'"
        )
    if request.plan.options.on_code_change != "raise" or refresh:
        return
    row = store.claims.best_of_any_code(request.key, request.plan.form, ANY_VERSION)
    if row is not None:
        raise CodeChangedError(
            f"version {row[1]} of {name} was made by other code, and on_code_change='raise'; "
            f"{name}.why(...) shows what differs, {name}.refresh(...) computes a new version",
            function=name,
            version=row[1],
        )


def refuse_while_cooling_down(store: Store, request: Request) -> None:
    """Raise when the function failed a moment ago.

    Raises:
        PreviousFailureError: the cooldown of that failure has not ended.
    """
    cooldown = request.plan.options.cooldown
    if cooldown is None:
        return
    failure = store.claims.last_failure(request.key, request.scope)
    now = time.time_ns() // 1000
    if failure is None or not policy.is_cooling_down(failure[0], cooldown, now):
        return
    ago, text = max(now - (failure[0] or now), 0) / 1e6, failure[1] or ""
    raise PreviousFailureError(
        f"{request.plan.name} failed {ago:.1f} seconds ago and is not tried again before cooldown={cooldown:g} seconds "
        f"are over; refresh(...) tries at once:\n{text}",
        traceback=text,
    )


def timeout(request: Request) -> WaitTimeoutError:
    """The error of a call that has waited for another one long enough."""
    name, wait = request.plan.name, request.plan.options.wait
    return WaitTimeoutError(
        f"{name} is being computed by another call, which took longer than wait={wait} seconds", function=name
    )


def previous_failure(request: Request, text: str, cause: BaseException | None) -> PreviousFailureError:
    """The error of a call that gets another call's failure.

    Args:
        request: the call.
        text: the stored traceback of the failure.
        cause: the exception itself where this process has it; its traceback is used then.
    """
    if isinstance(cause, PreviousFailureError):
        text = cause.traceback
    elif cause is not None:
        import traceback

        text = "".join(traceback.format_exception(cause))
    return PreviousFailureError(
        f"{request.plan.name} failed in another call, whose failure this one gets:\n{text}", traceback=text
    )


def heed(request: Request, flight: Flight, outcome: Outcome) -> None:
    """Note how another process's claim has ended, for the flight that has waited for it and all on it."""
    ended = policy.end_of_claim(outcome.status, outcome.cause)
    if ended is Ended.RAISED:
        flight.error = previous_failure(request, outcome.error or "", None)
    flight.unstorable = ended is Ended.UNSTORABLE


def stale_instead(store: Store, request: Request, error: Exception) -> Any:
    """The last result there is, if the function's ``on_error`` prefers it to its failure; else MISSING."""
    failed = request.attempts > 0 or isinstance(error, PreviousFailureError)
    if isinstance(error, StoreError) and error.function == request.plan.name:
        failed = False  # the function did not fail: it has a value, which is in the error
    if request.plan.options.on_error != "stale" or not failed:
        return MISSING
    value = stale(store, request)
    if value is not MISSING:
        message = f"it failed ({type(error).__name__}: {error}), and an older result was returned (on_error='stale')"
        notices.warn_once(request.plan.name, f"stale {type(error).__name__}", message)
    return value

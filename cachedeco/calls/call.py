"""The road of a call: arguments, key, best item; else wait for who computes it, or claim it and compute.

    call -> hit -----------------------------------------------> value
         -> miss -> another thread is on it: wait for it, look again
                 -> another process is on it: wait for it, look again
                 -> it failed a moment ago: raise
                 -> compute: claim, run, store, commit --------> value

What comes after `miss` is in the module of that name, which a process that finds all it asks for never loads.
`call_async` is the same road for functions that are awaited. A function that calls itself goes down this road as
often, so each level of it takes few frames of Python's stack.
"""

from __future__ import annotations

from cachedeco.calls.hits import hit
from cachedeco.calls.plan import Request
from cachedeco.errors import RegistryUnavailableError
from cachedeco.record import MISSING
from cachedeco.settings import switches

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cachedeco.calls.plan import Plan


def call(plan: Plan, args: tuple[Any, ...], kwargs: dict[str, Any], *, refresh: bool = False) -> Any:
    """Call a cached function: load the best value there is, or compute one.

    Args:
        plan: of the function.
        args: its positional arguments.
        kwargs: its keyword arguments.
        refresh: compute a new version even when there is a value.
    """
    if switches.disabled:
        from cachedeco.calls.run import run_uncached

        return run_uncached(Request.plain(plan, args, kwargs), None)
    request = Request(plan, args, kwargs)
    try:
        store = plan.store()
        refresh = refresh or (switches.refresh is not None and switches.refreshes(request.uri))
        if not refresh:
            value = hit(store, request)
            if value is not MISSING:
                return value
        from cachedeco.calls.miss import miss

        return miss(store, request, refresh=refresh)
    except Exception as error:
        value = _instead(request, error, refresh=refresh)
        if value is MISSING:
            raise
        return value


def _instead(request: Request, error: Exception, *, refresh: bool) -> Any:
    """What a call gets whose road ended with an error, or MISSING."""
    if isinstance(error, RegistryUnavailableError) and not request.attempts:
        if request.plan.options.on_store_error == "raise":
            return MISSING
        from cachedeco.calls.run import run_uncached

        return run_uncached(request, f"the cache could not be used ({error}); computed without it")
    from cachedeco.calls.refusals import stale_instead

    return MISSING if refresh else stale_instead(request.plan.store(), request, error)

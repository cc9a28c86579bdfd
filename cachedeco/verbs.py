"""What hangs on a cached function: each verb takes the function and the arguments of a call."""

from __future__ import annotations

from cachedeco.calls import notices
from cachedeco.calls.hits import find
from cachedeco.calls.plan import Request
from cachedeco.errors import OptionError
from cachedeco.events import listening
from cachedeco.item import CacheItem, Items
from cachedeco.status import Status
from cachedeco.wrappers import dispatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Executor
    from typing import Any

    from cachedeco.calls.plan import Plan
    from cachedeco.registry.claims import Hit
    from cachedeco.store import Store
    from cachedeco.why import Why


def item(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> CacheItem | None:
    """The item that this call would get, or None; never computes."""
    request = _request(function, args, kwargs)
    store, row = _place(request)
    record = None if row is None else store.items.get(row[0])
    return None if record is None else CacheItem(record, store)


def items(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> list[CacheItem]:
    """Every version of this call's key, newest first, whatever its status or the code that made it."""
    request = _request(function, args, kwargs)
    store = request.plan.store()
    return Items(CacheItem(record, store) for record in store.items.versions(request.key))


def status(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Status:
    """READY on a hit, else WRITE while somebody computes, else the newest version's, else UNINITIALIZED."""
    request = _request(function, args, kwargs)
    store = request.plan.store()
    if _place(request)[1] is not None:
        return Status.READY
    if store.claims.running(request.key, request.scope) is not None:
        return Status.WRITE
    versions = [each for each in store.items.versions(request.key) if each.scope == request.scope.hex()]
    return versions[0].status if versions and versions[0].status != Status.READY else Status.UNINITIALIZED


def key(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> str:
    """The key of this call, 32 hex digits."""
    return _request(function, args, kwargs).key.hex()


def params(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """The named values that make the key of this call together with its uri."""
    return dict(_request(function, args, kwargs).params)


def refresh(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Compute a new version of this call, after whoever computes it now; older versions stay."""
    from cachedeco.calls.refusals import refuse_without_object

    refuse_without_object(function, args, kwargs)
    return dispatch(_plan(function), args, kwargs, refresh=True)


def remove(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> int:
    """Move all versions of this call to TRASH, but for a running claim; returns how many."""
    request = _request(function, args, kwargs)
    store = request.plan.store()
    if store.mode == "read-only":
        raise OptionError("remove would write to the cache, which has mode='read-only'")
    from cachedeco.manifests import drop

    gone = store.items.trash_key(request.key)
    drop(store, request.key.hex(), [(version, token.hex()) for version, token in gone])
    if listening:
        for version, _ in gone:
            notices.tell("evict", store, request, version=version, reason="removed")
    return len(gone)


def why(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Why:
    """Say why this call is a hit or a miss; never computes."""
    request = _request(function, args, kwargs)
    from cachedeco.why import explain

    store, row = _place(request)
    return explain(store, request, row)


def map(  # noqa: A001 - what it does, for a cached function
    function: Callable[..., Any],
    /,
    *columns: Iterable[Any],
    n_jobs: int | None = None,
    executor: Executor | None = None,
    as_completed: bool = False,
    return_exceptions: bool = False,
    progress: bool | None = None,
) -> Any:
    """Call the function for each element of an iterable, as the built-in `map` does; only what is missing is computed.

    Args:
        function: the cached function.
        columns: an iterable per positional argument.
        n_jobs: compute through `joblib.Parallel` with so many jobs.
        executor: compute through this executor of `concurrent.futures`.
        as_completed: give an iterator of (position, result) in the order in which results become known, the stored ones
            first, instead of a list in the order of the arguments.
        return_exceptions: give the exceptions of failed calls in the places of their results.
        progress: show a progress bar; by default on a terminal or in a notebook.

    Raises:
        MapError: calls failed; it is raised after all the others have been computed and stored.
    """
    from cachedeco.calls.mapping import Calls, map_as_completed, map_calls

    calls = Calls(function, columns)
    mapped = map_as_completed if as_completed else map_calls
    return mapped(
        calls, n_jobs=n_jobs, executor=executor, return_exceptions=return_exceptions, progress=progress
    )


def missing(function: Callable[..., Any], /, *columns: Iterable[Any]) -> list[Any]:
    """Those elements of an iterable, or tuples of several, for which there is no stored result; each once."""
    from cachedeco.calls.mapping import Calls

    calls = Calls(function, columns)
    found = [calls.arguments[position] for position in calls.missing]
    return found if len(columns) > 1 else [arguments[0] for arguments in found]


VERBS = (item, items, status, key, params, refresh, remove, why, map, missing)


def _plan(function: Callable[..., Any]) -> Plan:
    plan: Plan = function.__cachedeco__  # type: ignore[attr-defined]  # set by cached
    return plan


def _place(request: Request) -> tuple[Store, Hit | None]:
    """Where the item lies that a call would get, in its own cache or one that is looked up, and its row there."""
    store = request.plan.store()
    row = find(store, request)
    if row is None and store.upstream:
        from cachedeco.calls.upstream import found

        return found(store, request) or (store, None)
    return store, row


def _request(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Request:
    from cachedeco.calls.refusals import refuse_without_object

    refuse_without_object(function, args, kwargs)
    return Request(_plan(function), args, kwargs)

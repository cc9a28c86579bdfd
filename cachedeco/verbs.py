"""What hangs on a cached function: each verb takes the function and the arguments of a call."""

from __future__ import annotations

from cachedeco.hits import find
from cachedeco.item import CacheItem
from cachedeco.plan import Request
from cachedeco.status import Status
from cachedeco.why import Why, explain
from cachedeco.wrappers import dispatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from cachedeco.plan import Plan


def item(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> CacheItem | None:
    """The item that this call would get, or None; never computes."""
    request = _request(function, args, kwargs)
    store = request.plan.store()
    row = find(store, request)
    record = None if row is None else store.items.get(row[0])
    return None if record is None else CacheItem(record, store)


def items(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> list[CacheItem]:
    """Every version of this call's key, newest first, whatever its status or the code that made it."""
    request = _request(function, args, kwargs)
    store = request.plan.store()
    return [CacheItem(record, store) for record in store.items.versions(request.key)]


def status(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Status:
    """READY on a hit, else WRITE while somebody computes, else the newest version's, else UNINITIALIZED."""
    request = _request(function, args, kwargs)
    store = request.plan.store()
    if find(store, request) is not None:
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
    return dispatch(_plan(function), args, kwargs, refresh=True)


def remove(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> int:
    """Move all versions of this call to TRASH, but for a running claim; returns how many."""
    request = _request(function, args, kwargs)
    return request.plan.store().items.trash_key(request.key)


def why(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Why:
    """Say why this call is a hit or a miss; never computes."""
    request = _request(function, args, kwargs)
    store = request.plan.store()
    return explain(store, request, find(store, request))


VERBS = (item, items, status, key, params, refresh, remove, why)


def _plan(function: Callable[..., Any]) -> Plan:
    plan: Plan = function.__cachedeco__  # type: ignore[attr-defined]  # set by cached
    return plan


def _request(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Request:
    return Request(_plan(function), args, kwargs)

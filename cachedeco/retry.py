"""Making failed calls again: which they are, and how a stored call becomes a call."""

from __future__ import annotations

import sys

from cachedeco.errors import RetryError
from cachedeco.item import CacheItem, Items
from cachedeco.scripts import own_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from cachedeco.store import Store


class Retried:
    """A failed call that was made again.

    Attributes:
        item: the failed item.
        value: what the call returned now; None if it raised.
        error: what it raised; None if it returned.
    """

    __slots__ = ("error", "item", "value")

    def __init__(self, item: CacheItem, value: Any, error: Exception | None) -> None:
        self.item = item
        self.value = value
        self.error = error

    def __repr__(self) -> str:
        return f"Retried({self.item!r}, value={self.value!r}, error={self.error!r})"


def failed(store: Store, where: Callable[[CacheItem], object] | None) -> list[CacheItem]:
    """The items that failed and that no later version has made up for, the oldest first."""
    items = (CacheItem(record, store) for record in store.items.failed())
    return Items(items if where is None else filter(where, items))


def retry_failed(store: Store, where: Callable[[CacheItem], object] | None) -> list[Retried]:
    """Make failed calls again, one after another; see `cachedeco.Cache.retry_failed`."""
    retried = []
    for item in failed(store, where):
        if item.function is None:
            continue  # made by hand: there is no call
        try:
            function, args, kwargs = _call_of(store, item)
            retried.append(Retried(item, function(*args, **kwargs), None))
        except Exception as error:  # noqa: BLE001 - one failing call must not keep the others from being made
            retried.append(Retried(item, None, error))
    return retried


def _call_of(store: Store, item: CacheItem) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
    """The function and arguments of a stored call.

    Raises:
        RetryError: the arguments were not stored, or the function is not to be found.
    """
    import pickle

    stored = store.items.arguments(item.id)
    if stored is None:
        raise RetryError(f"{item!r} has no stored arguments; decorate {item.function} with store_args=True")
    if store.guard is not None:
        # The function too: to look for it is to import a module.
        stored = store.guard.unseal(stored, bytes.fromhex(item.key), item.function, item.token)
    args, kwargs = pickle.loads(stored)  # noqa: S301 - from the cache's own registry, as all its values
    return _function(item.function or ""), args, kwargs


def _function(name: str) -> Callable[..., Any]:
    """The function of that module and qualified name; of a script that is running, from ``__main__``."""
    from importlib import import_module

    parts = name.split(".")
    for split in range(len(parts) - 1, 0, -1):
        module_name = ".".join(parts[:split])
        try:
            own = "__main__" if module_name == own_name() else module_name
            found: Any = sys.modules.get(own) or import_module(own)
        except ModuleNotFoundError:
            continue
        try:
            for part in parts[split:]:
                found = getattr(found, part)
        except AttributeError as error:
            raise RetryError(f"{module_name} has no function {'.'.join(parts[split:])} any more") from error
        if "__cachedeco__" not in getattr(found, "__dict__", {}):
            raise RetryError(f"{name} is no cached function any more")
        function: Callable[..., Any] = found
        return function
    raise RetryError(f"the module of {name} cannot be imported here")

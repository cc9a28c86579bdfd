"""What happens in caches, told to whoever has subscribed; nobody listening costs a call nothing."""

from __future__ import annotations

import time
import warnings

from cachedeco.errors import OptionError, StoreWarning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Self

    Listener = Callable[["Event"], object]

KINDS = ("hit", "miss", "claim", "wait", "commit", "fail", "evict")

listening: list[Subscription] = []
"""All subscriptions of the process. Who has something to tell looks first whether there is one."""


class Event:
    """Something that happened to one item, or to a call that found none.

    Attributes:
        kind: ``"hit"``: a stored result was given; ``"miss"``: a call found none that it may use; ``"claim"``: it
            begins to compute; ``"wait"``: it waits for another one that does; ``"commit"``: a result is READY;
            ``"fail"``: a computation ended without one; ``"evict"``: an item went to the trash.
        cache: path of the folder.
        uri: names the family of results.
        key: 32 hex digits.
        version: of the item; None where there is none yet, as for a miss.
        function: module and qualified name; None for items made by hand.
        seconds: that the function ran, where it did.
        size: bytes of the item, where they are known.
        reason: why it failed, or went: a word such as ``"raised"``, ``"damaged"`` or ``"removed"``.
        at: seconds since 1970.
    """

    __slots__ = ("at", "cache", "function", "key", "kind", "reason", "seconds", "size", "uri", "version")

    def __init__(
        self,
        kind: str,
        cache: str,
        uri: str,
        key: str,
        *,
        version: int | None = None,
        function: str | None = None,
        seconds: float | None = None,
        size: int | None = None,
        reason: str | None = None,
    ) -> None:
        self.kind = kind
        self.cache = cache
        self.uri = uri
        self.key = key
        self.version = version
        self.function = function
        self.seconds = seconds
        self.size = size
        self.reason = reason
        self.at = time.time()

    def __repr__(self) -> str:
        known = {name: getattr(self, name) for name in ("version", "seconds", "size", "reason")}
        rest = "".join(f", {name}={value!r}" for name, value in known.items() if value is not None)
        return f"Event({self.kind}, {self.function or self.uri!r}, key={self.key!r}{rest})"


class Subscription:
    """A listener, from `Cache.subscribe` until it is cancelled; a context manager cancels it at its end.

    Args:
        listener: called with each `Event`, in the thread that it happens in.
        kinds: of the events; all for none.
        cache: path of the folder.
    """

    __slots__ = ("_cache", "_failed", "_kinds", "_listener")

    def __init__(self, listener: Listener, kinds: tuple[str, ...], cache: str) -> None:
        unknown = [kind for kind in kinds if kind not in KINDS]
        if unknown:
            raise OptionError(f"there is no event {unknown[0]!r}; there are {', '.join(KINDS)}")
        if not callable(listener):
            raise OptionError(
                f"subscribe({listener!r}): it is to be called with each event, and cannot be called"
            )
        self._listener = listener
        self._kinds = frozenset(kinds or KINDS)
        self._cache = cache
        self._failed = False
        listening.append(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()

    def cancel(self) -> None:
        """Listen no longer; once more does nothing."""
        if self in listening:
            listening.remove(self)

    def hear(self, event: Event) -> None:
        """Call the listener, if it wants to hear of that; its errors cost nobody a result."""
        if event.kind not in self._kinds or event.cache != self._cache:
            return
        try:
            self._listener(event)
        except Exception as error:  # noqa: BLE001 - the user's function may raise anything
            if not self._failed:
                self._failed = True
                message = f"a listener of the cache {self._cache} raised {error!r} at {event!r}; it goes on listening"
                warnings.warn(message, StoreWarning, stacklevel=2)


def tell(kind: str, cache: str, uri: str, key: str, **known: Any) -> None:
    """Tell everybody who listens; see `Event`."""
    event = Event(kind, cache, uri, key, **known)
    for each in tuple(listening):
        each.hear(event)

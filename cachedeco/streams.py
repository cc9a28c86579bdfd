"""Cached generators: items reach the consumer as they are produced, and are published when the generator is exhausted.

    hit:  file -> item -> consumer, one item in memory at a time
    miss: function -> item -> spool and consumer, until exhausted -> claim, copy the spool, commit

Notes:
    No claim is held while the consumer has control: it may stop for ever. So of two consumers that begin at once
    both run the function, and the first to exhaust it publishes. The spool is a file without a name: nobody
    takes it for garbage, and nothing remains of it when the consumer stops early.
"""

from __future__ import annotations

import io
import tempfile
import time

from cachedeco import notices
from cachedeco.errors import RegistryUnavailableError
from cachedeco.flights import Flight
from cachedeco.hits import find, path_of, set_aside
from cachedeco.plan import Request
from cachedeco.refusals import refuse_miss, refuse_while_cooling_down
from cachedeco.registry.owner import live_tokens
from cachedeco.settings import INLINE_LIMIT, switches
from cachedeco.values import stream as layout
from cachedeco.values.contract import DamagedError, Packed, UnloadableError
from cachedeco.work import Work

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any, BinaryIO

    from cachedeco.plan import Plan
    from cachedeco.store import Store

_COPIED_AT_ONCE = 1 << 20


def stream(
    plan: Plan, args: tuple[Any, ...], kwargs: dict[str, Any], *, refresh: bool = False
) -> Generator[Any, None, Any]:
    """Call a cached generator function: stream what is stored, or run it and store what it yields."""
    call = StreamCall(plan, args, kwargs, refresh=refresh)
    file = call.open()
    if file is not None:
        with file:
            return (yield from call.read(file))
    with call:
        source = plan.function(*args, **kwargs)
        try:
            while True:
                try:
                    item = next(source)
                except StopIteration as end:
                    call.publish(end.value)
                    return end.value
                except Exception as error:
                    call.failed(error)
                    raise
                call.add(item)
                if (yield item) is not None:
                    raise TypeError(f"{plan.name} is cached: what is sent to it could not be part of its key")
        finally:
            source.close()


class StreamCall:
    """One call of a cached generator function.

    Args:
        plan: of the function.
        args: positional arguments.
        kwargs: keyword arguments.
        refresh: run the function whatever is stored.
    """

    def __init__(self, plan: Plan, args: tuple[Any, ...], kwargs: dict[str, Any], *, refresh: bool) -> None:
        self._plan = plan
        self._refresh = refresh
        self._store: Store | None = None
        self._spool: BinaryIO | None = None
        self._started = time.perf_counter()
        if switches.disabled:
            return
        self._request = Request(plan, args, kwargs)
        try:
            self._store = plan.store()
        except RegistryUnavailableError as error:
            self._give_up(error)

    def __enter__(self) -> None:
        if self._store is None:
            return
        refuse_miss(self._store, self._request, refresh=self._refresh)
        if self._store.mode == "read-only":
            self._store = None
            return
        if not self._refresh:
            refuse_while_cooling_down(self._store, self._request)
        try:
            self._spool = tempfile.TemporaryFile(dir=self._store.folder)  # type: ignore[assignment]  # IO[bytes] is all that
            layout.begin(self._spool)
        except OSError as error:
            self._give_up(error)

    def __exit__(self, *_: object) -> None:
        if self._spool is not None:
            self._spool.close()

    def open(self) -> BinaryIO | None:
        """The stored stream, at its beginning; None for a miss."""
        store = self._store
        if store is None or self._refresh or switches.refreshes(self._request.uri):
            return None
        try:
            while (row := find(store, self._request)) is not None:
                if row[7] is not None:
                    return io.BytesIO(row[7])
                try:
                    return open(path_of(store, self._request, row), "rb")
                except OSError:
                    self._request.reject(row[1])
        except RegistryUnavailableError as error:
            self._give_up(error)
        return None

    def read(self, file: BinaryIO) -> Generator[Any, None, Any]:
        """Give the items of a stored stream.

        Raises:
            DamagedError: it is damaged; it is set aside, and the next call runs the function.
        """
        try:
            return (yield from layout.read(file))
        except (DamagedError, UnloadableError) as error:
            row = None if self._store is None else find(self._store, self._request)
            if row is not None and self._store is not None and isinstance(error, DamagedError):
                set_aside(self._store, self._request, row, "damaged")
            raise

    def add(self, item: Any) -> None:
        """Store one item; when that fails, nothing of this call will be stored."""
        if self._spool is None:
            return
        try:
            layout.add(self._spool, item)
        except Exception as error:  # noqa: BLE001 - whatever it is: the consumer gets the item all the same
            self._give_up(error)

    def publish(self, returned: Any) -> None:
        """Store the whole stream, unless somebody else has done so meanwhile."""
        if self._spool is None:
            return
        try:
            layout.end(self._spool, returned)
            self._spool.flush()
        except Exception as error:  # noqa: BLE001 - as above
            self._give_up(error)
            return
        packed = layout.NAME, layout.EXT, Spooled(self._spool)
        self._under_claim(lambda work: work.keep(None, packed))

    def failed(self, error: Exception) -> None:
        """Record that the function raised."""
        if self._spool is not None:
            self._under_claim(lambda work: work.failed(error))

    def _under_claim(self, end: Any) -> None:
        store, request = self._store, self._request
        if store is None:
            return
        work = Work(store, request, Flight(store.folder, request.key, request.scope, self._plan.name))
        work.start(self._started)
        request.attempts = 1
        token = work.token
        try:
            live_tokens.add(token)
            if work.claim(None if self._refresh else request.seen):
                work.stop()
                end(work)
        except RegistryUnavailableError as error:
            self._give_up(error)
        finally:
            ours = token in live_tokens
            live_tokens.discard(token)
            if ours:
                work.end()

    def _give_up(self, error: Exception) -> None:
        message = f"its items are not stored: {error or type(error).__name__}"
        notices.warn_once(self._plan.name, type(error).__name__, message)
        if self._spool is not None:
            self._spool.close()
        self._store = self._spool = None


class Spooled(Packed):
    """A stream in a file without a name, ready to be kept.

    Attributes:
        size: its bytes.
    """

    __slots__ = ("_file",)

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size: int = file.tell()

    def inline(self, limit: int) -> bytes | None:
        """The whole stream if it has at most `limit` bytes, else None."""
        if self.size > min(limit, INLINE_LIMIT):
            return None
        self._file.seek(0)
        return self._file.read()

    def write(self, file: BinaryIO) -> None:
        """Copy the stream, a piece at a time."""
        self._file.seek(0)
        while piece := self._file.read(_COPIED_AT_ONCE):
            file.write(piece)

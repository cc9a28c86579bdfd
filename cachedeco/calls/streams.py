"""Cached generators: items reach the consumer as they are produced, and are published when the generator is exhausted.

    hit:  file -> item -> consumer, one item in memory at a time
    miss: function -> item -> spool and consumer, until exhausted -> claim, copy the spool, commit

Notes:
    No claim is held while the consumer has control: it may stop for ever. So of two consumers that begin at once
    both run the function, and the first to exhaust it publishes. The spool is a file without a name: nobody
    takes it for garbage, and nothing remains of it when the consumer stops early.
"""

from __future__ import annotations

import contextlib
import tempfile
import time

from cachedeco.calls import notices, upstream
from cachedeco.calls.flights import Flight
from cachedeco.calls.hits import best, count_hit, newest_ready, open_stream, reject
from cachedeco.calls.miss import wait
from cachedeco.calls.plan import ANY_VERSION, Request
from cachedeco.calls.refusals import refuse_miss, refuse_while_cooling_down
from cachedeco.calls.work import Work
from cachedeco.errors import RegistryUnavailableError, StoreError, WaitCycleError
from cachedeco.registry.owner import live_tokens
from cachedeco.settings import INLINE_LIMIT, switches
from cachedeco.values import stream as layout
from cachedeco.values.contract import DamagedError, Packed, UnloadableError, UnstorableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any, BinaryIO

    from cachedeco.calls.plan import Plan
    from cachedeco.registry.claims import Hit
    from cachedeco.store import Store

_COPIED_AT_ONCE = 1 << 20
_PATIENCE = 5.0
"""Seconds for another call that is storing the same just then: it copies a spool, and may have been stopped."""


def stream(
    plan: Plan, args: tuple[Any, ...], kwargs: dict[str, Any], *, refresh: bool = False
) -> Generator[Any, None, Any]:
    """Call a cached generator function: stream what is stored, or run it and store what it yields."""
    call = StreamCall(plan, args, kwargs, refresh=refresh)
    stored = call.open()
    if stored is not None:
        with stored:
            while not stored.over:
                call.refuse_sent((yield stored.value))
                call.advance(stored)
            return stored.value
    with call:
        source = plan.function(*args, **kwargs)
        try:
            while True:
                try:
                    item = next(source)
                except StopIteration as end:
                    returned = end.value
                    break
                except Exception as error:
                    call.failed(error)
                    raise
                call.add(item)
                call.refuse_sent((yield item))
            call.publish(returned)
            return returned
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
        self._row: Hit | None = None
        self._problem: Exception | None = None
        self._started = time.perf_counter()
        if switches.disabled:
            return
        self._request = Request(plan, args, kwargs)
        self._refresh = refresh or switches.refreshes(self._request.uri)
        try:
            self._store = plan.store()
        except RegistryUnavailableError as error:
            self._unusable(error)

    def __enter__(self) -> None:
        if self._store is None:
            return
        try:
            refuse_miss(self._store, self._request, refresh=self._refresh)
            if self._store.mode == "read-only":
                self._store = None
                return
            if not self._refresh:
                refuse_while_cooling_down(self._store, self._request)
        except RegistryUnavailableError as error:
            self._unusable(error)
            return
        try:
            if self._store.guard is not None:
                self._store.guard.refuse_pickle("the items of a generator")
            self._spool = tempfile.TemporaryFile(dir=self._store.folder)
            layout.begin(self._spool)
        except (OSError, UnstorableError) as error:
            self._unusable(error)

    def __exit__(self, *_: object) -> None:
        self._close()

    def open(self) -> layout.Reader | None:
        """The stored stream, at its first item; None for a miss."""
        store = self._store
        if store is None or self._refresh:
            return None
        try:
            stored = self._stored(store)
            if stored is None and store.upstream and upstream.copy_up(store, self._request):
                self._request.below = ANY_VERSION
                stored = self._stored(store)
        except RegistryUnavailableError as error:
            self._unusable(error)
            return None
        return stored

    def _stored(self, store: Store) -> layout.Reader | None:
        while (row := best(store, self._request, self._request.below)) is not None:
            try:
                stored = self._read(store, row)
            except (OSError, DamagedError, UnloadableError) as error:
                # Nobody has seen an item of it yet: another version will do, or the function itself.
                reject(store, self._request, row, error)
            else:
                count_hit(store, self._request, row)
                store.pool.keep_due_uses()
                return stored
        return None

    def _read(self, store: Store, row: Hit) -> layout.Reader:
        self._row = row
        file = open_stream(store, self._request, row)
        try:
            return layout.Reader(file)
        except BaseException:
            file.close()
            raise

    def advance(self, stored: layout.Reader) -> None:
        """Go to the next item of a stored stream.

        Raises:
            DamagedError: it is damaged; it is set aside, and the next call runs the function.
            UnloadableError: the class of an item cannot be imported here.
        """
        try:
            stored.advance()
        except (DamagedError, UnloadableError) as error:
            if self._store is not None and self._row is not None:
                reject(self._store, self._request, self._row, error)
            raise

    def refuse_sent(self, sent: object) -> None:
        """Refuse what a consumer sends into the generator, on a hit as on a miss."""
        if sent is not None:
            raise TypeError(f"{self._plan.name} is cached: what is sent to it could not be part of its key")

    def add(self, item: Any) -> None:
        """Store one item; when that fails, nothing of this call will be stored."""
        if self._spool is None:
            return
        try:
            layout.add(self._spool, item)
        except Exception as error:  # noqa: BLE001 - whatever it is: the consumer gets the item all the same
            self._give_up(error)

    def publish(self, returned: Any) -> None:
        """Store the whole stream, unless somebody else has done so meanwhile.

        Raises:
            StoreError: it cannot be stored, and the function has ``on_store_error="raise"``.
        """
        if self._spool is not None:
            try:
                layout.end(self._spool, returned)
                self._spool.flush()
            except Exception as error:  # noqa: BLE001 - as above
                self._give_up(error)
            else:
                packed = layout.NAME, layout.EXT, Spooled(self._spool)
                self._under_claim(lambda work: work.keep(returned, packed))
        if self._problem is not None and self._plan.options.on_store_error == "raise":
            raise StoreError(
                f"{self._plan.name}: its items were produced, but could not be stored: {self._problem}; "
                "what it returned is the attribute `value` of this error",
                value=returned,
                function=self._plan.name,
            ) from self._problem

    def failed(self, error: Exception) -> None:
        """Record that the function raised."""
        if self._spool is not None:
            self._under_claim(lambda work: work.failed(error))

    def _under_claim(self, end: Callable[[Work], object]) -> None:
        """Claim and end; whoever has published the same meanwhile, or is about to, goes first."""
        store = self._store
        if store is None:
            return
        deadline = time.monotonic() + _PATIENCE
        try:
            while not self._claim_and_end(store, end):
                if not self._is_left_to_us(store, deadline):
                    return
        except RegistryUnavailableError as error:
            self._give_up(error)

    def _claim_and_end(self, store: Store, end: Callable[[Work], object]) -> bool:
        request = self._request
        work = Work(store, request, Flight(store.folder, request.key, request.scope, self._plan.name))
        work.start(self._started)
        request.attempts = 1
        token = work.token
        try:
            live_tokens.add(token)
            # Nobody waits for a stream before it is exhausted, so the claim of a dead process is ended here.
            running = store.claims.running(request.key, request.scope)
            if running is not None and not running.ours:
                store.claims.reap_if_dead(running.owner)
            if not work.claim(None if self._refresh else request.seen):
                return False
            work.stop()
            end(work)
            return True
        finally:
            ours = token in live_tokens
            live_tokens.discard(token)
            if ours:
                work.end()

    def _is_left_to_us(self, store: Store, deadline: float) -> bool:
        """Whether what could not be claimed still is to be stored, as when the registry was rebuilt just then."""
        request = self._request
        running = store.claims.running(request.key, request.scope)
        if running is not None:
            flight = Flight(store.folder, request.key, request.scope, self._plan.name)
            try:
                return wait(store, flight, running, deadline) is not None
            except WaitCycleError:
                return False  # it waits for this call, which has its items and need not wait for anybody
        if time.monotonic() > deadline:
            return False
        # No function of the user is asked: a check may take long, and what was expired has been computed anew.
        newest = None if self._refresh else newest_ready(store, request, ANY_VERSION)
        return newest is None or newest[1] <= request.seen

    def _unusable(self, error: Exception) -> None:
        """Do without the cache, before the function is run; raise where the function's options say so."""
        if self._plan.options.on_store_error == "raise":
            raise error
        self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self._problem = error
        if self._plan.options.on_store_error == "warn":
            message = f"its items are not stored: {error or type(error).__name__}"
            notices.warn_once(self._plan.name, type(error).__name__, message)
        self._store = None
        self._close()

    def _close(self) -> None:
        spool, self._spool = self._spool, None
        if spool is not None:
            with contextlib.suppress(OSError):  # what could not be written before cannot be now
                spool.close()


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

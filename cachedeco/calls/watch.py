"""Waits of those who hold claims: seen by others, in this process and elsewhere, so that none waits in a circle.

Notes:
    Who computes something and waits for something else keeps all waiting who want the first. Inside the process
    such a wait is looked at when it begins. Other processes learn of it from the registry, where it is noted when
    it lasts: a short wait costs nothing.

    Held is what a thread or task computes or has claimed by hand, and what those compute that started it with a
    copy of their context, as tasks and ``asyncio.to_thread`` are. What a function computes in threads of a plain
    pool or in processes of its own cannot be told to be its own. Nor is a circle seen that leads through several
    processes and several cache folders.
"""

from __future__ import annotations

import contextlib
import os
import time

from cachedeco.calls.flights import begin_waiting, cycle, held, stop_waiting
from cachedeco.errors import RegistryUnavailableError
from cachedeco.registry import waits
from cachedeco.settings import SHORT_WAIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from cachedeco.calls.flights import Flight
    from cachedeco.store import Store


class Watch:
    """A wait of a thread or task, for the length of a ``with`` block.

    Args:
        store: the cache folder.
        awaited: the flight that is waited for: another's, or the waiting one itself while the claim is another
            process's.
        in_task: whether a task waits, not the calling thread.

    Attributes:
        due: when the wait is to be noted, by the monotonic clock; None when it need not be (any more).

    Raises:
        WaitCycleError: on entering, when the wait would never end.
    """

    def __init__(self, store: Store, awaited: Flight, *, in_task: bool = False) -> None:
        self._store = store
        self._awaited = awaited
        self._held = held(in_task=in_task)
        self._claims = [flight for flight in self._held if flight.place[0] == awaited.place[0]]
        self._noted: bytes | None = None
        self.due = time.monotonic() + SHORT_WAIT if self._claims else None

    def __enter__(self) -> Self:
        try:
            begin_waiting(self, self._awaited, self._held)
        except BaseException:
            stop_waiting(self)
            raise
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        stop_waiting(self)
        if self._noted is not None:
            with contextlib.suppress(RegistryUnavailableError):  # it counts no more once the claim has ended
                waits.withdraw(self._store.pool, self._noted)

    def is_due(self) -> bool:
        """Whether the wait has lasted so long that it is to be noted."""
        return self.due is not None and time.monotonic() >= self.due

    def note(self) -> None:
        """Let other processes know of the wait.

        Raises:
            WaitCycleError: it would never end.
        """
        self.due = None
        self._noted = os.urandom(16)
        _, key, scope = self._awaited.place
        holding = [flight.claim for flight in self._claims if flight.claim is not None]
        try:
            while circle := waits.note(self._store.pool, self._noted, holding, key, scope):
                # A process that died a moment ago still stands there, but nobody has to wait for it.
                if not any(self._store.claims.reap_if_dead(link.owner) for link in circle):
                    inner = self._claims[holding.index(circle[-1].item) + 1 :]
                    raise cycle([*(link.name for link in circle), *(flight.name for flight in inner)])
        except RegistryUnavailableError:
            return  # a circle may then be missed; to fail for that would be worse

"""Single flight inside a process: of the threads that want one (key, scope), one goes on, the others wait.

Notes:
    The registry alone would do, but a thread that waits for another one is woken at once here, polls
    nothing, and gets the failure with the original exception as its cause. Between processes the registry decides.
"""

from __future__ import annotations

import os
import threading
import time
from _thread import get_ident
from contextvars import ContextVar

from cachedeco.errors import WaitCycleError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_flights: dict[tuple[str, bytes, bytes], Flight] = {}
_waiting: dict[object, tuple[Flight, list[Flight]]] = {}  # what is waited for, what cannot land meanwhile
_replacing = threading.Lock()

computing: ContextVar[tuple[Flight, ...]] = ContextVar("cachedeco_computing", default=())
"""The flights that this thread or task computes, and those of whoever started it with a copy of its context."""


class Flight:
    """One thread or task that computes a (key, scope), or waits for another process's claim of it.

    Whoever makes one ends it in a ``finally`` with three lines: ``over = True``, ``landed.release()``,
    ``settle()``. The first two are no Python functions, at whose first instruction a second Ctrl-C could strike: a
    flight that never lands would keep everybody waiting. The third only tidies up.

    Args:
        folder: the cache folder.
        key: 16 bytes.
        scope: digest of the code, or empty.
        name: what is computed, for messages.
        in_task: whether a task flies, not the calling thread.

    Attributes:
        place: folder, key and scope.
        thread: identifier of the thread; None for a task, which is to be garbage when its loop forgets it.
        claim: number of the item that is claimed for it; None until it is.
        over: whether it has ended.
        landed: held until it has ended.
        error: the exception that ended the function, if it raised.
        unstorable: whether the value could not be stored.
        wake: functions to call when it has ended.
    """

    __slots__ = (
        "claim",
        "error",
        "landed",
        "name",
        "over",
        "place",
        "thread",
        "unstorable",
        "wake",
    )

    def __init__(self, folder: str, key: bytes, scope: bytes, name: str, *, in_task: bool = False) -> None:
        self.place = (folder, key, scope)
        self.name = name
        self.thread = None if in_task else get_ident()
        self.claim: int | None = None
        self.over = False
        self.error: BaseException | None = None
        self.unstorable = False
        self.wake: list[Callable[[], object]] = []
        self.landed = threading.Lock()
        self.landed.acquire()

    def board(self) -> Flight:
        """The flight to be on: this one, if there was none for its (key, scope), else the one that was."""
        flight = _flights.setdefault(self.place, self)
        if not flight.over:
            return flight
        with _replacing:
            flight = _flights.get(self.place, self)
            if flight.over:
                flight = _flights[self.place] = self
            return _flights.setdefault(self.place, flight)

    def settle(self) -> None:
        """Make room for the next flight, and wake the tasks that wait for this one."""
        with _replacing:
            if _flights.get(self.place) is self:
                del _flights[self.place]
        for wake in self.wake:
            wake()

    def wait(self, deadline: float | None = None) -> bool:
        """Wait until it lands.

        Args:
            deadline: of the monotonic clock; None to wait as long as it takes.

        Returns:
            False when it has not landed by the deadline.
        """
        if deadline is None:
            with self.landed:  # unlike a call of acquire, no signal can leave it taken
                return True
        left = min(max(deadline - time.monotonic(), 0.0), threading.TIMEOUT_MAX)
        landed = self.landed.acquire(timeout=left)
        if landed:
            self.landed.release()
        return landed


def held(*, in_task: bool = False) -> list[Flight]:
    """The flights that cannot land, nor their claims end, while the caller waits; the outermost first.

    Args:
        in_task: whether a task would wait, not the calling thread.
    """
    me, inherited = None if in_task else get_ident(), computing.get()
    return [
        flight
        for flight in list(_flights.values())
        if flight.claim is not None
        and not flight.over
        and (flight in inherited or (flight.thread == me and not in_task))
    ]


def begin_waiting(wait: object, awaited: Flight, holding: list[Flight]) -> None:
    """Note that somebody is going to wait, unless that would never end.

    Args:
        wait: names the wait; to be given to `stop_waiting` in any case.
        awaited: the flight to wait for.
        holding: the flights that cannot land before it does.

    Raises:
        WaitCycleError: it waits, directly or through others, for one of those.
    """
    # Entered before looking: of two that close a circle at once, one sees the other.
    _waiting[wait] = awaited, holding
    ways = [[awaited]] if holding else []
    seen = {awaited}
    for way in ways:  # which grows meanwhile
        last = way[-1]
        if last in holding:
            inner = holding[holding.index(last) + 1 :]
            raise cycle([flight.name for flight in (*way, *inner)])
        for flight, unable in list(_waiting.values()):
            if last in unable and flight not in seen and not flight.over:
                seen.add(flight)
                ways.append([*way, flight])


def stop_waiting(wait: object) -> None:
    """Note that a wait has ended."""
    _waiting.pop(wait, None)


def cycle(names: list[str]) -> WaitCycleError:
    """The error of a call that would wait for itself.

    Args:
        names: what is computed in the circle, in order; the last one waits for the first.
    """
    return WaitCycleError(
        f"cached calls wait for each other in a circle: {' -> '.join([names[-1], *names])}; "
        "a call cannot wait for its own result",
        names=names,
    )


def _after_fork_in_child() -> None:
    # The threads that fly are the parent's; but the forking thread or task goes on here with its own calls.
    global _replacing  # noqa: PLW0603 - a thread that the child lacks may hold it
    _replacing = threading.Lock()
    _waiting.clear()
    me, mine = get_ident(), computing.get()
    for place, flight in list(_flights.items()):
        if flight.thread != me and flight not in mine:
            del _flights[place]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)

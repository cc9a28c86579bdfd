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

from cachedeco.errors import WaitCycleError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_flights: dict[tuple[str, bytes, bytes], Flight] = {}
_waiting: dict[object, Flight] = {}
_replacing = threading.Lock()


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
        runner: the task; left out, the calling thread.

    Attributes:
        runner: the task, or the identifier of the thread.
        over: whether it has ended.
        landed: held until it has ended.
        error: the exception that ended the function, if it raised.
        unstorable: whether the value could not be stored.
        wake: functions to call when it has ended.
    """

    __slots__ = ("_place", "error", "landed", "name", "over", "runner", "unstorable", "wake")

    def __init__(self, folder: str, key: bytes, scope: bytes, name: str, runner: object = None) -> None:
        self._place = (folder, key, scope)
        self.name = name
        self.runner = get_ident() if runner is None else runner
        self.over = False
        self.error: BaseException | None = None
        self.unstorable = False
        self.wake: list[Callable[[], object]] = []
        self.landed = threading.Lock()
        self.landed.acquire()

    def board(self) -> Flight:
        """The flight to be on: this one, if there was none for its (key, scope), else the one that was."""
        flight = _flights.setdefault(self._place, self)
        if not flight.over:
            return flight
        with _replacing:
            flight = _flights.get(self._place, self)
            if flight.over:
                flight = _flights[self._place] = self
            return _flights.setdefault(self._place, flight)

    def settle(self) -> None:
        """Make room for the next flight, and wake the tasks that wait for this one."""
        with _replacing:
            if _flights.get(self._place) is self:
                del _flights[self._place]
        for wake in self.wake:
            wake()

    def wait(self, deadline: float | None = None) -> bool:
        """Wait until it lands.

        Args:
            deadline: of the monotonic clock; None to wait as long as it takes.

        Returns:
            False when it has not landed by the deadline.

        Raises:
            WaitCycleError: it waits, directly or through others, for the calling thread.
        """
        me = get_ident()
        try:
            self.check_cycle(me)
            if deadline is None:
                with self.landed:  # unlike a call of acquire, no signal can leave it taken
                    return True
            left = min(max(deadline - time.monotonic(), 0.0), threading.TIMEOUT_MAX)
            landed = self.landed.acquire(timeout=left)
            if landed:
                self.landed.release()
            return landed
        finally:
            stop_waiting(me)

    def check_cycle(self, runner: object) -> None:
        """Note that a runner is going to wait for this flight.

        Args:
            runner: the task, or the identifier of the thread.

        Raises:
            WaitCycleError: the flight waits, directly or through others, for that runner.
        """
        # Entered before looking: of two that close a circle at once, one sees the other.
        _waiting[runner] = self
        flights: list[Flight] = []
        flight: Flight | None = self
        while flight is not None and flight not in flights:
            flights.append(flight)
            if flight.runner == runner:
                raise cycle([each.name for each in flights])
            flight = _waiting.get(flight.runner)


def stop_waiting(runner: object) -> None:
    """Note that a runner does not wait any more."""
    _waiting.pop(runner, None)


def cycle(names: list[str]) -> WaitCycleError:
    """The error of a call that would wait for itself.

    Args:
        names: of the flights in the circle; the last one waits for the first.
    """
    return WaitCycleError(
        f"cached calls wait for each other in a circle: {' -> '.join([names[-1], *names])}; "
        "a call cannot wait for its own result",
        names=names,
    )


def _after_fork_in_child() -> None:
    # The threads that fly are the parent's; but the forking thread goes on here with its own calls.
    global _replacing  # noqa: PLW0603 - a thread that the child lacks may hold it
    _replacing = threading.Lock()
    me = get_ident()
    for place, flight in list(_flights.items()):
        if flight.runner != me:
            del _flights[place]
    _waiting.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)

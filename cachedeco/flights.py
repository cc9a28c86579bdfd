"""Single flight inside a process: of the threads that want one (key, scope), one goes on, the others wait.

Notes:
    The registry alone would do, but a thread that waits for another one is woken at once here, polls
    nothing, and gets the original exception. Between processes the registry decides.
"""

from __future__ import annotations

import os
import threading
import time
from _thread import get_ident

from cachedeco.errors import WaitCycleError

_flights: dict[tuple[str, bytes, bytes], Flight] = {}
forget = _flights.pop
_waiting: dict[int, Flight] = {}


class Flight:
    """One thread that computes a (key, scope), or waits for another process's claim of it.

    Args:
        folder: the cache folder.
        key: 16 bytes.
        scope: digest of the code, or empty.
        name: what is computed, for messages.

    Attributes:
        place: what it is known by.
        landed: held until it lands.
        thread: identifier of the thread.
        error: the exception that ended the function, if it raised.
        unstorable: whether the value could not be stored.
    """

    __slots__ = ("error", "landed", "name", "place", "thread", "unstorable")

    def __init__(self, folder: str, key: bytes, scope: bytes, name: str) -> None:
        self.place = (folder, key, scope)
        self.name = name
        self.thread = get_ident()
        self.error: BaseException | None = None
        self.unstorable = False
        self.landed = threading.Lock()
        self.landed.acquire()

    def board(self) -> Flight:
        """The flight to be on: this one, if there was none for its (key, scope), else the one that was."""
        return _flights.setdefault(self.place, self)

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
            # Entered before looking: of two threads that close a circle at once, one sees the other.
            _waiting[me] = self
            self._refuse_cycle(me)
            if deadline is None:
                with self.landed:  # unlike a call of acquire, no signal can leave it taken
                    return True
            left = min(max(deadline - time.monotonic(), 0.0), threading.TIMEOUT_MAX)
            landed = self.landed.acquire(timeout=left)
            if landed:
                self.landed.release()
            return landed
        finally:
            _waiting.pop(me, None)

    def _refuse_cycle(self, me: int) -> None:
        flights: list[Flight] = []
        flight: Flight | None = self
        while flight is not None and flight not in flights:
            flights.append(flight)
            if flight.thread == me:
                names = [each.name for each in flights]
                raise WaitCycleError(
                    f"cached calls wait for each other in a circle: {' -> '.join([names[-1], *names])}; "
                    "a call cannot wait for its own result",
                    names=names,
                )
            flight = _waiting.get(flight.thread)


def _after_fork_in_child() -> None:
    # The threads that fly are the parent's; but the forking thread goes on here with its own calls.
    me = get_ident()
    for place, flight in list(_flights.items()):
        if flight.thread != me:
            del _flights[place]
    _waiting.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)

"""The gate before a registry: a fork closes it, and waits until those threads have left that were inside.

Notes:
    A fork in the midst of a statement would copy SQLite's own locks as they are, and nobody in the child would
    let them go.
"""

from __future__ import annotations

import contextlib
import threading
import time
from _thread import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

FORK_WAIT = 10.0
"""Seconds that a fork waits for those inside. Statements last microseconds; not for ever all the same: a thread may
have been interrupted between its last statement and leaving, and only it can take its name off the list."""


class Gate:
    """Knows which threads are inside a registry."""

    def __init__(self) -> None:
        self._inside: set[int] = set()
        self._closed: threading.Event | None = None  # while a fork is under way

    def enter(self) -> None:
        """Go inside; while this process forks, wait for the end of that."""
        me = get_ident()
        while True:
            # Entered before it is read whether it is closed: a fork closes it before it looks who is inside.
            self._inside.add(me)
            closed = self._closed
            if closed is None:
                return
            self._inside.discard(me)
            closed.wait()

    def leave(self) -> None:
        """Go outside."""
        self._inside.discard(get_ident())

    @contextlib.contextmanager
    def outside(self) -> Iterator[None]:
        """Leave for the length of a block that waits for other processes or imports; who is not inside stays out."""
        inside = get_ident() in self._inside
        self.leave()
        try:
            yield
        finally:
            if inside:
                self.enter()

    def close(self) -> None:
        """Let nobody in any more, and wait until all others are outside."""
        self._closed = threading.Event()
        me = {get_ident()}
        deadline = time.monotonic() + FORK_WAIT
        while self._inside - me and time.monotonic() < deadline:
            time.sleep(0.0002)

    def open(self) -> None:
        """Let in who waits."""
        closed, self._closed = self._closed, None
        if closed is not None:
            closed.set()

    def forget(self) -> None:
        """In a forked child: the threads of the parent are not here."""
        self._inside = set()
        self._closed = None

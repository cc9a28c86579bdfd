"""How often and when items were used: counted in the process, written in batches.

A hit only counts up a number. The numbers are written when nobody else is writing; at the end of the process at the
latest. Who is killed loses the last seconds.

Notes:
    ``counts[id] += 1`` calls nothing between reading and storing, so no other thread of an interpreter with a global
    lock comes in between, and none is left with the dict that `Uses.write` has just put another in the place of.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections import defaultdict

from cachedeco.registry.statements import QUERIES
from cachedeco.settings import USES_AT_ONCE, USES_SECONDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cachedeco.registry.connection import Connection


class Uses:
    """What a process has to tell its registry of the uses of items.

    Attributes:
        counts: number of an item -> how often it was used since that was last written. To be counted up by hits.
        kept: False where nothing is to be written.
    """

    def __init__(self) -> None:
        self.counts: defaultdict[int, int] = defaultdict(int)
        self.kept = True
        self._due_at = time.monotonic() + USES_SECONDS

    def are_due(self) -> bool:
        """Whether they are enough, or old enough, to be written."""
        counts = self.counts
        if not self.kept:
            counts.clear()
        return bool(counts) and (len(counts) >= USES_AT_ONCE or time.monotonic() >= self._due_at)

    def write(self, con: Connection) -> None:
        """Write them, inside a transaction of the caller; if that fails, they are lost."""
        counts, self.counts = self.counts, defaultdict(int)
        self._due_at = time.monotonic() + USES_SECONDS
        now = time.time_ns() // 1000
        con.executemany(QUERIES["count_uses"], [(count, now, id_) for id_, count in counts.items()])

    def write_apart(self, con: Connection, wait: float) -> None:
        """Write them in a transaction of their own. Never an error: a count is not worth one.

        Args:
            con: a connection that may write, outside a transaction.
            wait: at most so many seconds for others that are writing; what is not written stays counted.
        """
        with contextlib.suppress(sqlite3.Error):
            con.execute(f"PRAGMA busy_timeout = {wait * 1000:.0f}")
            try:
                con.execute("BEGIN IMMEDIATE")
                self.write(con)
                con.execute("COMMIT")
            finally:
                if con.in_transaction:
                    con.rollback()
                con.execute("PRAGMA busy_timeout = 0")

    def forget(self) -> None:
        """Forget them: in a forked child they are the parent's."""
        self.counts = defaultdict(int)

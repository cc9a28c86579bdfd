"""How often and when items were used: counted in the process, written in batches.

A hit only counts up a number. The numbers are written when nobody else is writing; at the end of the process at the
latest. Who is killed loses the last seconds.

Notes:
    ``counts[id] += 1`` calls nothing between reading and storing, so no other thread of an interpreter with a global
    lock comes in between, and none is left with the dict that `Uses.write` has just put another in the place of.
"""

from __future__ import annotations

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

    def forget(self) -> None:
        """Forget them: in a forked child they are the parent's."""
        self.counts = defaultdict(int)

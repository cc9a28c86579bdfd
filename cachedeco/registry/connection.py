"""A connection to the registry: what it remembers, and its patience with others."""

from __future__ import annotations

import sqlite3
import time

from cachedeco.settings import BUSY_SECONDS, FIRST_PAUSE, LAST_PAUSE

# Temporary: they are this connection's own. Whoever looks into the file with another tool never meets them.
_TRIGGERS = (
    """CREATE TEMP TRIGGER hit_changed AFTER UPDATE ON main.items
    WHEN NEW.status = 3 OR OLD.status = 3 BEGIN SELECT changed(NEW.key); END""",
    """CREATE TEMP TRIGGER hit_made AFTER INSERT ON main.items
    WHEN NEW.status = 3 BEGIN SELECT changed(NEW.key); END""",
    """CREATE TEMP TRIGGER hit_deleted AFTER DELETE ON main.items
    WHEN OLD.status = 3 BEGIN SELECT changed(OLD.key); END""",
)


class Connection(sqlite3.Connection):
    """A connection that remembers which file it was opened on, and what its transaction changes.

    Attributes:
        file: device and inode.
        changed: keys whose hits are others after the transaction that is running.
        look_again: reading of `time.monotonic` after which a reader asks whether it is still the file there.
        can_write: whether it is worth keeping after that.
    """

    file: tuple[int, int] | None = None
    changed: set[bytes] | None = None
    look_again = 0.0
    can_write = True

    def watch(self) -> set[bytes]:
        """Have `changed` filled from now on, whatever statement changes an item."""
        changed = self.changed = set()
        self.create_function("changed", 1, changed.add)
        for trigger in _TRIGGERS:
            self.execute(trigger)
        return changed


def patiently(con: sqlite3.Connection, sql: str, parameters: tuple[object, ...] = ()) -> sqlite3.Cursor:
    """Execute a statement; while another process holds the lock that it needs, try again.

    For connections without a busy timeout: SQLite itself would sleep for a millisecond at least, which is ten
    transactions of ours.

    Args:
        con: outside a transaction, or at its beginning.
        sql: one statement.
        parameters: of the statement.
    """
    pause, deadline = FIRST_PAUSE, 0.0
    while True:
        try:
            return con.execute(sql, parameters)
        except sqlite3.OperationalError as error:
            # The extended codes have the plain one in their lowest byte.
            if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            now = time.monotonic()
            deadline = deadline or now + BUSY_SECONDS
            if now >= deadline:
                raise
        time.sleep(pause)
        pause = min(pause * 1.5, LAST_PAUSE)

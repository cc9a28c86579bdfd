"""Copying the write-ahead log back into the registry, at a moment when no commit can overlap it.

SQLite 3.7.0 to 3.51.2 can corrupt a database in WAL mode when a checkpoint meets a commit of another
connection (the "WAL-reset bug", sqlite.org/wal.html). A connection that holds the write lock during the
checkpoint keeps every commit out; readers are not disturbed.
"""

from __future__ import annotations

import os

from cachedeco.registry.connection import patiently

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3

LONG_LOG = 8 << 20
"""Bytes of a write-ahead log that short-lived processes, none of which commits often, have left behind."""


def checkpoint(holder: sqlite3.Connection, worker: sqlite3.Connection) -> None:
    """Checkpoint through one connection while another keeps writers out.

    Args:
        holder: takes the write lock and writes nothing.
        worker: another connection to the same registry.
    """
    patiently(holder, "BEGIN IMMEDIATE")
    try:
        worker.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    finally:
        holder.execute("ROLLBACK")


def log_is_long(path: str) -> bool:
    """Whether the log of a registry has grown past `LONG_LOG`; looks at its size only."""
    try:
        return os.stat(path + "-wal").st_size > LONG_LOG
    except OSError:
        return False

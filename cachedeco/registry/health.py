"""What can be told of the state of a registry: for people who look for what is wrong."""

from __future__ import annotations

import os
import sqlite3

from cachedeco.registry import owner as owners
from cachedeco.registry.imports import import_filelock
from cachedeco.registry.statements import QUERIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cachedeco.registry.pool import Pool

SQLITE_VERSION = sqlite3.sqlite_version

_MOST = 10
"""So many faults are told; a damaged file may have millions."""


class Running:
    """A claim.

    Attributes:
        item: number of the item that is being computed.
        name: its function, or its uri.
        since: microseconds since 1970.
        owner: number of the process.
        host: where it runs.
        pid: its number there.
        user: who started it.
    """

    __slots__ = ("host", "item", "name", "owner", "pid", "since", "user")

    def __init__(self, row: tuple[int, str, int, int, str, int, str | None]) -> None:
        self.item, self.name, self.since, self.owner, self.host, self.pid, self.user = row


def faults(pool: Pool) -> list[str]:
    """What SQLite finds wrong with the registry's file; empty when it is sound.

    Reads the whole file, which takes some seconds a gigabyte.
    """
    found = [str(row[0]) for row in pool.read_all(f"PRAGMA quick_check({_MOST})")]
    return [] if found == ["ok"] else found


def running(pool: Pool) -> list[Running]:
    """What is being computed now, the longest running first."""
    return [Running(row) for row in pool.read_all(QUERIES["running_claims"])]


def is_dead(pool: Pool, owner: int) -> bool:
    """Whether the process of a claim is gone. If it is, its claims are ended, as a caller would have found them."""
    row = pool.read(QUERIES["owner"], (owner,))
    return row is not None and owners.reap_if_dead(pool, owners.OwnerRow(row))


def log_size(pool: Pool) -> int:
    """Bytes of the registry's log that are not yet in its file."""
    try:
        return os.stat(pool.database.path + "-wal").st_size
    except OSError:
        return 0


def excludes(path: str) -> bool:
    """Whether a lock on a new file keeps out another one that is tried on it."""
    file_lock = import_filelock().FileLock
    with file_lock(path, thread_local=False, fallback_to_soft=False):
        second = file_lock(path, thread_local=False, fallback_to_soft=False, timeout=0)
        try:
            second.acquire()
        except TimeoutError:
            return True
        second.release()
        return False

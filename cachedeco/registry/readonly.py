"""Reading a registry where nothing can be written: a read-only folder, another user's, a read-only mount.

SQLite reads a registry with a log only through a file of shared memory, which it would have to make. Without
one it reads a file that it may take for immutable, and that is a promise which nobody can give for longer than
a moment: so it is given for one statement, and what was read is believed if the file is the same afterwards,
and had no log before nor after.
"""

from __future__ import annotations

import os
import sqlite3
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TRIES = 5
"""How often a statement is run while somebody else writes to the registry at the same time."""

PATIENCE = 1.0
"""Seconds after which a process tries again to take part: what kept it from writing may have passed."""

State = tuple[int, int, int, int, int]


class Snapshot:
    """Stands for a connection; each statement opens the registry, reads, and closes it.

    Args:
        path: of the registry.
        address: the same as an SQLite address without parameters.

    Attributes:
        file: device and inode.
        in_transaction: never.
        look_again: reading of `time.monotonic` after which somebody has to try whether he can write by now.
        can_write: no.
        changed: nothing.
    """

    in_transaction = False
    can_write = False

    def __init__(self, path: str, address: str) -> None:
        self._path = path
        self._address = f"{address}?mode=ro&immutable=1"
        self.changed: set[bytes] = set()
        self.file = self._state()[:2]
        self.look_again = time.monotonic() + PATIENCE

    def execute(self, sql: str, parameters: tuple[object, ...] = ()) -> Rows:
        """Run one SELECT.

        Raises:
            sqlite3.OperationalError: it would write, or others write to the registry all the time.
        """
        if not sql.lstrip("- \n").upper().startswith(("SELECT", "PRAGMA", "WITH")):
            raise sqlite3.OperationalError("attempt to write a readonly database")
        for _ in range(TRIES):
            before = self._state()
            con = sqlite3.connect(self._address, uri=True, isolation_level=None, check_same_thread=False)
            try:
                con.execute("PRAGMA trusted_schema = OFF")
                con.execute("PRAGMA cell_size_check = ON")
                try:
                    rows = con.execute(sql, parameters).fetchall()
                except sqlite3.Error:
                    if self._state() == before:
                        raise
                    continue
            finally:
                con.close()
            if self._state() == before:
                return Rows(rows)
        raise sqlite3.OperationalError("the registry is being written to, and this process cannot take part")

    def rollback(self) -> None:
        """Nothing: there is no transaction."""

    def close(self) -> None:
        """Nothing: it is closed after each statement."""

    def _state(self) -> State:
        """What would be another one if somebody had written to the registry."""
        try:
            log = os.stat(self._path + "-wal").st_size
        except FileNotFoundError:
            log = 0
        except OSError as error:
            raise sqlite3.OperationalError(f"unable to look at its log: {error}") from error
        if log:
            raise sqlite3.OperationalError(
                "its log holds commits that only a process which may write can read"
            )
        try:
            found = os.stat(self._path)
        except OSError as error:
            raise sqlite3.OperationalError(f"unable to look at it: {error}") from error
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


class Rows:
    """What a statement gave; stands for a cursor."""

    def __init__(self, rows: list[Any]) -> None:
        self._rows = rows

    def fetchone(self) -> Any:
        """The first row, or None."""
        return self._rows[0] if self._rows else None

    def fetchall(self) -> list[Any]:
        """All rows."""
        return self._rows

"""Putting a registry that cannot be used out of the way, and telling one that is damaged from one that is not.

    registry/registry.db                      the registry
    registry/salvage/                         a registry that was set aside and has not been read out yet
    registry/damaged-20260131T120000Z-1f2e/   one that has; nobody deletes it

Notes:
    All of it happens under the maintenance lock, and every step can be the last one of a killed process: whoever
    comes next goes on from there. A registry is renamed before its log, and no new one is made while a log lies
    in the place of its own: SQLite would take the old log for that of the new registry.

    Who has the old file open goes on reading it until `Database.is_current` says no. Its closing deletes nothing:
    SQLite leaves the log alone when the file has moved.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

TABLES = frozenset({"items", "owners", "uris", "codes", "attributes", "details"})
"""What tells a registry of ours whose header is damaged from another program's file."""

ERRORS = (sqlite3.Error, UnicodeError)
"""What SQLite raises, and what Python does where a message of a damaged schema, or a parameter, is no text."""

_DAMAGED = frozenset({11, 26, 522})
"""SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_IOERR_SHORT_READ."""
_COMPANIONS = ("-wal", "-shm", "-journal")


def says_damaged(error: Exception) -> bool:
    """Whether an error of SQLite is about what is in the file, and not about reaching it."""
    if isinstance(error, UnicodeDecodeError) or str(error).startswith("Could not decode"):
        return True  # bytes in the place of a text; SQLite itself does not mind
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return False
    # A table, a column or an index is not there: the schema is damaged, or newer; `is_damaged` tells.
    misfit = code == sqlite3.SQLITE_ERROR and str(error).startswith(("no such ", "table ", "ON CONFLICT "))
    return code in _DAMAGED or code & 0xFF in _DAMAGED or misfit


def columns_of(con: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    """The columns of each table, as SQLite describes them."""
    tables = [row[0] for row in con.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {table: con.execute("SELECT * FROM pragma_table_info(?)", (table,)).fetchall() for table in tables}


def is_damaged(con: sqlite3.Connection, columns: Mapping[str, list[tuple[object, ...]]]) -> bool:
    """Read a whole registry and say whether something in it is wrong.

    Args:
        con: a connection to it.
        columns: that its tables have to have, as `columns_of` gives them.

    Raises:
        sqlite3.Error: it cannot be read, for another reason.
    """
    try:
        there = columns_of(con)
        if not there.keys() >= TABLES or any(there.get(table) != each for table, each in columns.items()):
            return True
        found = con.execute("PRAGMA integrity_check(1)").fetchone()
        for table in TABLES:
            for _ in con.execute(f"SELECT * FROM {table}"):  # noqa: S608 - a name from this module
                pass  # each has to be what Python can read
    except ERRORS as error:
        if says_damaged(error):
            return True
        raise
    return found is None or found[0] != "ok"


def set_aside(path: str) -> None:
    """Move a registry and its companions out of the way.

    Raises:
        OSError: they cannot be moved.
    """
    from cachedeco.obstacles import clear_for_folder

    folder = salvage_folder(path)
    clear_for_folder(folder, links=True)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    target = os.path.join(folder, os.path.basename(path))
    if os.path.exists(path) and os.path.exists(target):
        finish(path)  # two in a row, of which the first was never read out
        os.makedirs(folder, mode=0o700, exist_ok=True)
    for companion in ("", *_COMPANIONS):
        _move(path + companion, target + companion)


def _move(path: str, target: str) -> None:
    if _is_no_file(path):
        # SQLite would stumble over it when the registry is read out.
        target += f".no-file-{os.urandom(4).hex()}"
    elif os.path.lexists(target):
        # Of who opened the old file late: the log of the one that waits to be read out lies there already.
        target += f".late-{os.urandom(4).hex()}"
    with contextlib.suppress(FileNotFoundError):
        os.rename(path, target)


def is_obstructed(path: str) -> bool:
    """Whether a folder, or something else that is no file, stands where a registry or its log belongs."""
    return any(_is_no_file(path + companion) for companion in ("", *_COMPANIONS))


def _is_no_file(path: str) -> bool:
    try:
        return not stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def salvage_folder(path: str) -> str:
    """Where a registry lies that was set aside and has not been read out."""
    return os.path.join(os.path.dirname(path), "salvage")


def has_strays(path: str) -> bool:
    """Whether there is something in the place of a registry that is gone which a new one must not meet."""
    return any(os.path.lexists(path + companion) for companion in _COMPANIONS)


def finish(path: str) -> str | None:
    """Name what was set aside after the time; the folder's new path, or None when there is none."""
    folder = salvage_folder(path)
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    target = os.path.join(os.path.dirname(path), f"damaged-{moment}-{os.urandom(2).hex()}")
    try:
        os.rename(folder, target)
    except FileNotFoundError:
        return None
    return target


def sweep(path: str) -> None:
    """Delete what killed processes left of registries that they were making."""
    folder, stem = os.path.split(path)
    for name in os.listdir(folder):
        if name.startswith(stem + ".") and ".new" in name:
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(folder, name))

"""Reading out what can still be read of a damaged registry, and filling a new one.

Nothing of it is believed without need: an inline value only with its digest, a row only if it makes sense.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from random import SystemRandom

from xxhash import xxh3_128_digest

from cachedeco.registry.aside import ERRORS, is_obstructed, says_damaged
from cachedeco.registry.statements import QUERIES
from cachedeco.status import Status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    Row = dict[str, Any]

MOST_PROBES = 200_000
"""Row numbers that are tried one by one, where SQLite cannot read on."""

_ATTEMPTS = 3
_HINDRANCES = frozenset({5, 6, 7, 10, 13, 14, 15})
"""SQLITE_BUSY, LOCKED, NOMEM, IOERR, FULL, CANTOPEN, PROTOCOL: they are about reaching what is in a file."""

_LENGTH = 16
_GAP = 1 << 31
_KNOWN = frozenset(int(status) for status in Status)
_NEEDED = {
    "id": int, "key": bytes, "version": int, "status": int, "scope": bytes, "token": bytes, "created": int,
    "attempts": int, "params": str, "uri": str,
}  # fmt: skip


class Salvage:
    """What could be read of a registry.

    Attributes:
        items: (key, version) -> columns of the row, with the text of its uri.
        tables: table -> rows of the others, as they are.
        last_versions: key -> highest version ever used.
    """

    def __init__(self) -> None:
        self.items: dict[tuple[bytes, int], Row] = {}
        self.tables: dict[str, list[Row]] = {}
        self.last_versions: dict[bytes, int] = {}

    def used(self, key: bytes, version: int) -> None:
        """Note that a version number is taken."""
        self.last_versions[key] = max(version, self.last_versions.get(key, 0))


def read(path: str) -> Salvage:
    """Read what can be read of a registry that lies aside; nothing when it is gone or is no database.

    Args:
        path: of the file.

    Raises:
        sqlite3.Error: it cannot be reached just now, for want of room or descriptors: what it has is not lost.
    """
    if not os.path.isfile(path) or is_obstructed(path):
        return Salvage()
    for _ in range(_ATTEMPTS):
        try:
            return _attempt(path, strict=True)
        except _HinderedError as error:
            trouble = error.trouble
    if _has_room(os.path.dirname(path)):
        return _attempt(path, strict=False)  # it is this file, then, that says so
    raise trouble


def _attempt(path: str, *, strict: bool) -> Salvage:
    found = Salvage()
    quoted = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    try:
        con = sqlite3.connect(f"file:{quoted}?mode=ro", uri=True, isolation_level=None)
    except ERRORS as error:
        _heed(error, strict=strict)
        return found
    with contextlib.closing(con):
        # A damaged text is a reason to leave out its row, not to stop.
        con.text_factory = _text
        con.row_factory = sqlite3.Row
        try:
            con.execute("PRAGMA trusted_schema = OFF")
            con.execute("PRAGMA cell_size_check = ON")
            con.execute("PRAGMA mmap_size = 0")
        except ERRORS as error:
            _heed(error, strict=strict)
            return found
        _read(_Reader(con, strict=strict), found)
    return found


class _HinderedError(Exception):
    def __init__(self, trouble: Exception) -> None:
        super().__init__(str(trouble))
        self.trouble = trouble


def _heed(error: Exception, *, strict: bool) -> None:
    """Stop at an error that says nothing of what is in the file."""
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if strict and code in _HINDRANCES and not says_damaged(error):
        raise _HinderedError(error) from error


def _has_room(folder: str) -> bool:
    """Whether a file as large as those that SQLite needs beside a registry can be written."""
    path = os.path.join(folder, f"room-{os.urandom(4).hex()}")
    try:
        with open(path, "xb") as file:
            file.write(bytes(1 << 16))
    except OSError:
        return False
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)
    return True


def _read(reader: _Reader, found: Salvage) -> None:
    uris = {row["id"]: row["uri"] for row in reader.rows("uris", "id")}
    owners = reader.rows("owners", "id")
    known = {row["id"] for row in owners}
    for row in reader.rows("last_versions", None):
        if _is_key(row.get("key")) and type(row.get("version")) is int:
            found.used(row["key"], row["version"])
    kept = set()
    for row in reader.rows("items", "id"):
        row["uri"] = uris.get(row.get("uri"))
        if _is_key(row.get("key")) and type(row.get("version")) is int and 0 < row["version"] < _GAP:
            found.used(row["key"], row["version"])
            if _makes_sense(row, known):
                found.items[row["key"], row["version"]] = row
                kept.add(row["id"])
    found.tables["owners"] = owners
    found.tables["codes"] = [row for row in reader.rows("codes", None) if isinstance(row.get("parts"), str)]
    for table, order in (("details", "item"), ("uses", "item"), ("attributes", None)):
        found.tables[table] = [row for row in reader.rows(table, order) if row.get("item") in kept]


def _makes_sense(row: Row, owners: set[int]) -> bool:
    if any(type(row.get(name)) is not kind for name, kind in _NEEDED.items()):
        return False
    if len(row["token"]) != _LENGTH or row["status"] not in _KNOWN:
        return False
    if row["status"] == Status.WRITE and row.get("owner") is not None and row["owner"] not in owners:
        row["status"], row["cause"] = int(Status.FAILED), "abandoned"
    if row.get("form") is not None and row.get("filename") is None and row["status"] != Status.DELETED:
        data = row.get("data")
        return isinstance(data, bytes) and xxh3_128_digest(data) == row.get("digest")
    return True


def _is_key(key: object) -> bool:
    return isinstance(key, bytes) and len(key) == _LENGTH


class _Reader:
    """Reads rows of a damaged registry.

    Args:
        con: a connection to it.
        strict: stop at errors that say nothing of what is in the file.
    """

    def __init__(self, con: sqlite3.Connection, *, strict: bool) -> None:
        self._con = con
        self._strict = strict

    def rows(self, table: str, number: str | None) -> list[Row]:
        """The rows of a table that can be read: from its beginning, from its end, and one by one in between.

        Args:
            table: a name from this module.
            number: the column that is the row's number; None for a table without one.
        """
        order = f" ORDER BY {number}" if number else ""
        sql = f"SELECT * FROM {table}"  # noqa: S608 - names from this module
        rows, whole = self._until_error(sql + order)
        if whole or number is None:
            return rows
        behind, _ = self._until_error(f"{sql}{order} DESC")
        first = rows[-1][number] if rows else 0
        last = behind[-1][number] if behind else first
        seen = {row[number] for row in rows}
        rows += [row for row in behind if row[number] not in seen]
        for each in range(first + 1, min(last, first + MOST_PROBES)):
            rows += self._until_error(f"{sql} WHERE {number} = ?", each)[0]
        return rows

    def _until_error(self, sql: str, *parameters: object) -> tuple[list[Row], bool]:
        rows: list[Row] = []
        try:
            for row in self._con.execute(sql, parameters):
                rows.append(dict(row))  # noqa: PERF401 - those before an error count
        except (*ERRORS, OverflowError) as error:
            _heed(error, strict=self._strict)
            return rows, False
        return rows, True


def _text(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


class Refill:
    """Fills a new registry, inside one transaction of the caller.

    Args:
        con: a connection to it.
    """

    def __init__(self, con: sqlite3.Connection) -> None:
        self._con = con
        self._columns = [row[1] for row in con.execute("PRAGMA table_info(items)")]
        self._uris: dict[str, int] = {}
        self._versions: dict[bytes, int] = {}
        self.count = 0

    def add_tables(self, tables: Mapping[str, Iterable[Row]]) -> None:
        """Put in what other tables had; what does not fit is left out."""
        for table, rows in tables.items():
            names = [row[1] for row in self._con.execute(f"PRAGMA table_info({table})")]
            marks = ", ".join("?" * len(names))
            sql = f"INSERT OR IGNORE INTO {table} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608 - of schema.sql
            for row in rows:
                with contextlib.suppress(sqlite3.Error):
                    self._con.execute(sql, [row.get(name) for name in names])
            if "item" in names:
                self._con.execute(f"DELETE FROM {table} WHERE item NOT IN (SELECT id FROM items)")  # noqa: S608 - as above

    def skip_ids(self) -> None:
        """Make new numbers of items and owners begin far above the old ones.

        Whoever still has one of a registry that is lost must not find another item under it.
        """
        for table in ("items", "owners"):
            top = self._con.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()[0]  # noqa: S608 - as above
            self._con.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
            number = top + 1 + SystemRandom().randrange(_GAP)
            self._con.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, number))

    def add_item(self, row: Mapping[str, Any], attributes: Iterable[tuple[object, ...]] = ()) -> bool:
        """Put in an item; False when the registry does not take it.

        Args:
            row: its columns, with the text of its uri. Without an ``id`` it gets a new one.
            attributes: namespace, name, kind and stored value of each.
        """
        names = [name for name in self._columns if name in row]
        values = [self._uri(row["uri"]) if name == "uri" else row[name] for name in names]
        marks = ", ".join("?" * len(names))
        sql = f"INSERT INTO items ({', '.join(names)}) VALUES ({marks})"  # noqa: S608 - columns of schema.sql
        self._con.execute("SAVEPOINT item")
        try:
            id_ = self._con.execute(sql, values).lastrowid
            for attribute in attributes:
                self._con.execute(QUERIES["replace_attribute"], (id_, *attribute))
        except (*ERRORS, OverflowError):
            self._con.execute("ROLLBACK TO item")
            self._con.execute("RELEASE item")
            self._uris.clear()
            return False
        self._con.execute("RELEASE item")
        self._versions[row["key"]] = max(row["version"], self._versions.get(row["key"], 0))
        self.count += 1
        return True

    def keep_versions(self, used: Mapping[bytes, int]) -> None:
        """See that the versions that were used are not used again."""
        for key, version in used.items():
            if version > self._versions.get(key, 0):
                self._con.execute("INSERT OR REPLACE INTO last_versions VALUES (?, ?)", (key, version))

    def _uri(self, uri: str) -> int:
        if uri not in self._uris:
            self._con.execute("INSERT OR IGNORE INTO uris (uri) VALUES (?)", (uri,))
            self._uris[uri] = self._con.execute("SELECT id FROM uris WHERE uri = ?", (uri,)).fetchone()[0]
        return self._uris[uri]

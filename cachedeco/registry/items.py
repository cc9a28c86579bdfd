"""Records: made by hand, looked up, searched, moved between statuses, set aside."""

from __future__ import annotations

import time
import warnings

from cachedeco.errors import StoreWarning
from cachedeco.record import MISSING, Record
from cachedeco.registry.attributes import decode
from cachedeco.registry.statements import QUERIES
from cachedeco.status import Status

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterator, Mapping
    from typing import Any

    from cachedeco.record import Missing
    from cachedeco.registry.claims import Attribute
    from cachedeco.registry.ordering import Order
    from cachedeco.registry.pool import Pool

VISIBLE = (Status.UNINITIALIZED, Status.WRITE, Status.FAILED, Status.READY)
"""The statuses that a search finds unless it asks for others."""

NEWEST = -1
"""As a version: the newest of each key."""


class Filter:
    """What `Items.search` looks for; what is left out does not matter.

    Args:
        uri: exactly.
        key: 16 bytes.
        status: any of these; default `VISIBLE`.
        version: any of these; -1 for the newest of each key among those with such a status.
        created_after: microseconds since 1970, UTC, exclusive.
        created_before: the same.
        ext: exactly; likewise the rest. None finds the items that have none.
        label: see ext.
        filename: see ext.
        function: see ext.
        attrs: wanted attributes, as `attribute_search.condition` takes them.
        id: number of the item.
        where: a further condition on items ``i``, with its parameters.
        after: number of an item; only later ones.
        ended_after: microseconds since 1970; only what ended after.
    """

    def __init__(
        self,
        *,
        uri: str | None = None,
        key: bytes | None = None,
        status: Collection[int] = VISIBLE,
        version: Collection[int] | None = None,
        created_after: int | None = None,
        created_before: int | None = None,
        ext: str | Missing | None = MISSING,
        label: str | Missing | None = MISSING,
        filename: str | Missing | None = MISSING,
        function: str | Missing | None = MISSING,
        attrs: Mapping[str, Any] | None = None,
        id: int | None = None,  # noqa: A002 - it is the column's name
        where: tuple[str, list[object]] | None = None,
        after: int | None = None,
        ended_after: int | None = None,
    ) -> None:
        self._conditions: list[str] = []
        self.parameters: list[object] = []
        self._one_of("i.status", status)
        # The sign keeps SQLite from the indexes of these, where a key leads to fewer items.
        sign = "+" if (key, id) != (None, None) else ""
        if uri is not None:
            self._add(f"{sign}i.uri = (SELECT id FROM uris WHERE uri = ?)", uri)  # noqa: S608 - a sign
        for test, number in (
            ("i.key = ?", key),
            ("i.id = ?", id),
            ("i.created > ?", created_after),
            ("i.created < ?", created_before),
            ("i.id > ?", after),
            ("i.ended > ?", ended_after),
        ):
            if number is not None:
                self._add(test, number)
        if version is not None:
            self._versions(version, status)
        for column, value in (
            ("i.ext", ext),
            (f"{sign}i.label", label),
            ("i.filename", filename),
            ("i.function", function),
        ):
            if value is not MISSING:
                # Not with IS: an index on what is not NULL would not be used.
                self._add(f"{column} IS NULL") if value is None else self._add(f"{column} = ?", value)
        if attrs is not None:
            self._attributes(attrs, narrow=(uri, key, id) != (None, None, None))
        if where is not None:
            self._add(where[0], *where[1])

    def sql(self) -> str:
        """The condition, with its parameters left open."""
        return " AND ".join(self._conditions)

    def _add(self, condition: str, *parameters: object) -> None:
        self._conditions.append(condition)
        self.parameters.extend(parameters)

    def _one_of(self, column: str, values: Collection[int]) -> None:
        self._add(f"{column} IN ({', '.join('?' * len(values))})", *map(int, values))

    def _attributes(self, attrs: Mapping[str, Any], *, narrow: bool) -> None:
        from cachedeco.registry.attribute_search import condition

        wanted = condition(attrs, narrow=narrow)
        if wanted is not None:
            self._add(wanted[0], *wanted[1])

    def _versions(self, versions: Collection[int], status: Collection[int]) -> None:
        if NEWEST not in versions:
            self._one_of("i.version", versions)
            return
        places = ", ".join("?" * len(status))
        self._add(
            "NOT EXISTS (SELECT 1 FROM items AS n "  # noqa: S608 - nothing but question marks goes in
            "WHERE n.key = i.key AND n.version > i.version "
            f"AND n.status IN ({places}))",
            *map(int, status),
        )


class Items:
    """The records of one registry.

    Args:
        pool: connections to it.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._said = False

    def __len__(self) -> int:
        """Number of all records, whatever their status."""
        return int(self._pool.read(QUERIES["count"])[0])

    def search(self, wanted: Filter, *, order: Order | None = None, limit: int = -1) -> list[Record]:
        """The records that a filter finds.

        Args:
            wanted: the filter.
            order: of the records; default by number.
            limit: at most so many; -1 for all.
        """
        return self._records(self._rows(wanted, order, limit))

    def pages(self, wanted: Filter, *, order: Order | None = None, size: int) -> Iterator[list[Record]]:
        """The same in pieces, each by a statement of its own: nothing is open in between, whatever takes how long.

        Args:
            wanted: the filter.
            order: of the records; default by number.
            size: of a page.
        """
        rows = self._rows(wanted, order, size)
        while rows:
            yield self._records(rows)
            rows = self._rows(wanted, order, size, after=rows[-1]) if len(rows) == size else []

    def _rows(
        self, wanted: Filter, order: Order | None, limit: int, after: tuple[Any, ...] | None = None
    ) -> list[tuple[Any, ...]]:
        from cachedeco.registry.ordering import OLDEST_FIRST

        order = order or OLDEST_FIRST
        behind, place = ("1", []) if after is None else order.after(after)
        sql = f"{QUERIES['record']} WHERE {wanted.sql()} AND {behind} ORDER BY {order.sql()} LIMIT ?"
        return self._pool.read_all(sql, (*wanted.parameters, *place, limit))

    def _records(self, rows: list[tuple[Any, ...]]) -> list[Record]:
        found = []
        for row in rows:
            try:
                found.append(Record(row))
            except ValueError as error:
                self._pass_over(f"record {row[0]}", error)
        return found

    def get(self, id_: int) -> Record | None:
        """The record with that number, whatever its status."""
        found = self.search(Filter(id=id_, status=tuple(Status)))
        return found[0] if found else None

    def keys_from(self, digits: str) -> list[str]:
        """At most two of the keys that begin with some hex digits."""
        ends = (bytes.fromhex(digits.ljust(32, end)) for end in "0f")
        return [key.hex() for (key,) in self._pool.read_all(QUERIES["keys_from"], tuple(ends))]

    def versions(self, key: bytes) -> list[Record]:
        """The visible versions of a key, newest first."""
        found = self.search(Filter(key=key))
        return sorted(found, key=lambda record: record.version, reverse=True)

    def create(
        self,
        *,
        key: bytes,
        uri: str,
        token: bytes,
        status: Status,
        params: str,
        attributes: list[Attribute],
        filename: str | None,
        ext: str | None,
        label: str | None,
        has_file: bool = False,
    ) -> Record:
        """Make a record by hand; nobody owns it and nobody waits for it.

        With `has_file`, one without a filename gets one made of key, version and `ext`.
        """
        from cachedeco.registry.by_hand import default_name, next_version

        now = time.time_ns() // 1000

        def work(con: sqlite3.Connection) -> int:
            version, number = next_version(con, key, uri)
            ended = now if status in (Status.READY, Status.FAILED) else None
            name = filename or (default_name(key, version, ext) if has_file else None)
            row = (key, version, int(status), token, name, now, ended, ext, label)
            id_ = con.execute(QUERIES["insert_item"], (*row, number, params)).lastrowid or 0
            for attribute in attributes:
                con.execute(QUERIES["insert_attribute"], (id_, *attribute))
            return id_

        record = self.get(self._pool.write(work))
        if record is None:
            raise LookupError("the new record was deleted at once by somebody else")
        return record

    def status(self, id_: int) -> Status | None:
        """The status of a record by now; None when it is gone."""
        row = self._pool.read(QUERIES["status"], (id_,))
        return None if row is None else Status(row[0])

    def move(
        self,
        id_: int,
        before: Status,
        after: Status,
        *,
        size: int | None,
        digest: bytes | None,
        signature: bytes | None,
        error: str | None,
        mac: bytes | None = None,
        durable: bool = False,
    ) -> bool:
        """Move a record made by hand from one status to another.

        Args:
            id_: number of the record.
            before: the status that the caller saw.
            after: the new status.
            size: bytes of its file, None when there is none.
            digest: of its file.
            signature: of its file, see `cachedeco.files.check`.
            error: what went wrong, for people.
            mac: signature of its file.
            durable: so that a power cut does not take it back.

        Returns:
            False when it has another status by now, or is a claim: nothing was changed.
        """
        form = None if size is None else "file"
        ended = time.time_ns() // 1000
        cause = "raised" if after == Status.FAILED else None
        row = (int(after), form, size, digest, signature, mac, ended, cause, id_, int(before))

        def work(con: sqlite3.Connection) -> bool:
            moved = con.execute(QUERIES["move"], row).rowcount == 1
            if moved and error is None:
                con.execute(QUERIES["no_error_text"], (id_,))
            elif moved:
                con.execute(QUERIES["error_text"], (id_, error))
            return moved

        return self._pool.write(work, durable=durable)

    def attributes(self, id_: int) -> dict[str, Any]:
        """The attributes of a record."""
        return decode(
            self._pool.read_all(QUERIES["attributes"], (id_,)),
            lambda name, error: self._pass_over(f"the attribute {name!r} of record {id_}", error),
        )

    def inline(self, id_: int) -> bytes | None:
        """The value that is kept in the registry itself; None when there is none."""
        row = self._pool.read(QUERIES["inline"], (id_,))
        return row[0] if row is not None and isinstance(row[0], bytes) else None

    def seal(self, id_: int) -> tuple[bytes | None, bytes | None]:
        """Digest of the code that made an item, and the signature of its bytes; None where there is none."""
        row: tuple[bytes | None, bytes | None] | None = self._pool.read(QUERIES["seal"], (id_,))
        return row or (None, None)

    def uses(self, id_: int) -> tuple[int, int] | None:
        """How often a record was used, and when last in microseconds since 1970; None if nobody knows of a use."""
        row: tuple[int, int] | None = self._pool.read(QUERIES["uses"], (id_,))
        return row

    def code_parts(self, code: bytes) -> str | None:
        """The texts behind a digest of code, as JSON; None when they are not known."""
        row = self._pool.read(QUERIES["code_parts"], (code,))
        return None if row is None or not isinstance(row[0], str) else row[0]

    def maker(self, owner: int) -> dict[str, str | int | None]:
        """What is known of the process that computed an item: host, pid, user, program, python, revision, ended."""
        row = self._pool.read(QUERIES["maker"], (owner,))
        names = ("host", "pid", "user", "program", "python", "revision", "ended")
        return {} if row is None else dict(zip(names, row, strict=True))

    def failed(self) -> list[Record]:
        """The failures that no later version has made up for, the oldest first."""
        found = (self.get(row[0]) for row in self._pool.read_all(QUERIES["failed"]))
        return [record for record in found if record is not None]

    def arguments(self, id_: int) -> bytes | None:
        """The pickled arguments of the call that made a record; None where they were not stored."""
        row = self._pool.read(QUERIES["arguments"], (id_,))
        return None if row is None else row[0]

    def trash_key(self, key: bytes) -> list[tuple[int, bytes]]:
        """Take all versions of a key out of sight, but for a running claim; version and token of each."""
        now = time.time_ns() // 1000
        gone = self._pool.write(lambda con: con.execute(QUERIES["trash_key"], (now, key)).fetchall())
        # A damaged record has no place, so nothing of it is to be deleted there.
        return [(version, token) for version, token in gone if type(version) is int and type(token) is bytes]

    def _pass_over(self, what: str, error: Exception) -> None:
        """Say once that something damaged is left out; the registry is damaged where SQLite itself cannot know."""
        if self._said:
            return
        self._said = True
        warnings.warn(
            f"{what} in the registry {self._pool.database.path} is damaged and is passed over, as others may be "
            f"({error}); Cache.rebuild() puts in order what can be",
            StoreWarning,
            stacklevel=4,
        )

    def manifest(self, id_: int) -> tuple[tuple[Any, ...], list[Attribute]] | None:
        """What a manifest says of a record, in the order of its fields, and its attributes; None when it is gone."""
        row = self._pool.read(QUERIES["manifest"], (id_,))
        return None if row is None else (row, self._pool.read_all(QUERIES["attributes"], (id_,)))

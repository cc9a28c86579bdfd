"""What clean-ups ask of the registry, and write to it."""

from __future__ import annotations

import time

from cachedeco.registry import statements

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from cachedeco.record import Record
    from cachedeco.registry.operators import Condition
    from cachedeco.registry.pool import Pool

QUERIES = statements.parse(statements.read("upkeep.sql"))

AGED, FAILED, REPLACED, SURPLUS, UNUSED, EVERY = (
    "aged",
    "failed_often",
    "replaced",
    "surplus",
    "unused",
    "every",
)
"""Names of the tests of what may go; see the statements."""

_USED = "coalesce(a.last, i.ended, i.created)"


class Candidate:
    """An item that may go.

    Attributes:
        id: number of the record.
        key: 32 hex digits.
        version: of the key.
        token: 32 hex digits.
        size: bytes.
        function: module and qualified name; None for items made by hand.
        uri: names the family of results.
    """

    __slots__ = ("function", "id", "key", "size", "token", "uri", "version")

    def __init__(self, row: tuple[int, bytes, int, bytes, int | None, str | None, str]) -> None:
        self.id, key, self.version, token, size, self.function, self.uri = row
        self.key, self.token, self.size = key.hex(), token.hex(), size or 0

    @property
    def name(self) -> str:
        """Function, or uri where there is none."""
        return self.function or self.uri

    @classmethod
    def of(cls, record: Record) -> Candidate:
        """The same of a record."""
        key, token = bytes.fromhex(record.key), bytes.fromhex(record.token)
        return cls((record.id, key, record.version, token, record.size, record.function, record.uri))


def candidates(
    pool: Pool, test: str, parameters: Sequence[int], where: Condition | None = None, limit: int = -1
) -> list[Candidate]:
    """Items that are READY or FAILED, not pinned, and pass a test; the least recently used first.

    Args:
        pool: connections to the registry.
        test: one of the names above.
        parameters: of that test.
        where: a further condition on items ``i``.
        limit: at most so many; -1 for all.
    """
    sql, values = where or ("1", [])
    statement = QUERIES["candidates"]
    wanted = f"{statement} AND {QUERIES[test]} AND {sql} ORDER BY {_USED}, i.id LIMIT ?"
    rows = pool.read_all(wanted, (*parameters, *values, limit))
    # What a damaged record says of its place would delete something else.
    return [Candidate(row) for row in rows if isinstance(row[1], bytes) and isinstance(row[3], bytes)]


def trash(pool: Pool, chosen: Sequence[Candidate], cause: str) -> list[Candidate]:
    """Move items to the trash, unless somebody has pinned, removed or restored them meanwhile; those that went."""
    now = time.time_ns() // 1000

    def work(con: sqlite3.Connection) -> list[Candidate]:
        return [each for each in chosen if con.execute(QUERIES["let_go"], (cause, now, each.id)).rowcount]

    return pool.write(work)


def in_trash(pool: Pool, before: int, limit: int = -1) -> list[Candidate]:
    """What went to the trash before a moment, in microseconds since 1970, the oldest first."""
    rows = pool.read_all(QUERIES["in_trash"], (before, limit))
    return [Candidate(row) for row in rows if isinstance(row[1], bytes) and isinstance(row[3], bytes)]


def forget(pool: Pool, chosen: Iterable[Candidate]) -> list[Candidate]:
    """Delete the records of what is still in the trash; those that were deleted, whose bytes may follow."""

    def work(con: sqlite3.Connection) -> list[Candidate]:
        return [each for each in chosen if con.execute(QUERIES["forget_trashed"], (each.id,)).rowcount]

    return pool.write(work)


def without_bytes(pool: Pool) -> list[Candidate]:
    """Records of items whose bytes were deleted on purpose."""
    return [Candidate(row) for row in pool.read_all(QUERIES["deleted"])]


def sizes(pool: Pool) -> tuple[int, int]:
    """Bytes of what is in use, and of what is in the trash. Goes through all items."""
    row = pool.read(QUERIES["sizes"])
    return int(row[0]), int(row[1])


def mark(pool: Pool, name: str) -> int:
    """How far work that is done a little at a time has come; 0 at first."""
    row = pool.read(QUERIES["mark"], (name,))
    return 0 if row is None else int(row[0])


def set_mark(pool: Pool, name: str, value: int) -> None:
    """Note how far it has come."""
    pool.update(QUERIES["set_mark"], (name, value))


def is_known(pool: Pool, key: str, version: int, token: str) -> bool:
    """Whether there is a record of an item, whatever its status."""
    row = pool.read(QUERIES["known"], (bytes.fromhex(key), version))
    return row is not None and row[0] == bytes.fromhex(token)


def stats(pool: Pool) -> list[tuple[str, int, int, int, int, int, int, int]]:
    """Per function or uri: items, computed, failed, bytes, hits, microseconds computed, microseconds saved."""
    return pool.read_all(QUERIES["stats"])

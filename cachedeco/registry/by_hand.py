"""Claims by hand: an item that somebody writes without a function, while others who want it wait.

They live in a scope of their own, and no code made them, so they neither stand in the way of a cached
function with the same key nor are they a hit of one.
"""

from __future__ import annotations

import time

from cachedeco.registry import owner as owners
from cachedeco.registry.claims import Claim, new_uri
from cachedeco.registry.statements import QUERIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3

    from cachedeco.registry.claims import Attribute
    from cachedeco.registry.connection import Connection
    from cachedeco.registry.pool import Pool

SCOPE = b"by hand"
"""Of claims by hand. Digests of code have another length."""


class Handmade:
    """What is known of an item before it has bytes.

    Args:
        key: 16 bytes.
        uri: of the key.
        params: JSON text that describes the parameters.
        attributes: rows as `attributes.encode` makes them.
        filename: name of its file; None to make one of key, version and `ext`.
        ext: file name extension.
        label: free text.
    """

    __slots__ = ("attributes", "ext", "filename", "key", "label", "params", "uri")

    def __init__(
        self,
        *,
        key: bytes,
        uri: str,
        params: str,
        attributes: list[Attribute],
        filename: str | None,
        ext: str | None,
        label: str | None,
    ) -> None:
        self.key = key
        self.uri = uri
        self.params = params
        self.attributes = attributes
        self.filename = filename
        self.ext = ext
        self.label = label


def default_name(key: bytes, version: int, ext: str | None) -> str:
    """Name of the file of an item that was given none."""
    return f"{key.hex()}-{version}" + (f".{ext}" if ext else "")


def next_version(con: sqlite3.Connection, key: bytes, uri: str) -> tuple[int, int]:
    """The version that a new record of a key gets, and the number of the key's uri."""
    version, number = con.execute(QUERIES["next_version"], (key, key, uri)).fetchone()
    return version, new_uri(con, uri) if number is None else number


def newest_ready(pool: Pool, key: bytes) -> int:
    """The highest version of a key that is READY and has bytes; 0 when there is none."""
    row = pool.read(QUERIES["newest_ready"], (key,))
    return 0 if row is None else int(row[0])


def claim(pool: Pool, wanted: Handmade, token: bytes, above: int) -> Claim | None:
    """Claim a key by hand, in one short transaction.

    Args:
        pool: connections to the registry.
        wanted: what is claimed.
        token: 16 random bytes; in `live_tokens` already, so that nobody takes the row for abandoned.
        above: give up when there is a READY item above this version by now.

    Returns:
        The claim, or None when somebody else was faster: look again.
    """
    owner = owners.own(pool)
    now = time.time_ns() // 1000

    def work(con: Connection) -> Claim | None:
        if con.file != owner.registry:
            return None  # removed since: who looks for the owner of this claim would not find it
        for leaked in without_writer:
            con.execute(QUERIES["release"], (leaked,))
        if con.execute(QUERIES["running"], (wanted.key, SCOPE)).fetchone() is not None:
            return None
        newest = con.execute(QUERIES["newest_ready"], (wanted.key,)).fetchone()
        if newest is not None and newest[0] > above:
            return None
        version, uri = next_version(con, wanted.key, wanted.uri)
        filename = wanted.filename or default_name(wanted.key, version, wanted.ext)
        row = (wanted.key, version, SCOPE, token, owner.id, filename, now, wanted.ext, wanted.label)
        id_ = con.execute(QUERIES["insert_claim_by_hand"], (*row, uri, wanted.params)).lastrowid or 0
        for attribute in wanted.attributes:
            con.execute(QUERIES["insert_attribute"], (id_, *attribute))
        return Claim(id_, version, token, wanted.key)

    without_writer = owner.begin(token)
    claimed = pool.write(work)
    owner.begun.difference_update(without_writer)
    if claimed is None:
        owner.begun.discard(token)
    return claimed

"""Records of items that come from another cache: claimed while they are copied, then what they were there.

The claim has a scope of its own. It keeps everybody else from taking what has been copied so far for garbage, and
stands in nobody's way: who wants the same key meanwhile computes it.
"""

from __future__ import annotations

import time

from cachedeco.registry import owner as owners
from cachedeco.registry.by_hand import next_version
from cachedeco.registry.claims import Claim
from cachedeco.registry.owner import live_tokens
from cachedeco.registry.statements import QUERIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping
    from typing import Any

    from cachedeco.registry.connection import Connection
    from cachedeco.registry.pool import Pool

SCOPE = b"adopting"
"""How the scopes of such claims begin; the token follows."""

HIGHEST = 1 << 20
"""The highest version number that an item may bring along: after it, an archive could leave none for others."""

_SAME = (
    "key", "status", "scope", "code", "form", "serializer", "compression", "size", "digest", "filename", "cause",
    "created",
)  # fmt: skip


def find(pool: Pool, row: Mapping[str, Any]) -> int | None:
    """Number of an item with the same content; None when there is none.

    Args:
        pool: connections to the registry.
        row: columns of the item in the other cache.
    """
    found = pool.read(QUERIES["same_item"], _same(row))
    return None if found is None else int(found[0])


def claim(pool: Pool, row: Mapping[str, Any], token: bytes) -> Claim:
    """Make a record of an item that is about to be copied.

    Its version is the one that it had, if that is above all that were used here; else the next one.

    Args:
        pool: connections to the registry.
        row: columns of the item in the other cache, with the text of its uri.
        token: 16 random bytes; live until `commit` or `forget`.
    """
    owner = owners.own(pool)
    key = row["key"]

    def work(con: Connection) -> Claim | None:
        if con.file != owner.registry:
            return None  # removed since: who looks for the owner of this claim would not find it
        for leaked in without_writer:
            con.execute(QUERIES["release"], (leaked,))
        con.execute(QUERIES["forget_abandoned_adoptions"], (key,))
        version, uri = next_version(con, key, row["uri"])
        version = row["version"] if version < row["version"] <= HIGHEST else version
        known = (row["ext"], row["label"], uri, row["function"], row["params"])
        values = (key, version, SCOPE + token, token, owner.id, time.time_ns() // 1000, *known)
        return Claim(con.execute(QUERIES["insert_adopted"], values).lastrowid or 0, version, token, key)

    live_tokens.add(token)
    without_writer = owner.begin(token)
    claimed = pool.write(work)
    owner.begun.difference_update(without_writer)
    if claimed is None:
        owner.begun.discard(token)
        return claim(pool, row, token)
    return claimed


def commit(
    pool: Pool,
    claim: Claim,
    row: Mapping[str, Any],
    *,
    error: str | None,
    arguments: bytes | None,
    code_parts: str | None,
    durable: bool,
) -> bool:
    """Make the record what it was in the other cache.

    Args:
        pool: connections to the registry.
        claim: of it.
        row: columns of the item, those of its copy among them, and its ``attributes``.
        error: the traceback of a failure.
        arguments: stored ones.
        code_parts: the texts behind the digest of the code.
        durable: so that a power cut does not take it back.

    Returns:
        False when there is an item with the same content by now, or the claim is gone; the record is forgotten then.
    """
    own = ("signature", "mac", "data", "ended", "duration", "attempts")
    values = (*(row[name] for name in _SAME[1:]), *(row[name] for name in own), claim.id, claim.token)

    def work(con: sqlite3.Connection) -> bool:
        if con.execute(QUERIES["is_ready"], (claim.key, claim.version, claim.token)).fetchone() is not None:
            return True  # found by a rebuild of the registry, by its manifest
        if con.execute(QUERIES["same_item"], _same(row)).fetchone() is not None:
            return False
        if con.execute(QUERIES["commit_adopted"], values).rowcount != 1:
            return False
        for attribute in row["attributes"]:
            con.execute(QUERIES["insert_attribute"], (claim.id, *attribute))
        if arguments is not None:
            con.execute(QUERIES["store_arguments"], (claim.id, arguments))
        if error is not None:
            con.execute(QUERIES["error_text"], (claim.id, error))
        if code_parts is not None:
            con.execute(QUERIES["insert_code"], (row["code"], code_parts))
        return True

    return pool.write(work, durable=durable)


def forget(pool: Pool, key: bytes, version: int, token: bytes) -> bool:
    """Let go of a claim, and of its record if nothing came of it.

    Returns:
        Whether nothing did: then the bytes are garbage.
    """

    def work(con: sqlite3.Connection) -> bool:
        con.execute(QUERIES["forget_unadopted"], (key, token, SCOPE + token))
        return con.execute(QUERIES["is_ready"], (key, version, token)).fetchone() is None

    try:
        return pool.write(work)
    finally:
        live_tokens.discard(token)
        owners.ended(pool, token)


def _same(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in _SAME)

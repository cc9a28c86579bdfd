"""Claims: who computes a key, and how that ends. Verbs: claim, commit, fail, release, reap.

Notes:
    A claim is a WRITE row with an owner. The registry holds at most one per (key, scope). Every end of a
    claim is an UPDATE that names its token and its status, so what lost its claim can touch nothing.
"""

from __future__ import annotations

import os
import time

from cachedeco.registry import owner as owners
from cachedeco.registry.statements import QUERIES
from cachedeco.status import Status

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from cachedeco.registry.connection import Connection
    from cachedeco.registry.pool import Pool

    Attribute = tuple[str, str, str, object]  # namespace, name, kind, stored value
    Hit = tuple[  # id, version, token, serializer, size, digest, filename, data, signature, mac, compression
        int,
        int,
        bytes,
        str | None,
        int,
        bytes | None,
        str | None,
        bytes | None,
        bytes | None,
        bytes | None,
        str | None,
    ]

_BEST = QUERIES["best"]
_NEVER = 1 << 62
"""Above every version."""
_AT_ONCE = 500  # keys in one statement; SQLite before 3.32 takes 999 parameters


class Running:
    """Somebody's claim, as a caller that wants the same (key, scope) finds it.

    Attributes:
        id: number of the item.
        version: its version.
        owner: number of the owner.
        ours: whether the owner is this process.
    """

    __slots__ = ("id", "ours", "owner", "version")

    def __init__(self, id_: int, version: int, owner: int, *, ours: bool) -> None:
        self.id = id_
        self.version = version
        self.owner = owner
        self.ours = ours


class Claim:
    """A WRITE item that this caller computes.

    Attributes:
        id: number of the item.
        version: its version.
        token: 16 random bytes that prove the claim.
        key: 16 bytes.
    """

    __slots__ = ("id", "key", "token", "version")

    def __init__(self, id_: int, version: int, token: bytes, key: bytes) -> None:
        self.id = id_
        self.version = version
        self.token = token
        self.key = key


class Wanted:
    """What a caller claims: which (key, scope), and what people will want to know about it."""

    __slots__ = ("arguments", "code", "function", "key", "label", "params", "parts", "scope", "uri")

    def __init__(
        self,
        *,
        key: bytes,
        scope: bytes,
        uri: str,
        code: bytes,
        label: str | None,
        function: str,
        params: str,
        parts: Callable[[], str],
        arguments: bytes | None = None,
    ) -> None:
        self.key = key
        self.scope = scope
        self.uri = uri
        self.code = code
        self.label = label
        self.function = function
        self.params = params
        self.parts = parts
        self.arguments = arguments


class Bytes:
    """Where the bytes of a finished item are: what a commit records. Without an `ext` it stays what it was."""

    __slots__ = (
        "compression",
        "digest",
        "ext",
        "filename",
        "form",
        "inline",
        "mac",
        "serializer",
        "signature",
        "size",
    )

    def __init__(
        self,
        *,
        form: str,
        size: int,
        serializer: str | None = None,
        digest: bytes | None = None,
        filename: str | None = None,
        ext: str | None = None,
        inline: bytes | None = None,
        compression: str | None = None,
        signature: bytes | None = None,
        mac: bytes | None = None,
    ) -> None:
        self.form = form
        self.serializer = serializer
        self.size = size
        self.digest = digest
        self.filename = filename
        self.ext = ext
        self.inline = inline
        self.compression = compression
        self.signature = signature
        self.mac = mac


class Outcome:
    """How a claim that somebody waits for stands.

    Attributes:
        status: integer of its `Status`; None when the row is gone.
        cause: why it failed.
        owner: number of its owner.
        error: the stored traceback of a failure.
    """

    __slots__ = ("cause", "error", "owner", "status")

    status: int | None
    cause: str | None
    owner: int | None
    error: str | None

    def __init__(self, row: tuple[int, str | None, int | None, str | None] | None) -> None:
        self.status, self.cause, self.owner, error = row or (None, None, None, None)
        self.error = error if isinstance(error, str) else None


class Claims:
    """The claims of one registry.

    Args:
        pool: connections to it.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._known_codes: set[tuple[str, bytes]] = set()

    def best(self, key: bytes, code: bytes, form: str, below: int) -> Hit | None:
        """The newest READY item that this code made, below a version, as the statement ``best`` gives it."""
        row: Hit | None = self._pool.read(_BEST, (key, code, form, below))
        return row

    def best_of_any_code(self, key: bytes, form: str, below: int) -> Hit | None:
        """The same, whatever code made it."""
        row: Hit | None = self._pool.read(QUERIES["best_of_any_code"], (key, form, below))
        return row

    def by_id(self, id_: int) -> Hit | None:
        """A READY item as the statement ``best`` gives it; None when it is READY no more."""
        row: Hit | None = self._pool.read(QUERIES["hit_of"], (id_,))
        return row

    def ready(self, keys: list[bytes], code: bytes | None, form: str) -> set[bytes]:
        """Those of many keys that have a READY item, in a few statements.

        Args:
            keys: 16 bytes each.
            code: digest of the code that must have made it; None for any.
            form: of its bytes.
        """
        found: set[bytes] = set()
        for start in range(0, len(keys), _AT_ONCE):
            some = keys[start : start + _AT_ONCE]
            sql = QUERIES["ready"].replace(":keys", ", ".join("?" * len(some)))
            found.update(row[0] for row in self._pool.read_all(sql, (form, code, code, *some)))
        return found

    def last_failure(self, key: bytes, scope: bytes) -> tuple[int | None, str | None] | None:
        """When the last try of a (key, scope) raised, and its traceback; None if it did not raise."""
        row = self._pool.read(QUERIES["last_end"], (key, scope))
        if row is None or row[0] != Status.FAILED or type(row[1]) is not int:
            return None
        return row[1], row[2] if isinstance(row[2], str) else None

    def running(self, key: bytes, scope: bytes) -> Running | None:
        """The claim that is computing a (key, scope); claims of ours without a writer are failed first."""
        row = self._pool.read(QUERIES["running"], (key, scope))
        if row is None:
            return None
        id_, version, owner, token = row
        ours = owners.is_this_process(self._pool, owner)
        if ours and token not in owners.live_tokens:
            # Ctrl-C can strike between the commit of a claim and the line that would end it.
            self.release(token)
            return None
        return Running(id_, version, owner, ours=ours)

    def claim(self, wanted: Wanted, token: bytes, form: str, above: int | None) -> Claim | None:
        """Claim a (key, scope) in one short transaction.

        Args:
            wanted: what is claimed.
            token: 16 random bytes; in `live_tokens` already, so that nobody takes the row for abandoned.
            form: of the bytes that a hit must have.
            above: give up when there is a READY item above this version by now; None to claim regardless.

        Returns:
            The claim, or None when somebody else was faster: look again.
        """
        owner = owners.own(self._pool)
        now = time.time_ns() // 1000
        key, scope, code = wanted.key, wanted.scope, wanted.code
        # An empty scope says that the code does not count.
        newer = (key, not scope, code, form, _NEVER if above is None else above)
        asked = (key, scope, *newer, key, key, wanted.uri)
        # Of a registry that was removed, its successor knows nothing.
        known_code = (owner.path, code)

        def work(con: Connection) -> Claim | None:
            if con.file != owner.registry:
                return None  # removed since: who looks for the owner of this claim would not find it
            for leaked in without_writer:
                con.execute(QUERIES["release"], (leaked,))
            running, newer, version, uri = con.execute(QUERIES["before_claim"], asked).fetchone()
            if running or newer:
                return None
            if uri is None:
                uri = new_uri(con, wanted.uri)
            row = (key, version, scope, token, owner.id, now, code, wanted.label, uri, wanted.function)
            id_ = con.execute(QUERIES["insert_claim"], (*row, wanted.params)).lastrowid or 0
            if known_code not in self._known_codes:
                con.execute(QUERIES["insert_code"], (code, wanted.parts()))
            if wanted.arguments is not None:
                con.execute(QUERIES["store_arguments"], (id_, wanted.arguments))
            return Claim(id_, version, token, key)

        without_writer = owner.begin(token)
        claim = self._pool.write(work)
        owner.begun.difference_update(without_writer)
        if claim is None:
            owner.begun.discard(token)
        else:
            self._known_codes.add(known_code)
        return claim

    def commit(
        self,
        claim: Claim,
        stored: Bytes,
        attributes: list[Attribute],
        *,
        duration: int,
        attempts: int,
        durable: bool = False,
    ) -> bool:
        """Mark a claim READY; with `durable`, so that a power cut does not take it back.

        Returns:
            False when it is no longer this caller's claim: nothing was touched, the bytes are garbage.
        """
        parameters = (
            stored.form,
            stored.serializer,
            stored.compression,
            stored.size,
            stored.digest,
            stored.signature,
            stored.mac,
            stored.filename,
            stored.ext,
            stored.inline,
            time.time_ns() // 1000,
            duration,
            attempts,
            claim.id,
            claim.token,
        )

        def work(con: sqlite3.Connection) -> bool:
            if con.execute(QUERIES["commit"], parameters).rowcount != 1:
                # The registry may have been rebuilt since the bytes were in their place.
                return (
                    con.execute(QUERIES["is_ready"], (claim.key, claim.version, claim.token)).fetchone()
                    is not None
                )
            for attribute in attributes:
                con.execute(QUERIES["insert_attribute"], (claim.id, *attribute))
            return True

        mine = self._pool.write(work, durable=durable)
        owners.ended(self._pool, claim.token)
        return mine

    def fail(self, claim: Claim, cause: str, error: str | None, *, duration: int, attempts: int) -> bool:
        """Mark a claim FAILED, with one of `cachedeco.status.CAUSES` and a text for people.

        Returns:
            False when it is no longer this caller's claim.
        """

        def work(con: sqlite3.Connection) -> bool:
            parameters = (cause, time.time_ns() // 1000, duration, attempts, claim.id, claim.token)
            touched = con.execute(QUERIES["fail"], parameters).rowcount
            if touched and error is not None:
                con.execute(QUERIES["error_text"], (claim.id, error))
            return bool(touched)

        mine = self._pool.write(work)
        owners.ended(self._pool, claim.token)
        return mine

    def release(self, token: bytes) -> bool:
        """Mark whatever is still WRITE under a token FAILED `abandoned`.

        Returns:
            Whether there was such a claim. False also means: it is READY, and its bytes must stay.
        """
        released = self._pool.update(QUERIES["release"], (token,)) == 1
        owners.ended(self._pool, token)
        return released

    def outcome(self, id_: int) -> Outcome:
        """How the claim with that number stands."""
        return Outcome(self._pool.read(QUERIES["outcome"], (id_,)))

    def reap_if_dead(self, owner_id: int) -> bool:
        """Move the claims of an owner to FAILED `abandoned` if it is dead; whether it was."""
        row = self._pool.read(QUERIES["owner"], (owner_id,))
        if row is None:
            # An owner's row is there before its first claim: this claim's is damaged, or that of its owner.
            owners.end(self._pool, owner_id)
            return True
        return owners.reap_if_dead(self._pool, owners.OwnerRow(row))

    def trash(self, id_: int, cause: str) -> bool:
        """Take an item out of the sight of look-ups; whether it was not so already."""
        return self._pool.update(QUERIES["trash"], (cause, time.time_ns() // 1000, id_)) == 1

    def sign(self, id_: int, token: bytes, signature: bytes) -> None:
        """Record the state of a file whose digest was just found right."""
        self._pool.update(QUERIES["sign"], (signature, id_, token))


def new_uri(con: sqlite3.Connection, uri: str) -> int:
    """Number of a uri that the registry did not know."""
    return con.execute(QUERIES["insert_uri"], (uri,)).lastrowid or 0


def new_token() -> bytes:
    """16 random bytes for a claim or an item made by hand."""
    return os.urandom(16)

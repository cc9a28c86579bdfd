"""Digests of files that were keyed by their content, remembered from process to process."""

from __future__ import annotations

import os

from cachedeco.errors import RegistryUnavailableError
from cachedeco.registry.statements import QUERIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cachedeco.registry.pool import Pool

    Signature = tuple[str, int, int, int, int]
    """Path, size, mtime_ns, ctime_ns, inode."""


class FileDigests:
    """Remembers digests of files by all that a change of theirs would change.

    Forgetting costs a second reading, so an unavailable registry is no error here.

    Args:
        pool: connections to the registry.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def get(self, signature: Signature, /) -> bytes | None:
        """The digest that was put under exactly this signature, else None."""
        try:
            row = self._pool.read(QUERIES["file_digest"], _stored(signature))
        except RegistryUnavailableError:
            return None
        return row[0] if row is not None and isinstance(row[0], bytes) else None

    def put(self, signature: Signature, digest: bytes, /) -> None:
        """Remember the digest of a file in the place of its earlier ones."""
        try:
            self._pool.update(QUERIES["remember_file_digest"], (*_stored(signature), digest))
        except RegistryUnavailableError:
            return


def _stored(signature: Signature) -> tuple[bytes, int, int, int, int]:
    # A path may hold bytes that are no text, and an inode may not fit SQLite's signed integers.
    path, size, mtime_ns, ctime_ns, inode = signature
    return os.fsencode(path), size, mtime_ns, ctime_ns, inode - (1 << 64) if inode >> 63 else inode

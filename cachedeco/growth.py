"""How much a process has written to a cache since somebody looked at the size of the whole."""

from __future__ import annotations

LARGE = 20 * 10**9
"""Bytes beyond which a cache without a budget says so, once."""

_SHARE = 64
"""A process looks at the whole when it has written this part of the budget: looking goes through all records."""


class Growth:
    """What one process has written.

    Args:
        limit: bytes that the cache may take; None for any number.
    """

    __slots__ = ("_grown", "_step", "limit")

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self._step = max((LARGE if limit is None else limit) // _SHARE, 1)
        # With a budget the first write looks: what is there already may be too much.
        self._grown = 0 if limit is None else self._step

    def is_due(self, size: int) -> bool:
        """Count what was written; whether it is time to look at the whole."""
        self._grown += size
        if self._grown < self._step:
            return False
        self._grown = 0
        return True

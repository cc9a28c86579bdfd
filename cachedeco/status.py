"""The states of an item and the moves between them."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """State of an item. Members and their integers are interchangeable.

    Examples:
        >>> Status.READY == 3
        True
        >>> Status.from_str("ready")
        <Status.READY: 3>
    """

    UNINITIALIZED = 0
    """A record without bytes and without anybody who writes them."""
    WRITE = 1
    """Being written."""
    FAILED = 2
    """The writer raised, died or could not store its value."""
    READY = 3
    """Complete: the recorded bytes exist and may be used."""
    TRASH = -1
    """Set aside: invisible to look-ups, restorable until it is deleted."""
    DELETED = -2
    """The bytes are gone; the record remains."""

    def __str__(self) -> str:
        return self.name

    @classmethod
    def from_str(cls, name: str) -> Status:
        """Look a status up by its name, in any case.

        Args:
            name: for example ``"ready"``.

        Raises:
            KeyError: there is no status of that name.
        """
        return cls[name.upper()]


CAUSES = ("raised", "abandoned", "store")
"""Why an item is FAILED: the function raised; its owner died, was interrupted or let go; storing failed."""

MOVES: dict[Status, frozenset[Status]] = {
    Status.UNINITIALIZED: frozenset({Status.WRITE, Status.READY, Status.FAILED, Status.TRASH}),
    Status.WRITE: frozenset({Status.READY, Status.FAILED}),
    Status.FAILED: frozenset({Status.READY, Status.TRASH}),
    Status.READY: frozenset({Status.TRASH}),
    Status.TRASH: frozenset({Status.UNINITIALIZED, Status.FAILED, Status.READY, Status.DELETED}),
    Status.DELETED: frozenset(),
}
"""Legal moves of an item. A FAILED item becomes READY only when it was made by hand, never as a claim."""

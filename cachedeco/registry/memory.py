"""What a process remembers of its hits, so that the same call again reads no registry.

A remembered hit is trusted while its slot has not moved (`cachedeco.registry.slots`): a new version, a removal
or a refresh by any process is seen by the next call. What can be changed is kept as it was stored, and each
caller gets a copy of its own; what cannot is handed out as it is.
"""

from __future__ import annotations

import threading
from types import NoneType

from cachedeco.record import MISSING
from cachedeco.registry.slots import place_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cachedeco.registry.claims import Hit
    from cachedeco.registry.slots import Slots

_SINGLE = frozenset({NoneType, bool, int, float, complex, str, bytes})
_MANY = frozenset({tuple, frozenset})
_OVERHEAD = 1024  # bytes, about, that an entry takes besides its data
_LONGEST_LOOK = 16  # members of a tuple that are looked at


class Ticket:
    """How a slot stood before a row was read."""

    __slots__ = ("number", "place", "words")

    def __init__(self, words: memoryview, place: int, number: int) -> None:
        self.words = words
        self.place = place
        self.number = number


class Remembered:
    """A hit: its row, and the value itself where nobody can change it, else MISSING."""

    __slots__ = ("row", "size", "ticket", "used", "value")

    def __init__(self, ticket: Ticket, row: Hit, value: Any) -> None:
        # With the words: numbers of a file that has been replaced mean nothing in the next one.
        self.ticket = ticket
        self.row = row
        self.value = value if row[7] is not None and is_unchangeable(value) else MISSING
        self.size = len(row[7] or b"") * (1 if self.value is MISSING else 2) + _OVERHEAD
        self.used = False


class Memory:
    """The remembered hits of one cache, bounded by their bytes; safe to use from any thread.

    Args:
        slots: of the registry.
        limit: bytes; 0 remembers nothing.
    """

    def __init__(self, slots: Slots, limit: int) -> None:
        self._slots = slots
        self._limit = limit
        self._size = 0
        self._hits: dict[bytes, Remembered] = {}
        self._changing = threading.Lock()

    def get(self, name: bytes) -> Remembered | None:
        """What was remembered under a name, if nothing can have changed since."""
        hit = self._hits.get(name)
        if hit is None:
            return None
        ticket = hit.ticket
        words = ticket.words
        if words is self._slots.words() and words[ticket.place] == ticket.number:
            hit.used = True
            return hit
        return None

    def ticket(self, key: bytes) -> Ticket | None:
        """Note how the slot of a key stands; None when a change is under way. To be called before the row is read."""
        words = self._slots.words() if self._limit else None
        if words is None:
            return None
        place = place_of(key)
        number = words[place]
        return Ticket(words, place, number) if words[place + 1] == number else None

    def keep(self, name: bytes, ticket: Ticket, row: Hit, value: Any) -> None:
        """Remember a hit that was read after its ticket was taken."""
        hit = Remembered(ticket, row, value)
        # Never waited for: what is not remembered is looked up. A fork may also have left it locked for ever.
        if hit.size > self._limit or not self._changing.acquire(blocking=False):
            return
        try:
            old = self._hits.pop(name, None)
            self._size += hit.size - (0 if old is None else old.size)
            self._hits[name] = hit
            while self._size > self._limit:
                self._forget_one()
        finally:
            self._changing.release()

    def clear(self) -> None:
        """Forget everything."""
        with self._changing:
            self._hits.clear()
            self._size = 0

    def _forget_one(self) -> None:
        """Let the oldest go that has not been used since it was last in this place."""
        name = next(iter(self._hits))
        oldest = self._hits.pop(name)
        if oldest.used:
            oldest.used = False
            self._hits[name] = oldest
        else:
            self._size -= oldest.size


def is_unchangeable(value: Any) -> bool:
    """Whether nobody who gets a value can change it: plain scalars, and short tuples of them."""
    kind = type(value)
    if kind in _SINGLE:
        return True
    return kind in _MANY and len(value) <= _LONGEST_LOOK and all(type(each) in _SINGLE for each in value)

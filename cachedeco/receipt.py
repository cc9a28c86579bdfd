"""What an export or an import has done, item by item."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cachedeco.item import CacheItem

TAKEN, THERE, REFUSED = "taken", "there", "refused"
"""An item was exported or imported; it was in the cache already; it was left out, for a reason."""


class Entry:
    """One item of an export or import.

    Attributes:
        uri: of the item.
        key: 32 hex digits.
        version: in the cache that it comes from.
        outcome: ``"taken"``, ``"there"`` or ``"refused"``.
        reason: why it was refused; empty otherwise.
        size: bytes of its value or file.
        item: in the cache that it is in now; None where there is none, also after a dry run.
    """

    __slots__ = ("item", "key", "outcome", "reason", "size", "uri", "version")

    def __init__(
        self,
        *,
        uri: str,
        key: str,
        version: int,
        outcome: str,
        reason: str = "",
        size: int = 0,
        item: CacheItem | None = None,
    ) -> None:
        self.uri = uri
        self.key = key
        self.version = version
        self.outcome = outcome
        self.reason = reason
        self.size = size
        self.item = item

    def __repr__(self) -> str:
        why = f": {self.reason}" if self.reason else ""
        return f"Entry[{self.uri} V:{self.version} {self.outcome}{why}]"


class Receipt:
    """The entries of an export or import, in the order of the items.

    Attributes:
        path: of the archive.
        entries: one an item.
        dry_run: whether it tells what would be done.
    """

    __slots__ = ("dry_run", "entries", "path")

    def __init__(self, path: str, entries: list[Entry], *, dry_run: bool) -> None:
        self.path = path
        self.entries = entries
        self.dry_run = dry_run

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    @property
    def taken(self) -> list[Entry]:
        """What was exported or imported."""
        return self._with(TAKEN)

    @property
    def there(self) -> list[Entry]:
        """What the cache had already."""
        return self._with(THERE)

    @property
    def refused(self) -> list[Entry]:
        """What was left out, with the reasons."""
        return self._with(REFUSED)

    @property
    def size(self) -> int:
        """Bytes of what was taken."""
        return sum(each.size for each in self.taken)

    def __str__(self) -> str:
        would = "would be " if self.dry_run else ""
        counts = f"{len(self.taken)} items of {self.size} bytes {would}taken, {len(self.there)} were there"
        lines = [f"{self.path}: {counts}, {len(self.refused)} refused"]
        return "\n".join(
            lines + [f"  {each.uri} version {each.version}: {each.reason}" for each in self.refused]
        )

    def __repr__(self) -> str:
        return f"Receipt({self})"

    def _with(self, outcome: str) -> list[Entry]:
        return [each for each in self.entries if each.outcome == outcome]

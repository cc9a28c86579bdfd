"""What a clean-up did, or would do."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Gone:
    """One thing that goes.

    Attributes:
        what: ``version_id`` of an item, or the path of what belongs to none.
        name: function or uri of the item; empty for what belongs to none.
        why: the reason, for people.
        size: bytes.
        id: number of the item; None for what belongs to none.
    """

    __slots__ = ("id", "name", "size", "what", "why")

    def __init__(self, what: str, name: str, why: str, size: int, id: int | None = None) -> None:  # noqa: A002 - its name
        self.what = what
        self.name = name
        self.why = why
        self.size = size
        self.id = id

    def __repr__(self) -> str:
        return f"Gone({self.what!r}, {self.name!r}, {self.why!r}, size={self.size})"


class Report:
    """What went, or in a dry run would go, each with the reason and its bytes.

    It is as true as there is something in it, and iterates over what goes.

    Attributes:
        verb: what was asked for.
        gone: all that goes.
        dry_run: whether nothing was done.
        checked: how many items `Cache.verify` has looked at.
        complete: False if a time limit ended it before all was looked at.
    """

    def __init__(self, verb: str, *, dry_run: bool = False) -> None:
        self.verb = verb
        self.gone: list[Gone] = []
        self.dry_run = dry_run
        self.checked = 0
        self.complete = True

    @property
    def size(self) -> int:
        """Bytes of all that goes. What goes to the trash is still on the disk until the trash is emptied."""
        return sum(each.size for each in self.gone)

    def __len__(self) -> int:
        return len(self.gone)

    def __bool__(self) -> bool:
        return bool(self.gone)

    def __iter__(self) -> Iterator[Gone]:
        return iter(self.gone)

    def __repr__(self) -> str:
        would = "would go" if self.dry_run else "gone"
        return f"Report({self.verb}: {len(self.gone)} {would}, {self.size} bytes)"

    def __str__(self) -> str:
        lines = [
            f"{self.verb}: {len(self.gone)} {'would go' if self.dry_run else 'gone'}, {self.size:,} bytes"
        ]
        lines += [f"  {each.size:>12,}  {each.name or each.what}: {each.why}" for each in self.gone]
        return "\n".join(lines)

"""The order of a search, and where it goes on behind an item: by what that item is, not by how many came before."""

from __future__ import annotations

from cachedeco.errors import OptionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from cachedeco.registry.operators import Condition

# Name -> column, its place in the statement `record`, and whether items may lack it.
_COLUMNS: dict[str, tuple[str, int, bool]] = {
    "id": ("i.id", 0, False),
    "key": ("i.key", 1, False),
    "uri": ("u.uri", 2, False),
    "version": ("i.version", 3, False),
    "status": ("i.status", 4, False),
    "size": ("i.size", 10, True),
    "filename": ("i.filename", 12, True),
    "created": ("i.created", 13, False),
    "ended": ("i.ended", 14, True),
    "took": ("i.duration", 15, True),
    "duration": ("i.duration", 15, True),
    "attempts": ("i.attempts", 16, False),
    "cause": ("i.cause", 17, True),
    "ext": ("i.ext", 19, True),
    "label": ("i.label", 20, True),
    "function": ("i.function", 21, True),
}


class Order:
    """An order of items; what they lack comes last, and what is equal goes by the number.

    Args:
        text: name of a field, with ``-`` before it for the largest first.

    Raises:
        OptionError: there is no such field to order by.
    """

    __slots__ = ("_column", "_descending", "_may_lack", "_place")

    def __init__(self, text: str = "id") -> None:
        name = text.removeprefix("-") if isinstance(text, str) else ""
        if name not in _COLUMNS:
            known = ", ".join(_COLUMNS)
            raise OptionError(
                f"order={text!r}: items are ordered by one of {known}; '-' before it reverses that"
            )
        self._column, self._place, self._may_lack = _COLUMNS[name]
        self._descending = text.startswith("-")

    def sql(self) -> str:
        """What stands behind ``ORDER BY``."""
        way = "DESC" if self._descending else "ASC"
        if self._place == 0:
            return f"i.id {way}"
        lacking = f"{self._column} IS NULL, " if self._may_lack else ""
        return f"{lacking}{self._column} {way}, i.id {way}"

    def after(self, row: Sequence[Any]) -> Condition:
        """The condition on items that come behind one.

        Args:
            row: that item, as the statement ``record`` gives it.
        """
        beyond = "<" if self._descending else ">"
        number, value = row[0], row[self._place]
        if self._place == 0:
            return f"i.id {beyond} ?", [number]
        column = self._column
        if value is None:
            return f"({column} IS NULL AND i.id {beyond} ?)", [number]
        lacking = f"{column} IS NULL OR " if self._may_lack else ""
        return (
            f"({lacking}{column} {beyond} ? OR ({column} = ? AND i.id {beyond} ?))",
            [value, value, number],
        )


OLDEST_FIRST, NEWEST_FIRST = Order("id"), Order("-id")

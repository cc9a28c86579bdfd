"""What can be shown of an item in one cell, and as JSON."""

from __future__ import annotations

from cachedeco.cli.screen import UsageError, duration, size
from cachedeco.describing import call_of, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Sequence
    from typing import Any

    from cachedeco.item import CacheItem

_KEY_SHOWN = 8


def _text(value: object) -> str:
    return "" if value is None else printable(str(value))


COLUMNS: dict[str, Callable[[CacheItem], Any]] = {
    "id": lambda item: item.id,
    "key": lambda item: item.key,
    "version": lambda item: item.version,
    "status": lambda item: item._record.status.name,  # noqa: SLF001 - as it was read with the rest
    "cause": lambda item: item.cause,
    "size": lambda item: item.size,
    "took": lambda item: item.seconds,
    "created": lambda item: item.created,
    "call": lambda item: call_of(item._record),  # noqa: SLF001 - as above
    "uri": lambda item: item.uri,
    "function": lambda item: item.function,
    "params": lambda item: item.params,
    "attrs": lambda item: item.attrs,
    "label": lambda item: item.label,
    "ext": lambda item: item.ext,
    "filename": lambda item: item.filename,
    "path": lambda item: item.path,
    "code": lambda item: item.code,
    "attempts": lambda item: item.attempts,
    "pinned": lambda item: item._record.pinned,  # noqa: SLF001 - as above
}
"""Name -> what it is of an item."""

USUAL = ("id", "status", "version", "size", "took", "created", "call")
NUMBERS = frozenset({"id", "version", "size", "took", "attempts"})


def chosen(names: str | None) -> Sequence[str]:
    """The columns of a list of names with commas between them.

    Raises:
        UsageError: there is no such column.
    """
    if names is None:
        return USUAL
    columns = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in columns if name not in COLUMNS]
    if unknown or not columns:
        raise UsageError(
            f"there is no column {', '.join(unknown) or names!r}; there are {', '.join(COLUMNS)}"
        )
    return columns


def sorted_by(items: list[CacheItem], column: str) -> list[CacheItem]:
    """Items in the order of a column, the largest first if its name begins with a minus.

    Raises:
        UsageError: there is no such column.
    """
    name = column.removeprefix("-")
    (name,) = chosen(name)
    value = COLUMNS[name]

    def place(item: CacheItem) -> tuple[bool, Any]:
        found = value(item)
        # What has none comes first; what has no order of its own is sorted as text.
        return found is not None, str(found) if isinstance(found, (dict, bool)) else found

    return sorted(items, key=place, reverse=column.startswith("-"))


def cell(item: CacheItem, column: str, *, for_people: bool) -> str:
    """A column of an item as text: rounded for people, exact for programs."""
    value = COLUMNS[column](item)
    if column == "created":
        return age(value) if for_people else value.isoformat()
    if for_people and column == "size":
        return size(value)
    if for_people and column == "took":
        return duration(value)
    if for_people and column in {"key", "code"}:
        return _text(value)[:_KEY_SHOWN]
    return _text(value)


def age(moment: datetime.datetime) -> str:
    """How long ago something was, for people: in the largest unit that fits."""
    import datetime

    seconds = int((datetime.datetime.now(datetime.UTC) - moment).total_seconds())
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        if seconds >= length:
            return f"{seconds // length} {unit} ago"
    return "just now"


def as_json(item: CacheItem, columns: Sequence[str] | None = None) -> dict[str, Any]:
    """An item for other programs: times in ISO format, paths as text."""
    found: dict[str, Any] = {}
    for name in columns or COLUMNS:
        value = COLUMNS[name](item)
        found[name] = value.isoformat() if name == "created" else value
    return found

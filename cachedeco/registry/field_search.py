"""Searching by what the library itself knows of items: from a keyword of a verb to a condition in SQL."""

from __future__ import annotations

import datetime

from cachedeco.errors import OptionError
from cachedeco.registry.operators import NEVER, asked, compared, joined
from cachedeco.units import BYTES, MICROSECONDS, scaled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from cachedeco.registry.operators import Asked, Condition

_LARGEST = 2**63 - 1
_MAKERS = ("user", "host", "pid", "program", "python", "revision")


def condition(name: str, value: Any) -> Condition:
    """The condition on items ``i`` a field of which is as wanted.

    Args:
        name: ``"size"``, ``"duration"``, ``"code"``, ``"cause"`` or ``"owner"``.
        value: what it equals, a list of which it equals any, a tuple of operator and value; None for items that
            lack it. Of ``owner`` also a dict of what is known of the process.

    Raises:
        OptionError: the value is not what the field has.
    """
    if name == "owner":
        known = value if isinstance(value, dict) else {"user": value}
        strange = [each for each in known if each not in _MAKERS]
        if strange or not known:
            raise OptionError(f"owner={value!r}: of a process is known its {', '.join(_MAKERS)}")
        return joined([_of_maker(each, wanted) for each, wanted in known.items()], "AND")
    column, read = _FIELDS[name]
    return _compare(asked(name, name, value), column, read)


def _of_maker(name: str, value: Any) -> Condition:
    column = f"(SELECT o.{name} FROM owners AS o WHERE o.id = i.owner)"  # noqa: S608 - one of `_MAKERS`
    return _compare(asked("owner", name, value), column, _as_number if name == "pid" else _as_text)


def _compare(wanted: Asked, column: str, read: Callable[[Any], object]) -> Condition:
    operator = wanted.operator
    if operator == "exists":
        return f"{column} IS {'NOT ' if wanted.value else ''}NULL", []
    given = list(wanted.values())
    lacking = operator in {"=", "in"} and None in given
    try:
        values = [read(each) for each in given if each is not None or not lacking]
    except (ValueError, TypeError, OverflowError) as error:
        raise wanted.error(f"{wanted.value!r}: {error}") from None
    if operator == "like" and read is not _as_text:
        raise wanted.error("`like` compares text, and it is none")
    if operator == "between":
        return compared(column, operator), values
    if operator in {"=", "in"}:
        found: list[Condition] = [(compared(column, "in", len(values)), values)] if values else []
        found += [(f"{column} IS NULL", [])] if lacking else []
        return joined(found, "OR")
    if operator == "<>":
        found = [(compared(column, operator), [each]) for each in values]
        return joined(found, "AND") if found else NEVER[0]
    return joined([(compared(column, operator), [each]) for each in values], "OR")


def _as_text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("it is compared with text")
    return value


def _as_number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("it is compared with numbers")
    return value


def _as_bytes(value: Any) -> int:
    if isinstance(value, str):
        return scaled(value, BYTES, "a number of bytes, as '10 MB'")
    return _scaled_number(value, 1, "a number of bytes, or a text as '10 MB'")


def _as_duration(value: Any) -> int:
    if isinstance(value, str):
        return scaled(value, MICROSECONDS, "a length of time, as '2h' or '1.5s'")
    if isinstance(value, datetime.timedelta):
        return value // datetime.timedelta(microseconds=1)
    return _scaled_number(value, 10**6, "a number of seconds, a timedelta, or a text as '1.5s'")


def _scaled_number(value: Any, factor: int, what: str) -> int:
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise TypeError(f"it is compared with {what}")
    number = float(value) * factor
    if number != number:  # noqa: PLR0124 - NaN
        raise ValueError("NaN is no number")
    # SQLite has integers of 64 bits, and no number is larger than the largest of them.
    return round(number) if abs(number) < _LARGEST else _LARGEST if number > 0 else -_LARGEST


def _as_hex(value: Any) -> bytes:
    try:
        return bytes.fromhex(value)
    except (ValueError, TypeError):
        raise ValueError("it is hex digits, as `CacheItem.code` has them") from None


_FIELDS: dict[str, tuple[str, Callable[[Any], object]]] = {
    "size": ("i.size", _as_bytes),
    "duration": ("i.duration", _as_duration),
    "code": ("i.code", _as_hex),
    "cause": ("i.cause", _as_text),
}

"""Searching by parameters: from what a user wants of one to a condition in SQL.

A record describes its parameters as JSON: of each the digest, of numbers and short texts also the value. So any
value can be found by what is equal to it, and only numbers and texts by their order. A value equals one of the same
kind: 1 finds 1.0, but neither True nor "1". What an item lacks matches nothing.
"""

from __future__ import annotations

from cachedeco.registry.operators import NEVER, compared, joined

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from cachedeco.registry.operators import Asked, Condition

_TYPE, _VALUE = "json_type(p.value, '$.value')", "json_extract(p.value, '$.value')"
_NUMBERS = f"{_TYPE} IN ('integer', 'real')"
_DIGEST = "json_extract(p.value, '$.digest')"
_LARGEST = 1 << 63


def condition(asked: Asked, digest: Callable[[Any], str] | None = None) -> Condition:
    """The condition on items ``i`` one of whose parameters is as wanted.

    Args:
        asked: what is wanted; its name is the parameter's.
        digest: of a value, as records have it. Without it only numbers, texts, true, false and None are found.

    Raises:
        OptionError: the operator does not fit the value.
    """
    test, values = _test(asked, digest)
    no = "NOT " if asked.operator == "exists" and not asked.value else ""
    # Not by a path into the JSON, which knows no way to write some names. Nothing but question marks goes in.
    sql = f"{no}EXISTS (SELECT 1 FROM json_each(i.params) AS p WHERE p.key = ? AND {test})"  # noqa: S608
    return sql, [asked.name, *values]


def _test(asked: Asked, digest: Callable[[Any], str] | None) -> Condition:
    """The condition on parameters ``p``."""
    operator = asked.operator
    if operator == "exists":
        return "1", []
    if operator == "like":
        return f"({_TYPE} = 'text' AND {compared(_VALUE, operator)})", [asked.value]
    if operator in {"=", "in"}:
        return _equals(asked, digest)
    if operator == "<>":
        sql, values = _equals(asked, digest)
        return f"NOT coalesce({sql}, 0)", values
    return _ordered(asked)


def _ordered(asked: Asked) -> Condition:
    bounds = list(asked.values())
    kinds = [_kind(asked, bound) for bound in bounds]
    sql = compared(_VALUE, asked.operator)
    if asked.operator == "between":
        # What has no order lies between nothing.
        return (f"({kinds[0]} AND {sql})", bounds) if len(set(kinds)) == 1 else NEVER[0]
    pairs = zip(kinds, bounds, strict=True)
    return joined([(f"({kind} AND {sql})", [bound]) for kind, bound in pairs], "OR")


def _equals(asked: Asked, digest: Callable[[Any], str] | None) -> Condition:
    return joined([piece for each in asked.values() for piece in _equal(each, digest)], "OR")


def _equal(wanted: Any, digest: Callable[[Any], str] | None) -> list[Condition]:
    found: list[Condition] = []
    if wanted is None or isinstance(wanted, bool):
        found.append((f"{_TYPE} = ?", [{None: "null", True: "true", False: "false"}[wanted]]))
    elif isinstance(wanted, str):
        found.append((f"({_TYPE} = 'text' AND {_VALUE} = ?)", [wanted]))
    elif _is_number(wanted):
        found.append((f"({_NUMBERS} AND {_VALUE} = ?)", [wanted]))
    if digest is not None:
        found.append((f"{_DIGEST} = ?", [digest(wanted)]))
    return found


def _kind(asked: Asked, bound: Any) -> str:
    if isinstance(bound, str):
        return f"{_TYPE} = 'text'"
    if _is_number(bound):
        return _NUMBERS
    raise asked.error(f"{asked.operator} compares numbers of at most 64 bits and texts, not {bound!r}")


def _is_number(value: object) -> bool:
    """Whether SQLite has such a number. It takes no number that only looks like one of Python's."""
    if type(value) is float:
        return value == value  # noqa: PLR0124 - NaN is no number, and equals nothing
    return type(value) is int and -_LARGEST <= value < _LARGEST

"""Searching by attributes: from what a user wants of them to a condition in SQL.

A value equals one of the same kind: 1 finds 1.0, but neither True nor "1". Values of different kinds have no
order. A name without a namespace finds the attribute in any namespace. What an item lacks matches nothing.
"""

from __future__ import annotations

from cachedeco.errors import OptionError
from cachedeco.registry.attributes import check_name, encode_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

    Condition = tuple[str, list[object]]

JOINT = "__and"
"""Entry of the wanted attributes that says whether all of them are wanted (the default), or any."""

MOST_VALUES = 10_000
"""Values that one comparison may list; SQLite has a limit too, and says less."""

_COMPARE = {"=": "=", "==": "=", "!=": "<>", "<>": "<>", ">=": ">=", "<=": "<=", ">": ">", "<": "<"}
_SUFFIXES = sorted(_COMPARE, key=len, reverse=True)
_WORDS = ("like", "in", "between", "exists")
_NUMBERS = "kind IN ('int', 'float')"
_INTEGERS_END = 1 << 63
_PAIR = 2


def condition(attrs: Mapping[str, Any]) -> Condition | None:
    """The condition on items ``i`` that have the wanted attributes; None when nothing is wanted.

    Args:
        attrs: name -> value, or name with an operator behind it (``"batch>="``) -> value, or name -> a tuple of
            operator and value. Operators are ``= == != <> >= <= > <`` and, in tuples, ``("like", "a%")``,
            ``("in", values)``, ``("between", low, high)``, ``("exists", True)``. A list of values finds any of
            them, with ``"batch!="`` none of them; ``("=", [1, 2])`` finds the list itself. A dict is a namespace
            with names of its own. ``"__and": False`` finds items that have any of the attributes.

    Raises:
        OptionError: an operator is not one of these, or does not fit its value.

    Examples:
        >>> condition({"batch>=": 2})[1]
        ['batch', 2]
    """
    if not hasattr(attrs, "items"):
        raise OptionError(f"attrs must map names to values, not be a {type(attrs).__name__}")
    joint = attrs.get(JOINT, True)
    if not isinstance(joint, bool):
        raise OptionError(f'"{JOINT}" is True for all or False for any of the attributes, not {joint!r}')
    pieces: list[Condition] = []
    for name, value in attrs.items():
        if name == JOINT:
            continue
        check_name(name)
        if isinstance(value, dict) and value and _split(name)[1] is None:
            for inner, inner_value in value.items():
                check_name(inner)
                pieces.append(_attribute(name, inner, inner_value))
        else:
            pieces.append(_attribute(None, name, value))
    return _joined(pieces, " AND " if joint else " OR ") if pieces else None


def _attribute(namespace: str | None, name: str, value: Any) -> Condition:
    """The condition on items that have one attribute as wanted."""
    leaf, operator = _split(name)
    # In a tuple a list is a value itself, except behind "in".
    any_of = isinstance(value, (list, set, frozenset))
    if isinstance(value, tuple):
        if operator is not None:
            raise OptionError(f"attrs: {name!r} has an operator already, and its value {value!r} another one")
        operator, value = _operator_of(leaf, value)
        any_of = operator == "in"
    has = "IN"
    if operator == "exists":
        if not isinstance(value, bool):
            raise OptionError(f"attrs: {leaf!r}: ('exists', True) or ('exists', False), not {value!r}")
        has = "IN" if value else "NOT IN"
        test: Condition = ("1", [])
    else:
        test = _test(leaf, operator or "=", value, any_of=any_of)
    where, parameters = "name = ?", [leaf]
    if namespace is not None:
        where, parameters = "name = ? AND namespace = ?", [leaf, namespace]
    # Nothing but question marks and words of this module go in.
    sql = f"i.id {has} (SELECT item FROM attributes WHERE {where} AND {test[0]})"  # noqa: S608
    return sql, [*parameters, *test[1]]


def _split(name: str) -> tuple[str, str | None]:
    for suffix in _SUFFIXES:
        if name.endswith(suffix):
            leaf = name.removesuffix(suffix).rstrip()
            check_name(leaf)
            return leaf, _COMPARE[suffix]
    return name, None


def _operator_of(name: str, value: tuple[Any, ...]) -> tuple[str, Any]:
    word = value[0].strip().lower() if value and isinstance(value[0], str) else None
    if word not in _WORDS and word not in _COMPARE:
        known = ", ".join([*_COMPARE, *_WORDS])
        raise OptionError(
            f"attrs: {name!r}: a tuple is an operator and its value, not {value!r}; operators are {known}. "
            "To find any of several values, give a list"
        )
    rest = value[1:]
    if word == "between" and len(rest) == _PAIR:
        return word, rest
    if word == "exists" and not rest:
        return word, True
    if len(rest) != 1:
        raise OptionError(f"attrs: {name!r}: {value!r} has {len(rest)} values behind its operator, not one")
    return _COMPARE.get(word, word), rest[0]


def _test(name: str, operator: str, value: Any, *, any_of: bool) -> Condition:
    """The condition on rows of the attribute table for one operator."""
    if operator == "between":
        bounds = value if isinstance(value, (list, tuple)) else ()
        if len(bounds) != _PAIR:
            raise OptionError(f"attrs: {name!r}: ('between', low, high), not {value!r}")
        return _joined([_order(name, ">=", bounds[0]), _order(name, "<=", bounds[1])], " AND ")
    if operator == "like":
        if not isinstance(value, str):
            raise OptionError(f"attrs: {name!r}: ('like', pattern) compares text, not {value!r}")
        return "kind = 'str' AND value LIKE ?", [value]
    if operator == "in" and not isinstance(value, (list, tuple, set, frozenset)):
        raise OptionError(f"attrs: {name!r}: ('in', values) needs a list of values, not {value!r}")
    values: Collection[Any] = value if any_of else [value]
    if len(values) > MOST_VALUES:
        raise OptionError(
            f"attrs: {name!r}: {len(values)} values at once; at most {MOST_VALUES} can be listed"
        )
    if operator in {"=", "in"}:
        return _equals(name, values)
    if operator == "<>":
        test, parameters = _equals(name, values)
        return f"NOT {test}", parameters
    return _joined([_order(name, operator, each) for each in values], " OR ")


def _equals(name: str, values: Collection[Any]) -> Condition:
    """Rows that hold one of the values."""
    groups: dict[str, list[object]] = {}
    for value in values:
        kind, stored = encode_value(name, value)
        groups.setdefault("int" if kind == "float" else kind, []).append(stored)
        # Beyond 64 bits an integer is stored as text; a float can equal it all the same.
        if kind == "long" and (as_float := _float(int(stored))) is not None:
            groups.setdefault("int", []).append(as_float)
        if kind == "float" and stored.is_integer() and abs(stored) >= _INTEGERS_END:
            groups.setdefault("long", []).append(str(int(stored)))
    pieces: list[Condition] = []
    for kind, stored in groups.items():
        if kind in {"none", "nan"}:
            pieces.append((f"kind = '{kind}'", []))
            continue
        places = ", ".join("?" * len(stored))
        which = _NUMBERS if kind == "int" else f"kind = '{kind}'"
        pieces.append((f"({which} AND value IN ({places}))", stored))
    return _joined(pieces, " OR ")


def _float(number: int) -> float | None:
    """The float that equals an integer, if there is one."""
    try:
        return float(number) if float(number) == number else None
    except OverflowError:
        return None


def _order(name: str, operator: str, value: Any) -> Condition:
    """Rows that hold something on one side of a value."""
    kind, stored = encode_value(name, value)
    if kind in {"none", "nan", "json"}:
        raise OptionError(f"attrs: {name!r}: {value!r} has no order, so {operator} cannot compare with it")
    if kind not in {"int", "float", "long"}:
        return f"(kind = '{kind}' AND value {operator} ?)", [stored]
    infinite = kind == "float" and stored - stored != 0
    if not infinite and (kind == "long" or (kind == "float" and abs(stored) >= _INTEGERS_END)):
        raise OptionError(f"attrs: {name!r}: {operator} compares numbers of at most 64 bits, not {value!r}")
    # An integer that has more bits is stored as text: above or below all others by its sign.
    beyond = "LIKE '-%'" if operator in {"<", "<="} else "NOT LIKE '-%'"
    if infinite:
        beyond = "IS NOT NULL" if (stored > 0) == (operator in {"<", "<="}) else "IS NULL"
    return f"(({_NUMBERS} AND value {operator} ?) OR (kind = 'long' AND value {beyond}))", [stored]


def _joined(pieces: list[Condition], word: str) -> Condition:
    if not pieces:
        return "0", []
    sql = word.join(piece for piece, _ in pieces)
    return f"({sql})", [parameter for _, parameters in pieces for parameter in parameters]

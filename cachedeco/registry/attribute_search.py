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
_NONE: list[Condition] = [("0", [])]


def condition(attrs: Mapping[str, Any], *, narrow: bool = False) -> Condition | None:
    """The condition on items ``i`` that have the wanted attributes; None when nothing is wanted.

    Args:
        attrs: name -> value, or name with an operator behind it (``"batch>="``) -> value, or name -> a tuple of
            operator and value. Operators are ``= == != <> >= <= > <`` and, in tuples, ``("like", "a%")``,
            ``("in", values)``, ``("between", low, high)``, ``("exists", True)``. A list of values finds any of
            them, with ``"batch!="`` none of them; ``("=", [1, 2])`` finds the list itself. A dict is a namespace
            with names of its own. ``"__and": False`` finds items that have any of the attributes.
        narrow: other conditions leave few items, so that their attributes are better looked at one by one.

    Raises:
        OptionError: an operator is not one of these, or does not fit its value.

    Examples:
        >>> condition({"batch": 2})[1]
        ['batch', 2]
    """
    if not hasattr(attrs, "items"):
        raise OptionError(f"attrs must map names to values, not be a {type(attrs).__name__}")
    joint = attrs.get(JOINT, True)
    if not isinstance(joint, bool):
        raise OptionError(f'"{JOINT}" is True for all or False for any of the attributes, not {joint!r}')
    wanted: list[Wanted] = []
    for name, value in attrs.items():
        if name == JOINT:
            continue
        check_name(name)
        if isinstance(value, dict) and value and _split(name)[1] is None:
            for inner, inner_value in value.items():
                check_name(inner)
                wanted.append(Wanted(name, inner, inner_value))
        else:
            wanted.append(Wanted(None, name, value))
    # An equality is looked up; what leaves many items is then asked of those few alone.
    narrow = joint and (narrow or any(each.is_selective for each in wanted))
    pieces = [each.sql(one_by_one=narrow and not each.is_selective) for each in wanted]
    return _joined(pieces, " AND " if joint else " OR ") if pieces else None


class Wanted:
    """What is wanted of one attribute.

    Args:
        namespace: None for any.
        name: perhaps with an operator.
        value: perhaps a tuple with an operator.

    Attributes:
        is_selective: whether an index leads straight to the few rows that match.
    """

    def __init__(self, namespace: str | None, name: str, value: Any) -> None:
        self.namespace = namespace
        self.name, operator = _split(name)
        # In a tuple a list is a value itself, except behind "in".
        any_of = isinstance(value, (list, set, frozenset))
        if isinstance(value, tuple):
            if operator is not None:
                raise OptionError(
                    f"attrs: {name!r} has an operator already, and its value {value!r} another one"
                )
            operator, value = _operator_of(self.name, value)
            any_of = operator == "in"
        operator = operator or "="
        self.is_selective = operator in {"=", "in"}
        self.has = True
        if operator == "exists":
            if not isinstance(value, bool):
                raise OptionError(
                    f"attrs: {self.name!r}: ('exists', True) or ('exists', False), not {value!r}"
                )
            self.has = value
            self._tests: list[Condition] = [("1", [])]
        else:
            self._tests = _tests(self.name, operator, value, any_of=any_of)

    def sql(self, *, one_by_one: bool) -> Condition:
        """The condition on items ``i``; `one_by_one` looks at the attributes of each item."""
        # The sign keeps SQLite from the index on names, which would lead to the rows of all items.
        where, parameters = "item = i.id AND +name = ?" if one_by_one else "name = ?", [self.name]
        if self.namespace is not None:
            where, parameters = f"{where} AND namespace = ?", [*parameters, self.namespace]
        # Each kind in a SELECT of its own: with OR between them no index on the value could be used. Nothing but
        # question marks and words of this module go in.
        rows = " UNION ALL ".join(
            f"SELECT item FROM attributes WHERE {where} AND {test}"  # noqa: S608
            for test, _ in self._tests
        )
        values = [each for _, stored in self._tests for each in (*parameters, *stored)]
        no = "" if self.has else "NOT "
        return (f"{no}EXISTS ({rows})" if one_by_one else f"i.id {no}IN ({rows})"), values


def _split(name: str) -> tuple[str, str | None]:
    for suffix in _SUFFIXES:
        if name.endswith(suffix):
            leaf = name.removesuffix(suffix).rstrip(" ")
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


def _tests(name: str, operator: str, value: Any, *, any_of: bool) -> list[Condition]:
    """The conditions on rows of the attribute table, any of which is to hold."""
    if operator == "between":
        bounds = value if isinstance(value, (list, tuple)) else ()
        if len(bounds) != _PAIR:
            raise OptionError(f"attrs: {name!r}: ('between', low, high), not {value!r}")
        low, high = _order(name, ">=", bounds[0]), _order(name, "<=", bounds[1])
        return [_joined([low[kind], high[kind]], " AND ") for kind in low if kind in high] or _NONE
    if operator == "like":
        if not isinstance(value, str):
            raise OptionError(f"attrs: {name!r}: ('like', pattern) compares text, not {value!r}")
        return [("kind = 'str' AND value LIKE ?", [value])]
    values = _several(name, value) if any_of else [value]
    if operator in {"=", "in"}:
        return _equals(name, values)
    if operator == "<>":
        test, parameters = _joined(_equals(name, values), " OR ")
        return [(f"NOT {test}", parameters)]
    # Of several bounds any may hold.
    found: dict[str, list[Condition]] = {}
    for each in values:
        for kind, condition_ in _order(name, operator, each).items():
            found.setdefault(kind, []).append(condition_)
    return [_joined(conditions, " OR ") for conditions in found.values()] or _NONE


def _several(name: str, value: Any) -> Collection[Any]:
    if not isinstance(value, (list, tuple, set, frozenset)):
        raise OptionError(f"attrs: {name!r}: ('in', values) needs a list of values, not {value!r}")
    if len(value) > MOST_VALUES:
        raise OptionError(
            f"attrs: {name!r}: {len(value)} values at once; at most {MOST_VALUES} can be listed"
        )
    return value


def _equals(name: str, values: Collection[Any]) -> list[Condition]:
    """Rows that hold one of the values, by kind."""
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
    return pieces or _NONE


def _float(number: int) -> float | None:
    """The float that equals an integer, if there is one."""
    try:
        return float(number) if float(number) == number else None
    except OverflowError:
        return None


def _order(name: str, operator: str, value: Any) -> dict[str, Condition]:
    """Rows that hold something on one side of a value, by kind."""
    kind, stored = encode_value(name, value)
    if kind in {"none", "nan", "json"}:
        raise OptionError(f"attrs: {name!r}: {value!r} has no order, so {operator} cannot compare with it")
    if kind not in {"int", "float", "long"}:
        return {kind: (f"(kind = '{kind}' AND value {operator} ?)", [stored])}
    infinite = kind == "float" and stored - stored != 0
    if not infinite and (kind == "long" or (kind == "float" and abs(stored) >= _INTEGERS_END)):
        raise OptionError(f"attrs: {name!r}: {operator} compares numbers of at most 64 bits, not {value!r}")
    # An integer that has more bits is stored as text: above or below all others by its sign.
    beyond = "LIKE '-%'" if operator in {"<", "<="} else "NOT LIKE '-%'"
    if infinite:
        beyond = "IS NOT NULL" if (stored > 0) == (operator in {"<", "<="}) else "IS NULL"
    return {
        "number": (f"({_NUMBERS} AND value {operator} ?)", [stored]),
        "long": (f"(kind = 'long' AND value >= '' AND value {beyond})", []),
    }


def _joined(pieces: list[Condition], word: str) -> Condition:
    if not pieces:
        return "0", []
    sql = word.join(piece for piece, _ in pieces)
    return f"({sql})", [parameter for _, parameters in pieces for parameter in parameters]

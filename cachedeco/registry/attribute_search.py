"""Searching by attributes: from what a user wants of them to a condition in SQL.

A value equals one of the same kind: 1 finds 1.0, but neither True nor "1". Values of different kinds have no
order. A name without a namespace finds the attribute in any namespace. What an item lacks matches nothing.
"""

from __future__ import annotations

from cachedeco.errors import OptionError
from cachedeco.registry.attributes import check_name, encode_value
from cachedeco.registry.operators import NEVER, asked, joined, split

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

    from cachedeco.registry.operators import Asked, Condition

JOINT = "__and"
"""Entry of the wanted attributes that says whether all of them are wanted (the default), or any."""

_NUMBERS = "kind IN ('int', 'float')"
_INTEGERS_END = 1 << 63


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
        if isinstance(value, dict) and value and split(name)[1] is None:
            for inner, inner_value in value.items():
                check_name(inner)
                wanted.append(Wanted(name, inner, inner_value))
        else:
            wanted.append(Wanted(None, name, value))
    # An equality is looked up; what leaves many items is then asked of those few alone.
    narrow = joint and (narrow or any(each.is_selective for each in wanted))
    pieces = [each.sql(one_by_one=narrow and not each.is_selective) for each in wanted]
    return joined(pieces, "AND" if joint else "OR") if pieces else None


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
        wanted = asked("attrs", name, value)
        check_name(wanted.name)
        self.namespace = namespace
        self.name = wanted.name
        self.is_selective = wanted.operator in {"=", "in"}
        self.has = wanted.operator != "exists" or wanted.value
        self._tests = _tests(wanted)

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


def _tests(wanted: Asked) -> list[Condition]:
    """The conditions on rows of the attribute table, any of which is to hold."""
    name, operator = wanted.name, wanted.operator
    if operator == "exists":
        return [("1", [])]
    if operator == "between":
        low, high = _order(name, ">=", wanted.value[0]), _order(name, "<=", wanted.value[1])
        return [joined([low[kind], high[kind]], "AND") for kind in low if kind in high] or NEVER
    if operator == "like":
        return [("kind = 'str' AND value LIKE ?", [wanted.value])]
    values = wanted.values()
    if operator in {"=", "in"}:
        return _equals(name, values)
    if operator == "<>":
        test, parameters = joined(_equals(name, values), "OR")
        return [(f"NOT {test}", parameters)]
    # Of several bounds any may hold.
    found: dict[str, list[Condition]] = {}
    for each in values:
        for kind, condition_ in _order(name, operator, each).items():
            found.setdefault(kind, []).append(condition_)
    return [joined(conditions, "OR") for conditions in found.values()] or NEVER


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
    return pieces or NEVER


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

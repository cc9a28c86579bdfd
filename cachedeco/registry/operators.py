"""What a user wants of a value: an operator and what it compares with, as keywords and as SQL.

{"batch": 2}             equal to it
{"batch": [1, 2]}        equal to any of them
{"batch>=": 2}           an operator behind the name
{"batch": (">=", 2)}     an operator before the value
"""

from __future__ import annotations

from cachedeco.errors import OptionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

    Condition = tuple[str, list[object]]

MOST_VALUES = 10_000
"""Values that one comparison may list; SQLite has a limit too, and says less."""

NEVER: list[Condition] = [("0", [])]
"""Stands for conditions that nothing meets."""

_COMPARE = {"=": "=", "==": "=", "!=": "<>", "<>": "<>", ">=": ">=", "<=": "<=", ">": ">", "<": "<"}
_SUFFIXES = sorted(_COMPARE, key=len, reverse=True)
_WORDS = ("like", "in", "between", "exists")
_PAIR = 2


class Asked:
    """What is asked of one value.

    Args:
        option: the keyword of the verb, for messages.
        name: of the value.
        operator: ``=``, ``<>``, ``>=``, ``<=``, ``>``, ``<``, ``like``, ``in``, ``between`` or ``exists``.
        value: what is compared with; of ``exists``, whether it is to exist; of ``between``, the two bounds.
        any_of: whether `value` lists several, any of which will do.

    Raises:
        OptionError: the operator does not fit the value.
    """

    __slots__ = ("any_of", "name", "operator", "option", "value")

    def __init__(self, option: str, name: str, operator: str, value: Any, *, any_of: bool = False) -> None:
        self.option = option
        self.name = name
        self.operator = operator
        self.value = value
        self.any_of = any_of or operator == "in"
        if operator == "exists" and not isinstance(value, bool):
            raise self.error(f"('exists', True) or ('exists', False), not {value!r}")
        if operator == "like" and not isinstance(value, str):
            raise self.error(f"('like', pattern) compares text, not {value!r}")
        if operator == "between" and (not isinstance(value, (list, tuple)) or len(value) != _PAIR):
            raise self.error(f"('between', low, high), not {value!r}")

    def values(self) -> Collection[Any]:
        """What is compared with, as a collection, any of which will do.

        Raises:
            OptionError: there are too many of them, or they are none.
        """
        if self.operator == "between":
            return tuple(self.value)
        if not self.any_of:
            return [self.value]
        if not isinstance(self.value, (list, tuple, set, frozenset)):
            raise self.error(f"('in', values) needs a list of values, not {self.value!r}")
        if len(self.value) > MOST_VALUES:
            raise self.error(f"{len(self.value)} values at once; at most {MOST_VALUES} can be listed")
        return self.value

    def error(self, message: str) -> OptionError:
        """An error that names the option and the value."""
        return _error(self.option, self.name, message)


def asked(option: str, name: str, value: Any) -> Asked:
    """What a user has written.

    Args:
        option: the keyword of the verb.
        name: of the value, perhaps with an operator behind it.
        value: perhaps a tuple of operator and value, or a list of values.

    Raises:
        OptionError: an operator is none, is there twice, or does not fit its value.
    """
    leaf, operator = split(name)
    if not isinstance(value, tuple):
        # In a tuple a list is a value itself, except behind "in".
        return Asked(option, leaf, operator or "=", value, any_of=isinstance(value, (list, set, frozenset)))
    if operator is not None:
        raise _error(option, leaf, f"has an operator already, and its value {value!r} another one")
    word = value[0].strip().lower() if value and isinstance(value[0], str) else None
    if word not in _WORDS and word not in _COMPARE:
        known = ", ".join([*_COMPARE, *_WORDS])
        raise _error(
            option,
            leaf,
            f"a tuple is an operator and its value, not {value!r}; operators are {known}. "
            "To find any of several values, give a list",
        )
    rest = value[1:]
    if word == "between" and len(rest) == _PAIR:
        return Asked(option, leaf, word, rest)
    if word == "exists" and not rest:
        return Asked(option, leaf, word, value=True)
    if len(rest) != 1:
        raise _error(option, leaf, f"{value!r} has {len(rest)} values behind its operator, not one")
    return Asked(option, leaf, _COMPARE.get(word, word), rest[0])


def _error(option: str, name: str, message: str) -> OptionError:
    return OptionError(f"{option}: {message}" if option == name else f"{option}: {name!r}: {message}")


def split(name: str) -> tuple[str, str | None]:
    """A name without the operator behind it, and that operator; None where there is none."""
    for suffix in _SUFFIXES:
        if name.endswith(suffix):
            return name.removesuffix(suffix).rstrip(" "), _COMPARE[suffix]
    return name, None


# Columns are named by this library, values are question marks: nothing of a user's text goes in.
def compared(column: str, operator: str, count: int = 1) -> str:
    """A comparison in SQL.

    Args:
        column: or another expression.
        operator: as `Asked` has it; ``exists`` takes no values, ``between`` two.
        count: number of values, for ``in``.
    """
    if operator == "exists":
        return f"{column} IS NOT NULL"
    if operator == "in":
        return f"{column} IN ({', '.join('?' * count)})"
    if operator == "between":
        return f"{column} BETWEEN ? AND ?"
    return f"{column} {operator} ?"


def joined(pieces: list[Condition], word: str) -> Condition:
    """Several conditions as one; none is met by nothing."""
    if not pieces:
        return NEVER[0]
    sql = f" {word} ".join(piece for piece, _ in pieces)
    return f"({sql})", [parameter for _, parameters in pieces for parameter in parameters]

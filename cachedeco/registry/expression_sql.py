"""From the tree of a condition to SQL: what the names mean, and how values are read.

A name that is no field of an item is an attribute; ``attrs.NAME`` is one in any case, ``params.NAME`` a parameter.
What an item lacks fails every test but one behind ``not``.
"""

from __future__ import annotations

import time

from cachedeco.errors import OptionError
from cachedeco.registry.attribute_search import condition as attribute_condition
from cachedeco.registry.expression import Comparison, Joined, Not, parse, pointed
from cachedeco.registry.operators import Asked, compared
from cachedeco.registry.parameter_search import condition as parameter_condition
from cachedeco.status import Status
from cachedeco.units import BYTES, MICROSECONDS, NUMBER, scaled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from cachedeco.registry.expression import Node, Token
    from cachedeco.registry.operators import Condition

_WORDS = {"true": True, "false": False, "none": None, "null": None}
_DATE_LENGTH = 10
_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "<>": "<>"}


def where(text: str) -> tuple[Condition, bool]:
    """The condition on items ``i`` of a text, and whether it says something of the status.

    Raises:
        QueryError: it is no condition, or a value does not fit what it is compared with.
    """
    compiler = _Compiler(text)
    return compiler.sql(parse(text)), compiler.names_status


class _Compiler:
    def __init__(self, text: str) -> None:
        self._text = text
        self.names_status = False

    def sql(self, node: Node) -> Condition:
        if isinstance(node, Not):
            sql, parameters = self.sql(node.one)
            # What is not known is not so.
            return f"NOT coalesce({sql}, 0)", parameters
        if isinstance(node, Joined):
            pieces = [self.sql(each) for each in node.nodes]
            joined = f" {node.word} ".join(sql for sql, _ in pieces)
            return f"({joined})", [each for _, parameters in pieces for each in parameters]
        return self._test(node)

    def _test(self, test: Comparison) -> Condition:
        name = test.name.text
        if test.name.kind == "word":
            if name.startswith("params."):
                return self._parameter(test, name.removeprefix("params."))
            if name.startswith("attrs."):
                return self._attribute(test, name.removeprefix("attrs."))
            if name.lower() in FIELDS:
                return self._field(test, *FIELDS[name.lower()])
        return self._attribute(test, name)

    def _field(self, test: Comparison, column: str, read: Reader) -> Condition:
        self.names_status |= column == "i.status"
        values = []
        for token in test.values:
            if test.operator == "like" and read is not _as_text:
                raise self._error(token, f"`like` compares text, and {test.name.text} is none")
            try:
                values.append(read(token))
            except (ValueError, OverflowError) as error:
                raise self._error(token, f"{test.name.text}: {error}") from None
        operator = test.operator
        if column == "age":
            # The older, the smaller the time of its making.
            column, now = "i.created", time.time_ns() // 1000
            values = [now - value for value in values]
            operator = _FLIPPED.get(operator, operator)
            values = values[::-1] if operator == "between" else values
        if column == "uri" and operator in {"=", "in"}:
            # Not by the text of each item's: the index is on the number.
            return f"i.uri IN (SELECT id FROM uris WHERE {compared('uri', operator, len(values))})", values  # noqa: S608 - as below
        return compared("u.uri" if column == "uri" else column, operator, len(values)), values

    def _parameter(self, test: Comparison, name: str) -> Condition:
        values = [_guess(token) for token in test.values]
        if any(_is_moment(value) for value in values):
            raise self._error(
                test.values[0], "parameters are compared with numbers, texts, true, false and none"
            )
        operator = test.operator
        if operator == "like":
            values = [test.values[0].text]
        value = {"exists": True, "between": values, "in": values}.get(operator, values[0] if values else None)
        try:
            return parameter_condition(Asked("params", name, operator, value))
        except OptionError as error:
            raise self._error(test.values[0], str(error)) from None

    def _attribute(self, test: Comparison, name: str) -> Condition:
        if test.operator == "exists":
            return self._wanted(test, name, ("exists", True))
        values = [_guess(token) for token in test.values]
        if test.operator == "like":
            return self._wanted(test, name, ("like", test.values[0].text))
        if test.operator == "between":
            return self._wanted(test, name, ("between", *values))
        if test.operator == "in":
            return self._wanted(test, name, ("in", values))
        found = self._wanted(test, name, (test.operator, values[0]))
        if not _is_day(values[0]) or test.operator in {"=", "<>"}:
            return found
        # A day is before and after times, too.
        also = self._wanted(test, name, (test.operator, _midnight(values[0])))
        return f"({found[0]} OR {also[0]})", [*found[1], *also[1]]

    def _wanted(self, test: Comparison, name: str, value: tuple[Any, ...]) -> Condition:
        namespace, dot, leaf = name.partition(".")
        attrs = {namespace: {leaf: value}} if dot and leaf and test.name.kind == "word" else {name: value}
        try:
            found = attribute_condition(attrs)
        except OptionError as error:
            raise self._error(test.name, str(error)) from None
        return found or ("1", [])

    def _error(self, token: Token, message: str) -> OptionError:
        return pointed(self._text, token.at, message)


def _as_text(token: Token) -> str:
    return token.text


def _as_status(token: Token) -> int:
    known = {status.name.lower(): status for status in Status} | {
        str(status.value): status for status in Status
    }
    found = known.get(token.text.lower())
    if found is None:
        raise ValueError(
            f"there is no {token.text!r}; there are {', '.join(status.name for status in Status)}"
        )
    return int(found)


def _as_number(token: Token) -> int:
    return scaled(token.text, {"": 1}, "a number")


def _as_bytes(token: Token) -> int:
    return scaled(token.text, BYTES, "a number of bytes, as 10MB")


def _as_duration(token: Token) -> int:
    return scaled(token.text, MICROSECONDS, "a length of time, as 2h or 1.5s")


def _as_moment(token: Token) -> int:
    import datetime

    try:
        moment = datetime.datetime.fromisoformat(token.text)
    except ValueError:
        raise ValueError(f"{token.text!r} is not a time like 2026-01-31 or 2026-01-31T12:00") from None
    since = moment.astimezone(datetime.UTC) - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    return since // datetime.timedelta(microseconds=1)


def _as_hex(token: Token) -> bytes:
    try:
        return bytes.fromhex(token.text)
    except ValueError:
        raise ValueError(f"{token.text!r} is not hex digits, two a byte") from None


def _as_flag(token: Token) -> int:
    found = _WORDS.get(token.text.lower())
    if found is None:
        raise ValueError(f"{token.text!r} is neither true nor false")
    return int(found)


def _guess(token: Token) -> Any:
    """What a value is when nothing says so: a number, true, false, none, a day, a time, else a text."""
    text = token.text
    if token.kind == "text" or text.lower() in _WORDS:
        return text if token.kind == "text" else _WORDS[text.lower()]
    if NUMBER.fullmatch(text):
        return int(text) if text.lstrip("+-").isdecimal() else float(text)
    return _moment(text) if text[:4].isdecimal() and text[4:5] == "-" else text


def _moment(text: str) -> Any:
    """A day, a time, or the text itself if it is neither."""
    import datetime

    try:
        if len(text) == _DATE_LENGTH:
            return datetime.date.fromisoformat(text)
        return datetime.datetime.fromisoformat(text).astimezone()
    except ValueError:
        return text


def _is_moment(value: object) -> bool:
    import datetime

    return isinstance(value, datetime.date)


def _is_day(value: object) -> bool:
    import datetime

    return isinstance(value, datetime.date) and not isinstance(value, datetime.datetime)


def _midnight(day: Any) -> Any:
    import datetime

    return datetime.datetime(day.year, day.month, day.day).astimezone()


if TYPE_CHECKING:
    Reader = Callable[[Token], Any]

FIELDS: dict[str, tuple[str, Reader]] = {
    "id": ("i.id", _as_number),
    "key": ("i.key", _as_hex),
    "version": ("i.version", _as_number),
    "status": ("i.status", _as_status),
    "cause": ("i.cause", _as_text),
    "uri": ("uri", _as_text),
    "function": ("i.function", _as_text),
    "label": ("i.label", _as_text),
    "ext": ("i.ext", _as_text),
    "filename": ("i.filename", _as_text),
    "serializer": ("i.serializer", _as_text),
    "error": ("d.error", _as_text),
    "code": ("i.code", _as_hex),
    "size": ("i.size", _as_bytes),
    "took": ("i.duration", _as_duration),
    "duration": ("i.duration", _as_duration),
    "created": ("i.created", _as_moment),
    "ended": ("i.ended", _as_moment),
    "age": ("age", _as_duration),
    "attempts": ("i.attempts", _as_number),
    "pinned": ("i.pinned", _as_flag),
    "user": ("(SELECT o.user FROM owners AS o WHERE o.id = i.owner)", _as_text),
    "host": ("(SELECT o.host FROM owners AS o WHERE o.id = i.owner)", _as_text),
    "program": ("(SELECT o.program FROM owners AS o WHERE o.id = i.owner)", _as_text),
    "revision": ("(SELECT o.revision FROM owners AS o WHERE o.id = i.owner)", _as_text),
}
"""Name of a field -> its column, and how a value is read that it is compared with."""

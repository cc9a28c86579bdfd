"""Attributes of items: between Python values and rows that SQLite can compare.

Numbers are stored as numbers, text as text, times as microseconds since 1970 in UTC, lists and dicts as JSON;
the column ``kind`` says what to give back.
"""

from __future__ import annotations

from cachedeco.errors import OptionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from cachedeco.registry.claims import Attribute

_INTEGERS_END = 1 << 63  # the first integer that SQLite cannot hold as one


def encode(attrs: Mapping[str, Any]) -> list[Attribute]:
    """Turn attributes into rows.

    Args:
        attrs: name -> value; a dict as value is a namespace with names of its own, one level deep.

    Returns:
        (namespace, name, kind, stored value) of each.

    Raises:
        OptionError: a name is not a str or is empty, or a value is of a type that cannot be stored.

    Examples:
        >>> encode({"batch": 2, "lab": {"city": "Bonn"}})
        [('', 'batch', 'int', 2), ('lab', 'city', 'str', 'Bonn')]
    """
    if not hasattr(attrs, "items"):
        raise OptionError(f"attrs must map names to values, not be a {type(attrs).__name__}")
    rows: list[Attribute] = []
    for name, value in attrs.items():
        check_name(name)
        if isinstance(value, dict) and value:
            for inner, inner_value in value.items():
                check_name(inner)
                rows.append((name, inner, *encode_value(inner, inner_value)))
        else:
            rows.append(("", name, *encode_value(name, value)))
    return rows


def decode(
    rows: Iterable[tuple[str, str, str, Any]], pass_over: Callable[[object, Exception], None] | None = None
) -> dict[str, Any]:
    """Turn rows back into attributes; the inverse of `encode`.

    Args:
        rows: of the registry.
        pass_over: gets the name of an attribute that makes no sense, and why; without it that is an error.

    Examples:
        >>> decode(encode({"batch": 2, "lab": {"city": "Bonn"}}))
        {'batch': 2, 'lab': {'city': 'Bonn'}}
    """
    attrs: dict[str, Any] = {}
    for namespace, name, kind, stored in rows:
        try:
            home = attrs.setdefault(namespace, {}) if namespace else attrs
            home[name] = _decode(kind, stored)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            if pass_over is None:
                raise
            pass_over(name, error)
    return attrs


def check_name(name: object) -> None:
    """Refuse what is not the name of an attribute.

    Raises:
        OptionError: it is not a str, or empty.
    """
    if not isinstance(name, str) or not name:
        raise OptionError(f"the name of an attribute must be a str that is not empty, not {name!r}")


def encode_value(name: str, value: Any) -> tuple[str, Any]:  # noqa: PLR0911 - one a type
    """The kind of a value, and what SQLite stores for it.

    Args:
        name: of the attribute, for the message.
        value: of the attribute.

    Raises:
        OptionError: values of its type cannot be stored.

    Examples:
        >>> encode_value("rows", 1200)
        ('int', 1200)
    """
    import datetime

    if type(value).__module__ == "numpy" and hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if isinstance(value, bool):
        return "bool", int(value)
    if isinstance(value, int):
        return ("int", int(value)) if -_INTEGERS_END <= value < _INTEGERS_END else ("long", str(int(value)))
    if isinstance(value, float):
        # SQLite stores NaN as NULL.
        return ("float", float(value)) if value == value else ("nan", "nan")  # noqa: PLR0124 - false for NaN
    if isinstance(value, str):
        return "str", str(value)
    if value is None:
        return "none", None
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "bytes", bytes(value)
    if isinstance(value, datetime.datetime):
        return "datetime", _microseconds(value)
    if isinstance(value, datetime.date):
        return "date", value.isoformat()
    return "json", _json(name, value)


def _microseconds(moment: Any) -> int:
    import datetime

    # A time without a zone is local time, as Python's own astimezone() has it.
    since = moment.astimezone(datetime.UTC) - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    return int(since // datetime.timedelta(microseconds=1))


def _json(name: str, value: Any) -> str:
    import json

    if isinstance(value, (set, frozenset)):
        value = sorted(value, key=repr)
    try:
        return json.dumps(value, ensure_ascii=False, sort_keys=isinstance(value, dict))
    except (TypeError, ValueError) as error:
        raise OptionError(
            f"the attribute {name!r} cannot be a {type(value).__qualname__} ({error}); attributes are "
            "numbers, text, bytes, dates, times, None, and lists and dicts of such as JSON can hold"
        ) from error


def _decode(kind: str, stored: Any) -> Any:
    if kind in {"int", "float", "str", "none", "bytes"}:
        return stored
    if kind == "bool":
        return bool(stored)
    if kind == "json":
        import json

        return json.loads(stored)
    if kind in {"long", "nan"}:
        return int(stored) if kind == "long" else float(stored)
    import datetime

    if kind == "date":
        return datetime.date.fromisoformat(stored)
    return datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(microseconds=stored)

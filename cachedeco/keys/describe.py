"""Descriptions of parameters for people: stored beside a result, shown by searches and explanations.

No ``repr`` of a foreign object is called for a preview: it may be huge, slow, or raise. Nor are its
attributes shown, for its author may have taken care to hide a password. There remains its type; of arrays
the shape.
"""

from __future__ import annotations

import sys
import types
from math import isfinite

from cachedeco.keys import fingerprint, names
from cachedeco.keys.content import Content, Contents
from cachedeco.keys.markers import KeyedBy
from cachedeco.keys.sentinels import LeftAtDefault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

LONGEST = 200
"""Characters of a preview, and of a text that is stored itself."""

_ITEMS = 20
_DEPTH = 4
_LARGEST_INT = 2**63
_SETS_SORTED = 1000
_CUT = "..."

_ARRAY_LIBRARIES = frozenset(
    {
        "cupy",
        "dask",
        "geopandas",
        "jax",
        "jaxlib",
        "numpy",
        "pandas",
        "polars",
        "pyarrow",
        "scipy",
        "torch",
        "xarray",
    }
)
_PLAIN_REPR = frozenset({type(None), bool, float, complex, range, slice, type(...), type(NotImplemented)})
_FUNCTIONS = frozenset({types.FunctionType, types.BuiltinFunctionType, types.MethodType})
_STANDARD_REPR = {
    "datetime": ("date", "datetime", "time", "timedelta", "timezone"),
    "decimal": ("Decimal",),
    "fractions": ("Fraction",),
    "pathlib": ("PosixPath", "PurePosixPath", "PureWindowsPath", "WindowsPath"),
    "uuid": ("UUID",),
    "zoneinfo": ("ZoneInfo",),
}


def describe(
    params: Mapping[str, object],
    secrets: frozenset[str] = frozenset(),
) -> dict[str, dict[str, object]]:
    """Describe parameters in a form that JSON can hold.

    Args:
        params: the named values that make a key.
        secrets: names of which nothing but the digest may be told.

    Returns:
        For each name: ``digest`` (32 hex digits), ``type``, ``preview`` (at most 200 characters) and, for
        scalars and short texts only, ``value``. For secrets the ``digest`` alone.

    Raises:
        KeyingError: a value cannot be part of a key.

    Examples:
        >>> list(describe({"x": 1, "token": "abc"}, secrets=frozenset({"token"}))["token"])
        ['digest']
        >>> described = describe({"x": [1, 2]})["x"]
        >>> described["type"], described["preview"]
        ('list', '[1, 2]')
    """
    described: dict[str, dict[str, object]] = {}
    digests = fingerprint.digests(params)
    for name, value in params.items():
        entry: dict[str, object] = {"digest": digests[name].hex()}
        if name not in secrets:
            entry["type"] = type_name(value)
            entry["preview"] = preview(value)
            if _is_scalar(value):
                entry["value"] = value
        described[name] = entry
    return described


def type_name(value: object) -> str:
    """Return the type of a value as people write it: ``int``, ``pandas.DataFrame``.

    Args:
        value: any value; of what stands for another one, what it stands for.
    """
    if isinstance(value, Content):
        return value.kind
    if isinstance(value, Contents):
        return f"{type(value.parts).__name__} of files"
    if isinstance(value, (KeyedBy, LeftAtDefault)):
        value = value.value
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def preview(value: object) -> str:
    """Return a text of at most 200 characters that tells people which value it is.

    Args:
        value: any value.
    """
    try:
        text = _show(value, _DEPTH)
    except Exception:  # noqa: BLE001  # a preview must not keep a result from being stored
        text = _name(value)
    return _shorten(text)


def _shorten(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - len(_CUT)] + _CUT


def _is_scalar(value: object) -> bool:
    kind = type(value)
    if kind is str:
        return len(value) <= LONGEST and _has_utf8(value)  # type: ignore[arg-type]
    if kind is int:
        return -_LARGEST_INT <= value < _LARGEST_INT  # type: ignore[operator]
    if kind is float:
        return isfinite(value)  # type: ignore[arg-type]
    return value is None or kind is bool


def _has_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _show(value: Any, depth: int) -> str:
    kind = type(value)
    if kind is str or kind is bytes or kind is bytearray:
        # Twice what fits: escapes only make it longer.
        return repr(value[:LONGEST]) + (_CUT if len(value) > LONGEST else "")
    if kind is int:
        bits = value.bit_length()
        return repr(value) if bits <= LONGEST * 3 else f"<int of {bits} bits>"
    if kind in _PLAIN_REPR:
        return repr(value)
    container = _CONTAINERS.get(kind)
    if container is not None:
        return _CUT if depth == 0 else container(value, depth - 1)
    return _show_other(value, kind, depth)


def _list(value: list[Any], depth: int) -> str:
    return f"[{_join(value, depth)}]"


def _tuple(value: tuple[Any, ...], depth: int) -> str:
    return f"({_join(value, depth)}{',' if len(value) == 1 else ''})"


def _set(value: set[Any] | frozenset[Any], depth: int) -> str:
    kind = type(value).__name__
    if not value:
        return f"{kind}()"
    if len(value) > _SETS_SORTED:
        return f"<{kind} of {len(value)}>"
    # Sorted by their text, as the order of a set changes from process to process.
    shown = sorted(_show(item, depth) for item in value)
    text = "{" + ", ".join(shown[:_ITEMS]) + (f", {_CUT}" if len(shown) > _ITEMS else "") + "}"
    return text if kind == "set" else f"frozenset({text})"


def _dict(value: dict[Any, Any], depth: int) -> str:
    parts: list[str] = []
    room = LONGEST
    for key, item in value.items():
        if room <= 0 or len(parts) == _ITEMS:
            parts.append(_CUT)
            break
        parts.append(f"{_show(key, depth)}: {_show(item, depth)}")
        room -= len(parts[-1])
    return "{" + ", ".join(parts) + "}"


def _join(items: Iterable[Any], depth: int) -> str:
    parts: list[str] = []
    room = LONGEST
    for item in items:
        if room <= 0 or len(parts) == _ITEMS:
            parts.append(_CUT)
            break
        parts.append(_show(item, depth))
        room -= len(parts[-1])
    return ", ".join(parts)


_CONTAINERS: dict[type, Any] = {list: _list, tuple: _tuple, set: _set, frozenset: _set, dict: _dict}


def _show_other(value: Any, kind: type, depth: int) -> str:
    library = kind.__module__.partition(".")[0]
    if kind is Content:
        text = f"{value.path} ({'absent' if value.kind == 'absent' else f'{value.size} bytes'})"
    elif kind is Contents:
        text = _show(value.parts, depth)
    elif kind in {KeyedBy, LeftAtDefault}:
        text = _show(value.value, depth)
    elif kind.__name__ in _STANDARD_REPR.get(library, ()):
        text = repr(value)
    elif library in _ARRAY_LIBRARIES:
        text = _show_array(value, kind, library)
    elif isinstance(value, type) or kind in _FUNCTIONS:
        text = f"<{value.__module__}.{value.__qualname__}>"
    else:
        text = _show_record(value, kind, depth)
    return text


def _show_record(value: Any, kind: type, depth: int) -> str:
    enum = sys.modules.get("enum")
    if enum is not None and isinstance(value, enum.Enum):
        return f"{kind.__qualname__}.{value.name}"
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return _fields(kind, zip(kind._fields, value, strict=True), depth)
    if hasattr(kind, "__dataclass_fields__") and _is_generated(kind.__repr__):
        shown = [field.name for field in kind.__dataclass_fields__.values() if field.repr]
        return _fields(kind, ((name, getattr(value, name)) for name in shown), depth)
    return _name(value)


def _is_generated(method: Any) -> bool:
    """Say whether dataclasses wrote a ``__repr__``; one written by hand may hide what the fields show."""
    code = getattr(getattr(method, "__wrapped__", None), "__code__", None)
    return code is not None and code.co_qualname.startswith(names.GENERATED_CODE)


def _fields(kind: type, fields: Iterable[tuple[str, Any]], depth: int) -> str:
    if depth == 0:
        return f"{kind.__qualname__}({_CUT})"
    parts = [f"{name}={_show(item, depth - 1)}" for name, item in fields]
    return f"{kind.__qualname__}({', '.join(parts)})"


def _show_array(value: Any, kind: type, library: str) -> str:
    shape = getattr(value, "shape", None)
    dtype = getattr(value, "dtype", None)
    if library == "numpy" and shape == ():
        return f"{kind.__name__}({_show(value.item(), 1)})"
    parts = [kind.__name__]
    if dtype is not None:
        parts.append(str(dtype))
    if isinstance(shape, tuple):
        parts.append(f"({', '.join(map(str, shape))})")
    columns = getattr(value, "columns", None)
    if columns is not None and kind.__name__.endswith("DataFrame"):
        parts.append(_show([str(column) for column in columns[:_ITEMS]], 1))
    return f"<{' '.join(parts)}>"


def _name(value: object) -> str:
    kind = type(value)
    return f"<{kind.__module__}.{kind.__qualname__}>"

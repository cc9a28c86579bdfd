"""Frames and series of pandas, as Arrow tables and back."""

from __future__ import annotations

from importlib import import_module

import pandas as pd  # noqa: TID253 - this file is the one place of it, and loaded with a frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

pyarrow: Any = import_module("pyarrow")  # it ships no types

FRAME = "pandas.DataFrame"
SERIES = "pandas.Series"


def kind_of(value: object) -> str:
    """Which of the kinds of this module a value is, or nothing."""
    if type(value) is pd.DataFrame:
        return FRAME
    return SERIES if type(value) is pd.Series else ""


def take_apart(value: Any) -> tuple[Any, dict[str, Any]]:
    """The table of a frame or a series, and what the table cannot say about it."""
    if type(value) is pd.Series:
        if value.name is not None and type(value.name) is not str:
            raise TypeError(f"a series named by {type(value.name).__qualname__} would lose its name")
        frame = value.to_frame(name="value")
        frame.attrs.clear()
        _check_json(value.attrs)
        details: dict[str, Any] = {"kind": SERIES, "name": value.name, "attrs": value.attrs}
    else:
        flat = not isinstance(value.columns, pd.MultiIndex)
        if flat and value.columns.inferred_type.startswith("mixed"):
            raise TypeError("its columns have labels of several types, which would become text")
        frame = value.copy(deep=False)
        frame.attrs = {}
        _check_json(value.attrs)
        details = {"kind": FRAME, "attrs": value.attrs}
        if type(value.columns) is pd.RangeIndex and value.columns.name is None:
            columns = value.columns
            details["columns"] = [columns.start, columns.stop, columns.step]
    if isinstance(value.index, (pd.DatetimeIndex, pd.TimedeltaIndex)):
        details["freq"] = value.index.freqstr
    return pyarrow.Table.from_pandas(frame, preserve_index=None), details


def rebuild(table: Any, details: dict[str, Any]) -> Any:
    """The frame or series that `take_apart` was given, in memory that may be written to."""
    frame = table.to_pandas()
    if details["kind"] == SERIES:
        back = frame["value"]
        back.name = details["name"]
    else:
        back = frame
        if "columns" in details:
            back.columns = pd.RangeIndex(*details["columns"])
    if details.get("freq"):
        back.index.freq = details["freq"]
    back.attrs = details["attrs"]
    return back


def difference(value: Any, back: Any) -> str:
    """How `back` differs from `value`, or nothing."""
    if type(value) is pd.Series:
        return _index_difference("its index", value.index, back.index) or _column_difference(
            "it", value, back
        )
    found = _index_difference("its index", value.index, back.index) or _index_difference(
        "its columns", value.columns, back.columns
    )
    if found:
        return found
    if value.flags.allows_duplicate_labels != back.flags.allows_duplicate_labels:
        return "its flags would change"
    for place in range(value.shape[1]):
        name = f"column {value.columns[place]!r}"
        found = _column_difference(name, value.iloc[:, place], back.iloc[:, place])
        if found:
            return found
    return ""


def _check_json(attrs: dict[Any, Any]) -> None:
    from cachedeco.values.json import JsonSerializer

    JsonSerializer().pack(attrs)


def _index_difference(what: str, value: Any, back: Any) -> str:
    if type(value) is not type(back):
        return f"{what} would come back as {type(back).__qualname__}, and is {type(value).__qualname__}"
    if getattr(value, "freq", None) != getattr(back, "freq", None):
        return f"{what} would lose its frequency {value.freq!r}"
    if not value.identical(back) or list(value.names) != list(back.names):
        return f"{what} would change"
    if isinstance(value, pd.MultiIndex):
        for level in range(value.nlevels):
            one, other = value.get_level_values(level), back.get_level_values(level)
            found = _column_difference(f"level {level} of {what}", one.to_series(), other.to_series())
            if found:
                return found
        return ""
    return _column_difference(what, value.to_series(), back.to_series())


def _column_difference(what: str, value: Any, back: Any) -> str:
    if value.dtype != back.dtype or repr(value.dtype) != repr(back.dtype):
        return f"{what} would come back as {back.dtype!r}, and is {value.dtype!r}"
    if value.dtype == object:
        pairs = zip(value.array, back.array, strict=True)
        for place, (one, other) in enumerate(pairs):
            if type(one) is not type(other) or not _same_scalar(one, other):
                return f"row {place} of {what} would come back as {other!r}, and is {one!r}"
        return ""
    return "" if value.array.equals(back.array) else f"values of {what} would change"


def _same_scalar(one: object, other: object) -> bool:
    """Whether two objects of one type are the same value; containers of objects are not looked into."""
    if isinstance(one, float):
        return one == other or (one != one and other != other)  # noqa: PLR0124 - nan
    return isinstance(one, (str, bytes, int, type(None), *_DATES)) and one == other


def _dates() -> tuple[type, ...]:
    from datetime import date, datetime, time, timedelta
    from decimal import Decimal

    return date, datetime, time, timedelta, Decimal


_DATES = _dates()

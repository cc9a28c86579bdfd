"""polars: by content; chunks, slices and what lies under nulls do not count."""

from __future__ import annotations

import sys
from array import array
from importlib.util import find_spec

from cachedeco.keys.node import Node, content_digest, header, library_tag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_MODULE = "polars"
_TYPE_CODES = {
    "Int8": "b",
    "Int16": "h",
    "Int32": "i",
    "Int64": "q",
    "UInt8": "B",
    "UInt16": "H",
    "UInt32": "I",
    "UInt64": "Q",
    "Float32": "f",
    "Float64": "d",
}


def find(kind: type) -> Callable[[Any], Node] | None:
    """Return what takes frames and series of polars apart; lazy frames are taken apart by their plan."""
    pl = sys.modules.get(_MODULE)
    if pl is None:
        return None
    if issubclass(kind, pl.DataFrame):
        return _frame
    return _series if issubclass(kind, pl.Series) else None


def _frame(value: Any) -> Node:
    columns = tuple((str(column.name), _column_digest(column)) for column in value.get_columns())
    return Node(
        header("polars.DataFrame", library_tag(type(value), "polars"), value.height, columns), costly=True
    )


def _series(value: Any) -> Node:
    facts = library_tag(type(value), "polars"), str(value.name), _column_digest(value)
    return Node(header("polars.Series", *facts), costly=True)


def _column_digest(series: Any) -> bytes:
    """Return the digest of a column: its type, where it is null, and the values that are not null."""
    nulls = content_digest(_fixed_bytes(series.is_null()))
    present = series.drop_nulls() if series.null_count() else series
    facts = _type_facts(series.dtype), len(series), nulls
    return content_digest(header("column", *facts, *_value_facts(present)))


def _type_facts(dtype: Any) -> tuple[Any, ...]:
    pl = sys.modules[_MODULE]
    if isinstance(dtype, pl.Struct):
        return "Struct", tuple((str(field.name), _type_facts(field.dtype)) for field in dtype.fields)
    if isinstance(dtype, pl.List):
        return "List", _type_facts(dtype.inner)
    if isinstance(dtype, pl.Array):
        return "Array", tuple(map(int, dtype.shape)), _type_facts(dtype.inner)
    if isinstance(dtype, pl.Enum):
        return "Enum", tuple(dtype.categories.to_list())
    return (repr(dtype),)


def _value_facts(series: Any) -> tuple[Any, ...]:  # noqa: PLR0911 - one kind of type a line
    """Return digests of values of which none is null, by the kind of type."""
    pl = sys.modules[_MODULE]
    dtype = series.dtype
    if dtype == pl.Null:
        return ()
    if isinstance(dtype, pl.Struct):
        return tuple(_column_digest(series.struct.field(field.name)) for field in dtype.fields)
    if isinstance(dtype, pl.Array):
        series = series.cast(
            pl.List(dtype.inner if len(dtype.shape) == 1 else series.arr.to_list().dtype.inner)
        )
    if isinstance(series.dtype, pl.List):
        lengths = series.list.len()
        return content_digest(_fixed_bytes(lengths)), _column_digest(series.filter(lengths > 0).explode())
    if dtype == pl.Object:
        from cachedeco.keys.fingerprint import digest

        return (digest(series.to_list()),)
    if dtype == pl.Binary:
        return content_digest(_fixed_bytes(series.bin.size())), content_digest(b"".join(series.to_list()))
    physical = series.to_physical() if dtype.is_temporal() else series
    if physical.dtype == pl.Boolean or repr(physical.dtype) in _TYPE_CODES:
        return (content_digest(_fixed_bytes(physical)),)
    # Strings; and what has no type of its own in memory (decimals, categories, wide integers) by its text.
    text = series if dtype == pl.String else series.cast(pl.String)
    return content_digest(_fixed_bytes(text.str.len_bytes())), content_digest(
        "".join(text.to_list()).encode()
    )


def _fixed_bytes(series: Any) -> Any:
    """Return the bytes of values of fixed width."""
    pl = sys.modules[_MODULE]
    if series.dtype == pl.Boolean:
        series = series.cast(pl.UInt8)
    if find_spec("numpy") is not None:  # which is optional for polars
        values = series.to_numpy()
        return values if values.flags.c_contiguous else values.tobytes()
    return array(_TYPE_CODES[repr(series.dtype)], series.to_list())

"""pandas: by content; blocks, chunks, string storage and other traces of a frame's history do not count."""

from __future__ import annotations

import sys

from cachedeco.keys.hashers import objects
from cachedeco.keys.node import Node, class_tag, content_digest, header

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_MASKED = (
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt64",
    "Float32",
    "Float64",
    "Boolean",
)
_WIDE = 64
_NAMED_ZONES = frozenset({"datetime", "dateutil", "pytz", "zoneinfo"})


def find(kind: type) -> Callable[[Any], Node] | None:
    """Return what takes values of a pandas class, or of a subclass, apart."""
    pd = sys.modules.get("pandas")
    if pd is None:
        return None
    for base, hasher in (
        (pd.DataFrame, _frame),
        (pd.Series, _series),
        (pd.MultiIndex, _multi_index),
        (pd.Index, _index),
        (pd.api.extensions.ExtensionArray, _array),
    ):
        if issubclass(kind, base):
            return hasher
    return None


def _frame(value: Any) -> Node:
    groups = _groups(value)
    grouped = {position for _, positions in groups for position in positions}
    single = [position for position in range(value.shape[1]) if position not in grouped]
    # Transposed, so that a column's elements stand together, as they do in memory.
    together = [value.iloc[:, list(positions)].to_numpy().T for _, positions in groups]
    columns = [_values(value.iloc[:, position]) for position in single]
    parts = [value.columns, value.index, *_extras(value), *together, *columns]
    labels = [".columns", ".index", ".attrs", *_metadata_labels(value), *(".to_numpy()" for _ in groups)]
    labels += [f"[{value.columns[position]!r}]" for position in single]
    shape = tuple(map(int, value.shape))
    head = header("DataFrame", _own_tag(value), shape, bool(value.flags.allows_duplicate_labels), groups)
    return Node(head, parts, label=lambda index: labels[index])


def _groups(value: Any) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Return, for a frame of many columns, the positions of the columns of each simple dtype.

    They are taken together, because a column taken by itself costs more than its content.
    """
    if value.shape[1] < _WIDE:
        return ()
    np = sys.modules["numpy"]
    groups: dict[str, list[int]] = {}
    for position, dtype in enumerate(value.dtypes):
        if isinstance(dtype, np.dtype) and not dtype.hasobject:
            groups.setdefault(dtype.str, []).append(position)
    return tuple((dtype, tuple(positions)) for dtype, positions in groups.items())


def _series(value: Any) -> Node:
    parts = [value.index, value.name, *_extras(value), _values(value)]
    labels = [".index", ".name", ".attrs", *_metadata_labels(value), ".array"]
    head = header("Series", _own_tag(value), bool(value.flags.allows_duplicate_labels))
    return Node(head, parts, label=lambda index: labels[index])


def _index(value: Any) -> Node:
    # A RangeIndex is an index of integers that is written more briefly, for pandas' own comparisons, too.
    # The frequency of a time index is content: it decides what shift() does.
    frequency = getattr(value, "freq", None)
    facts = _own_tag(value), None if frequency is None else str(frequency.freqstr)
    parts = (list(value.names), _values(value))
    return Node(header("Index", *facts), parts, label=lambda index: (".names", ".array")[index])


def _multi_index(value: Any) -> Node:
    # By the values of each level, because levels may hold, in any order, values that are no longer used.
    levels = [_values(value.get_level_values(number)) for number in range(value.nlevels)]
    head = header("MultiIndex", _own_tag(value), len(value), value.nlevels)
    return Node(head, [list(value.names), *levels], label=lambda index: f".get_level_values({index - 1})")


def _own_tag(value: Any) -> tuple[Any, ...] | None:
    """Return the class tag of a subclass. What kind of index pandas itself chooses follows from the dtype."""
    kind = type(value)
    return None if kind.__module__.partition(".")[0] == "pandas" else class_tag(kind)


def _extras(value: Any) -> list[Any]:
    return [dict(value.attrs), *(getattr(value, name, None) for name in _metadata_names(value))]


def _metadata_names(value: Any) -> list[str]:
    return sorted({str(name) for name in value._metadata} - {"name", "_name"})  # noqa: SLF001 - pandas documents it


def _metadata_labels(value: Any) -> list[str]:
    return [f".{name}" for name in _metadata_names(value)]


def _values(column: Any) -> Any:
    """Return the values of a column or index as a numpy array if it has a numpy dtype, else pandas' own."""
    np = sys.modules["numpy"]
    return column.to_numpy() if isinstance(column.dtype, np.dtype) else column.array


def _array(value: Any) -> Node:
    """Take one of pandas' arrays apart, by its dtype."""
    pd, np = sys.modules["pandas"], sys.modules["numpy"]
    dtype = value.dtype
    if isinstance(dtype, np.dtype):
        return Node(header("pandas array", class_tag(type(value))), (value.to_numpy(),), label=lambda _: "")
    for kind, hasher in (
        (pd.StringDtype, _text),
        (pd.CategoricalDtype, _categorical),
        (pd.DatetimeTZDtype, _zoned),
        (pd.PeriodDtype, _period),
        (pd.IntervalDtype, _interval),
        (pd.SparseDtype, _sparse),
        (pd.ArrowDtype, _arrow),
        (tuple(getattr(pd, f"{name}Dtype") for name in _MASKED), _nullable),
    ):
        if isinstance(dtype, kind):
            return hasher(value)
    return objects.take_apart(value)


def _text(value: Any) -> Node:
    """Take strings apart, equally whether pandas keeps them in Python or, if it is installed, in pyarrow."""
    pd, np = sys.modules["pandas"], sys.modules["numpy"]
    missing = value.isna()
    facts = bool(value.dtype.na_value is pd.NA), len(value), content_digest(np.asarray(missing, dtype="u1"))
    if value.dtype.storage != "python" and "pyarrow" in sys.modules:
        from cachedeco.keys.hashers.arrow import text_facts

        column = value.__arrow_array__()
        chunks = column.chunks if hasattr(column, "chunks") else [column]
        lengths, content = text_facts([chunk.drop_null() if chunk.null_count else chunk for chunk in chunks])
    else:
        lengths, content = _python_text(value[~missing] if missing.any() else value)
    return Node(header("pandas text", *facts, lengths, content), costly=True)


def _python_text(value: Any) -> tuple[bytes, bytes]:
    np = sys.modules["numpy"]
    strings = value.to_numpy(dtype=object).tolist()
    joined = "".join(strings)
    if joined.isascii():
        lengths = np.fromiter(map(len, strings), np.int64, len(strings))
        return content_digest(lengths), content_digest(joined.encode())
    encoded = [string.encode("utf-8", "surrogatepass") for string in strings]
    lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
    return content_digest(lengths), content_digest(b"".join(encoded))


def _categorical(value: Any) -> Node:
    parts = (value.categories, value.codes)
    labels = (".categories", ".codes")
    return Node(header("pandas categorical", bool(value.ordered)), parts, label=lambda index: labels[index])


def _zoned(value: Any) -> Node:
    zone = value.dtype.tz
    named = type(zone).__module__.partition(".")[0] in _NAMED_ZONES
    head = header("pandas datetime", str(value.dtype) if named else str(value.dtype.unit))
    return Node(head, (value.asi8, None if named else zone), label=lambda index: ("", ".dtype.tz")[index])


def _period(value: Any) -> Node:
    return Node(header("pandas period", str(value.dtype)), (value.asi8,), label=lambda _: "")


def _interval(value: Any) -> Node:
    parts = (value.left, value.right)
    return Node(
        header("pandas interval", str(value.closed)), parts, label=lambda index: (".left", ".right")[index]
    )


def _sparse(value: Any) -> Node:
    parts = (value.sp_values, value.sp_index.to_int_index().indices, value.fill_value)
    labels = (".sp_values", ".sp_index", ".fill_value")
    return Node(header("pandas sparse", len(value)), parts, label=lambda index: labels[index])


def _arrow(value: Any) -> Node:
    return Node(header("pandas arrow"), (value.__arrow_array__(),), label=lambda _: "")


def _nullable(value: Any) -> Node:
    # What lies under a missing value depends on how it came to be missing.
    dtype = value.dtype.numpy_dtype
    parts = (value.isna(), value.to_numpy(dtype=dtype, na_value=dtype.type(0)))
    return Node(header("pandas nullable", str(value.dtype)), parts, label=lambda _: "")

"""pyarrow: by content; how it is cut into chunks and slices, and what lies under nulls, does not count."""

from __future__ import annotations

import sys
from importlib import import_module

from xxhash import xxh3_128

from cachedeco.keys.node import Node, class_tag, content_digest, header

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

_MODULE = "pyarrow"


def find(kind: type) -> Callable[[Any], Node] | None:
    """Return what takes values of a pyarrow class apart."""
    pa = sys.modules.get(_MODULE)
    if pa is None:
        return None
    for base, hasher in (
        (pa.Table, _table),
        (pa.RecordBatch, _batch),
        (pa.ChunkedArray, _chunked),
        (pa.Array, _array),
        (pa.Scalar, _scalar),
        (pa.Buffer, _buffer),
        (pa.Schema, _schema),
        (pa.Field, _field),
        (pa.DataType, _type),
    ):
        if issubclass(kind, base):
            return hasher
    return None


def _table(value: Any) -> Node:
    columns = [_column_digest(column.type, column.chunks) for column in value.columns]
    facts = (value.num_rows, _schema_facts(value.schema), tuple(columns))
    return Node(header("pyarrow.Table", *facts), costly=True)


def _batch(value: Any) -> Node:
    columns = [_column_digest(column.type, [column]) for column in value.columns]
    facts = (value.num_rows, _schema_facts(value.schema), tuple(columns))
    return Node(header("pyarrow.RecordBatch", *facts), costly=True)


def _chunked(value: Any) -> Node:
    return Node(header("pyarrow.ChunkedArray", _column_digest(value.type, value.chunks)), costly=True)


def _array(value: Any) -> Node:
    return Node(header("pyarrow.Array", _column_digest(value.type, [value])), costly=True)


def _scalar(value: Any) -> Node:
    pa = sys.modules[_MODULE]
    return Node(header("pyarrow.Scalar", _column_digest(value.type, [pa.repeat(value, 1)])))


def _buffer(value: Any) -> Node:
    return Node(header("pyarrow.Buffer", value.size, content_digest(value)), costly=True)


def _schema(value: Any) -> Node:
    return Node(header("pyarrow.Schema", _schema_facts(value)))


def _field(value: Any) -> Node:
    return Node(header("pyarrow.Field", _field_facts(value)))


def _type(value: Any) -> Node:
    return Node(header("pyarrow.DataType", _type_facts(value)))


def _schema_facts(schema: Any) -> tuple[Any, ...]:
    return tuple(map(_field_facts, schema)), _metadata_facts(schema.metadata)


def _field_facts(field: Any) -> tuple[Any, ...]:
    return str(field.name), bool(field.nullable), _type_facts(field.type), _metadata_facts(field.metadata)


def _metadata_facts(metadata: Any) -> tuple[tuple[bytes, bytes], ...]:
    return tuple(sorted((bytes(key), bytes(value)) for key, value in (metadata or {}).items()))


def _type_facts(kind: Any) -> tuple[Any, ...]:
    """Return what there is to know of a type; the text of a nested type is not unambiguous."""
    pa = sys.modules[_MODULE]
    if isinstance(kind, pa.BaseExtensionType):
        name = str(getattr(kind, "extension_name", ""))
        serialized = getattr(kind, "__arrow_ext_serialize__", bytes)()
        return "extension", class_tag(type(kind)), name, bytes(serialized), _type_facts(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return "dictionary", bool(kind.ordered), _type_facts(kind.index_type), _type_facts(kind.value_type)
    if kind.num_fields == 0:
        return (str(kind),)
    sizes = int(getattr(kind, "list_size", -1)), bool(getattr(kind, "keys_sorted", False))
    codes = tuple(map(int, getattr(kind, "type_codes", ())))
    mode = str(getattr(kind, "mode", ""))
    fields = tuple(_field_facts(kind.field(index)) for index in range(kind.num_fields))
    return int(kind.id), sizes, codes, mode, fields


def _column_digest(kind: Any, chunks: Sequence[Any]) -> bytes:
    """Return the digest of a column: its type, where it is null, and the values that are not null."""
    pa = sys.modules[_MODULE]
    if pa.types.is_run_end_encoded(kind):
        decoded = [_compute().run_end_decode(chunk) for chunk in chunks]
        return content_digest(header("runs", _type_facts(kind), _column_digest(kind.value_type, decoded)))
    if _is_view(kind):
        chunks = [chunk.cast(pa.large_binary()) for chunk in chunks]
    nulls = xxh3_128()
    for chunk in chunks:
        nulls.update(_fixed_bytes(chunk.is_null().cast(pa.uint8()), 1))
    rows = sum(map(len, chunks))
    facts = _type_facts(kind), rows, nulls.digest()
    try:
        present = [chunk.drop_null() if chunk.null_count else chunk for chunk in chunks]
    except pa.ArrowNotImplementedError:  # of some nested types
        return content_digest(header("column of objects", *facts, *_python_facts(chunks)))
    return content_digest(header("column", *facts, *_value_facts(kind, present)))


def _value_facts(kind: Any, chunks: Sequence[Any]) -> tuple[Any, ...]:  # noqa: PLR0911 - one layout a line
    """Return digests of values of which none is null, by the kind of layout."""
    pa = sys.modules[_MODULE]
    types = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        return (_column_digest(kind.storage_type, [chunk.storage for chunk in chunks]),)
    if types.is_dictionary(kind):
        return _dictionary_facts(kind, chunks)
    if types.is_null(kind):
        return ()
    if types.is_boolean(kind):
        return (content_digest(*(_fixed_bytes(chunk.cast(pa.uint8()), 1) for chunk in chunks)),)
    if _is_text(kind):
        return text_facts(chunks)
    if types.is_struct(kind):
        columns = [chunk.flatten() for chunk in chunks]
        fields = range(kind.num_fields)
        return tuple(_column_digest(kind.field(at).type, [column[at] for column in columns]) for at in fields)
    if types.is_union(kind) or kind.num_fields > 1:
        return _python_facts(chunks)
    if kind.num_fields == 1:
        return _list_facts(kind, chunks)
    return (content_digest(*(_fixed_bytes(chunk, kind.bit_width // 8) for chunk in chunks)),)


def _is_text(kind: Any) -> bool:
    types = sys.modules[_MODULE].types
    tests = (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)
    return any(test(kind) for test in tests) or _is_view(kind)


def _is_view(kind: Any) -> bool:
    return str(kind) in {"string_view", "binary_view"}  # which pyarrow knows since version 16


def text_facts(chunks: Sequence[Any]) -> tuple[bytes, bytes]:
    """Return digests of the lengths in bytes, and of the bytes, of strings of which none is null."""
    pa = sys.modules[_MODULE]
    lengths, content = xxh3_128(), xxh3_128()
    for chunk in chunks:
        if not len(chunk):
            continue
        large = chunk.cast(pa.large_binary())
        lengths.update(_fixed_bytes(_compute().binary_length(large), 8))
        _, offsets, data = large.buffers()
        bounds = memoryview(offsets).cast("q")
        if data is not None:
            content.update(memoryview(data)[bounds[large.offset] : bounds[large.offset + len(large)]])
    return lengths.digest(), content.digest()


def _list_facts(kind: Any, chunks: Sequence[Any]) -> tuple[bytes, bytes]:
    pa = sys.modules[_MODULE]
    lengths, flat = xxh3_128(), []
    for chunk in chunks:
        # A map is a list of entries in memory, but not for the functions that compute.
        entries = chunk.cast(pa.list_(kind.field(0))) if pa.types.is_map(kind) else chunk
        flat.append(entries.flatten())
        lengths.update(_fixed_bytes(_compute().list_value_length(entries).cast(pa.int64()), 8))
    return lengths.digest(), _column_digest(kind.field(0).type, flat)


def _dictionary_facts(kind: Any, chunks: Sequence[Any]) -> tuple[bytes, ...]:
    """Return digests of indices and dictionary; chunks with dictionaries of their own get one in common."""
    pa = sys.modules[_MODULE]
    unified = pa.chunked_array(chunks, type=kind).unify_dictionaries().chunks
    indices = _column_digest(kind.index_type, [chunk.indices for chunk in unified])
    dictionaries = [chunk.dictionary for chunk in unified][:1]
    return indices, _column_digest(kind.value_type, dictionaries)


def _python_facts(chunks: Sequence[Any]) -> tuple[bytes]:
    from cachedeco.keys.fingerprint import digest

    return (digest([item for chunk in chunks for item in chunk.to_pylist()]),)


def _compute() -> Any:
    return import_module("pyarrow.compute")  # a part of pyarrow that is not imported with it


def _fixed_bytes(array: Any, width: int) -> memoryview:
    """Return the bytes of the values of an array of fixed width, without a copy."""
    data = array.buffers()[1]
    if data is None or not len(array):
        return memoryview(b"")
    start = array.offset * width
    return memoryview(data)[start : start + len(array) * width]

"""Fingerprints of pyarrow's values: chunks, slices and what lies under nulls do not count."""

from __future__ import annotations

# ruff: noqa: E501 - a family of values is one line of a table
import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest

from cachedeco.keys.fingerprint import fingerprint

COLUMNS = {
    "ints": pa.array([1, None, 3, 4], pa.int32()),
    "floats": pa.array([1.5, None, float("nan"), -0.0]),
    "halves": pa.array([1.5, None, 2.5, 3.5], pa.float16()),
    "bools": pa.array([True, None, False, True]),
    "texts": pa.array(["a", None, "", "ü"]),
    "large texts": pa.array(["a", None, "", "ü"], pa.large_string()),
    "text views": pa.array(["a", None, "", "much longer than twelve bytes"], pa.string_view()),
    "binary": pa.array([b"a", None, b"", b"\0"]),
    "fixed binary": pa.array([b"ab", None, b"cd", b"ef"], pa.binary(2)),
    "dates": pa.array([dt.date(2020, 1, day) for day in range(1, 5)]),
    "times": pa.array([dt.time(hour) for hour in range(4)]),
    "moments": pa.array([1, None, 3, 4], pa.timestamp("us", "UTC")),
    "durations": pa.array([1, None, 3, 4], pa.duration("s")),
    "decimals": pa.array([Decimal("1.0"), None, Decimal("2.5"), Decimal("3.5")]),
    "lists": pa.array([[1], None, [], [2, None]]),
    "fixed lists": pa.array([[1, 2], None, [3, 4], [5, None]], pa.list_(pa.int64(), 2)),
    "maps": pa.array([[("a", 1)], None, [], [("b", 2), ("c", None)]], pa.map_(pa.string(), pa.int64())),
    "structs": pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}, {"a": 4, "b": None}]),
    "nested": pa.array([[{"a": [1]}], None, [{"a": []}, None], [{"a": [2, 3]}]]),
    "dictionary": pa.array(["a", None, "b", "c"]).dictionary_encode(),
    "nulls": pa.nulls(4),
    "runs": pa.RunEndEncodedArray.from_arrays([1, 3, 4], [1, None, 2]),
    "union": pa.UnionArray.from_sparse(pa.array([0, 1, 0, 1], pa.int8()), [pa.array([1, 2, 3, 4]), pa.array(list("abcd"))]),
}  # fmt: skip


@pytest.mark.parametrize("name", COLUMNS)
def test_slices_do_not_count(name):
    """A slice of a longer array agrees with an array of its elements alone."""
    column = COLUMNS[name]
    longer = pa.concat_arrays([column, column, column])
    for start in (0, 4, 8):
        assert fingerprint(longer[start : start + 4]) == fingerprint(column)
    assert fingerprint(column[1:3]) == fingerprint(pa.concat_arrays([column, column])[5:7])


@pytest.mark.parametrize("name", COLUMNS)
def test_chunks_do_not_count(name):
    """A column agrees with another one of equal elements, however both are cut."""
    column = COLUMNS[name]
    cuts = [[column], [column[:1], column[1:]], [column[:0], column[:3], column[3:], column[4:]]]
    digests = {fingerprint(pa.chunked_array(chunks, type=column.type)) for chunks in cuts}
    assert len(digests) == 1
    tables = {fingerprint(pa.table({"a": pa.chunked_array(chunks, type=column.type)})) for chunks in cuts}
    assert len(tables) == 1


@pytest.mark.parametrize("name", sorted(COLUMNS.keys() - {"nulls"}))
def test_order_and_length_count(name):
    """Other elements, or as many fewer, are another column."""
    column = COLUMNS[name]
    values = [column, column[1:], column[:3], pa.concat_arrays([column[:1], column[3:], column[1:3]])]
    assert len(set(map(fingerprint, values))) == 4


def test_columns_differ():
    """No two of the columns agree, as arrays or as columns of a table."""
    values = [*COLUMNS.values(), *(pa.chunked_array([column]) for column in COLUMNS.values())]
    values += [pa.table({"a": column}) for column in COLUMNS.values()]
    values += [pa.record_batch({"a": column}) for column in COLUMNS.values()]
    values += [column[0] for column in COLUMNS.values()]
    assert len(set(map(fingerprint, values))) == len(values)


def test_what_lies_under_nulls_does_not_count():
    """The bytes of a null are whatever was there."""
    valid = pa.py_buffer(b"\x01")
    hidden = [
        pa.Array.from_buffers(
            pa.int64(), 2, [valid, pa.py_buffer((1).to_bytes(8, "little") + bytes([rest] * 8))]
        )
        for rest in (0, 7)
    ]
    assert hidden[0].equals(hidden[1])
    assert fingerprint(hidden[0]) == fingerprint(hidden[1]) == fingerprint(pa.array([1, None]))


def test_texts_keep_their_borders():
    """Text is told apart where its bytes, taken together, are equal."""
    texts = [["ab", "c"], ["a", "bc"], ["abc", ""], ["abc", None], [None, "abc"]]
    assert len({fingerprint(pa.array(text)) for text in texts}) == len(texts)


def test_dictionaries_of_chunks_are_made_one():
    """Chunks with dictionaries of their own agree with one chunk."""
    parts = [pa.array(["a", "b"]).dictionary_encode(), pa.array(["b", "c"]).dictionary_encode()]
    whole = pa.array(["a", "b", "b", "c"]).dictionary_encode()
    assert fingerprint(pa.chunked_array(parts)) == fingerprint(pa.chunked_array([whole]))


@pytest.mark.parametrize(
    "values",
    [
        [pa.int64(), pa.int32(), pa.timestamp("s"), pa.timestamp("s", "UTC"), pa.list_(pa.int64()), pa.large_list(pa.int64()), pa.list_(pa.int64(), 1), pa.list_(pa.int32())],
        [pa.struct([("a", pa.int64())]), pa.struct([("b", pa.int64())]), pa.struct([pa.field("a", pa.int64(), nullable=False)]), pa.struct([("a", pa.int64()), ("b", pa.int64())]), pa.struct([("a: int64, b", pa.int64())])],
        [pa.schema([("a", pa.int64())]), pa.schema([("b", pa.int64())]), pa.schema([("a", pa.int64())], {"k": "v"}), pa.schema([pa.field("a", pa.int64(), metadata={"k": "v"})])],
        [pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.int8(), pa.string(), ordered=True), pa.dictionary(pa.int16(), pa.string())],
        [pa.scalar(1), pa.scalar(2), pa.scalar(1, pa.int8()), pa.scalar(None), pa.scalar("1"), 1],
        [pa.py_buffer(b"a"), pa.py_buffer(b"b"), b"a"],
        [pa.table({"a": [1], "b": [2]}), pa.table({"b": [2], "a": [1]}), pa.table({"a": [1], "b": [3]}), pa.table({"a": [1, 1], "b": [2, 2]})],
    ],
    ids=range(7),
)  # fmt: skip
def test_types_schemas_and_scalars_differ(values):
    """Names, nullability, units, sizes and metadata tell them apart."""
    assert len(set(map(fingerprint, values))) == len(values)

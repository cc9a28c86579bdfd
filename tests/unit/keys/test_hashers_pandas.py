"""Fingerprints of pandas' values: content decides, not how a frame came to be."""

from __future__ import annotations

# ruff: noqa: DTZ001, E501 - a family of values is one line of a table, and times without a zone are values
import copy
import datetime as dt
import pickle
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachedeco.errors import KeyingError
from cachedeco.keys.fingerprint import digest, fingerprint

# fmt: off
DIFFERENT = [
    [pd.Series([1]), pd.Series([1.0]), pd.Series([True]), pd.Series([1], dtype="i4"), pd.Series([1], dtype="Int64")],
    [pd.Series([1]), pd.Series([1], name="a"), pd.Series([1], index=[1]), pd.Series([1], index=["0"])],
    [pd.Series([1]), pd.Index([1]), pd.DataFrame([1]), pd.array([1]), np.array([1]), [1]],
    [pd.Series(["a"]), pd.Series(["a"], dtype=object), pd.Series(["a"], dtype="string"), pd.Series(["a"], dtype="category")],
    [pd.Series([None], dtype=object), pd.Series([np.nan], dtype=object), pd.Series([pd.NA], dtype=object), pd.Series([pd.NaT], dtype=object)],
    [pd.Series(["a"], dtype=pd.CategoricalDtype(values, ordered)) for values in (["a"], ["a", "b"], ["b", "a"]) for ordered in (False, True)],
    [pd.DataFrame({"a": [1], "b": [2]}), pd.DataFrame({"b": [2], "a": [1]}), pd.DataFrame({"a": [1], "c": [2]})],
    [pd.DataFrame([[1, 2]], columns=["a", "a"]), pd.DataFrame([[2, 1]], columns=["a", "a"]), pd.DataFrame([[1, 2]], columns=["a", "b"])],
    [pd.DataFrame(), pd.DataFrame(index=[0]), pd.DataFrame(columns=["a"]), pd.DataFrame({"a": []}), pd.Series(dtype=float)],
    [pd.DatetimeIndex(["2020-01-01"], tz=zone) for zone in (None, "UTC", "Europe/Berlin", "Europe/Paris", dt.timezone(dt.timedelta(hours=1)))],
    [pd.DatetimeIndex(["2020-01-01"]).as_unit(unit) for unit in ("s", "ms", "us", "ns")],
    [pd.date_range("2020", periods=3, freq="D"), pd.DatetimeIndex(list(pd.date_range("2020", periods=3, freq="D")))],
    [pd.period_range("2020", periods=1, freq=frequency) for frequency in ("D", "M", "Y")],
    [pd.interval_range(0, 1, closed=side) for side in ("left", "right", "both")],
    [pd.MultiIndex.from_tuples(rows, names=names) for rows in ([(1, "a")], [(2, "a")], [(1, "b")]) for names in (None, ["x", "y"])],
    [pd.MultiIndex.from_tuples([(1, "a")]), pd.Index([(1, "a")], tupleize_cols=False), pd.Index([1])],
    [pd.Series(pd.arrays.SparseArray(values, fill_value=fill)) for values in ([0, 1], [1, 0]) for fill in (0, 1)],
    [pd.Series([1, None], dtype="Int64"), pd.Series([None, 1], dtype="Int64"), pd.Series([1, 0], dtype="Int64"), pd.Series([1, None], dtype="Float64")],
    [pd.Timestamp("2020"), pd.Timestamp("2020", tz="UTC"), pd.Timestamp("2020").as_unit("ns"), pd.NaT, pd.NA, dt.datetime(2020, 1, 1)],
    [pd.Timedelta("1s"), pd.Timedelta("1ms"), dt.timedelta(seconds=1), pd.Period("2020"), pd.Period("2020-01"), pd.Interval(0, 1)],
    [pd.offsets.Day(1), pd.offsets.Day(2), pd.offsets.MonthEnd(1), pd.DateOffset(days=1)],
    [pd.CategoricalDtype(["a"]), pd.CategoricalDtype(["b"]), pd.Int64Dtype(), pd.StringDtype()],
    ]
# fmt: on


def frame():
    return pd.DataFrame(
        {
            "i": [3, 1, 2],
            "x": [0.5, np.nan, -0.0],
            "y": [1.5, 2.5, 3.5],
            "s": ["b", None, "ü"],
            "o": [1, "a", None],
            "t": pd.date_range("2020", periods=3, unit="us"),
            "z": pd.date_range("2020", periods=3, tz="Europe/Berlin", unit="us"),
            "c": pd.Categorical(["u", "v", "w"]),
            "n": pd.array([1, None, 3], dtype="Int64"),
            "b": pd.array([True, None, False], dtype="boolean"),
            "p": pd.period_range("2020", periods=3, freq="M"),
            "v": pd.interval_range(0, 3),
            "a": pd.array([1, None, 3], dtype=pd.ArrowDtype(pa.int64())),
        }
    )


def histories():
    whole = frame()
    doubled = pd.concat([whole, whole], ignore_index=True)
    columns = pd.DataFrame(index=range(3))
    for name in whole:
        columns[name] = whole[name]
    unsorted = whole.iloc[[2, 0, 1]]
    return {
        "copy": whole.copy(),
        "column by column": columns,
        "half of it": doubled.iloc[:3],
        "every second row": pd.concat([whole, whole])
        .sort_index(kind="stable")
        .iloc[::2]
        .reset_index(drop=True),
        "sorted": unsorted.sort_index(),
        "unpickled": pickle.loads(pickle.dumps(whole)),
        "columns back and forth": whole[list(whole)[::-1]][list(whole)],
        "two parts": pd.concat([whole.iloc[:1], whole.iloc[1:]]),
        "deep copy": copy.deepcopy(whole),
    }


@pytest.mark.parametrize("name", histories())
def test_history_does_not_count(name):
    """Frames of equal content agree, however their blocks and chunks came to be."""
    other = histories()[name]
    pd.testing.assert_frame_equal(other, frame(), check_freq=False)
    assert fingerprint(other) == fingerprint(frame())


@pytest.mark.parametrize("column", list(frame()))
def test_columns_agree_with_slices_of_longer_ones(column):
    """A series cut out of another one agrees with one made as it is."""
    whole = frame()[column]
    longer = pd.concat([whole, whole], ignore_index=True)
    assert fingerprint(longer.iloc[:3]) == fingerprint(whole)
    assert fingerprint(longer.iloc[1:4]) != fingerprint(whole)


@pytest.mark.parametrize("column", list(frame()))
@pytest.mark.parametrize("row", range(3))
def test_every_cell_counts(column, row):
    """A change of one cell changes the fingerprint."""
    changed = frame()
    changed.loc[row, column] = changed.loc[(row + 1) % 3, column]
    assert fingerprint(changed) != fingerprint(frame())


def test_wide_frames():
    """Frames of many columns are compared like others: whatever blocks, and every cell."""
    wide = pd.DataFrame(np.arange(300.0).reshape(3, 100))
    wide[7] = ["a", "b", "c"]
    wide[8] = [1, 2, 3]
    columns = pd.concat([wide[[name]] for name in wide], axis=1)
    assert fingerprint(columns) == fingerprint(wide) == fingerprint(wide.copy())
    digests = {fingerprint(wide)}
    for name in (0, 7, 8, 99):
        changed = wide.copy()
        changed.loc[2, name] = changed.loc[1, name]
        digests.add(fingerprint(changed))
    digests.add(fingerprint(wide[[1, 0, *range(2, 100)]]))
    digests.add(fingerprint(wide.set_axis([1, 0, *range(2, 100)], axis=1)))
    digests.add(fingerprint(wide.astype({5: "f4"})))
    assert len(digests) == 8


@pytest.mark.parametrize("missing", [np.nan, pd.NA], ids=["str", "string"])
@given(st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=3), max_size=6))
def test_storage_of_strings_does_not_count(missing, texts):
    """Strings in Python and strings in pyarrow agree, so a key does not depend on what is installed."""
    columns = [
        pd.Series(pd.array(texts, dtype=pd.StringDtype(storage, na_value=missing)))
        for storage in ("python", "pyarrow")
    ]
    assert fingerprint(columns[0]) == fingerprint(columns[1])
    longer = pd.concat([columns[1], columns[1]], ignore_index=True).iloc[: len(texts)]
    assert fingerprint(longer) == fingerprint(columns[0])
    assert fingerprint(columns[0][1:]) == fingerprint(columns[1][1:])


def test_strings_keep_their_borders():
    """Text is told apart where its bytes, taken together, are equal."""
    texts = [["ab", "c"], ["a", "bc"], ["abc", ""], ["abc", None], [None, "abc"], ["", "abc"]]
    for storage in ("python", "pyarrow"):
        dtype = pd.StringDtype(storage, na_value=np.nan)
        assert len({fingerprint(pd.Series(text, dtype=dtype)) for text in texts}) == len(texts)


@pytest.mark.parametrize("values", DIFFERENT, ids=range(len(DIFFERENT)))
def test_values_differ(values):
    """Type, dtype, index, names, order, unit, zone and content tell values apart."""
    assert len(set(map(fingerprint, values))) == len(values)


def test_range_index_is_an_index_of_integers():
    """Pandas compares them as equal, and so do its tests."""
    assert fingerprint(pd.RangeIndex(3)) == fingerprint(pd.Index([0, 1, 2]))
    assert fingerprint(pd.RangeIndex(3)) != fingerprint(pd.Index([0, 1, 2], dtype="i4"))


def test_unused_levels_do_not_count():
    """What rows a multi-index once had does not count."""
    product = pd.MultiIndex.from_product([[1, 2], ["a", "b"]], names=["x", "y"])
    assert len(product[:2].levels[0]) == 2
    assert fingerprint(product[:2]) == fingerprint(
        pd.MultiIndex.from_tuples([(1, "a"), (1, "b")], names=["x", "y"])
    )


def test_what_lies_under_missing_values_does_not_count():
    """A nullable column agrees with one whose missing values hide other numbers."""
    hidden = [pd.arrays.IntegerArray(np.array([1, number]), np.array([False, True])) for number in (2, 3)]
    assert fingerprint(hidden[0]) == fingerprint(hidden[1]) == fingerprint(pd.array([1, None], dtype="Int64"))


def test_attributes_and_flags_count():
    """A function can read them."""
    plain, noted, strict = frame(), frame(), frame()
    noted.attrs["source"] = "a"
    strict = strict.set_flags(allows_duplicate_labels=False)
    assert len({fingerprint(plain), fingerprint(noted), fingerprint(strict)}) == 3
    noted.attrs.clear()
    assert fingerprint(noted) == fingerprint(plain)


class Sheet(pd.DataFrame):
    """A frame with a unit."""

    _metadata = ["unit"]  # noqa: RUF012 - how pandas wants it

    @property
    def _constructor(self):
        return Sheet


def test_subclass_counts_with_its_metadata():
    """A subclass is not its base, and what it declares is part of it."""
    sheets = [Sheet({"a": [1]}) for _ in range(3)]
    sheets[1].unit, sheets[2].unit = "m", "s"
    assert len({fingerprint(value) for value in (*sheets, pd.DataFrame({"a": [1]}))}) == 4


def test_cell_that_cannot_be_digested_has_a_path():
    """The message leads to the column and the row."""
    with pytest.raises(KeyingError) as caught:
        digest(pd.DataFrame({"a": [1, 2], "b": [1, object()]}), "table")
    assert caught.value.path == "table['b'][1]"


def test_lone_surrogates_are_text():
    """Strings that pyarrow cannot hold are digested in Python."""
    column = pd.Series(["\ud800", "a"], dtype=pd.StringDtype("python", na_value=np.nan))
    other = pd.Series(["\udfff", "a"], dtype=pd.StringDtype("python", na_value=np.nan))
    assert fingerprint(column) != fingerprint(other)


def test_object_columns_agree_whoever_holds_the_strings():
    """Objects are compared, not their addresses."""
    text = sys.intern("abc")
    assert fingerprint(pd.Series([text, text], dtype=object)) == fingerprint(
        pd.Series(["".join("abc"), text], dtype=object)
    )

"""Attributes come back as they went in, and can be compared inside SQLite."""

from __future__ import annotations

import datetime
import math
import sqlite3

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachedeco import OptionError
from cachedeco.registry.attributes import decode, encode

NAMES = (
    st.text(min_size=1, max_size=8)
    .filter(lambda name: "\0" not in name)
    .filter(lambda name: name.isprintable())
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    TEXTS,
    st.binary(),
    st.dates(),
    st.datetimes(timezones=st.just(datetime.UTC)).map(lambda moment: moment.replace(fold=0)),
)


def stored(rows):
    """Send rows through a real table, as the registry does."""
    con = sqlite3.connect(":memory:")
    con.execute("CREATE TABLE a (namespace TEXT, name TEXT, kind TEXT, value)")
    con.executemany("INSERT INTO a VALUES (?, ?, ?, ?)", rows)
    found = con.execute("SELECT * FROM a").fetchall()
    con.close()
    return found


@given(st.dictionaries(NAMES, SCALARS | st.dictionaries(NAMES, SCALARS, min_size=1)))
def test_what_went_in_comes_out(attrs):
    """Value and type survive, also in namespaces and beyond 64 bits."""
    back = decode(stored(encode(attrs)))
    assert back == attrs
    assert repr(sorted(back.items(), key=repr)) == repr(sorted(attrs.items(), key=repr))


@pytest.mark.parametrize(
    "value", [True, 1, 1.0, "1", b"1", 2**63 - 1, -(2**63), 2**63, 2**200, -0.0, math.inf], ids=repr
)
def test_the_type_is_kept(value):
    """1, 1.0, True and "1" stay what they were."""
    back = decode(stored(encode({"a": value})))["a"]
    assert (type(back), back) == (type(value), value)


def test_a_number_that_is_none_comes_back():
    """SQLite alone would make NULL of it."""
    assert math.isnan(decode(stored(encode({"a": math.nan})))["a"])


def test_lists_and_deeper_dicts_come_back():
    """What JSON can hold is kept."""
    attrs = {"a": [1, "x", None, {"b": [2.5]}], "lab": {"deep": {"er": 1}}, "empty": {}, "none": []}
    assert decode(stored(encode(attrs))) == attrs


def test_a_tuple_or_set_comes_back_as_a_list():
    """JSON knows no other; the order of a set is made stable."""
    assert decode(stored(encode({"t": (1, 2), "s": {3, 1}}))) == {"t": [1, 2], "s": [1, 3]}


def test_a_scalar_of_numpy_is_a_plain_number():
    """Measurements often are."""
    back = decode(stored(encode({"i": np.int64(3), "f": np.float32(0.5), "b": np.bool_(True)})))
    assert (back, [type(each) for each in back.values()]) == (
        {"i": 3, "f": 0.5, "b": True},
        [int, float, bool],
    )


def test_a_time_without_a_zone_is_local_time():
    """It is stored as the moment that it is here."""
    moment = datetime.datetime(2026, 7, 1, 12)  # noqa: DTZ001 - that is the case
    assert decode(stored(encode({"t": moment})))["t"] == moment.astimezone(datetime.UTC)


def test_times_of_different_zones_compare_as_moments():
    """Their order in SQLite is the order in time."""
    zone = datetime.timezone(datetime.timedelta(hours=5))
    early, late = (
        datetime.datetime(2026, 1, 1, 4, tzinfo=zone),
        datetime.datetime(2026, 1, 1, 0, tzinfo=datetime.UTC),
    )
    assert encode({"t": early})[0][3] < encode({"t": late})[0][3]


@pytest.mark.parametrize(
    "value", [object(), [object()], [b"x"], {"a": {"b": object()}}, 1j], ids=["a", "b", "c", "d", "e"]
)
def test_what_cannot_be_stored_is_refused_by_name(value):
    """The error says which attribute, what it is, and what would do."""
    with pytest.raises(OptionError, match=r"attribute '\w+' cannot be a \w+"):
        encode({"a": value})


@pytest.mark.parametrize("attrs", [{1: 2}, {"": 2}, {"a": {1: 2}}, {"a": {"": 1}}], ids=repr)
def test_a_name_is_a_text(attrs):
    """Neither a number nor nothing."""
    with pytest.raises(OptionError, match="name of an attribute"):
        encode(attrs)


@pytest.mark.parametrize("attrs", [[1], "text", 5, None], ids=repr)
def test_attributes_are_a_mapping(attrs):
    """Anything else is named."""
    with pytest.raises(OptionError, match="attrs must map names to values"):
        encode(attrs)


def test_a_name_cannot_be_both_a_value_and_a_namespace():
    """The two have places of their own, so neither hides the other."""
    rows = encode({"a": {"b": 1}, "b": 2})
    assert decode(stored(rows)) == {"a": {"b": 1}, "b": 2}

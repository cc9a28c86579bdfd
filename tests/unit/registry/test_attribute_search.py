"""Searching by attributes: what each operator finds, and that nothing but values goes in."""

from __future__ import annotations

import datetime
import math
import operator
import re
import sqlite3

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachedeco import OptionError, Status
from cachedeco.registry.attribute_search import condition
from cachedeco.registry.attributes import encode
from cachedeco.registry.operators import MOST_VALUES
from cachedeco.registry.statements import read

NOON = datetime.datetime(2026, 7, 1, 12, 0, 0, 250, tzinfo=datetime.UTC)
DAY = datetime.date(2026, 7, 1)


def registry(*each_attrs):
    """A registry with one item for each set of attributes, numbered from 1."""
    con = sqlite3.connect(":memory:")
    con.executescript(read("schema.sql") + "INSERT INTO uris VALUES (1, 'u')")
    for number, attrs in enumerate(each_attrs, 1):
        con.execute(
            "INSERT INTO items (id, key, version, status, scope, token, created, attempts, uri, params) "
            "VALUES (?, x'', ?, 3, x'', x'', 0, 0, 1, '{}')",
            (number, number),
        )
        for row in encode(attrs):
            con.execute("INSERT INTO attributes VALUES (?, ?, ?, ?, ?)", (number, *row))
    return con


def found(con, wanted):
    sql, parameters = condition(wanted) or ("1", [])
    return {row[0] for row in con.execute(f"SELECT i.id FROM items AS i WHERE {sql}", parameters)}


def finds(stored, wanted):
    """Whether an item with an attribute ``a`` is found by what is wanted of it."""
    con = registry({"a": stored})
    try:
        return found(con, wanted if isinstance(wanted, dict) else {"a": wanted}) == {1}
    finally:
        con.close()


@pytest.fixture
def samples():
    con = registry(
        {"project": "alpha", "batch": 1, "score": 0.95},
        {"project": "alpha", "batch": 2, "score": 0.71},
        {"project": "beta", "batch": 3.0, "lab": {"city": "Bonn", "batch": 9}},
        {"none": None, "name": "name"},
    )
    yield con
    con.close()


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({}, {1, 2, 3, 4}),
        ({"project": "alpha"}, {1, 2}),
        ({"project": "alpha", "batch": 2}, {2}),
        ({"batch": 2.0}, {2}),
        ({"batch": 3}, {3}),
        ({"batch>=": 2}, {2, 3}),
        ({"batch >=": 2}, {2, 3}),
        ({"batch<=": 2}, {1, 2}),
        ({"batch<": 2}, {1}),
        ({"batch>": 2}, {3}),
        ({"batch=": 2}, {2}),
        ({"batch==": 2}, {2}),
        ({"batch<>": 2}, {1, 3}),
        ({"batch!=": 2}, {1, 3}),
        ({"batch": (">=", 2)}, {2, 3}),
        ({"batch": ("!=", 2)}, {1, 3}),
        ({"batch": [1, 2]}, {1, 2}),
        ({"batch": {1, 2}}, {1, 2}),
        ({"batch": []}, set()),
        ({"batch": [1, "x", None]}, {1}),
        ({"batch!=": [1, 2]}, {3}),
        ({"batch>": [2, 1]}, {2, 3}),
        ({"batch": ("in", (1, 3))}, {1, 3}),
        ({"batch": ("between", 2, 3)}, {2, 3}),
        ({"batch": ("between", [2, 3])}, {2, 3}),
        ({"project": ("like", "%ph%")}, {1, 2}),
        ({"project": ("LIKE", "b_ta")}, {3}),
        ({"score": ("exists",)}, {1, 2}),
        ({"score": ("exists", False)}, {3, 4}),
        ({"__and": False, "batch": 1, "project": "beta"}, {1, 3}),
        ({"__and": True, "batch": 1, "project": "beta"}, set()),
        ({"__and": False}, {1, 2, 3, 4}),
        ({"lab": {"city": "Bonn"}}, {3}),
        ({"lab": {"batch>": 8, "city": ["Bonn", "Ulm"]}}, {3}),
        ({"lab": {"project": "beta"}}, set()),
        ({"city": "Bonn"}, {3}),
        ({"batch": 9}, {3}),
        ({"none": None}, {4}),
        ({"project": None}, set()),
        ({"project": "name"}, set()),
        ({"name": "name"}, {4}),
    ],
    ids=repr,
)
def test_what_is_found(samples, wanted, numbers):
    """D7, D35: each operator, as a suffix and as a tuple; a value is never taken for a column."""
    assert found(samples, wanted) == numbers


SAME = [
    (1, 1.0),
    (1.0, 1),
    (1, np.int64(1)),
    (0.5, np.float32(0.5)),
    (True, True),
    ("123", "123"),
    (123, 123),
    ("", ""),
    ("NULL", "NULL"),
    ("it's", "it's"),
    ('"', '"'),
    (None, None),
    (b"ab", b"ab"),
    (NOON, NOON),
    (NOON, NOON.astimezone(datetime.timezone(datetime.timedelta(hours=-5)))),
    (DAY, DAY),
    (2**63 - 1, 2**63 - 1),
    (-(2**63), -(2**63)),
    (2**63, 2**63),
    (2**63, float(2**63)),
    (float(2**63), 2**63),
    (10**400, 10**400),
    (math.nan, math.nan),
    (math.inf, math.inf),
    (-0.0, 0),
    (Status.READY, 3),
    ([1, 2], ("=", [1, 2])),
    ({}, {}),
]


@pytest.mark.parametrize(("stored", "wanted"), SAME, ids=repr)
def test_equal_values_are_found(stored, wanted):
    """D34, D35: of every type, and numbers by their value."""
    assert finds(stored, {"a": wanted})


DIFFERENT = [
    (1, True),
    (True, 1),
    (1, "1"),
    ("123", 123),
    (123, "123"),
    ("None", None),
    (None, "None"),
    ("NULL", None),
    (b"ab", "ab"),
    (DAY, "2026-07-01"),
    (DAY, datetime.datetime(2026, 7, 1, tzinfo=datetime.UTC)),
    (NOON, NOON.replace(microsecond=251)),
    (2**63, str(2**63)),
    (2**53 + 1, float(2**53)),
    ([1, 2], ("=", [2, 1])),
    ("a", "A"),
    ("a\n\n  b", "a b"),
]


@pytest.mark.parametrize(("stored", "wanted"), DIFFERENT, ids=repr)
def test_different_values_are_not_found(stored, wanted):
    """D8, D34, D35: nor values of another type that look alike."""
    assert not finds(stored, {"a": wanted})
    assert finds(stored, {"a": ("!=", wanted if not isinstance(wanted, tuple) else wanted[1])})


ORDERED = st.one_of(
    st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1)),
    st.tuples(st.floats(allow_nan=False), st.integers(-(2**63), 2**63 - 1)),
    st.tuples(st.integers(-(2**80), 2**80), st.integers(-1000, 1000)),
    st.tuples(st.integers(-(2**80), 2**80), st.sampled_from([math.inf, -math.inf])),
    st.tuples(*[st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))] * 2),
    st.tuples(*[st.binary()] * 2),
    st.tuples(*[st.dates()] * 2),
    st.tuples(
        *[st.datetimes(timezones=st.just(datetime.UTC)).map(lambda moment: moment.replace(fold=0))] * 2
    ),
)
WORDS = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    "!=": operator.ne,
}


@given(ORDERED, st.sampled_from(sorted(WORDS)))
def test_an_operator_means_what_it_means_in_python(pair, word):
    """Numbers of all sizes, texts, bytes, dates and times."""
    stored, wanted = pair
    assert finds(stored, {"a": (word, wanted)}) is WORDS[word](stored, wanted)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"a": ("; DROP TABLE items", 1)}, "operators are"),
        ({"a": ("= 1 OR 1 =", 1)}, "operators are"),
        ({"a": (1, 2)}, "give a list"),
        ({"a": ()}, "operators are"),
        ({"a": (">=",)}, "0 values"),
        ({"a": (">=", 1, 2)}, "2 values"),
        ({"a>=": (">=", 1)}, "has an operator already"),
        ({"a": ("between", 1)}, "low, high"),
        ({"a": ("between", [1])}, "low, high"),
        ({"a": ("like", 1)}, "compares text"),
        ({"a": ("in", 1)}, "list of values"),
        ({"a": ("in", "abc")}, "list of values"),
        ({"a": ("exists", 1)}, "exists"),
        ({"a>=": None}, "no order"),
        ({"a>": math.nan}, "no order"),
        ({"a<": {"x": 1}}, "no order"),
        ({"a>": 2**64}, "64 bits"),
        ({"a>": 1e300}, "64 bits"),
        ({"a": 1j}, "cannot be a complex"),
        ({"a": list(range(MOST_VALUES + 1))}, "at most"),
        ({"": 1}, "name of an attribute"),
        ({">=": 1}, "name of an attribute"),
        ({1: 1}, "name of an attribute"),
        ({"a": {"": 1}}, "name of an attribute"),
        ({"a": {1: 1}}, "name of an attribute"),
        ({"__and": 0}, "True for all or False"),
        ([("a", 1)], "must map names"),
    ],
    ids=lambda case: re.sub(" at 0x[0-9a-f]+", "", repr(case))[:60],
)
def test_what_cannot_be_searched_is_refused(wanted, message):
    """In a sentence that says what would do."""
    with pytest.raises(OptionError, match=message):
        condition(wanted)


WORDING = re.compile(
    r"(?:[ ().,?=<>+01]|IN|EXISTS|UNION ALL|SELECT|FROM|WHERE|AND|OR|NOT|LIKE|i\.id|item|attributes|name|namespace"
    r"|kind|value|'(?:int|float|long|nan|str|none)'|'-%'|'')*"
)


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
            lambda name: name.rstrip("=<>! ")
        ),
        st.text(st.characters(exclude_categories=["Cs"])) | st.integers(-(2**62), 2**62),
        max_size=3,
    )
)
def test_only_values_differ_between_two_searches(wanted):
    """D6: no name and no value is ever part of the SQL text."""
    made = condition(wanted)
    if made is not None:
        sql, parameters = made
        assert WORDING.fullmatch(sql)
        assert sql.count("?") == len(parameters)


def test_the_dict_of_the_caller_is_not_changed():
    """D21: it may be used again."""
    wanted = {"__and": False, "a>=": [1, 2], "lab": {"x": ("in", [1])}}
    before = repr(wanted)
    condition(wanted)
    assert repr(wanted) == before


def test_many_values_are_found_at_once():
    """As many as may be listed."""
    con = registry(*({"a": number} for number in range(5)))
    assert found(con, {"a": [*range(2, MOST_VALUES)]}) == {3, 4, 5}
    con.close()


@pytest.mark.parametrize(
    "wanted", [{"a": 1}, {"a>": 1}, {"a": [1, 2]}, {"lab": {"a": "x"}}, {"a": 1, "b": 2}], ids=repr
)
def test_an_index_answers(wanted):
    """Items are looked up by number, attributes by name and value."""
    con = registry()
    sql, parameters = condition(wanted)
    plan = con.execute(f"EXPLAIN QUERY PLAN SELECT i.id FROM items AS i WHERE {sql}", parameters).fetchall()
    steps = [row[3] for row in plan]
    con.close()
    assert any("INTEGER PRIMARY KEY" in step for step in steps)
    assert any("attributes_value (name=? AND value" in step for step in steps)
    assert not [step for step in steps if step.startswith("SCAN")]

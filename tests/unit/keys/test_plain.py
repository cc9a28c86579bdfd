"""The encoding of plain values: what it takes, and that a value can be read back from it."""

from __future__ import annotations

import array
import collections
import enum
import io
import marshal
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachedeco.keys import plain
from cachedeco.keys.plain import encode

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-2, 2)
    | st.floats()
    | st.complex_numbers()
    | st.text(st.characters())
    | st.binary(max_size=4)
    | st.just(...)
)
NAMES = st.sampled_from(["a", "b", "c", "\ud800"])
KEYS = (
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.floats(allow_nan=False)
    | NAMES
    | st.binary(max_size=1)
)
VALUES = st.recursive(
    LEAVES | st.sets(KEYS, max_size=3) | st.frozensets(KEYS, max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=3)
        | st.dictionaries(NAMES, inner, max_size=3)
        | st.lists(st.fixed_dictionaries({"a": inner, "b": inner}), min_size=16, max_size=18)
    ),
    max_leaves=20,
)


class Reader:
    """Reads a value back from its encoding. That this is possible proves that no two values share one."""

    def __init__(self, encoded):
        self.stream = io.BytesIO(encoded)

    def read(self):
        first = self.stream.read(1)
        if first == plain.FLAT_DICT:
            names, values = marshal.load(self.stream)  # noqa: S302 - what was just written
            value = dict(zip(names, values, strict=True))
        elif first == plain.NESTED:
            value = self.read_columns()
        else:
            self.stream.seek(0)
            value = marshal.load(self.stream)  # noqa: S302 - what was just written
        assert not self.stream.read()
        return value

    def read_columns(self):
        root = Column(1)
        met = [root]
        for column in met:
            column.read(marshal.load(self.stream))  # noqa: S302 - what was just written
            met += column.following
        return root.nodes()[0]


class Column:
    """Nodes that stand side by side. Their parts are in later columns."""

    def __init__(self, count):
        self.count = count
        self.following = []

    def read(self, record):
        # A leaf is never a list, and in what describes containers the second entry is always one.
        if not any(type(entry) is list for entry in record):
            assert len(record) == self.count
            self.nodes = lambda: record
            return
        mixed = type(record[0]) is bytes
        codes = list(record[0]) if mixed else [record[0]] * self.count
        leaves, facts = (record[1], record[2:]) if mixed else ([], record[1:])
        makers = {code: self.members(code, facts.pop(0)) for code in sorted(set(codes) - {0})}
        assert not facts

        def nodes():
            members = {0: iter(leaves)} | {code: iter(make()) for code, make in makers.items()}
            return [next(members[code]) for code in codes]

        self.nodes = nodes

    def members(self, code, facts):
        if code >= 4:
            return lambda: [(set if code == 4 else frozenset)(elements) for elements in facts]
        if code == 3 and facts and type(facts[0]) is str:
            columns = [self.follow(self.count) for _ in facts]
            rows = lambda: zip(*(column.nodes() for column in columns), strict=True)  # noqa: E731 - is in a table
            return lambda: [dict(zip(facts, row, strict=True)) for row in rows()]
        lengths = list(map(len, facts)) if code == 3 else facts
        column = self.follow(sum(lengths))

        def make():
            parts = iter(column.nodes())
            rows = [[next(parts) for _ in range(length)] for length in lengths]
            if code == 3:
                return [dict(zip(keys, row, strict=True)) for keys, row in zip(facts, rows, strict=True)]
            return [tuple(row) for row in rows] if code == 1 else rows

        return make

    def follow(self, count):
        self.following.append(Column(count))
        return self.following[-1]


def exact(value):
    """Return a form of a value that is equal for equal types, bits and contents only."""
    kind = type(value)
    if kind is float:
        return kind, struct.pack("d", value)
    if kind is complex:
        return kind, struct.pack("dd", value.real, value.imag)
    if kind in (tuple, list):
        return kind, tuple(map(exact, value))
    if kind is dict:
        return kind, frozenset((exact(key), exact(part)) for key, part in value.items())
    if kind in (set, frozenset):
        return kind, frozenset(map(exact, value))
    return kind, value


def reordered(value):
    """Return an equal value whose dicts and sets were filled the other way round."""
    kind = type(value)
    if kind in (tuple, list):
        return kind(map(reordered, value))
    if kind is dict:
        return {key: reordered(value[key]) for key in reversed(list(value))}
    if kind in (set, frozenset):
        return kind(reversed(list(value)))
    return value


@given(VALUES)
def test_value_can_be_read_back(value):
    """An encoding holds the whole value, with exact types, so different values have different ones."""
    assert exact(Reader(encode(value)).read()) == exact(value)


@given(VALUES)
def test_order_of_dicts_and_sets_does_not_count(value):
    """Equal values that were made in another order have one encoding."""
    assert encode(reordered(value)) == encode(value)


@given(VALUES, VALUES)
def test_encodings_agree_exactly_where_values_do(left, right):
    """Two values have one encoding if and only if they are equal in type and content."""
    assert (encode(left) == encode(right)) == (exact(left) == exact(right))


@given(VALUES)
def test_no_encoding_begins_with_zero(value):
    """The zero byte is left to encodings of other values."""
    assert encode(value)[:1] != b"\0"


class Text(str):
    """A subclass is not its base."""

    __slots__ = ()


class Number(enum.IntEnum):
    """An int that is more."""

    ONE = 1


@pytest.mark.parametrize(
    "value",
    [
        bytearray(b"a"),
        memoryview(b"a"),
        array.array("b", b"a"),
        np.float64(1),
        np.int64(1),
        np.str_("a"),
        np.bytes_(b"a"),
        np.array([1]),
        Text("a"),
        Number.ONE,
        collections.OrderedDict(a=1),
        collections.namedtuple("Point", "x")(1),  # noqa: PYI024 - the usual way
        range(3),
        int,
        object(),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize(
    "place",
    [
        lambda value: value,
        lambda value: (1, value),
        lambda value: [value],
        lambda value: {"a": value},
        lambda value: {"a": [1, (value,)]},
        lambda value: [{"a": value}] * 20,
        lambda value: [{"a": 1}] * 20 + [{"a": value}],
    ],
    ids=["alone", "in a tuple", "in a list", "in a dict", "deep", "in a column", "last in a column"],
)
def test_what_is_not_plain_is_refused_wherever_it_stands(value, place):
    """What marshal would take for bytes, and subclasses of plain types, never get into an encoding."""
    assert encode(place(value)) is None


@pytest.mark.parametrize(
    "key", [Text("a"), Number.ONE, np.int64(1), (1, 2)], ids=["str", "enum", "numpy", "tuple"]
)
def test_key_that_is_no_leaf_is_refused(key):
    """Keys and elements are proven like values."""
    assert encode({key: 1}) is None
    assert encode([{"a": 1}] * 20 + [{key: 1}]) is None
    assert encode({key}) is None
    assert encode([frozenset({key})]) is None


def test_string_subclass_among_equal_keys_is_refused():
    """A key that equals the others, but is of another type, is not taken for one of them."""
    assert encode([{"a": 1}] * 20) is not None
    assert encode([{"a": 1}] * 20 + [{Text("a"): 1}]) is None


def test_aliases_and_copies_agree():
    """It does not matter whether two parts are one object."""
    part = [1, "x" * 2]
    assert encode([part, part]) == encode([part, list(part)])


def test_interned_strings_and_others_agree():
    """How Python keeps a string does not count."""
    text = str(b"abcd", "ascii")
    assert encode(["abcd", text]) == encode([text, "abcd"])


def test_cycle_is_not_plain():
    """A value that contains itself has no end to write."""
    value = []
    value.append(value)
    assert encode(value) is None


def test_depth_is_limited_by_the_value():
    """At the limit of depth a value is still plain, one level further it is not, however it is stored."""

    def nest(depth):
        value = 1
        for _ in range(depth):
            value = [value]
        return value

    deepest = plain.MAX_DEPTH - 1
    assert Reader(encode(nest(deepest))).read() == nest(deepest)
    assert encode(nest(deepest + 1)) is None


def test_number_of_nodes_is_limited_by_the_value(monkeypatch):
    """Aliases count as often as copies would, so that both are plain or neither is."""
    monkeypatch.setattr(plain, "MAX_NODES", 100)
    shared = [1] * 10
    assert encode([shared] * 10) is not None
    assert encode([shared] * 11) is None
    assert encode([list(shared) for _ in range(11)]) is None


def test_values_too_large_for_marshal_are_refused(monkeypatch):
    """Where marshal has no room for a value it is not plain, instead of an error."""

    def no_room(*_):
        raise ValueError("unmarshallable object")

    monkeypatch.setattr(plain, "dumps", no_room)
    assert encode("large") is None
    assert encode([["large"]]) is None

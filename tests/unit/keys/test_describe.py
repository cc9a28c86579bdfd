"""Descriptions of parameters for people."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import json
import pathlib
import uuid
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachedeco.keys import content
from cachedeco.keys.describe import describe, preview, type_name
from cachedeco.keys.fingerprint import fingerprint
from cachedeco.keys.markers import KeyBy


class Hostile:
    """Has a repr that must not be called, or it would be seen."""

    def __init__(self) -> None:
        self.password = "hidden"  # noqa: S105

    def __repr__(self) -> str:
        raise AssertionError(self.password)

    def __cachedeco_key__(self) -> object:
        return 1


class Color(enum.Enum):
    """An enumeration."""

    RED = 1


@dataclasses.dataclass
class Settings:
    """Hides a field in its repr."""

    rate: float
    names: list[str]
    password: str = dataclasses.field(default="hidden", repr=False)


@dataclasses.dataclass
class Discreet:
    """Hides all with a repr written by hand."""

    password: str

    def __repr__(self) -> str:
        return "Discreet()"


Point = collections.namedtuple("Point", "x y")  # noqa: PYI024


@pytest.mark.parametrize(
    ("value", "kind"),
    [(None, "NoneType"), (True, "bool"), (3, "int"), (-1.5, "float"), ("a\n\u00e9", "str"), ("", "str")],
)
def test_scalars_and_short_texts_are_there_themselves(value, kind):
    """With digest, type and preview."""
    entry = describe({"x": value})["x"]
    assert entry == {"digest": fingerprint(value), "type": kind, "preview": repr(value), "value": value}


@pytest.mark.parametrize(
    "value",
    [
        "x" * 201,
        "\ud800",
        float("nan"),
        float("inf"),
        2**63,
        1j,
        b"a",
        [1],
        Color.RED,
        np.float64(1.5),
        datetime.date(2013, 1, 1),
    ],
    ids=repr,
)
def test_other_values_are_not(value):
    """What JSON or SQLite would change or refuse is left to the preview."""
    assert "value" not in describe({"x": value})["x"]


def test_of_secrets_there_is_the_digest_alone():
    """Neither type nor preview."""
    described = describe({"x": 1, "token": "abc"}, secrets=frozenset({"token"}))
    assert described["token"] == {"digest": fingerprint("abc")}
    assert described["x"]["value"] == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([1, "a", None], "[1, 'a', None]"),
        ((1,), "(1,)"),
        ((), "()"),
        ({}, "{}"),
        (set(), "set()"),
        (frozenset({1}), "frozenset({1})"),
        ({"b", "a"}, "{'a', 'b'}"),
        ({"a": [1.5]}, "{'a': [1.5]}"),
        (list(range(100)), "[" + ", ".join(map(str, range(20))) + ", ...]"),
        ([[[[[1]]]]], "[[[[...]]]]"),
        (b"abc", "b'abc'"),
        (range(3), "range(0, 3)"),
        (10**1000, "<int of 3322 bits>"),
        (set(range(5000)), "<set of 5000>"),
        (Color.RED, "Color.RED"),
        (Point(1, [2]), "Point(x=1, y=[2])"),
        (Settings(0.5, ["a"]), "Settings(rate=0.5, names=['a'])"),
        (Discreet("hidden"), f"<{__name__}.Discreet>"),
        (decimal.Decimal("1.0"), "Decimal('1.0')"),
        (datetime.date(2013, 1, 2), "datetime.date(2013, 1, 2)"),
        (pathlib.PurePosixPath("a"), "PurePosixPath('a')"),
        (uuid.UUID(int=1), "UUID('00000000-0000-0000-0000-000000000001')"),
        (len, "<builtins.len>"),
        (dict, "<builtins.dict>"),
        (fingerprint, "<cachedeco.keys.fingerprint.fingerprint>"),
        (Hostile(), f"<{__name__}.Hostile>"),
        ([Hostile()], f"[<{__name__}.Hostile>]"),
        (np.zeros((2, 3)), "<ndarray float64 (2, 3)>"),
        (np.array(5), "ndarray(5)"),
        (np.int64(5), "int64(5)"),
        (np.str_("a"), "str_('a')"),
        (pd.Series([1, 2]), "<Series int64 (2)>"),
        (pd.DataFrame({"a": [1], "b": [2]}), "<DataFrame (1, 2) ['a', 'b']>"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else value[:30],
)
def test_previews(value, text):
    """Short and telling, without calling what others wrote."""
    assert preview(value) == text


def test_previews_of_huge_values_are_quick_and_short():
    """A text of 50 MB, a million rows, a repr that goes on for ever."""
    huge = "x" * 50_000_000
    frame = pd.DataFrame({f"column {number}": [number] for number in range(1000)})
    cycle: list[Any] = []
    cycle.append(cycle)
    values = [
        huge,
        [huge] * 10,
        {huge: huge},
        [[0] * 1000] * 1000,
        frame,
        cycle,
        (cycle, {"a": cycle}),
        [10**50_000],
    ]
    for value in values:
        assert len(preview(value)) <= 200


_nested = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.builds(Hostile),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=50,
)


@given(_nested)
def test_every_description_is_json(value):
    """Of at most 200 characters, which UTF-8 can hold, and the value comes back as it was."""
    entry: Any = describe({"x": value})["x"]
    restored = json.loads(json.dumps(entry, ensure_ascii=False, allow_nan=False).encode())
    assert restored == entry
    assert len(entry["preview"]) <= 200
    if "value" in entry:
        assert type(restored["value"]) is type(value)
        assert restored["value"] == value


def test_a_preview_that_fails_shows_the_type():
    """A broken shape or dtype must not keep a result from being stored."""

    class Broken:
        __module__ = "numpy"
        __qualname__ = "broken"

        @property
        def shape(self):
            raise RuntimeError

    assert preview([Broken()]) == "<builtins.list>"
    assert preview(Broken()) == "<numpy.broken>"


def test_stand_ins_show_what_they_stand_for(tmp_path):
    """The path and size of a file, the value of KeyBy."""
    path = tmp_path / "a"
    path.write_text("text")
    stand_in = content.of(path, "x")
    assert (type_name(stand_in), preview(stand_in)) == ("file", f"{path} (4 bytes)")
    assert type_name(content.of([path], "x")) == "list of files"
    assert preview(content.of([path], "x")) == f"[{path} (4 bytes)]"
    keyed = KeyBy(len).stand_in("abc")
    assert (type_name(keyed), preview(keyed)) == ("int", "3")


def test_types_are_called_by_their_full_name():
    """Except for the built-in ones."""
    assert type_name(pathlib.PurePosixPath()) == f"{pathlib.PurePosixPath.__module__}.PurePosixPath"
    assert type_name([]) == "list"

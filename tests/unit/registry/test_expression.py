"""Conditions as text: what they find, and how errors point at the place."""

from __future__ import annotations

import datetime
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachedeco import Cache, QueryError, Status, cached
from cachedeco.registry.expression import Comparison, Joined, Not, parse

UTC = datetime.UTC


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A cache with items of many kinds, named by their labels a, b, c, d; one in the trash."""
    cache = Cache(tmp_path_factory.mktemp("expression") / "cache")
    facts = {
        "a": ({"x": 1, "kind": "plain"}, {"batch": 1, "project": "alpha", "ok": True}),
        "b": ({"x": 2.5, "kind": "it's"}, {"batch": 2.0, "project": "beta", "lab": {"city": "Bonn"}}),
        "c": ({"x": "1", "deep name": True}, {"batch": "2", "day": datetime.date(2026, 1, 31)}),
        "d": ({}, {"when": datetime.datetime(2026, 2, 1, 12, tzinfo=UTC), "project": "and", "note": None}),
    }
    for label, (params, attrs) in facts.items():
        item = cache.create(
            f"demo://{label}", params=params, attrs=attrs, label=label, filename="f", ext=None
        )
        item.path.write_bytes(b"x" * 10 ** (ord(label) - ord("a")) * 900)
        if label != "d":
            item.ready()
    item = cache.create("demo://a", label="gone", filename="f")
    item.remove()
    yield cache
    cache.close()


CASES = {
    "label = a": "a",
    "label == 'a'": "a",
    "label != a": "b c d",
    "label <> a and label <> b": "c d",
    "not label = a": "b c d",
    "label in (a, 'c')": "a c",
    "label not in (a, c)": "b d",
    "label like 'A%'": "a",
    "label between b and c": "b c",
    "label > b": "c d",
    "uri = demo://b": "b",
    "uri like '%//c'": "c",
    "uri != demo://b": "a c d",
    "status = ready": "a b c",
    "status in (READY, uninitialized)": "a b c d",
    "status = 3": "a b c",
    "status = trash": "gone",
    "not status = ready": "d gone",
    "size > 1kB": "b c",
    "size >= 9kb and size < 1 000": None,
    "size >= 9KB": "b c",
    "size < 1KiB": "a",
    "version = 1": "a b c d",
    "pinned = false": "a b c d",
    "took exists": "",
    "not took exists": "a b c d",
    "cause = raised": "",
    "not cause = raised": "a b c d",
    "created > 2020-01-01": "a b c d",
    "created between 2020-01-01 and 2020-01-02T12:00": "",
    "age < 1d": "a b c d",
    "age > 2h": "",
    "age between 0s and 2h": "a b c d",
    "batch = 1": "a",
    "batch = 1.0": "a",
    "batch = 2": "b",
    "batch = '2'": "c",
    "batch >= 1": "a b",
    "batch in (1, '2')": "a c",
    "batch between 1 and 1.5": "a",
    "batch exists": "a b c",
    "not batch exists": "d",
    "project = alpha or batch = 2": "a b",
    "project = 'and'": "d",
    "project like '%a'": "a b",
    "ok = true": "a",
    "ok = 1": "",
    "note = none": "d",
    "attrs.project = beta": "b",
    "lab.city = Bonn": "b",
    "attrs.lab.city = Bonn": "b",
    "city = Bonn": "b",
    "day = 2026-01-31": "c",
    "day >= 2026-01-01": "c",
    "when > 2026-01-01": "d",
    "when < 2026-02-01T12:00:01+00:00": "d",
    "params.x = 1": "a",
    "params.x = '1'": "c",
    "params.x > 2": "b",
    "params.x > ''": "c",
    "params.x = none": "",
    "params.kind = 'it''s'": "b",
    'params.kind = "it\'s"': "b",
    "params.kind exists": "a b",
    "params.x between 1 and 2": "a",
    "(label = a or label = b) and batch = 2": "b",
    "label = a or label = b and batch = 3": "a",
    "NOT NOT label = a": "a",
    "label = a AND (NOT (label = b))": "a",
}


@pytest.mark.parametrize(("text", "found"), [case for case in CASES.items() if case[1] is not None])
def test_a_condition_finds(filled, text, found):
    """What it says."""
    assert [item.label for item in filled.search(where=text)] == found.split()


def test_the_text_may_hold_anything(filled):
    """Nothing of it reaches the database as anything but a value."""
    hostile = "x'; DROP TABLE items; --"
    quoted = hostile.replace("'", "''")
    for name in ("label", "hostile", "params.a", "uri", "attrs.b"):
        assert filled.search(where=f"{name} = '{quoted}' or {name} like '{quoted}'") == []
    name = hostile.replace('"', '""')
    assert filled.search(where=f'"{name}" = 1') == []
    assert len(filled.search()) == 4


WRONG = {
    "": (0, "a name is expected"),
    "   ": (3, "a name is expected"),
    "label": (5, "an operator is expected"),
    "label = ": (8, "a value is expected"),
    "label = a b": (10, "`and`, `or` or the end"),
    "label = a and": (13, "a name is expected"),
    "= a": (0, "a name is expected"),
    "and = a": (0, "a name is expected"),
    "(label = a": (0, "this bracket is not closed"),
    "label = a)": (9, "`and`, `or` or the end"),
    "label in a": (9, "needs values in brackets"),
    "label in (a": (9, "this bracket is not closed"),
    "label in (a b)": (12, "a comma or a closing bracket"),
    "label in ()": (10, "a value is expected"),
    "label not like a": (10, "`in` is expected"),
    "label between a": (15, "two values with `and`"),
    "label = 'a": (8, "this quote is not closed"),
    "label ~ a": (6, "an operator is expected"),
    "label ! a": (6, "this sign means nothing here"),
    "status = reddy": (9, "there is no 'reddy'; there are UNINITIALIZED"),
    "size > 10MBB": (7, "units are b, kb"),
    "size like '1%'": (10, "`like` compares text"),
    "took < soon": (7, "a length of time"),
    "created > yesterday": (10, "a time like 2026-01-31"),
    "key = xyz": (6, "not hex digits"),
    "pinned = 2": (9, "neither true nor false"),
    "label = a and version = one": (24, "is not a number"),
    "note > none": (0, "has no order"),
    "params.x > none": (11, "compares numbers"),
    "(" * 200: (100, "nested more than 100 deep"),
}


@pytest.mark.parametrize(("text", "told"), WRONG.items())
def test_an_error_points_at_the_place(filled, text, told):
    """With a mark below the first character that does not fit."""
    with pytest.raises(QueryError) as raised:
        filled.search(where=text)
    message, shown, mark = str(raised.value).split("\n")
    assert (raised.value.at, mark) == (told[0], "  " + " " * told[0] + "^")
    assert shown == "  " + text
    assert told[1] in message


def test_an_error_survives_pickling(filled):
    """With its facts."""
    with pytest.raises(QueryError) as raised:
        filled.search(where="label = ")
    again = pickle.loads(pickle.dumps(raised.value))
    assert (again.text, again.at, str(again)) == ("label = ", 8, str(raised.value))


def test_who_computed_is_a_field(cache):
    """User, host, program and commit of the process."""

    @cached(cache=cache)
    def f(x):
        return x

    f(1)
    maker = f.item(1).made_by
    assert cache.search(where=f"user = '{maker['user']}' and host = '{maker['host']}' and params.x = 1")
    assert not cache.search(where="user = nobody_at_all")


def test_remove_and_update_take_a_condition(cache):
    """As search does."""
    for label in ("a", "b"):
        cache.create("demo://x", params={"l": label}, label=label, filename="f").ready()
    assert cache.update(where="label = a", update={"attrs": {"seen": True}}) == 1
    assert cache.remove(where="seen = true") == 1
    assert [item.label for item in cache.search()] == ["b"]
    assert cache.search(where="status = trash")[0].status == Status.TRASH


names = st.sampled_from(["label", "batch", "project"])
texts = st.sampled_from(["a", "b", "c", "alpha", "beta", "zz"])
numbers = st.integers(-1, 3)
tests = st.one_of(
    st.tuples(st.just("label"), st.sampled_from(["=", "!=", "<", ">="]), texts),
    st.tuples(st.just("project"), st.sampled_from(["=", "!=", "<", ">="]), texts),
    st.tuples(st.just("batch"), st.sampled_from(["=", "!=", "<", ">="]), numbers),
)
trees = st.recursive(
    tests,
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner),
        st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3)),
    ),
    max_leaves=8,
)
OPERATIONS = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
}


def written(tree):
    """A tree as text."""
    if tree[0] == "not":
        return f"not ({written(tree[1])})"
    if tree[0] in {"and", "or"}:
        return "(" + f" {tree[0]} ".join(map(written, tree[1])) + ")"
    return "{} {} {}".format(*tree)


def holds(tree, item):
    """What a tree means for an item, in Python."""
    if tree[0] == "not":
        return not holds(tree[1], item)
    if tree[0] in {"and", "or"}:
        return (all if tree[0] == "and" else any)(holds(each, item) for each in tree[1])
    name, operator, value = tree
    have = item.label if name == "label" else item.attrs.get(name)
    # Of another kind, or not there: neither equal nor above nor below, but different.
    if have is None:
        return False
    if isinstance(have, str) != isinstance(value, str):
        return operator == "!="
    return OPERATIONS[operator](have, value)


@given(trees)
def test_a_condition_means_what_it_means_in_python(filled, tree):
    """However its parts are put together."""
    wanted = [item.label for item in filled.search() if holds(tree, item)]
    assert [item.label for item in filled.search(where=written(tree))] == wanted


@given(st.text(max_size=40))
def test_no_text_does_anything_but_find_or_point(filled, text):
    """Not an error of the database, nor of the parser."""
    try:
        filled.search(where=text)
    except QueryError as error:
        assert 0 <= error.at <= len(text)


def test_and_binds_more_than_or():
    """And not more than both."""
    node = parse("a = 1 or not b = 2 and c = 3")
    assert isinstance(node, Joined)
    assert node.word == "OR"
    left, right = node.nodes
    assert isinstance(left, Comparison)
    assert isinstance(right.nodes[0], Not)


def test_a_selective_condition_is_looked_up_by_an_index(cache):
    """Of a million items few are read."""
    from cachedeco.registry.expression_sql import where
    from cachedeco.registry.statements import QUERIES

    for text in ("uri = demo://x", "label = x", "batch = 7", "id = 3"):
        (sql, parameters), _ = where(text)
        plan = cache.store.pool.read_all(
            f"EXPLAIN QUERY PLAN {QUERIES['record']} WHERE {sql}", tuple(parameters)
        )
        steps = [row[-1] for row in plan]
        assert not any(step.startswith("SCAN i") for step in steps), (text, steps)

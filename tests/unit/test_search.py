"""Searching a cache by parameters and by what is known of items, in an order, a part at a time."""

from __future__ import annotations

import datetime
import getpass
import itertools
import math
import os
import sqlite3
import threading
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cachedeco
from cachedeco import Cache, KeyingError, OptionError, Secret, Status, cached
from cachedeco.registry.ordering import Order
from cachedeco.registry.statements import QUERIES, read

DAY = datetime.date(2026, 1, 31)


@pytest.fixture
def calls(cache):
    """A cache with the results of some calls of `f`."""

    @cached(cache=cache, uri="test://f", code_version="1")
    def f(x, kind="plain", *, pin: Annotated[str, Secret] = "none"):
        return "x" * (10 if x == 1 else 1000)

    for x, kind in (
        (1, "it's"),
        (2.5, "it's"),
        (True, "plain"),
        ("1", "plain"),
        (DAY, "plain"),
        (None, "plain"),
    ):
        f(x, kind)
    f([1, 2], pin="secret")
    return cache


def xs(items):
    """The first parameter of the items, as it is shown."""
    return [item.params["x"] for item in items]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"x": 1}, [0]),
        ({"x": 1.0}, [0]),
        ({"x": True}, [2]),
        ({"x": "1"}, [3]),
        ({"x": DAY}, [4]),
        ({"x": None}, [5]),
        ({"x": ("=", [1, 2])}, [6]),
        ({"x": [1, "1", DAY]}, [0, 3, 4]),
        ({"x": ("in", [2.5])}, [1]),
        ({"x>": 1}, [1]),
        ({"x>=": 1}, [0, 1]),
        ({"x": ("between", 0, 2)}, [0]),
        ({"x": ("between", 0, "z")}, []),
        ({"x": ("<", "2")}, [3]),
        ({"x<": [0, "2"]}, [3]),
        ({"x!=": 1}, [1, 2, 3, 4, 5, 6]),
        ({"x!=": [1, None, DAY]}, [1, 2, 3, 6]),
        ({"kind": "it's"}, [0, 1]),
        ({"kind": ("like", "IT%")}, [0, 1]),
        ({"x": ("like", "%")}, [3]),
        ({"kind": "it's", "x": 2.5}, [1]),
        ({"y": 1}, []),
        ({"y!=": 1}, []),
        ({"x": ("exists", True)}, [0, 1, 2, 3, 4, 5, 6]),
        ({"y": ("exists", False)}, [0, 1, 2, 3, 4, 5, 6]),
        ({"pin": "secret"}, [6]),
        ({"x": 10**30}, []),
        ({"x": math.nan}, []),
        ({"x": []}, []),
        ({}, [0, 1, 2, 3, 4, 5, 6]),
    ],
)
def test_items_are_found_by_some_of_their_parameters(calls, wanted, found):
    """A number by its value, whatever its type; anything by what is equal to it; secrets, too."""
    everything = calls.search()
    assert calls.search(params_like=wanted) == [everything[place] for place in found]


def test_a_large_value_is_found_by_what_is_equal_to_it(cache):
    """Not by its text, of which only the beginning is kept."""
    np = pytest.importorskip("numpy")

    @cached(cache=cache, code_version="1")
    def f(array, text):
        return 1

    f(np.arange(1000), "a" * 500)
    assert len(cache.search(params_like={"array": np.arange(1000)})) == 1
    assert cache.search(params_like={"array": np.arange(1001)}) == []
    assert len(cache.search(params_like={"text": "a" * 500})) == 1
    assert cache.search(params_like={"text": "a" * 501}) == []


@pytest.mark.parametrize("name", ['a"b', "a\\b", "$", "a.b", "a'b", "x.value", "", "ü", "a b"])
def test_a_parameter_may_have_any_name(cache, name):
    """It reaches SQL as a value, and JSON as a name."""
    cache.create("test://x", {name: 7})
    cache.create("test://x", {name + "x": 7})
    assert len(cache.search(params_like={name: 7})) == 1


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ([], "must map names"),
        ({"x": (1, 2)}, "a tuple is an operator"),
        ({"x>": None}, "compares numbers"),
        ({"x>": DAY}, "compares numbers"),
        ({"x": ("like", 1)}, "compares text"),
        ({"x": ("between", 1)}, "low, high"),
        ({"x>": ("<", 1)}, "operator already"),
        ({"x": ("in", 1)}, "needs a list"),
        ({1: 2}, "no name of a parameter"),
        ({"x": ("exists", 1)}, "exists"),
    ],
)
def test_what_parameters_cannot_be_compared_with_is_refused(calls, wanted, message):
    """By a sentence that names the option."""
    with pytest.raises(OptionError, match=message) as raised:
        calls.search(params_like=wanted)
    assert "params_like" in str(raised.value)


@pytest.fixture
def handmade(cache, tmp_path):
    """Items of several sizes, one of which has failed and one of which has no bytes."""
    for size in (3, 1, 2, 2):
        path = tmp_path / f"{size}.bin"
        path.write_bytes(b"x" * size)
        cache.move_in(path, f"test://{size}", {"n": size})
    cache.create("test://none")
    cache.create("test://failed").failed("no network")
    return cache


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"size": 2}, [2, 3]),
        ({"size": [1, 3]}, [0, 1]),
        ({"size": (">", "1 B")}, [0, 2, 3]),
        ({"size": ("between", 2, 3)}, [0, 2, 3]),
        ({"size": ("!=", 2)}, [0, 1]),
        ({"size": None}, [4, 5]),
        ({"size": [None, 1]}, [1, 4, 5]),
        ({"size": ("exists", True)}, [0, 1, 2, 3]),
        ({"size": []}, []),
        ({"cause": "raised"}, [5]),
        ({"cause": ("like", "ra%")}, [5]),
        ({"cause": None}, [0, 1, 2, 3, 4]),
        ({"code": "00" * 16}, []),
        ({"code": None, "size": 1}, [1]),
        ({"duration": None}, [0, 1, 2, 3, 4, 5]),
        ({"owner": None}, [0, 1, 2, 3, 4, 5]),
        ({"size": (">", 1e300)}, []),
        ({"size": ("<", math.inf)}, [0, 1, 2, 3]),
        ({"size": (">", -math.inf), "limit": 10**30}, [0, 1, 2, 3]),
    ],
)
def test_items_are_found_by_what_is_known_of_them(handmade, wanted, found):
    """A value, several, an operator and a value; None for what an item lacks."""
    everything = handmade.search()
    assert handmade.search(**wanted) == [everything[place] for place in found]


def test_results_are_found_by_who_made_them_with_what_code_in_what_time(calls):
    """The words are those of the item."""
    item = calls.search()[0]
    assert len(calls.search(code=item.code)) == 7
    assert len(calls.search(duration=("<", "1h"))) == len(calls.search(duration=("<", 3600))) == 7
    assert len(calls.search(duration=("<", datetime.timedelta(hours=1)))) == 7
    assert len(calls.search(owner=item.made_by["user"])) == 7
    assert len(calls.search(owner={"user": item.made_by["user"], "pid": os.getpid()})) == 7
    assert calls.search(owner={"pid": os.getpid() + 1}) == []
    assert calls.search(owner=getpass.getuser() + "x") == []
    assert len(calls.search(where="duration < 1h")) == 7


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"size": "much"}, "size"),
        ({"size": math.nan}, "NaN"),
        ({"size": True}, "size"),
        ({"size": (">", None)}, "size"),
        ({"size": ("like", "1%")}, "size"),
        ({"duration": "soon"}, "duration"),
        ({"code": "xyz"}, "code"),
        ({"code": 1}, "code"),
        ({"cause": 1}, "cause"),
        ({"owner": {"cat": "x"}}, "owner"),
        ({"owner": {}}, "owner"),
        ({"owner": {"pid": "x"}}, "pid"),
        ({"order": "colour"}, "order"),
        ({"order": None}, "order"),
        ({"limit": -1}, "limit"),
        ({"limit": True}, "limit"),
    ],
)
def test_what_makes_no_sense_is_refused(cache, wanted, message):
    """By a sentence that names the option."""
    with pytest.raises(OptionError, match=message):
        cache.search(**wanted)


def test_a_value_that_no_key_can_have_is_refused_by_its_name(cache):
    """As where a key is made."""
    with pytest.raises(KeyingError, match="'lock'"):
        cache.search(params_like={"lock": threading.Lock()})


def test_items_that_lack_something_can_be_removed(handmade):
    """None is a condition."""
    assert handmade.remove(size=None) == 2
    assert len(handmade.search()) == 4


def test_verbs_that_change_items_take_the_same_conditions(handmade):
    """What is found is what goes."""
    assert handmade.update(size=(">=", 2), update={"label": "large"}) == 3
    assert handmade.remove(params_like={"n": 2}) == 2
    assert [item.size for item in handmade.search(label="large")] == [3]


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ("id", [0, 1, 2, 3, 4, 5]),
        ("-id", [5, 4, 3, 2, 1, 0]),
        ("size", [1, 2, 3, 0, 4, 5]),
        ("-size", [0, 3, 2, 1, 5, 4]),
        ("uri", [1, 2, 3, 0, 5, 4]),
        ("-uri", [4, 5, 0, 3, 2, 1]),
        ("created", [0, 1, 2, 3, 4, 5]),
        ("-created", [5, 4, 3, 2, 1, 0]),
        ("cause", [5, 0, 1, 2, 3, 4]),
    ],
)
def test_items_come_in_the_order_that_is_asked_for(handmade, order, found):
    """What they lack comes last, whatever the direction, and what is equal goes by the number."""
    everything = handmade.search()
    expected = [everything[place] for place in found]
    assert handmade.search(order=order) == expected
    assert handmade.search(order=order, limit=2) == expected[:2]
    for page in range(1, 8):
        assert list(handmade.iterate(order=order, page=page)) == expected


def test_no_item_is_wanted(handmade):
    """A limit of nothing is one."""
    assert handmade.search(limit=0) == []


def test_while_one_iterates_others_write_and_delete(handmade):
    """No transaction is open between two pages."""
    seen = []
    for item in handmade.iterate(page=2):
        seen.append(item.id)
        if len(seen) == 1:
            handmade.create("test://late")
        if len(seen) == 2:
            handmade.remove(uri="test://2", disk=True, keep_record=False)
    everything = [item.id for item in handmade.search()]
    assert seen == everything
    assert handmade.search(uri="test://late")[0].id in seen


def test_a_damaged_record_does_not_end_the_pages(handmade, tmp_path):
    """It is passed over, also where it is the last one of its page."""
    handmade.close()
    with sqlite3.connect(handmade.store.pool.database.path) as con:
        con.execute("UPDATE items SET token = 'x' WHERE id = 2")
    con.close()
    with pytest.warns(cachedeco.StoreWarning, match="damaged"):
        assert len(list(handmade.iterate(page=2))) == 5


@pytest.mark.parametrize("page", [0, -1, True, 1.5, None])
def test_a_page_has_items(cache, page):
    """At least one; and that is said at once, not when the first item is wanted."""
    with pytest.raises(OptionError, match="page"):
        cache.iterate(page=page)


VALUES = st.none() | st.integers(0, 3) | st.sampled_from(["", "a", "b"])


@given(
    rows=st.lists(st.tuples(VALUES, VALUES), max_size=12),
    size=st.integers(1, 5),
    name=st.sampled_from(["size", "label"]),
)
def test_pages_of_any_rows_are_the_whole(rows, size, name):
    """In any order: no row twice, none left out. Damaged columns with values of other types are rows, too."""
    con = sqlite3.connect(":memory:")
    con.executescript(read("schema.sql"))
    con.execute("INSERT INTO uris VALUES (1, 'u')")
    for number, (amount, label) in enumerate(rows, 1):
        con.execute(
            "INSERT INTO items (key, version, status, scope, token, created, attempts, uri, params, size, label) "
            "VALUES (?, ?, 3, x'', ?, 0, 0, 1, '{}', ?, ?)",
            (b"k", number, b"t", amount, label),
        )
    for sign in ("", "-"):
        order = Order(sign + name)
        sql = f"{QUERIES['record']} WHERE %s ORDER BY {order.sql()} LIMIT ?"
        whole = con.execute(sql % "1", (-1,)).fetchall()
        found, last = [], ("1", [])
        while page := con.execute(sql % last[0], (*last[1], size)).fetchall():
            found += page
            last = order.after(page[-1])
        assert found == whole
        assert len(whole) == len(rows)
    con.close()


def test_the_newest_of_a_million_come_from_the_end_of_an_index():
    """Nothing is sorted, and nothing but the page is read."""
    con = sqlite3.connect(":memory:")
    con.executescript(read("schema.sql"))
    for order in (Order("-id"), Order("id")):
        behind, _ = order.after((1,))
        sql = f"EXPLAIN QUERY PLAN {QUERIES['record']} WHERE {behind} ORDER BY {order.sql()} LIMIT 5"
        steps = [row[3] for row in con.execute(sql, (1,))]
        assert "SEARCH i USING INTEGER PRIMARY KEY (rowid" in steps[0]
        assert not [step for step in steps if "TEMP B-TREE" in step]
    con.close()


def test_a_result_in_the_trash_is_iterated_when_that_is_asked_for(handmade):
    """As it is searched."""
    handmade.remove(uri="test://3")
    assert len(list(handmade.iterate())) == 5
    assert len(list(handmade.iterate(include_removed=True))) == 6
    assert [item.status for item in handmade.iterate(status=Status.TRASH)] == [Status.TRASH]


def test_another_cache_is_iterated_from_a_pickle(handmade):
    """Conditions are plain values, so a cache that has travelled finds the same."""
    import pickle

    again = pickle.loads(pickle.dumps(handmade))
    assert isinstance(again, Cache)
    ids = [item.id for item in itertools.islice(again.iterate(order="-size"), 2)]
    assert ids == [item.id for item in handmade.search(order="-size", limit=2)]

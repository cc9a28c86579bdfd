"""Every statement is answered by indexes, however many items there are, but for those that are named here."""

from __future__ import annotations

import sqlite3

import pytest

from cachedeco.registry.items import Filter
from cachedeco.registry.ordering import NEWEST_FIRST, OLDEST_FIRST
from cachedeco.registry.statements import QUERIES, read

INDEXES = {
    "best": ["items USING INDEX items_version (key=? AND version<?)"],
    "best_of_any_code": ["items USING INDEX items_version (key=? AND version<?)"],
    "before_claim": [
        "items USING INDEX items_claim (key=? AND scope=?)",
        "items USING INDEX items_version (key=? AND version>? AND version<?)",
        "items USING COVERING INDEX items_version (key=? AND version<?)",
        "last_versions USING PRIMARY KEY (key=?)",
        "uris USING COVERING INDEX sqlite_autoindex_uris_1 (uri=?)",
    ],
    "running": ["items USING INDEX items_claim (key=? AND scope=?)"],
    "commit": ["items USING INTEGER PRIMARY KEY (rowid=?)"],
    "fail": ["items USING INTEGER PRIMARY KEY (rowid=?)"],
    "ready": ["items USING INDEX items_version (key=?)"],
    "failed": ["i USING INDEX items_failed (status=?)", "n USING INDEX items_version (key=? AND version>?)"],
    "trash_key": ["items USING INDEX items_version (key=?)"],
}
"""What the statements of a call, and some others, look up, in that order."""

SCANS = {
    "count": "SCAN items USING COVERING INDEX items_uri",  # that is what counting is
    "record": "SCAN i",  # the condition of a search is put behind it
    "reap": "SCAN items USING INDEX items_claim",  # running claims are few, and nothing else is in it
    "release": "SCAN items USING INDEX items_claim",
    "running_claims": "SCAN i USING INDEX items_claim",
    "running_owners": "SCAN owners USING INDEX owners_running",
    "forget_waits": "SCAN waits",  # as few as there are waits just now of those who hold a claim
    "withdraw_wait": "SCAN waits",
}
"""The only statements that go through a table or an index."""


@pytest.fixture
def con():
    connection = sqlite3.connect(":memory:")
    connection.executescript(read("schema.sql"))
    yield connection
    connection.close()


def plan(con, sql, parameters=None):
    marks = (None,) * sql.count("?") if parameters is None else parameters
    return [row[3] for row in con.execute(f"EXPLAIN QUERY PLAN {sql}", marks).fetchall()]


def scans(steps):
    return [step for step in steps if step.startswith("SCAN") and step != "SCAN CONSTANT ROW"]


def search(con, *, newest_first=True, **wanted):
    condition = Filter(**wanted)
    order = NEWEST_FIRST if newest_first else OLDEST_FIRST
    sql = f"{QUERIES['record']} WHERE {condition.sql()} ORDER BY {order.sql()} LIMIT ?"
    return plan(con, sql, (*condition.parameters, 5))


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_a_statement_looks_up_and_never_goes_through_all_items(con, name):
    """It costs the same with a million items as with a thousand; the exceptions are named above."""
    steps = plan(con, QUERIES[name].replace(":keys", "?, ?"))
    assert scans(steps) == ([SCANS[name]] if name in SCANS else []), steps
    searches = [step.removeprefix("SEARCH ") for step in steps if step.startswith("SEARCH")]
    assert searches == INDEXES.get(name, searches)


@pytest.mark.parametrize(
    "name", ["best", "best_of_any_code", "before_claim", "running", "last_end", "newest_ready"]
)
def test_a_call_sorts_nothing(con, name):
    """The newest version comes first from the index itself."""
    assert not [step for step in plan(con, QUERIES[name]) if "TEMP B-TREE" in step]


@pytest.mark.parametrize(
    ("wanted", "index", "is_sorted"),
    [
        ({"id": 1}, "i USING INTEGER PRIMARY KEY (rowid=?)", False),
        ({"key": b"k"}, "i USING INDEX items_version (key=?)", False),
        ({"key": b"k", "version": [-1]}, "i USING INDEX items_version (key=?)", False),
        ({"key": b"k", "uri": "u"}, "i USING INDEX items_version (key=?)", False),
        ({"key": b"k", "label": "l"}, "i USING INDEX items_version (key=?)", False),
        ({"key": b"k", "status": [2]}, "i USING INDEX items_version (key=?)", False),
        ({"key": b"k", "attrs": {"n": 1}}, "i USING INDEX items_version (key=?)", False),
        ({"uri": "u"}, "i USING INDEX items_uri (uri=?)", True),
        ({"uri": "u", "version": [-1]}, "i USING INDEX items_uri (uri=?)", True),
        ({"label": "l"}, "i USING INDEX items_label (label=?)", True),
        ({"attrs": {"n": 1}}, "attributes USING INDEX attributes_value (name=? AND value=?)", True),
    ],
)
@pytest.mark.parametrize("newest_first", [True, False])
def test_a_search_looks_up_what_it_is_given(con, wanted, index, is_sorted, newest_first):
    """By uri, label and attribute the newest come first from the index, so that few are read when few are wanted."""
    steps = search(con, newest_first=newest_first, **wanted)
    assert scans(steps) == []
    assert f"SEARCH {index}" in steps
    if is_sorted:
        assert not [step for step in steps if "TEMP B-TREE" in step]


@pytest.mark.parametrize(
    "wanted", [{}, {"function": "f"}, {"created_after": 5}, {"ext": "csv"}, {"label": None}]
)
def test_a_search_by_anything_else_goes_through_the_items_from_the_newest_on(con, wanted):
    """It ends when it has found as many as are wanted, and sorts nothing."""
    steps = search(con, **wanted)
    assert scans(steps) == ["SCAN i"]
    assert not [step for step in steps if "TEMP B-TREE" in step]


def test_a_miss_pays_for_two_indexes(con):
    """The others hold the few items that are being computed, have a label or have failed, and nothing else."""
    found = con.execute("SELECT name, partial FROM pragma_index_list('items')").fetchall()
    assert sorted(name for name, partial in found if not partial) == ["items_uri", "items_version"]
    assert sorted(name for name, partial in found if partial) == [
        "items_claim",
        "items_failed",
        "items_label",
        "items_trash",
    ]


@pytest.mark.parametrize("version", range(5))
def test_one_claim_per_key_and_scope_at_most(con, version):
    """The registry itself refuses a second claim, whatever the code above it does."""
    con.execute("INSERT INTO uris VALUES (1, 'u')")
    insert = (
        "INSERT INTO items (key, version, status, scope, token, owner, created, attempts, uri, params) "
        "VALUES (x'aa', ?, ?, ?, x'', ?, 0, 1, 1, '{}')"
    )
    con.execute(insert, (7, 1, b"s", 1))
    if version == 0:
        with pytest.raises(sqlite3.IntegrityError):
            con.execute(insert, (8, 1, b"s", 2))
    else:
        allowed = [(8, 1, b"other", 2), (8, 1, b"s", None), (8, 2, b"s", 2), (8, 3, b"s", 1)][version - 1]
        con.execute(insert, allowed)

"""The hot statements are answered by indexes, however many items there are."""

from __future__ import annotations

import sqlite3

import pytest

from cachedeco.registry.statements import QUERIES, read


@pytest.fixture
def con():
    connection = sqlite3.connect(":memory:")
    connection.executescript(read("schema.sql"))
    yield connection
    connection.close()


def plan(con, sql):
    rows = con.execute(f"EXPLAIN QUERY PLAN {sql}", (None,) * sql.count("?")).fetchall()
    return [row[3] for row in rows]


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("best", "items_version (key=? AND version<?)"),
        ("best_of_any_code", "items_version (key=? AND version<?)"),
        ("newer_ready", "items_version (key=? AND version>?)"),
        ("running", "items_claim (key=? AND scope=?)"),
        ("claims_of_owner", "items_claim"),
        ("reap", "items_claim"),
        ("release", "items_claim"),
        ("trash_key", "items_version (key=?)"),
        ("running_owners", "owners_running"),
        ("commit", "INTEGER PRIMARY KEY (rowid=?)"),
        ("fail", "INTEGER PRIMARY KEY (rowid=?)"),
        ("outcome", "INTEGER PRIMARY KEY (rowid=?)"),
        ("status", "INTEGER PRIMARY KEY (rowid=?)"),
        ("attributes", "PRIMARY KEY (item=?)"),
        ("inline", "INTEGER PRIMARY KEY (rowid=?)"),
        ("file_digest", "PRIMARY KEY (path=?)"),
    ],
)
def test_the_statement_uses_its_index(con, name, index):
    """A look-up costs the same with a million items as with a thousand."""
    steps = plan(con, QUERIES[name])
    assert index in steps[0], steps


@pytest.mark.parametrize("name", ["best", "best_of_any_code", "newer_ready", "running"])
def test_a_hit_sorts_nothing(con, name):
    """The newest version comes first from the index itself."""
    assert not [step for step in plan(con, QUERIES[name]) if "TEMP B-TREE" in step or step == "SCAN i"]


def test_the_item_table_has_at_most_two_indexes(con):
    """A miss pays for each index."""
    names = con.execute(
        "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'items'"
    ).fetchall()
    assert sorted(names) == [("items_claim",), ("items_version",)]


@pytest.mark.parametrize("version", range(5))
def test_one_claim_per_key_and_scope_at_most(con, version):
    """The registry itself refuses a second claim, whatever the code above it does."""
    con.execute("INSERT INTO keys VALUES (x'aa', 'u', 9)")
    insert = (
        "INSERT INTO items (key, version, status, scope, token, owner, created, attempts) "
        "VALUES (x'aa', ?, ?, ?, x'', ?, 0, 1)"
    )
    con.execute(insert, (7, 1, b"s", 1))
    if version == 0:
        with pytest.raises(sqlite3.IntegrityError):
            con.execute(insert, (8, 1, b"s", 2))
    else:
        allowed = [(8, 1, b"other", 2), (8, 1, b"s", None), (8, 2, b"s", 2), (8, 3, b"s", 1)][version - 1]
        con.execute(insert, allowed)

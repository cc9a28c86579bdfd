"""The loader of named SQL statements, and the statements themselves."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

import cachedeco
from cachedeco.registry import statements, upkeep

PACKAGE = Path(cachedeco.__file__).parent


def test_a_statement_ends_where_the_next_begins():
    """Names and texts are told apart by the mark line."""
    assert statements.parse("-- name: a\nSELECT 1\n\n-- name: b\nSELECT\n  2\n") == {
        "a": "SELECT 1",
        "b": "SELECT\n  2",
    }


def test_comments_are_dropped():
    """What is said to the reader does not reach SQLite."""
    assert statements.parse("-- head\n\n-- name: a\n-- why\nSELECT 1\n") == {"a": "SELECT 1"}


def test_a_name_twice_is_refused():
    """Of two statements with one name neither would be chosen silently."""
    with pytest.raises(ValueError, match="'a'"):
        statements.parse("-- name: a\nSELECT 1\n-- name: a\nSELECT 2\n")


def test_an_empty_statement_is_refused():
    """A name without a statement is a slip."""
    with pytest.raises(ValueError, match="'a'"):
        statements.parse("-- name: a\n-- nothing follows\n")


@pytest.mark.parametrize("name", sorted(statements.QUERIES))
def test_every_statement_fits_the_schema(name):
    """Each named statement prepares against the schema as it is."""
    con = sqlite3.connect(":memory:")
    con.executescript(statements.read("schema.sql"))
    sql = statements.QUERIES[name].replace(":keys", "?")
    numbers = [int(number) for number in re.findall(r"\?(\d+)", sql)]
    assert con.execute(f"EXPLAIN {sql}", (None,) * max(numbers, default=sql.count("?"))).fetchall()
    con.close()


def test_every_statement_is_used():
    """No statement lies around that no code asks for."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    used = set(re.findall(r"QUERIES\[['\"](\w+)['\"]\]", code))
    tests = {value for value in vars(upkeep).values() if isinstance(value, str) and value in upkeep.QUERIES}
    assert used | tests == {*statements.QUERIES, *upkeep.QUERIES}
    assert not {*statements.QUERIES} & {*upkeep.QUERIES}, "the names tell which file a statement is in"


def test_sql_lives_in_the_registry_alone():
    """No module outside the registry speaks SQL."""
    spoken = re.compile(r"\b(SELECT .* FROM|INSERT (OR \w+ )?INTO|UPDATE \w+ SET|DELETE FROM|PRAGMA \w+)\b")
    guilty = [
        path.name
        for path in PACKAGE.rglob("*.py")
        if path.parent.name != "registry" and spoken.search(path.read_text(encoding="utf-8"))
    ]
    assert guilty == []

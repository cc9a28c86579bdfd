"""Records that SQLite reads without complaint, and that make no sense: passed over, no error of a search or a call."""

from __future__ import annotations

import sqlite3
import warnings
from contextlib import closing

import pytest

from cachedeco import Cache, Status, StoreWarning, cached
from cachedeco.registry.statements import QUERIES

COLUMNS = (
    "key version status scope token form serializer compression size digest signature mac filename created ended "
    "duration attempts pinned former cause code ext label uri function data params owner"
).split()
VALUES = (b"\x00\xff", "../a\0b", 1 << 62)
SAID = "version_id uri label ext filename function cause error code size created committed seconds status params attrs"


@pytest.fixture
def folder(tmp_path):
    """A cache with a value in the registry and one in a file, two versions each."""
    with Cache(tmp_path / "cache") as cache:
        for function in functions(cache):
            function(1), function.refresh(1)
    return cache.path


def functions(cache):
    @cached(cache=cache, code_version="1", uri="u://small", attrs={"n": 1, "big": 1 << 70, "d": {"x": "y"}})
    def small(x):
        return x + 1

    @cached(cache=cache, code_version="1", uri="u://large")
    def large(x):
        return b"x" * 10_000

    return small, large


def change(folder, statement, value):
    """Write to the registry as another program would; whether it took it."""
    with closing(sqlite3.connect(f"{folder}/registry/registry.db", isolation_level=None)) as con:
        try:
            return con.execute(statement, (value,)).rowcount > 0
        except sqlite3.IntegrityError:
            return False


def ask(cache):
    """Everything that may be asked of a cache."""
    small, large = functions(cache)
    assert small(1) == 2
    assert large(1) == b"x" * 10_000
    found = cache.search(status=list(Status))
    for item in found:
        [getattr(item, name) for name in SAID.split()]
        repr(item), item.intact()
    cache.search(attrs={"n": 1}), cache.best("u://large", {"x": 1}), cache.contents()
    small.why(1), small.why(7), small.items(1), small.status(1)
    return found


@pytest.mark.parametrize("column", COLUMNS)
def test_whatever_a_column_has_is_no_error(folder, column):
    """Two warnings at most: one for what a call found, one for what a search passed over."""
    for value in VALUES:
        if not change(folder, f"UPDATE OR IGNORE items SET {column} = ? WHERE version = 2", value):
            continue
        with warnings.catch_warnings(record=True) as seen, Cache(folder) as cache:
            warnings.simplefilter("always")
            ask(cache)
            functions(cache)[0].remove(1)
            functions(cache)[1].refresh(1)
        assert len(seen) <= 3, (value, [str(each.message) for each in seen])


def test_a_search_says_once_what_it_passed_over(folder):
    """And what puts it in order; the rest is found."""
    assert change(folder, "UPDATE items SET scope = ? WHERE version = 2", "text")
    with Cache(folder) as cache:
        with pytest.warns(StoreWarning, match=r"is passed over.*Cache\.rebuild\(\)"):
            assert [item.version for item in cache.search()] == [1, 1]
        assert len(cache.search()) == 2
        cache.rebuild()
        assert len(cache.search()) == 3, "the one with a file has a manifest"


@pytest.mark.parametrize("column", ["namespace", "name", "kind", "value"])
def test_a_damaged_attribute_is_passed_over(folder, column):
    """The item is found all the same."""
    for value in VALUES:
        if change(folder, f"UPDATE OR IGNORE attributes SET {column} = ?", value):
            with warnings.catch_warnings(record=True) as seen, Cache(folder) as cache:
                warnings.simplefilter("always")
                assert len(ask(cache)) == 4
            assert len(seen) <= 1


@pytest.mark.parametrize("text", ["{", "[]", "5", '{"x": 5}', '{"x": {"value": 1}, "y": []}'])
def test_damaged_descriptions_of_parameters_are_left_out(folder, text):
    """Those that can be read are told."""
    assert change(folder, "UPDATE items SET params = ?", text)
    with Cache(folder) as cache:
        assert {str(item.params) for item in cache.search()} == {"{'x': 1}" if "value" in text else "{}"}


def test_a_damaged_schema_is_found_out(folder):
    """One column of another table has another name: nobody could ever claim anything."""
    with closing(sqlite3.connect(f"{folder}/registry/registry.db", isolation_level=None)) as con:
        con.execute("PRAGMA writable_schema = ON")
        con.execute("UPDATE sqlite_master SET sql = replace(sql, 'pid_started', 'pid_starteD0')")
    with Cache(folder) as cache:
        owner = ("name", "host", "boot", "namespace", 1, 2, 3, "user", "program", "3.11.0", None)
        with pytest.warns(StoreWarning, match="was damaged"):
            cache.store.pool.update(QUERIES["insert_owner"], owner)
        assert len(cache.search()) == 4

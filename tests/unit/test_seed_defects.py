"""The defects D1 to D44 of the system that this one follows: none is here, and each has a test that names it."""

from __future__ import annotations

import ast
import itertools
import os
import re
import sqlite3
from pathlib import Path

import pytest

import cachedeco
from cachedeco import Cache, OptionError, RegistryError, Status
from cachedeco.registry.statements import QUERIES

TESTS = Path(__file__).parent


def named_defects():
    """The numbers in names and docstrings of tests."""
    found = set()
    for path in TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                text = f"{node.name.replace('_', ' ')} {ast.get_docstring(node) or ''}"
                found |= {int(number) for number in re.findall(r"\b[dD](\d{1,2})\b", text)}
    return found


def test_each_defect_has_a_test():
    """By its number, so that who looks for one finds it."""
    assert set(range(1, 45)) - named_defects() == set()


@pytest.mark.parametrize("name", ["x.sqlite", "my.cache", "plain"])
def test_d2_a_path_is_a_folder_whatever_it_is_called(tmp_path, name):
    """It is made, its contents can be listed and cleaned."""
    with Cache(tmp_path / name) as cache:
        assert cache.path == str(tmp_path / name)
        assert cache.contents() == {}
        cache.clean_disk()
        assert os.path.isdir(cache.path)


def test_d2_a_tilde_and_a_relative_path_are_resolved_at_once(tmp_path, monkeypatch):
    """What changes the working directory later changes no cache."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert Cache("~/one").path == str(tmp_path / "one")
    assert Cache("two").path == str(tmp_path / "two")


@pytest.mark.parametrize("path", [5, b"x", ["x"]])
def test_d2_what_is_no_path_is_refused(path):
    """With one error, and no other one from what was half made."""
    with pytest.raises((OptionError, TypeError)):
        Cache(path)


def test_d4_the_registry_has_a_version_indexes_and_rules(cache):
    """A second version of the same number cannot be recorded, nor an attribute of no item."""
    cache.create("u")
    pool = cache.store.pool
    assert pool.read("PRAGMA user_version")[0] > 0
    assert pool.read("PRAGMA application_id")[0] != 0
    assert pool.read("PRAGMA foreign_keys")[0] == 1
    assert pool.read("PRAGMA journal_mode")[0] == "wal"
    with pytest.raises(RegistryError, match="constraint failed"):
        pool.write(
            lambda con: con.execute(
                "INSERT INTO items (key, version, status, scope, token, created, attempts, uri, params) "
                "SELECT key, version, status, scope, token, created, attempts, uri, params FROM items"
            )
        )
    with pytest.raises(RegistryError, match="constraint failed"):
        pool.write(lambda con: con.execute(QUERIES["insert_attribute"], (10**6, "", "a", "int", 1)))


def test_d5_verbs_take_few_statements(cache, monkeypatch):
    """Creating is one transaction and one look, and the others are a look or two."""
    item = cache.create("u", {"x": 1}, {"a": 1}, filename="f")
    item.path.write_text("x")
    item.ready()
    pool, counts = cache.store.pool, []
    for name in ("read", "read_all", "write", "update"):
        method = getattr(pool, name)

        def counted(*arguments, _method=method, _name=name, **options):
            counts.append(_name)
            return _method(*arguments, **options)

        monkeypatch.setattr(pool, name, counted)

    def statements(work):
        counts.clear()
        work()
        return len(counts)

    assert statements(lambda: cache.create("u", {"x": 2}, {"a": 1})) <= 2
    assert statements(lambda: cache.best("u", {"x": 1})) <= 2
    assert statements(lambda: item.status) <= 1
    assert statements(lambda: item.path) <= 1
    assert statements(item.open) <= 3


def test_d12_d21_no_verb_changes_what_it_is_given(cache):
    """A dict can be used for another uri."""
    params, attrs, wanted = {"x": [1]}, {"a": 1}, {"a": [1, 2], "__and": False}
    for uri in ("u", "v"):
        item = cache.create(uri, params, attrs)
        assert cache.search(uri, params, attrs=wanted, params_like=params) == []
        assert cache.search(uri, params, attrs=wanted) == [item]
        assert cache.update(uri=uri, update={"attrs": attrs}) == 1
    assert (params, attrs, wanted) == ({"x": [1]}, {"a": 1}, {"a": [1, 2], "__and": False})


def test_d17_parameters_without_a_uri_are_refused_and_found_by_their_own_name(cache):
    """A key is made of both; some of the parameters are found whatever the uri."""
    item = cache.create("u", {"x": 1})
    with pytest.raises(OptionError, match="params_like"):
        cache.search(params={"x": 1})
    assert cache.search(params_like={"x": 1}) == [item]


def test_d28_nothing_is_reloaded():
    """Nobody's classes change under his feet."""
    assert not hasattr(Cache, "reload")
    assert not hasattr(cachedeco.CacheItem, "reload")


def test_d33_values_that_look_alike_have_keys_of_their_own(cache):
    """All that collided there, against each other."""
    groups = [
        [1, "1", True, "True", None, "None", 1.5, "1.5"],
        [[1, 2], [2, 1], (1, 2), {1, 2}],
        [{"a": 1}, ["a=1"], "[a=1]"],
        [{"x": "1,y=2"}, {"x": 1, "y": 2}],
        [b"ab", [97, 98]],
    ]
    for values in groups:
        keys = [cache.create("u", {"value": value}).key for value in values]
        for one, other in itertools.combinations(range(len(values)), 2):
            assert keys[one] != keys[other], (values[one], values[other])


@pytest.mark.parametrize(
    "work",
    [
        lambda cache: cache.remove(uri="u", dry_run=True),
        lambda cache: cache.gc(max_size=0, dry_run=True),
        lambda cache: cache.clean(dry_run=True),
        lambda cache: cache.clean_db(dry_run=True),
        lambda cache: cache.clean_disk(dry_run=True),
        lambda cache: cache.autoclean(dry_run=True),
    ],
    ids=["remove", "gc", "clean", "clean_db", "clean_disk", "autoclean"],
)
def test_d41_whoever_deletes_can_be_asked_before(cache, tmp_path, work):
    """What would go is still there, with its file; and a pinned item would not go."""
    source = tmp_path / "data"
    source.write_bytes(b"x" * 1000)
    item = cache.move_in(source, "u")
    work(cache)
    assert (item.status, item.path.read_bytes()) == (Status.READY, b"x" * 1000)


def test_d41_a_report_tells_what_goes_why_and_how_many_bytes(cache, tmp_path):
    """Before and after; what is pinned stays."""
    source = tmp_path / "data"
    source.write_bytes(b"x" * 1000)
    pinned, item = cache.move_in(source, "pinned"), cache.move_in(source, "u")
    pinned.pin()
    report = cache.gc(max_size=0, dry_run=True)
    assert [(gone.name, gone.size, bool(gone.why)) for gone in report.gone] == [("u", 1000, True)]
    cache.gc(max_size=0)
    assert (pinned.status, item.status) == (Status.READY, Status.TRASH)
    item.restore()
    assert item.intact()


def test_d43_a_transaction_is_whole_and_nobody_writes_inside(cache):
    """An error takes back all of it."""
    cache.create("u")
    database = cache.store.pool.database.path

    def work(con):
        con.execute("INSERT INTO uris (uri) VALUES ('half')")
        other = sqlite3.connect(database, timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        cache.store.pool.write(work)
    assert cache.store.pool.read("SELECT count(*) FROM uris WHERE uri = 'half'")[0] == 0

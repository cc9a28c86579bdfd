"""The registry file: made once, recognised, brought up to date, refused when it is not ours."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from pathlib import Path

import pytest

from cachedeco import RegistryError
from cachedeco.registry import database as database_module
from cachedeco.registry.database import APPLICATION_ID, Database
from cachedeco.registry.migrating import migrate, split
from cachedeco.registry.pool import Pool


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "cache").mkdir(mode=0o700)
    return str(tmp_path / "cache")


@pytest.fixture
def database(folder):
    return Database(folder)


def made(database):
    database.connect().close()
    return database


def pragma(path, name):
    con = sqlite3.connect(path)
    try:
        return con.execute(f"PRAGMA {name}").fetchone()[0]
    finally:
        con.close()


def test_the_first_connection_makes_it(database):
    """There is nothing to set up."""
    made(database)
    assert os.path.exists(database.path)


def test_it_is_marked_as_ours_with_its_version(database):
    """Application and schema version stand in the file's header."""
    made(database)
    assert pragma(database.path, "application_id") == APPLICATION_ID
    assert pragma(database.path, "user_version") == 1 + len(database_module.migrations())
    assert pragma(database.path, "journal_mode") == "wal"


def test_nothing_else_remains_of_making_it(database):
    """The temporary file and its companions are gone; the registry's folder holds the registry alone."""
    made(database)
    assert os.listdir(os.path.dirname(database.path)) == ["registry.db"]


def test_only_its_owner_may_read_it(database):
    """The folder of the registry is closed to others."""
    made(database)
    assert os.stat(os.path.dirname(database.path)).st_mode & 0o777 == 0o700


def test_a_folder_removed_in_use_is_made_anew_for_its_owner_only(database, folder):
    """Somebody may remove the whole folder; what is made in its place is as closed as before."""
    made(database)
    shutil.rmtree(folder)
    made(database)
    assert os.stat(folder).st_mode & 0o777 == 0o700


def test_connections_wait_for_each_other_and_never_checkpoint_by_themselves(database):
    """The settings that every connection needs are made on each."""
    con = database.connect()
    values = {
        name: con.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("busy_timeout", "wal_autocheckpoint", "synchronous", "foreign_keys", "trusted_schema")
    }
    con.close()
    assert values == {
        "busy_timeout": 60000,
        "wal_autocheckpoint": 0,
        "synchronous": 1,
        "foreign_keys": 1,
        "trusted_schema": 0,
    }


@pytest.mark.parametrize(
    "name", ["what?mode=memory", "per%20cent", "ha#sh", "blank and ü", "a'b\"c", "x&cache=shared", "file:y"]
)
def test_any_folder_name_will_do(tmp_path, name):
    """No character of a path means something to SQLite."""
    (tmp_path / name).mkdir()
    made(Database(str(tmp_path / name)))
    assert pragma(str(tmp_path / name / "registry" / "registry.db"), "application_id") == APPLICATION_ID


def test_many_threads_make_it_once(folder):
    """Whoever is late finds it made."""
    barrier = threading.Barrier(8)
    found = []

    def connect():
        mine = Database(folder)
        barrier.wait()
        con = mine.connect()
        found.append(con.execute("PRAGMA user_version").fetchone()[0])
        con.close()

    threads = [threading.Thread(target=connect) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1 + len(database_module.migrations())] * 8


def test_a_failed_creation_leaves_nothing(database, monkeypatch):
    """An error in the middle leaves no registry and no temporary file."""
    monkeypatch.setattr(database_module.statements, "read", lambda _name: "CREATE TABLE good (x); NONSENSE;")
    with pytest.raises(RegistryError, match="cannot make a registry"):
        database.connect()
    assert os.listdir(os.path.dirname(database.path)) == []


def test_another_programs_database_is_refused(database):
    """An SQLite file that is not ours is named, and left as it is."""
    os.makedirs(os.path.dirname(database.path))
    con = sqlite3.connect(database.path)
    con.executescript("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1);")
    con.close()
    before = Path(database.path).read_bytes()
    with pytest.raises(RegistryError, match="not a registry of cachedeco; choose another"):
        database.connect()
    assert Path(database.path).read_bytes() == before


def test_what_is_no_database_is_refused(database):
    """A file of other content is named, with what to do, and left as it is."""
    os.makedirs(os.path.dirname(database.path))
    Path(database.path).write_bytes(b"hello, I am a text. " * 500)
    with pytest.raises(RegistryError, match=r"is damaged.*move it away"):
        database.connect()
    assert os.path.getsize(database.path) == 10000


def test_a_newer_registry_is_refused(database):
    """An older library stops with the way out before it misreads anything."""
    con = database.connect()
    con.execute("PRAGMA user_version = 99")
    con.close()
    with pytest.raises(RegistryError, match=r"has schema 99.*upgrade cachedeco"):
        Database(database.folder).connect()


def test_a_refusal_leaves_no_connection_open(database, recwarn):
    """What is refused is closed."""
    con = database.connect()
    con.execute("PRAGMA user_version = 99")
    con.close()
    for _ in range(3):
        with pytest.raises(RegistryError):
            Database(database.folder).connect()
    assert os.listdir(os.path.dirname(database.path)) == ["registry.db"]


def test_an_old_sqlite_is_refused(database, monkeypatch):
    """The error names both versions."""
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 31, 0))
    with pytest.raises(RegistryError, match=r"needs SQLite 3\.35\.0 or newer"):
        database.connect()


STEPS = [
    "ALTER TABLE items ADD COLUMN colour TEXT; CREATE TABLE palette (name TEXT);",
    "CREATE TABLE frames (x);",
]


def test_an_older_registry_is_brought_up_to_date(database, monkeypatch):
    """Each step that is missing is applied, in order."""
    made(database)
    version = 1 + len(database_module.migrations())
    steps = [*database_module.migrations(), *STEPS]
    monkeypatch.setattr(database_module, "migrations", lambda: steps)
    con = Database(database.folder).connect()
    assert con.execute("PRAGMA user_version").fetchone()[0] == version + 2
    assert con.execute("SELECT count(colour) FROM items").fetchone() == (0,)
    assert con.execute("SELECT * FROM frames").fetchall() == []
    con.close()


def test_a_migration_that_breaks_leaves_the_old_schema(database, monkeypatch):
    """Half a migration is none: the first step of two is taken back too."""
    made(database)
    version = 1 + len(database_module.migrations())
    steps = [*database_module.migrations(), STEPS[0], "CREATE TABLE frames (x); NONSENSE;"]
    monkeypatch.setattr(database_module, "migrations", lambda: steps)
    with pytest.raises(RegistryError):
        Database(database.folder).connect()
    assert pragma(database.path, "user_version") == version
    con = sqlite3.connect(database.path)
    tables = {row[0] for row in con.execute("SELECT name FROM sqlite_master")}
    con.close()
    assert not tables & {"palette", "frames"}


def test_a_migration_interrupted_leaves_the_old_schema(database):
    """Ctrl-C between two statements of a migration takes everything back."""
    con = made(database).connect()
    version = con.execute("PRAGMA user_version").fetchone()[0]

    class Interrupted:
        in_transaction = property(lambda self: con.in_transaction)

        def execute(self, sql):
            if "palette" in sql:
                raise KeyboardInterrupt
            return con.execute(sql)

    with pytest.raises(KeyboardInterrupt):
        migrate(Interrupted(), [*database_module.migrations(), *STEPS])
    assert not con.in_transaction
    assert con.execute("PRAGMA user_version").fetchone()[0] == version
    with pytest.raises(sqlite3.OperationalError, match="colour"):
        con.execute("SELECT colour FROM items")
    con.close()


def test_two_that_migrate_at_once_apply_each_step_once(database):
    """Who comes second finds under the lock that there is nothing left to do."""
    first, second = made(database).connect(), database.connect()
    steps = [*database_module.migrations(), *STEPS]
    migrate(first, steps)
    migrate(second, steps)
    assert second.execute("PRAGMA user_version").fetchone()[0] == 1 + len(steps)
    first.close()
    second.close()


def test_a_script_is_split_at_its_statements():
    """A semicolon in a text or a trigger ends no statement."""
    script = (
        "CREATE TABLE a (x DEFAULT ';');\n"
        "CREATE TRIGGER t AFTER INSERT ON a BEGIN\n  SELECT 1;\n  SELECT 2;\nEND;\n"
    )
    assert len(list(split(script))) == 2


def test_two_statements_on_one_line_are_two():
    """A migration may be written as it comes."""
    assert [each.strip() for each in split("CREATE TABLE a (x); CREATE TABLE b (x);")] == [
        "CREATE TABLE a (x);",
        "CREATE TABLE b (x);",
    ]


def test_a_last_statement_without_its_semicolon_is_not_forgotten():
    """Nothing of a migration is skipped silently."""
    assert [each.strip() for each in split("CREATE TABLE a (x);\nCREATE TABLE b (x)\n")] == [
        "CREATE TABLE a (x);",
        "CREATE TABLE b (x)",
    ]


def test_a_connection_to_a_removed_registry_is_told_from_one_to_the_new_one(database, folder):
    """What is written through the old connection would be lost."""
    old = database.connect()
    assert database.is_current(old)
    shutil.rmtree(folder)
    assert not database.is_current(old)
    new = database.connect()
    assert database.is_current(new)
    assert not database.is_current(old)
    old.close()
    new.close()


def test_a_moved_registry_is_the_same(database, folder, tmp_path):
    """Nothing in it knows where it lies."""
    pool = Pool(database)
    pool.write(lambda con: con.execute("INSERT INTO uris (uri) VALUES ('u')"))
    pool.close()
    os.rename(folder, tmp_path / "elsewhere")
    moved = Pool(Database(str(tmp_path / "elsewhere")))
    assert moved.read("SELECT uri FROM uris") == ("u",)
    moved.close()

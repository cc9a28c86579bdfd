"""The pool: transactions, reuse of connections, checkpoints, and a registry that is removed in use."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from pathlib import Path

import pytest

from cachedeco import RegistryError, RegistryUnavailableError
from cachedeco.registry import connection
from cachedeco.registry import pool as pool_module
from cachedeco.registry.database import Database
from cachedeco.registry.pool import Pool
from cachedeco.settings import IDLE_CONNECTIONS


@pytest.fixture
def pool(tmp_path):
    (tmp_path / "cache").mkdir()
    made = Pool(Database(str(tmp_path / "cache")))
    yield made
    made.close()


def put(pool, number):
    return pool.write(lambda con: con.execute("INSERT INTO uris (uri) VALUES (?)", (str(number),)).rowcount)


def count(pool):
    return pool.read("SELECT count(*) FROM uris")[0]


def descriptors():
    """Paths of all files that this process has open."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{name}"))
        except FileNotFoundError:
            continue
    return found


def test_a_read_gives_the_first_row_or_none(pool):
    """One row, not a cursor."""
    assert pool.read("SELECT 1 UNION SELECT 2") == (1,)
    assert pool.read("SELECT 1 WHERE 0") is None
    assert pool.read_all("SELECT 1 UNION SELECT 2") == [(1,), (2,)]


def test_a_write_gives_what_its_work_returns_and_is_seen_by_others(pool):
    """It is committed when it returns."""
    assert put(pool, 1) == 1
    other = Pool(pool.database)
    assert count(other) == 1
    other.close()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_write_that_raises_is_taken_back(pool, error):
    """Whatever ends the work, nothing of it stays, and the next write goes on."""

    def work(con):
        con.execute("INSERT INTO uris (uri) VALUES ('u')")
        raise error

    with pytest.raises(error):
        pool.write(work)
    assert count(pool) == 0
    assert put(pool, 1) == 1


def test_an_error_of_sqlite_becomes_ours(pool):
    """Callers catch one kind of error, which names the registry."""
    with pytest.raises(RegistryUnavailableError, match="cannot be used: no such table") as caught:
        pool.read("SELECT * FROM absent")
    assert caught.value.path == pool.database.path
    assert isinstance(caught.value, RegistryError)
    with pytest.raises(RegistryUnavailableError):
        pool.write(lambda con: con.execute("NONSENSE"))
    assert isinstance(caught.value.__cause__, sqlite3.Error)


def test_one_connection_serves_one_thread(pool, monkeypatch):
    """What was given back is taken again."""
    opened = []
    connect = pool.database.connect
    monkeypatch.setattr(pool.database, "connect", lambda: opened.append(1) or connect())
    for number in range(20):
        put(pool, number)
        count(pool)
    assert len(opened) == 1


def test_at_most_so_many_connections_stay_open(pool):
    """A crowd of threads does not leave a crowd of connections."""
    taken = [pool._take() for _ in range(IDLE_CONNECTIONS + 5)]
    for con in taken:
        pool._give(con)
    assert len(pool._idle) == IDLE_CONNECTIONS


def test_a_closed_pool_opens_again(pool):
    """Closing is not the end."""
    put(pool, 1)
    pool.close()
    pool.close()
    assert count(pool) == 1


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="only Linux lists open files there")
def test_closing_leaves_no_file_open(pool):
    """The registry, its log and its index are all let go."""
    put(pool, 1)
    assert [name for name in descriptors() if name.startswith(pool.database.folder)]
    pool.close()
    assert not [name for name in descriptors() if name.startswith(pool.database.folder)]


def test_a_pool_that_is_dropped_closes_its_connections(tmp_path, recwarn):
    """Nobody has to remember to close."""
    (tmp_path / "other").mkdir()
    pool = Pool(Database(str(tmp_path / "other")))
    put(pool, 1)
    idle = pool._idle
    del pool
    assert idle == []


def test_threads_do_not_lose_each_others_commits(pool):
    """Every commit of every thread is there, and nobody hears of a locked database."""
    failures = []

    def run(thread):
        try:
            for number in range(25):
                put(pool, f"{thread}-{number}")
                count(pool)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test looks at it
            failures.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert count(pool) == 200


def test_two_pools_of_one_folder_do_not_disturb_each_other(pool):
    """Two caches on one folder are two pools."""
    other = Pool(Database(pool.database.folder))
    threads = [
        threading.Thread(target=lambda p=p, n=n: [put(p, f"{n}-{i}") for i in range(30)])
        for n, p in enumerate((pool, other))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count(other) == 60
    other.close()


def test_the_log_is_copied_back(pool, monkeypatch):
    """After a number of commits the log starts over instead of growing."""
    monkeypatch.setattr(pool_module, "CHECKPOINT_COMMITS", 10)

    def commit(numbers):
        for number in numbers:
            pool.write(lambda con, n=number: con.execute("INSERT INTO uris (uri) VALUES (?)", (str(n),)))
        return os.path.getsize(pool.database.path + "-wal")

    short = commit(range(50))
    assert commit(range(50, 300)) < 2 * short
    assert count(pool) == 300


def test_a_long_log_of_short_processes_is_copied_back(pool, monkeypatch):
    """Processes that commit once each leave a log that the next one takes care of."""
    put(pool, 1)
    monkeypatch.setattr(pool_module, "log_is_long", lambda _path: True)
    other = Pool(pool.database)
    before = os.path.getsize(pool.database.path)
    put(other, 2)
    assert os.path.getsize(pool.database.path) >= before
    assert other._commits == 0
    other.close()


def test_a_checkpoint_that_fails_costs_nothing(pool, monkeypatch):
    """The commit before it stands and is reported so; it is tried again later."""
    put(pool, 0)
    monkeypatch.setattr(pool_module, "CHECKPOINT_COMMITS", 1)
    monkeypatch.setattr(
        pool.database, "connect", lambda: (_ for _ in ()).throw(RegistryUnavailableError("full"))
    )
    assert put(pool, 1) == 1
    assert count(pool) == 2


def test_a_checkpoint_without_a_connection_costs_nothing(pool, monkeypatch):
    """Nor does it matter when another thread has taken the last idle connection."""
    put(pool, 0)
    monkeypatch.setattr(pool_module, "CHECKPOINT_COMMITS", 1)
    give = pool._give

    def give_and_lose(con):
        give(con)
        pool.close()
        monkeypatch.setattr(
            pool.database, "connect", lambda: (_ for _ in ()).throw(RegistryUnavailableError("full"))
        )

    monkeypatch.setattr(pool, "_give", give_and_lose)
    assert put(pool, 1) == 1


def test_a_write_after_the_folder_was_removed_goes_to_the_new_registry(pool):
    """What is written to a file that has no name any more would be lost."""
    put(pool, 1)
    shutil.rmtree(pool.database.folder)
    put(pool, 2)
    other = Pool(Database(pool.database.folder))
    assert other.read_all("SELECT uri FROM uris") == [("2",)]
    other.close()


def test_a_connection_of_the_removed_registry_is_not_used_again(pool):
    """Also one that another thread was using while the folder was removed."""
    put(pool, 1)
    held = pool._take()
    shutil.rmtree(pool.database.folder)
    put(pool, 2)
    pool._give(held)
    put(pool, 3)
    other = Pool(Database(pool.database.folder))
    assert count(other) == 2
    other.close()


def test_a_removed_folder_costs_one_new_connection(pool, monkeypatch):
    """After that, connections are reused as before."""
    put(pool, 1)
    shutil.rmtree(pool.database.folder)
    put(pool, 2)
    opened = []
    connect = pool.database.connect
    monkeypatch.setattr(pool.database, "connect", lambda: opened.append(1) or connect())
    for number in range(3, 9):
        put(pool, number)
    assert opened == []


def test_a_damaged_registry_is_an_error_of_ours(pool):
    """SQLite's complaint arrives under the name that callers catch."""
    put(pool, 1)
    pool.close()
    path = Path(pool.database.path)
    path.write_bytes(path.read_bytes()[:4096] + os.urandom(20 * 4096))
    with pytest.raises(RegistryError):
        put(pool, 2)


def test_a_fork_that_python_did_not_see_is_refused(pool):
    """Connections of another process are never used."""
    put(pool, 1)
    pool._pid = -1
    with pytest.raises(RegistryUnavailableError, match="forked"):
        count(pool)


@pytest.fixture
def locked(pool):
    """Another process's transaction, as far as SQLite can tell; the test ends it."""
    put(pool, 0)
    other = pool.database.connect()
    other.execute("BEGIN IMMEDIATE")
    yield other
    other.close()


def test_a_write_waits_for_another_process(pool, locked, monkeypatch):
    """It tries again and again, and nobody hears of a locked database."""
    tries = []

    def pause(_seconds):
        tries.append(1)
        if len(tries) == 5:
            locked.execute("COMMIT")

    monkeypatch.setattr(connection.time, "sleep", pause)
    assert put(pool, 1) == 1
    assert pool.update("INSERT INTO uris (uri) VALUES (?)", ("2",)) == 1
    assert len(tries) == 5
    assert count(pool) == 3


def test_a_write_does_not_wait_for_ever(pool, locked, monkeypatch):
    """A process that holds the lock for a minute has stopped."""
    monkeypatch.setattr(connection, "BUSY_SECONDS", 0.0)
    with pytest.raises(RegistryUnavailableError, match="locked"):
        put(pool, 1)
    assert count(pool) == 1
    locked.execute("COMMIT")
    assert put(pool, 1) == 1


def test_what_is_no_lock_is_not_tried_again(pool, monkeypatch):
    """A mistake stays one."""
    monkeypatch.setattr(connection.time, "sleep", lambda _seconds: pytest.fail("it was tried again"))
    with pytest.raises(RegistryUnavailableError, match="no such table"):
        pool.update("DELETE FROM absent", ())

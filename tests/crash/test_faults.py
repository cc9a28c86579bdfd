"""Faults of disks, folders and registries while several processes use them: values come, nobody hangs."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from cachedeco import Cache, Status

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")

F = """
import shutil
large = 20_000
@cached(cache=cache, code_version="1", uri="faults://f")
def f(x):
    note(x)
    say("computes")
    until_told()
    return bytes([x]) * large
"""
MIGRATION = """
import sqlite3
from cachedeco.registry import database
steps = [*database.migrations(), "ALTER TABLE items ADD COLUMN colour TEXT; UPDATE items SET colour = 'red';"]
database.migrations = lambda: steps
"""


def test_the_folder_is_removed_while_a_claim_is_waited_for(stage):
    """Who computes and who waits get their values; the folder is there again and keeps what is computed next."""
    first = stage.start(F + "say('value', len(f(1)))\nuntil_told()\nsay('again', len(f(1)))")
    first.hear("computes")
    waiter = stage.start(F + "say('value', len(f(1)))")
    waiter.hear("waits")
    shutil.rmtree(stage.folder)
    # The claim is gone with the registry, so the waiter finds nobody to wait for.
    waiter.hear("computes")
    waiter.tell()
    assert waiter.hear("value") == "20000"
    waiter.finish()
    first.tell()
    assert first.hear("value") == "20000"
    first.tell()
    assert first.hear("again") == "20000"
    first.finish()
    with Cache(stage.folder) as cache:
        assert [item.status for item in cache.search()] == [Status.READY]
        assert cache.store.pool.read("PRAGMA integrity_check") == ("ok",)


@pytest.mark.parametrize("what", ["everything", "items", "registry", "owners"])
def test_parts_of_the_folder_are_removed_between_hits(stage, what):
    """Each call returns the right value, whatever is missing."""
    story = """
    warnings.simplefilter("ignore")
    @cached(cache=cache, code_version="1", uri="faults://f")
    def f(x):
        note(x)
        return bytes([x]) * 20_000
    for _ in range(3):
        assert [f(x) for x in (1, 2)] == [bytes([x]) * 20_000 for x in (1, 2)]
        say("done")
        until_told()
    """
    worker = stage.start(story)
    for _ in range(2):
        worker.hear("done")
        # What is remembered needs no registry, so it may not even be there the second time.
        shutil.rmtree(stage.folder if what == "everything" else stage.folder / what, ignore_errors=True)
        worker.tell()
    worker.hear("done")
    worker.tell()
    worker.finish()
    # Without its registry the folder still knows its values; without its owners everything.
    assert len(stage.computations()) == (2 if what in {"registry", "owners"} else 6)


def test_a_folder_removed_over_and_over_costs_no_value(stage):
    """While four threads compute and find: nothing is raised, and every value is right."""
    story = """
    warnings.simplefilter("ignore")
    import random, shutil
    @cached(cache=cache, code_version="1", uri="faults://f")
    def f(x):
        return bytes([x]) * (10 if x % 2 else 20_000)
    wrong = []
    def ask(seed):
        dice = random.Random(seed)
        for _ in range(150):
            x = dice.randrange(6)
            try:
                if f(x) != bytes([x]) * (10 if x % 2 else 20_000):
                    wrong.append(x)
            except Exception as error:
                wrong.append(repr(error))
    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
    for each in threads: each.start()
    while any(each.is_alive() for each in threads):
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.005)
    say("wrong", wrong)
    """
    worker = stage.start(story)
    assert worker.hear("wrong") == "[]"
    worker.finish()


def test_a_claim_that_cannot_be_ended_holds_nobody_up(stage):
    """The registry is full for its process, which goes idle: the others take its claim over."""
    story = (
        F
        + """
import resource
before = resource.getrlimit(resource.RLIMIT_FSIZE)
warnings.simplefilter("ignore")
plain = f.__wrapped__
def full(x):
    value = plain(x)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    return value
g = cached(cache=cache, code_version="1", uri="faults://f")(full)
say("value", len(g(1)))
until_told()
resource.setrlimit(resource.RLIMIT_FSIZE, before)
say("value", len(g(1)), [item.status.name for item in g.items(1)])
"""
    )
    first = stage.start(story)
    first.hear("computes")
    waiter = stage.start(F + "say('value', len(f(1)))")
    waiter.hear("waits")
    first.tell()
    assert first.hear("value") == "20000"
    waiter.hear("computes")  # while the first process lives and does nothing
    waiter.tell()
    assert waiter.hear("value") == "20000"
    waiter.finish()
    first.tell()
    assert first.hear("value") == "20000 ['READY', 'FAILED']"
    first.finish()
    assert stage.computations() == ["1", "1"]


def test_too_many_open_files_cost_no_value(stage):
    """With one warning, and cached calls again when there are fewer."""
    story = """
    import resource
    @cached(cache=cache, code_version="1", uri="faults://f")
    def f(x):
        return bytes([x]) * 20_000
    f(0)
    cache.close()
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) - 1, before[1]))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        good = [f(x) == bytes([x]) * 20_000 for x in (0, 1, 2, 0)]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)
    say("good", good, len(seen))
    f(3)
    say("status", f.status(3).name, f.status(0).name)
    """
    worker = stage.start(story)
    assert worker.hear("good") == "[True, True, True, True] 1"
    assert worker.hear("status") == "READY READY"
    worker.finish()


def test_processes_that_find_a_damaged_registry_rebuild_it_once(stage):
    """All get their values without computing, and one of them says what happened."""
    with Cache(stage.folder) as cache:
        path = Path(cache.store.pool.database.path)
    story = """
    @cached(cache=cache, code_version="1", uri="faults://f")
    def f(x):
        note(x)
        return bytes([x]) * 20_000
    say("there")
    until_gate()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        good = [f(x) == bytes([x]) * 20_000 for x in range(20)]
    say("good", all(good), len(seen))
    """
    filler = stage.start("until_gate = lambda: None\n" + story.replace("\n    ", "\n"))
    filler.hear("there")
    assert filler.hear("good") == "True 0"
    filler.finish()
    path.write_bytes(b"\0" * path.stat().st_size)
    workers = [stage.start(story) for _ in range(5)]
    for worker in workers:
        worker.hear("there")
    stage.open_gate()
    heard = [worker.hear("good") for worker in workers]
    for worker in workers:
        worker.finish()
    assert sorted(heard) == ["True 0"] * 4 + ["True 1"]
    assert len(stage.computations()) == 20
    assert len(list(path.parent.glob("damaged-*"))) == 1


# Two versions of the library


def test_an_older_process_goes_on_after_a_migration_that_adds(stage):
    """Its statements name nothing that has changed."""
    older = stage.start(F + "say('one', len(f(1)))\nuntil_told()\nsay('two', len(f(2)), len(f(1)))")
    older.hear("computes")
    older.tell()
    older.hear("one")
    newer = stage.start(
        MIGRATION + F + "say('found', len(f(1)), cache.store.pool.read('PRAGMA user_version')[0])"
    )
    assert newer.hear("found").startswith("20000 ")
    newer.finish()
    older.tell()
    older.hear("computes")
    older.tell()
    assert older.hear("two") == "20000 20000"
    older.finish()


def test_an_older_process_stops_with_a_clear_error_after_one_that_takes_away(stage):
    """A running one as well as one that comes later; nothing is set aside or lost."""
    ask = """
try:
    say("two", len(f(1)))
except Exception as error:
    say("error", type(error).__name__, "upgrade cachedeco" in str(error))
"""
    older = stage.start(F + "say('one', len(f(1)))\ncache.store.memory.clear()\nuntil_told()" + ask)
    older.hear("computes")
    older.tell()
    older.hear("one")
    newer = stage.start(
        MIGRATION.replace(
            "ADD COLUMN colour TEXT; UPDATE items SET colour = 'red';", "RENAME COLUMN digest TO sum;"
        )
        + "say('version', cache.store.pool.read('PRAGMA user_version')[0])"
    )
    newer.hear("version")
    newer.finish()
    older.tell()
    assert older.hear("error") == "RegistryError True"
    older.finish()
    late = stage.start(F + ask)
    assert late.hear("error") == "RegistryError True"
    late.finish()
    assert not list((stage.folder / "registry").glob("damaged-*"))


def test_a_migration_killed_half_way_is_none(stage):
    """Between its statements: the older library goes on as before, and the newer one migrates later."""
    filler = stage.start(F + "say('value', len(f(1)))")
    filler.hear("computes")
    filler.tell()
    filler.hear("value")
    filler.finish()
    killed = stage.start(
        MIGRATION
        + """
import re
class Slow(database.Connection):
    def execute(self, sql, *parameters):
        if "UPDATE items SET colour" in sql:
            say("half")
            until_told()
        return super().execute(sql, *parameters)
database.Connection = Slow
cache.search()
"""
    )
    killed.hear("half")
    killed.signal(signal.SIGKILL)
    killed.process.wait(30)
    older = stage.start(F + "say('value', len(f(1)), cache.store.pool.read('PRAGMA user_version')[0])")
    assert older.hear("value") == "20000 1"
    older.finish()
    newer = stage.start(MIGRATION + "say('now', *cache.store.pool.read('SELECT colour FROM items'))")
    assert newer.hear("now") == "red"
    newer.finish()


@pytest.mark.parametrize("column", ["serializer", "form"])
def test_what_only_a_newer_library_can_read_is_a_miss(stage, column):
    """An unknown serializer with one warning, and it stays for who knows it; an unknown form is not even seen."""
    story = """
    @cached(cache=cache, code_version="1", uri="faults://f")
    def f(x):
        note(x)
        return x
    f(1)
    cache.store.pool.write(lambda con: con.execute("UPDATE items SET COLUMN = 'from 2031'"))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        say("value", f(1), f(1), len(seen))
    say("versions", [item.version for item in f.items(1)])
    """.replace("COLUMN", column)
    worker = stage.start(story)
    assert worker.hear("value") == ("1 1 1" if column == "serializer" else "1 1 0")
    assert worker.hear("versions") == "[2, 1]"
    worker.finish()
    assert stage.computations() == ["1", "1"]


def test_nothing_is_left_of_a_registry_that_could_not_be_made(stage):
    """Neither by a process whose disk was full, nor for long by one that was killed."""
    worker = stage.start(
        """
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
    @cached(cache=cache, code_version="1")
    def f(x):
        return x
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        say("value", f(1), f(2), len(seen))
    """
    )
    assert worker.hear("value") == "1 2 1"
    worker.finish()
    registry = stage.folder / "registry"
    assert [path.name for path in registry.iterdir()] == []
    (registry / "registry.db.0123456789abcdef.new").write_bytes(b"half")
    (registry / "registry.db.0123456789abcdef.new-wal").write_bytes(b"half")
    with Cache(stage.folder) as cache:
        assert len(cache) == 0
        assert os.listdir(registry) == ["registry.db"] or not list(registry.glob("*.new*"))

"""How often items are used: counted in the process, written in batches."""

from __future__ import annotations

import subprocess
import sys
import textwrap

from cachedeco import Cache, cached


def double(x):
    return x * 2


def test_hits_are_counted(cache):
    """From the disk and from memory; a miss is none."""
    f = cached(cache=cache)(double)
    f(1)
    assert f.item(1).read_count == 0
    for _ in range(3):
        f(1)
    item = f.item(1)
    assert item.read_count == 3
    assert item.last_read >= item.committed


def test_load_open_and_accessed_are_uses(cache):
    """Of items found by a search."""
    item = cache.create("demo://x", filename="f")
    item.path.write_text("a")
    item.ready()
    item.load()
    with item.open():
        pass
    item.accessed()
    assert item.read_count == 3


def test_counts_are_written_when_the_process_ends(tmp_path):
    """And added up over processes."""
    program = """
        import sys
        from cachedeco import Cache, cached
        @cached(cache=Cache(sys.argv[1]), uri="demo://f")
        def f(x):
            return x
        for _ in range(3):
            f(1)
    """
    for _ in range(2):
        command = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path / "cache")]
        subprocess.run(command, check=True)
    with Cache(tmp_path / "cache") as cache:
        assert [item.read_count for item in cache.search()] == [5]


def test_a_read_only_cache_is_not_written_to(cache):
    """Its hits are not counted."""
    f = cached(cache=cache)(double)
    f(1)
    cache.close()
    with Cache(cache.path, mode="read-only") as reader:
        g = cached(cache=reader)(double)
        g(1)
        g(1)
        reader.store.pool.keep_uses(wait=1.0)
    assert cache.store.pool.read_all("SELECT * FROM uses") == []


def test_counting_waits_for_nobody(cache):
    """While another writes, the counts stay for later."""
    f = cached(cache=cache)(double)
    f(1)
    f(1)
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(f"{cache.path}/registry/registry.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        cache.store.pool.keep_uses(wait=0.0)
        assert cache.store.uses.counts
        other.execute("ROLLBACK")
    cache.store.pool.keep_uses(wait=0.0)
    assert not cache.store.uses.counts
    assert f.item(1).read_count == 1


def test_statistics_tell_what_a_cache_was_good_for(cache):
    """Per function, those first that saved most."""
    f = cached(cache=cache)(double)
    f(1)
    f(1)
    f(2)
    cache.create("demo://x", filename="f").failed()
    first, second = cache.stats()
    assert (first["name"].rpartition(".")[2], first["items"], first["computed"], first["hits"]) == (
        "double",
        2,
        2,
        1,
    )
    assert first["seconds_saved"] > 0
    assert (second["name"], second["failed"], second["hits"]) == ("demo://x", 1, 0)

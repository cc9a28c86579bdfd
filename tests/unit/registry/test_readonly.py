"""Reading where nothing can be written: hits are served, and believed only if nobody wrote meanwhile."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import textwrap

import pytest

from cachedeco import Cache, cached
from cachedeco.registry import readonly
from cachedeco.registry.readonly import Snapshot

needs_root = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only the superuser can become somebody else"
)
LARGE = list(range(5_000))


@pytest.fixture
def filled(tmp_path):
    with Cache(tmp_path / "cache") as cache:

        @cached(cache=cache, code_version="1", uri="u://{x}")
        def f(x):
            return [*LARGE, x]

        @cached(cache=cache, code_version="1", uri="s://{x}")
        def small(x):
            return x

        f(1), small(1)
    return cache


@pytest.fixture
def snapshot(filled):
    path = filled.store.pool.database.path
    return Snapshot(path, f"file:{path}")


def test_it_reads_what_is_there(snapshot):
    """As a connection would."""
    assert snapshot.execute("SELECT count(*) FROM items").fetchone() == (2,)
    assert len(snapshot.execute("SELECT id FROM items WHERE id > ?", (0,)).fetchall()) == 2
    assert snapshot.execute("SELECT id FROM items WHERE id < 0").fetchone() is None


def test_it_leaves_nothing_behind(snapshot, filled):
    """Neither a log nor shared memory."""
    snapshot.execute("SELECT count(*) FROM items")
    assert sorted(os.listdir(os.path.dirname(filled.store.pool.database.path))) == ["registry.db", "slots"]


def test_it_writes_nothing(snapshot):
    """Whatever is asked of it."""
    for sql in ("BEGIN IMMEDIATE", "DELETE FROM items", "-- why\nUPDATE items SET status = 0"):
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            snapshot.execute(sql)


def test_with_a_log_nothing_is_read(snapshot, filled):
    """There are commits that the file itself does not have."""
    with Cache(filled.path) as writer:
        writer.create("u://new")
        with pytest.raises(sqlite3.OperationalError, match="log holds commits"):
            snapshot.execute("SELECT count(*) FROM items")
    assert snapshot.execute("SELECT count(*) FROM items").fetchone() == (3,)


def test_what_was_read_while_somebody_wrote_is_read_again(snapshot, filled, monkeypatch):
    """The file must be the same before and after; a second look finds what was written."""
    connect, tries = sqlite3.connect, []

    def meanwhile(*args, **kwargs):
        tries.append(args)
        if len(tries) == 1:
            con = connect(filled.store.pool.database.path)
            con.execute("UPDATE items SET label = 'new'")
            con.commit()
            con.close()
        return connect(*args, **kwargs)

    monkeypatch.setattr(readonly.sqlite3, "connect", meanwhile)
    assert snapshot.execute("SELECT DISTINCT label FROM items").fetchall() == [("new",)]
    assert len(tries) == 2


def test_somebody_who_writes_all_the_time_makes_it_unavailable(snapshot, filled, monkeypatch):
    """Rather than an answer that may be of two times."""
    states = iter(range(1000))
    monkeypatch.setattr(Snapshot, "_state", lambda self: next(states))
    with pytest.raises(sqlite3.OperationalError, match="being written to"):
        snapshot.execute("SELECT 1")


STORY = """
import sys, warnings
warnings.simplefilter("always")
from cachedeco import Cache, cached
import os, tempfile, filelock, sqlite3, cachedeco.why
# What a call imports late is imported now: the other user may not even read the checkout.
with tempfile.TemporaryDirectory() as folder, Cache(folder) as warm:
    @cached(cache=warm)
    def large(x):
        return [*range(5_000), x]
    large(1), large(1), warm.search()
if sys.argv[3]:
    os.setgroups([]), os.setgid(int(sys.argv[3])), os.setuid(int(sys.argv[3]))
cache = Cache(sys.argv[1], mode=sys.argv[2])
@cached(cache=cache, code_version="1", uri="u://{x}")
def f(x):
    print("computes", x)
    return [*range(5_000), x]
@cached(cache=cache, code_version="1", uri="s://{x}")
def s(x):
    print("computes", x)
    return x
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    assert f(1) == [*range(5_000), 1] and s(1) == 1 and f(1)[-1] == 1
    print("hits", len(caught))
    assert f(2)[-1] == 2 and f(3)[-1] == 3
    print("warnings", len([each for each in caught if "computed without it" in str(each.message)]), len(caught))
print("items", len(cache.search()))
"""


def run(folder, *, mode="read-write", user=None, before=""):
    command = [sys.executable, "-c", textwrap.dedent(STORY), str(folder), mode, str(user or "")]
    if before:
        command = ["unshare", "--mount", "sh", "-c", before + ' exec "$@"', "sh", *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")


def open_to_others(tmp_path, folder):
    """Let everybody read a cache, and nobody else write to it."""
    for parent in (tmp_path, *tmp_path.parents):
        if os.stat(parent).st_uid == os.geteuid():
            parent.chmod(parent.stat().st_mode | 0o011)
    for place, _, names in os.walk(folder):
        os.chmod(place, 0o755)  # noqa: S103 - that others may read it is the point
        for name in names:
            os.chmod(os.path.join(place, name), 0o644)


EXPECTED = ["hits 0", "computes 2", "computes 3", "warnings 1 1", "items 2", ""]


@needs_root
@pytest.mark.parametrize("mode", ["read-write", "read-only"])
def test_in_another_users_folder_hits_are_served(filled, tmp_path, mode):
    """Misses are computed with one warning, or with none where the cache is not to write anyway."""
    open_to_others(tmp_path, filled.path)
    expected = [line.replace("1 1", "0 0") if mode == "read-only" else line for line in EXPECTED]
    assert run(filled.path, mode=mode, user=65534) == expected
    assert sorted(os.listdir(os.path.dirname(filled.store.pool.database.path))) == ["registry.db", "slots"]


@needs_root
@pytest.mark.parametrize("mode", ["read-write", "read-only"])
def test_on_a_read_only_mount_hits_are_served(filled, mode):
    """Although the superuser may write everywhere else."""
    bind = f"mount --bind '{filled.path}' '{filled.path}' && mount -o remount,bind,ro '{filled.path}' || exit 77;"
    probe = subprocess.run(["unshare", "--mount", "sh", "-c", bind], capture_output=True, check=False)  # noqa: S607 - of the system
    if probe.returncode:
        pytest.skip("this superuser may not mount")
    expected = [line.replace("1 1", "0 0") if mode == "read-only" else line for line in EXPECTED]
    assert run(filled.path, mode=mode, before=bind) == expected


@needs_root
def test_while_a_writer_is_there_its_log_is_read(filled, tmp_path):
    """What the writer has committed is seen through its shared memory."""
    with Cache(filled.path) as writer:
        writer.create("u://new")
        open_to_others(tmp_path, filled.path)
        assert run(filled.path, user=65534)[-2] == "items 3"

"""Owners: known alive by the lock they hold, found dead without waiting, never robbed in doubt."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys

import filelock
import pytest

from cachedeco import Cache, RegistryUnavailableError, Status, cached
from cachedeco.registry import owner as owners
from cachedeco.registry.claims import Claims, Wanted, new_token
from cachedeco.registry.database import Database
from cachedeco.registry.items import Items
from cachedeco.registry.pool import Pool

KEY, SCOPE = b"k" * 16, b"s" * 16
OTHER_PROCESS = """
import sys
from cachedeco.registry.pool import Pool
from cachedeco.registry.database import Database
from cachedeco.registry.claims import Claims, Wanted, new_token
from cachedeco.registry import owner
claims = Claims(Pool(Database(sys.argv[1])))
token = new_token()
owner.live_tokens.add(token)
wanted = Wanted(
    key=b"k"*16, scope=b"s"*16, uri="u", code=b"s"*16, label=None, function="f", params="{}", parts=lambda: "{}"
)
assert claims.claim(wanted, token, "value", 0)
print("claimed", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def pool(tmp_path):
    (tmp_path / "cache").mkdir()
    made = Pool(Database(str(tmp_path / "cache")))
    yield made
    made.close()


@pytest.fixture
def other(pool):
    """Another process with a claim, that lives until its input is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER_PROCESS, pool.database.folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"claimed\n"
    yield process
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def lock_files(pool):
    return sorted(os.listdir(os.path.join(pool.database.folder, "owners")))


def row_of(pool, owner_id):
    return owners.OwnerRow(pool.read(owners.QUERIES["owner"], (owner_id,)))


def claim(pool, key=KEY):
    token = new_token()
    owners.live_tokens.add(token)
    want = Wanted(
        key=key, scope=SCOPE, uri="u", code=SCOPE, label=None, function="f", params="{}", parts=lambda: "{}"
    )
    try:
        return Claims(pool).claim(want, token, "value", 0)
    finally:
        owners.live_tokens.discard(token)


def only_claim(pool):
    return Items(pool).versions(KEY)[0]


def test_a_process_is_one_owner(pool):
    """All its claims in a folder have one owner, with one lock file."""
    first, second = owners.own(pool), owners.own(pool)
    assert first is second
    assert lock_files(pool) == [os.path.basename(first.path)]


def test_two_folders_have_two_owners(pool, tmp_path):
    """A lock file says something about its own folder only."""
    (tmp_path / "second").mkdir()
    second = Pool(Database(str(tmp_path / "second")))
    assert owners.own(pool).path != owners.own(second).path
    second.close()


def test_a_living_owner_is_not_dead(pool):
    """Not even for its own process."""
    mine = owners.own(pool)
    assert owners.reap_if_dead(pool, row_of(pool, mine.id)) is False


def test_a_running_process_is_not_dead(pool, other):
    """Its lock is held."""
    owner_id = only_claim(pool).owner
    assert Claims(pool).reap_if_dead(owner_id) is False
    assert only_claim(pool).status == Status.WRITE


def test_a_stopped_process_is_not_dead(pool, other):
    """It may go on any time, so nobody takes its claim."""
    other.send_signal(signal.SIGSTOP)
    try:
        assert Claims(pool).reap_if_dead(only_claim(pool).owner) is False
    finally:
        other.send_signal(signal.SIGCONT)


def test_a_killed_process_is_dead_at_once(pool, other):
    """The kernel has let go of its lock: its claim is abandoned and its file goes."""
    files = lock_files(pool)
    other.kill()
    other.wait()
    assert Claims(pool).reap_if_dead(only_claim(pool).owner) is True
    assert (only_claim(pool).status, only_claim(pool).cause) == (Status.FAILED, "abandoned")
    assert len(files) == 1
    assert lock_files(pool) == []


def test_a_process_that_was_killed_but_not_waited_for_is_dead(pool, other):
    """A zombie in the process table holds no lock."""
    other.kill()
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    assert Claims(pool).reap_if_dead(only_claim(pool).owner) is True


def test_a_running_process_whose_lock_file_was_deleted_is_not_dead(pool, other):
    """A missing file alone proves nothing; its process does."""
    shutil.rmtree(os.path.join(pool.database.folder, "owners"))
    assert Claims(pool).reap_if_dead(only_claim(pool).owner) is False


def test_an_owner_whose_lock_cannot_be_asked_is_not_dead(pool, other, monkeypatch):
    """An error of the disk says nothing about the owner, and is no error of who looks."""

    def broken(descriptor, *, blocking):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(filelock, "lock_descriptor", broken)
    assert Claims(pool).reap_if_dead(only_claim(pool).owner) is False


def test_looking_at_an_owner_makes_no_lock_file(pool, other):
    """A file made by looking would look free, and rob the living."""
    shutil.rmtree(os.path.join(pool.database.folder, "owners"))
    Claims(pool).reap_if_dead(only_claim(pool).owner)
    assert not os.path.exists(os.path.join(pool.database.folder, "owners"))


def test_a_killed_process_whose_lock_file_was_deleted_is_dead(pool, other):
    """There is no process of that number and start any more."""
    shutil.rmtree(os.path.join(pool.database.folder, "owners"))
    other.kill()
    other.wait()
    assert Claims(pool).reap_if_dead(only_claim(pool).owner) is True


def no_folder(path):
    os.rmdir(os.path.dirname(path))
    open(os.path.dirname(path), "x").close()


OBSTACLES = {"folder": os.mkdir, "link": lambda path: os.symlink(os.devnull, path), "file above": no_folder}


@pytest.mark.parametrize("put", OBSTACLES.values(), ids=OBSTACLES)
def test_what_is_no_lock_file_says_nothing_of_its_owner(pool, other, put):
    """Whoever put a folder or a link there: a dead owner's claims are not waited for, a living one's are."""
    owners_folder = os.path.join(pool.database.folder, "owners")
    (name,) = os.listdir(owners_folder)
    os.unlink(os.path.join(owners_folder, name))
    put(os.path.join(owners_folder, name))
    assert Claims(pool).reap_if_dead(only_claim(pool).owner) is False
    other.kill()
    other.wait()
    assert Claims(pool).reap_if_dead(only_claim(pool).owner) is True


@pytest.mark.parametrize(
    ("column", "value", "dead"),
    [
        ("pid_started", 1, True),
        ("boot_id", "another boot", True),
        ("boot_id", "", False),
        ("pid_namespace", "another container", False),
        ("pid", "no number", True),
        ("boot_id", b"", True),
    ],
)
def test_without_a_lock_file_the_process_is_judged(pool, other, column, value, dead):
    """A reused number or an earlier boot is dead; another container or no facts leave doubt."""
    shutil.rmtree(os.path.join(pool.database.folder, "owners"))
    pool.write(lambda con: con.execute(f"UPDATE owners SET {column} = ?", (value,)))
    assert Claims(pool).reap_if_dead(only_claim(pool).owner) is dead


@pytest.mark.parametrize("name", ["../../outside", b"x", "", "X" * 32])
def test_a_damaged_name_leads_nowhere(pool, other, tmp_path, name):
    """Its lock file would be deleted; the claim is judged by the process, as without a lock file."""
    (tmp_path / "outside.lock").write_text("somebody's")
    pool.write(lambda con: con.execute("UPDATE owners SET name = ?", (name,)))
    assert Claims(pool).reap_if_dead(only_claim(pool).owner) is False
    other.kill()
    other.wait()
    assert Claims(pool).reap_if_dead(only_claim(pool).owner) is True
    assert (tmp_path / "outside.lock").exists()


@pytest.mark.parametrize("owner", [99, "text", -1])
def test_a_claim_of_an_owner_that_nobody_knows_is_ended(pool, other, owner):
    """Its record is damaged, or that of its owner: whoever waited for it would wait for ever."""
    pool.write(lambda con: con.execute("UPDATE items SET owner = ?", (owner,)))
    mine = Claims(pool)
    assert mine.reap_if_dead(mine.running(KEY, SCOPE).owner) is True
    assert mine.running(KEY, SCOPE) is None


def test_a_new_owner_ends_some_that_died(pool, other):
    """Claims of the dead do not wait until somebody wants just their key."""
    other.kill()
    other.wait()
    owners.own(pool)
    assert only_claim(pool).cause == "abandoned"


def test_a_deleted_lock_file_is_replaced_before_the_next_claim(pool):
    """Else nobody could tell any more that we live."""
    first = owners.own(pool)
    os.unlink(first.path)
    second = owners.own(pool)
    assert second.path != first.path
    assert os.path.exists(second.path)
    assert first not in owners._kept, "it computes nothing"


def test_a_replaced_registry_makes_a_new_owner(pool):
    """The number in a new registry is not the number in the old one."""
    first = owners.own(pool)
    shutil.rmtree(os.path.join(pool.database.folder, "registry"))
    second = owners.own(pool)
    assert second is not first
    assert pool.read("SELECT count(*) FROM owners WHERE id = ?", (second.id,)) == (1,)
    assert first not in owners._kept, "it computes nothing"


def test_a_claim_in_a_replaced_registry_is_not_taken_for_ours(pool, other):
    """Numbers start again in a new registry: the same number may be another process."""
    owners.own(pool)
    mine = Claims(pool)
    number = only_claim(pool).owner
    pool.write(lambda con: con.execute("UPDATE owners SET id = id + 100"))
    pool.write(lambda con: con.execute("UPDATE items SET owner = owner + 100"))
    assert mine.running(KEY, SCOPE).owner == number + 100
    assert not mine.running(KEY, SCOPE).ours


def test_an_owner_that_cannot_be_recorded_leaves_no_file(pool, monkeypatch):
    """With a full disk, calls would else pile up lock files."""
    pool.read("SELECT 1")
    write = pool.write

    def full(work):
        raise RegistryUnavailableError("disk full")

    monkeypatch.setattr(pool, "write", full)
    for _ in range(3):
        with pytest.raises(RegistryUnavailableError):
            owners.own(pool)
    assert lock_files(pool) == []
    monkeypatch.setattr(pool, "write", write)
    assert os.path.exists(owners.own(pool).path)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write everywhere"
)
def test_a_folder_that_may_not_be_written_to_is_named(pool):
    """The error names the lock file that could not be made."""
    pool.read("SELECT 1")
    os.chmod(pool.database.folder, 0o500)
    try:
        with pytest.raises(RegistryUnavailableError, match="cannot make the lock file"):
            owners.own(pool)
    finally:
        os.chmod(pool.database.folder, 0o700)


def test_the_start_of_a_process_tells_it_from_a_later_one():
    """The same number started at another time is another process."""
    assert owners._started(os.getpid()) == owners._started(os.getpid())
    assert owners._started(2**22 + 7) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="the name of a program is read from /proc")
def test_a_program_with_a_strange_name_is_understood(tmp_path, monkeypatch):
    """Blanks and parentheses in the name do not shift the fields."""
    stat = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20"
    monkeypatch.setattr(owners, "_read", lambda _path: stat)
    assert owners._started(7) == 4242


def test_an_owner_whose_registry_was_replaced_keeps_no_file_open(tmp_path):
    """However often that happens, unless it is computing something."""
    cache = Cache(tmp_path / "cache")

    @cached(cache=cache)
    def f(x):
        return x

    f(0)
    before = len(owners._kept)
    for x in range(1, 4):
        cache.rebuild()
        f(x)
    assert len(owners._kept) == before
    assert [f.item(x) is not None for x in range(4)] == [True] * 4

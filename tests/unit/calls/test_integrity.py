"""What was damaged after it was stored is never given to a caller; what survives a power cut."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cachedeco import OUTPUT, Cache, OptionError, Status, StoreWarning, cached
from cachedeco.files import check, staging
from cachedeco.values.contract import DamagedError

LARGE = list(range(30_000))
CALLS = []


def change(path, *, keep_times=True):
    """Overwrite the middle of a file in place; its size and the time of its change stay."""
    before = os.stat(path)
    os.chmod(path, 0o600)
    with open(path, "r+b") as file:
        file.seek(before.st_size // 2)
        byte = file.read(1)
        file.seek(before.st_size // 2)
        file.write(bytes([byte[0] ^ 0xFF]))
    if keep_times:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.fixture
def calls():
    CALLS.clear()
    return CALLS


@pytest.fixture
def f(cache, calls):
    @cached(cache=cache, code_version="1")
    def function(x):
        CALLS.append(x)
        return LARGE

    return function


@pytest.fixture
def measured(monkeypatch):
    """Paths whose digest was computed."""
    seen = []
    measure = staging.measure

    def counted(path):
        seen.append(path)
        return measure(path)

    monkeypatch.setattr(check, "measure", counted)
    return seen


def signature(item):
    return item._store.pool.read("SELECT signature FROM items WHERE id = ?", (item.id,))[0]


def test_a_hit_reads_no_file_for_its_digest(f, calls, measured):
    """The state of the file says that nothing has touched it."""
    assert [f(1), f(1), f(1)] == [LARGE] * 3
    assert calls == [1]
    assert measured == []


def test_a_changed_value_of_the_same_size_is_computed_again(f, calls):
    """It goes to the trash as damaged."""
    f(1)
    item = f.item(1)
    change(item.path)
    assert f(1) == LARGE
    assert calls == [1, 1]
    assert item.status == Status.TRASH
    assert item._refreshed().cause == "damaged"


def test_an_older_good_version_is_taken_first(f, calls):
    """Nothing is computed while there is one."""
    f(1)
    f.refresh(1)
    change(f.item(1).path)
    assert f(1) == LARGE
    assert calls == [1, 1]
    assert f.item(1).version == 1


def test_a_changed_small_value_is_computed_again(cache, calls):
    """What lies in the registry is checked at every hit."""

    @cached(cache=cache, code_version="1")
    def small(x):
        CALLS.append(x)
        return "value"

    small(1)
    cache.store.pool.write(
        lambda con: con.execute("UPDATE items SET data = CAST(replace(data, x'76', x'77') AS BLOB)")
    )
    assert small(1) == "value"
    assert calls == [1, 1]


@pytest.mark.parametrize("kind", ["file", "folder", "files"])
def test_an_output_changed_in_place_is_made_again(cache, calls, kind):
    """A file that the user edited is not what the function wrote."""
    output = {"file": "a.txt", "folder": "a/", "files": {"x": "a.txt", "y": "b.txt"}}[kind]

    @cached(cache=cache, output=output, code_version="1")
    def write(x, output=OUTPUT):
        CALLS.append(x)
        paths = output.values() if kind == "files" else [output / "in" if kind == "folder" else output]
        for path in paths:
            path.write_text("as it was written")
        return output

    def path():
        given = write(1)
        return {"file": given, "folder": Path(str(given), "in")}.get(kind) or given["y"]

    change(path())
    assert path().read_text() == "as it was written"
    assert calls == [1, 1]
    assert path().read_text() == "as it was written"
    assert calls == [1, 1]


def test_a_touched_file_is_read_once_by_all(f, cache, calls, measured):
    """Its new state is recorded, so the next process need not read it again."""
    f(1)
    os.utime(f.item(1).path, ns=(1, 1))
    assert f(1) == LARGE
    assert len(measured) == 1
    cache.store.checked.clear()  # as another process
    assert f(1) == LARGE
    assert len(measured) == 1
    assert calls == [1]


def test_after_a_new_start_of_the_machine_each_file_is_read_once(f, calls, measured, monkeypatch):
    """What a power cut took is found out."""
    f(1)
    f(2)
    monkeypatch.setattr(check, "boot_id", lambda: b"another start...")
    path = f.item(2).path
    measured.clear()
    change(path)
    assert [f(1), f(2), f(1), f(2)] == [LARGE] * 4
    assert calls == [1, 2, 2]
    assert len([each for each in measured if each != str(path)]) == 1


def test_a_truncated_file_is_computed_again(f, calls):
    """As a power cut leaves it."""
    f(1)
    path = f.item(1).path
    path.chmod(0o600)
    os.truncate(path, 0)
    assert f(1) == LARGE
    assert calls == [1, 1]


def test_a_cache_that_must_not_write_reads_once_a_process(f, cache, calls, measured):
    """And records nothing."""
    f(1)
    item = f.item(1)
    before = signature(item)
    os.utime(item.path, ns=(1, 1))
    reader = Cache(cache.path, mode="read-only")
    g = cached(cache=reader, code_version="1", uri=item.uri)(f.__wrapped__)
    measured.clear()
    assert [g(1), g(1)] == [LARGE] * 2
    assert len(measured) == 1
    assert reader.store.pool.read("SELECT signature FROM items")[0] == before
    reader.close()


def test_with_verify_digest_each_hit_reads(cache, calls, measured):
    """For disks that nobody trusts."""

    @cached(cache=cache, code_version="1", verify="digest")
    def function(x):
        CALLS.append(x)
        return LARGE

    assert [function(1), function(1), function(1)] == [LARGE] * 3
    assert calls == [1]
    assert len(measured) == 2


def test_verify_and_durability_take_two_words_each(cache):
    """Another one is an error at decoration."""
    with pytest.raises(OptionError, match=r"verify='never'.*'size', 'digest'"):
        cached(verify="never")(len)
    with pytest.raises(OptionError, match=r"durability='none'.*'process', 'full'"):
        cached(durability="none")(len)
    with pytest.raises(OptionError, match="durability='none'"):
        Cache(cache.path, durability="none")


def test_an_item_whose_file_was_changed_is_not_loaded(cache, f, tmp_path):
    """Nor is it the best one of its key, and an older one is."""
    f(1)
    item = f.item(1)
    change(item.path)
    with pytest.raises(DamagedError, match="not what was stored"):
        item.load()
    assert f.item(1) is None
    (tmp_path / "a.txt").write_text("text of a file")
    first = cache.move_in(tmp_path / "a.txt", uri="u")
    second = cache.move_in(tmp_path / "a.txt", uri="u")
    assert cache.best("u") == second
    change(second.path)
    assert cache.best("u") == first


# Durability


@pytest.fixture
def syncs(monkeypatch):
    """What was brought to the disk and put in its place, in order; True for the commit of a durable transaction."""
    seen = []
    fsync, rename = os.fsync, os.rename

    def noted(descriptor):
        seen.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    def moved(source, target):
        seen.append(("rename", source))
        rename(source, target)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(os, "rename", moved)
    return seen


needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="names of descriptors")


@needs_proc
def test_full_durability_keeps_the_order(tmp_path, syncs, monkeypatch):
    """Content and manifest, then their folders up to the cache, all before the commit."""
    with Cache(tmp_path / "cache", durability="full") as cache:
        commit = cache.store.claims.commit
        monkeypatch.setattr(
            cache.store.claims, "commit", lambda *a, **k: (syncs.append(k["durable"]), commit(*a, **k))[1]
        )

        @cached(cache=cache, code_version="1")
        def f(x):
            return LARGE

        f(1)
        item = f.item(1)
        final = str(item.path.parent)
        seen = syncs[: syncs.index(True)]
        assert seen.index(f"{final}.part/{item.filename}") < seen.index(f"{final}.part")
        assert seen.index(f"{final}.part") < seen.index(("rename", f"{final}.part"))
        written = [each for each in seen if str(each).startswith(f"{final}.json")]
        assert len(written) == 1
        after = seen[seen.index(("rename", f"{final}.part")) :]
        folders = [os.path.dirname(final), str(tmp_path / "cache" / "items"), str(tmp_path / "cache")]
        assert [each for each in after if each in folders] == folders
        assert after.index(written[0]) < after.index(folders[0])


@needs_proc
@pytest.mark.parametrize("begin", ["create", "best_or_new"])
def test_full_durability_holds_for_items_made_by_hand(tmp_path, syncs, monkeypatch, begin):
    """Content, then folders up to the cache, then a durable commit, then the manifest."""
    with Cache(tmp_path / "cache", durability="full") as cache:
        write = cache.store.pool.write
        monkeypatch.setattr(
            cache.store.pool,
            "write",
            lambda work, *, durable=False: (syncs.append(durable), write(work, durable=durable))[1],
        )
        item = getattr(cache, begin)("u://hand", filename="a.bin")
        item.path.write_bytes(bytes(20_000))
        syncs.clear()
        item.ready()
        final = str(item.path.parent)
        seen = [each for each in syncs if each is not False]
        folders = [os.path.dirname(final), str(tmp_path / "cache" / "items"), str(tmp_path / "cache")]
        assert seen[:6] == [str(item.path), final, *folders, True]
        assert any(str(each).startswith(f"{final}.json") for each in seen[6:])


@needs_proc
def test_by_default_nothing_is_brought_to_the_disk(cache, syncs):
    """That costs a millisecond, which few want to pay."""

    @cached(cache=cache, code_version="1")
    def f(x):
        return LARGE

    f(1)
    assert [each for each in syncs if isinstance(each, str)] == []


def test_a_function_may_ask_for_more_than_its_cache(cache, monkeypatch):
    """Its option goes before that of the cache."""
    seen = []
    write = cache.store.pool.write

    def noted(work, *, durable=False):
        seen.append(durable)
        return write(work, durable=durable)

    monkeypatch.setattr(cache.store.pool, "write", noted)
    cached(cache=cache, uri="u://1", durability="full")(lambda x: x)(1)
    assert seen[-1] is True
    cached(cache=cache, uri="u://2", durability="process")(lambda x: x)(1)
    assert seen[-1] is False


def test_a_transaction_that_is_to_last_is_the_only_one_that_waits(cache):
    """The connection goes back to what it was."""
    settings = []

    def ask(con):
        settings.append(con.execute("PRAGMA synchronous").fetchone()[0])

    cache.store.pool.write(ask)
    cache.store.pool.write(ask, durable=True)
    cache.store.pool.write(ask)
    assert settings == [1, 2, 1]


def test_what_the_disk_could_not_keep_is_dropped(cache, monkeypatch):
    """The value reaches its caller; nobody asks the disk a second time."""
    asked = []

    def broken(descriptor):
        asked.append(descriptor)
        raise OSError(5, "Input/output error")

    @cached(cache=cache, code_version="1", durability="full")
    def f(x):
        return LARGE

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.warns(StoreWarning, match="Input/output error") as caught:
        assert f(1) == LARGE
    assert len(caught) == len(asked) == 1
    assert [item.status for item in f.items(1)] == [Status.FAILED]
    assert [path for path in Path(cache.path, "items").rglob("*") if path.is_file()] == []

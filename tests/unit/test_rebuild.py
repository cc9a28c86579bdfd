"""A registry that is lost or damaged: set aside, rebuilt from what lies beside the values, by one process."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import threading
import warnings
from pathlib import Path

import pytest

from cachedeco import OUTPUT, Cache, RegistryError, Status, StoreWarning, cached
from cachedeco.registry import aside, owner
from cachedeco.registry.claims import Claims
from cachedeco.registry.pool import Pool

LARGE = list(range(5_000))
CALLS = []


@pytest.fixture(autouse=True)
def no_calls(nothing_left_behind):
    """Owners of registries that are gone keep their lock files as long as their process lives."""
    CALLS.clear()
    yield
    owner._kept.clear()


def functions(cache):
    @cached(
        cache=cache, code_version="1", uri="u://large", attrs={"n": 2, "x": {"y": b"\0"}}, label="labelled"
    )
    def large(x):
        CALLS.append(x)
        return [*LARGE, x]

    @cached(cache=cache, code_version="1", uri="u://small")
    def small(x):
        CALLS.append(x)
        return x

    @cached(cache=cache, code_version="1", uri="u://file", output="out_{x}.txt")
    def file(x, output=OUTPUT):
        CALLS.append(x)
        output.write_text(f"file {x}")
        return output

    return large, small, file


@pytest.fixture
def filled(cache, tmp_path):
    """A cache with items of all kinds."""
    large, small, file = functions(cache)
    for x in range(5):
        large(x), small(x), file(x)
    large.refresh(1)
    (tmp_path / "moved.txt").write_text("moved in")
    cache.move_in(tmp_path / "moved.txt", uri="u://moved", params={"a": 1}, attrs={"kind": "text"})
    CALLS.clear()
    cache.close()
    return cache


def path_of(cache):
    return cache.store.pool.database.path


def delete(cache):
    for name in os.listdir(os.path.dirname(path_of(cache))):
        os.unlink(os.path.join(os.path.dirname(path_of(cache)), name))


SAID = "uri version status key params attrs label ext filename size code seconds attempts function".split()


def facts(items):
    """What is known of items, in an order of its own."""
    return sorted((*(str(getattr(item, name)) for name in SAID), item._record.digest) for item in items)


def with_files(cache):
    return [item for item in cache.search() if item.filename is not None]


def test_a_deleted_registry_is_rebuilt_from_the_manifests(filled):
    """All that has files comes back as it was, values, outputs and files moved in; the user is told once."""
    before = facts(with_files(filled))
    assert len(before) == 12
    filled.close()
    delete(filled)
    with pytest.warns(StoreWarning, match=r"was lost; it was rebuilt with the 12 items") as caught:
        after = facts(filled.search())
    assert len(caught) == 1
    assert after == before
    large, small, file = functions(filled)
    assert [large(x)[-1] for x in range(5)] == list(range(5))
    assert [file(x).read_text() for x in range(5)] == [f"file {x}" for x in range(5)]
    assert CALLS == []
    assert filled.best("u://moved", {"a": 1}).path.read_text() == "moved in"
    assert small(1) == 1
    assert CALLS == [1]


def test_version_numbers_go_on(filled):
    """Of what came back, and of what lies in the trash without a manifest."""
    large, _, _ = functions(filled)
    large.refresh(2)
    large.remove(2)
    filled.close()
    delete(filled)
    with pytest.warns(StoreWarning, match="was lost"):
        large.refresh(1)
    assert large.item(1).version == 3
    large(2)
    assert [item.version for item in large.items(2)] == [3]


def test_what_was_removed_does_not_come_back(filled):
    """Nor what was found damaged; what was restored does."""
    large, _, _ = functions(filled)
    item = large.item(3)
    large.remove(3)
    large.item(4).remove()
    filled.remove("u://file", {"x": 0})
    item.restore()
    filled.close()
    delete(filled)
    with pytest.warns(StoreWarning, match="was lost"):
        assert large.items(4) == []
    assert large.item(3).version == 1
    assert filled.search("u://file", {"x": 0}, include_removed=True) == []


def test_what_was_described_anew_comes_back_so(filled):
    """Label, extension and attributes as they were last."""
    filled.update("u://file", update={"label": "new", "attrs": {"a": 1}})
    filled.update("u://large", update={"remove_attrs": ["n"]})
    before = facts(with_files(filled))
    filled.close()
    delete(filled)
    with pytest.warns(StoreWarning, match="was lost"):
        assert facts(filled.search()) == before
    assert len(filled.search(attrs={"a": 1})) == 5


def spoil(path, how):
    data = Path(path).read_bytes()
    if how == "text":
        Path(path).write_bytes(b"hello, I am a text. " * 500)
    elif how == "zeros":
        Path(path).write_bytes(b"\0" * len(data))
    elif how == "empty":
        Path(path).write_bytes(b"")
    elif how == "half":
        os.truncate(path, len(data) // 2)
    elif how == "header":
        Path(path).write_bytes(b"\xff" * 100 + data[100:])
    elif how == "application":
        Path(path).write_bytes(data[:68] + b"\xff\xff\xff\xff" + data[72:])
    elif how == "schema":
        Path(path).write_bytes(data[:100] + b"\xff" * 400 + data[500:])


@pytest.mark.parametrize("how", ["text", "zeros", "empty", "half", "header", "application", "schema"])
def test_a_damaged_registry_is_set_aside_and_rebuilt(filled, how):
    """Nobody deletes it; all that has files comes back."""
    before = facts(with_files(filled))
    filled.close()
    spoil(path_of(filled), how)
    damaged = Path(path_of(filled)).read_bytes()
    with pytest.warns(StoreWarning, match=r"was damaged and now lies in .*damaged-") as caught:
        after = facts(with_files(filled))
    assert len(caught) == 1
    assert after == before
    (folder,) = Path(path_of(filled)).parent.glob("damaged-*")
    assert (folder / "registry.db").read_bytes() == damaged
    large, _, _ = functions(filled)
    assert large(1) == [*LARGE, 1]
    assert CALLS == []


def test_small_values_are_saved_from_what_can_still_be_read(filled):
    """With their digests; those that were changed are left out."""
    filled.store.pool.write(
        lambda con: con.execute(
            "UPDATE items SET data = CAST('x' AS BLOB) WHERE id = (SELECT max(id) FROM items WHERE data IS NOT NULL)"
        )
    )
    filled.close()
    spoil(path_of(filled), "application")
    _, small, _ = functions(filled)
    with pytest.warns(StoreWarning, match="was damaged"):
        assert [small(x) for x in range(5)] == list(range(5))
    assert CALLS == [4]
    assert small.item(4).version == 2


def test_damage_in_the_middle_of_a_call_does_not_cost_the_value(cache):
    """The registry is spoilt while the function runs: its value comes, is kept, and is found again."""

    @cached(cache=cache, code_version="1", uri="u://spoils")
    def f(x):
        CALLS.append(x)
        if len(CALLS) == 1:
            cache.close()
            spoil(path_of(cache), "text")
        return [*LARGE, x]

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert f(1) == [*LARGE, 1]
    assert [each.category for each in caught] == [StoreWarning]
    assert f(1) == [*LARGE, 1]
    assert CALLS == [1]


def test_threads_and_caches_that_find_it_at_once_rebuild_once(filled):
    """The others wait and go on."""
    spoil(path_of(filled), "zeros")
    caches = [Cache(filled.path) for _ in range(4)]
    barrier, found = threading.Barrier(8), []

    def look(cache):
        barrier.wait()
        found.append(len(with_files(cache)))

    threads = [threading.Thread(target=look, args=(caches[n % 4],)) for n in range(8)]

    def run():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    with pytest.warns(StoreWarning, match="was damaged") as caught:
        run()
    assert found == [12] * 8
    assert len(caught) == 1
    assert len(list(Path(path_of(filled)).parent.glob("damaged-*"))) == 1
    for cache in caches:
        cache.close()


def test_a_rebuild_on_request_keeps_everything(filled):
    """Also small values, failures, the trash, and what somebody is computing just now."""
    large, small, _ = functions(filled)
    large.remove(0)
    before = facts(filled.search(include_removed=True))

    @cached(cache=filled, code_version="1", uri="u://during")
    def during(x):
        assert filled.rebuild() == len(before) + 1
        return x

    assert during(1) == 1
    assert during.item(1).load() == 1
    assert facts(i for i in filled.search(include_removed=True) if i.uri != "u://during") == before
    assert small(1) == 1
    assert CALLS == []


def test_a_reader_with_an_open_connection_sees_the_new_registry(filled, monkeypatch):
    """It asks now and then whether its file is still the one that lies there."""
    reader = Cache(filled.path)
    assert len(reader) == 17
    filled.rebuild()
    filled.create("u://later")
    monkeypatch.setattr("cachedeco.registry.pool.LOOK_SECONDS", 0.0)
    for con in reader.store.pool._idle:
        con.look_again = 0.0
    assert len(reader) == 18
    reader.close()


def test_a_killed_rebuild_is_taken_up_again(filled, monkeypatch):
    """Between any two of its steps: nothing is lost."""
    before = facts(filled.search())
    filled.close()
    for step in ("rename db", "companions", "finish"):
        spoil(path_of(filled), "application")

        def die(*args):
            raise KeyboardInterrupt

        def die_later(path, target, move=aside._move):
            move(path, target) if path == path_of(filled) else die()

        with monkeypatch.context() as patch:
            if step == "rename db":
                patch.setattr(aside, "_move", die_later)
            else:
                patch.setattr(aside, {"companions": "sweep", "finish": "finish"}[step], die)
            with pytest.raises(KeyboardInterrupt):
                len(Cache(filled.path))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert facts(filled.search()) == before
        filled.close()


def test_a_log_without_its_registry_does_not_get_into_the_new_one(filled):
    """Somebody deleted the registry alone."""
    con = sqlite3.connect(path_of(filled), isolation_level=None)
    con.execute("UPDATE items SET label = 'from the log'")
    os.unlink(path_of(filled))
    assert os.path.getsize(path_of(filled) + "-wal") > 0
    with pytest.warns(StoreWarning, match="lies in"):
        assert len(filled.search()) == 12
    con.close()
    assert filled.store.pool.read("PRAGMA integrity_check") == ("ok",)
    assert filled.search(label="from the log") == []
    assert len(filled.search()) == 12


REGISTRY = ["registry.db", "registry.db-wal", "registry.db-shm", "registry.db-journal"]


@pytest.mark.parametrize("whole", [True, False], ids=["registry there", "registry gone"])
@pytest.mark.parametrize("kind", ["folder", "full folder", "pipe"])
@pytest.mark.parametrize("name", [*REGISTRY, "slots", "salvage", "../maintenance.lock"])
def test_what_is_no_file_is_put_aside(filled, name, kind, whole):
    """In the place of the registry, of its log and of what lies beside it: as damage, with one warning at most."""
    if not whole:
        delete(filled)
    obstruct(os.path.join(os.path.dirname(path_of(filled)), name), kind)
    with warnings.catch_warnings(record=True) as seen, Cache(filled.path) as cache:
        warnings.simplefilter("always")
        large, _, file = functions(cache)
        assert large(1) == [*LARGE, 1]
        assert file(1).read_text() == "file 1"
        assert len(cache.search()) >= 12
    assert CALLS == []
    assert len(seen) <= 1
    with Cache(filled.path) as cache:
        large.refresh(1)
        assert len(cache.search()) >= 13


@pytest.mark.parametrize("whole", [True, False], ids=["registry there", "registry gone"])
@pytest.mark.parametrize("name", ["registry", "owners", "items", "items/*"])
def test_what_is_no_folder_is_put_aside(filled, name, whole):
    """What was in it is computed again, and stored where it belongs."""
    if not whole:
        delete(filled)
    for place in Path(filled.path).glob(name):
        obstruct(place, "file")
    with warnings.catch_warnings(record=True) as seen, Cache(filled.path) as cache:
        warnings.simplefilter("always")
        for function in functions(cache):
            function(1), function.refresh(2)
        assert len(cache.search()) >= 3
    assert len(seen) <= 1
    CALLS.clear()
    with Cache(filled.path) as cache:
        for function in functions(cache):
            function(1), function(2)
    assert CALLS == []


def obstruct(path, kind):
    """Put something else in the place of a file or folder."""
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.exists(path):
        os.unlink(path)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "file":
        Path(path).write_text("a file")
    else:
        os.mkdir(path)
    if kind == "full folder":
        Path(path, "a file").write_text("in the folder")


def test_a_planted_folder_for_damaged_registries_is_not_followed(filled, tmp_path):
    """A link in the place of the folder that a damaged registry is moved to."""
    outside = tmp_path / "outside"
    outside.mkdir()
    os.symlink(outside, os.path.join(os.path.dirname(path_of(filled)), "salvage"))
    spoil(path_of(filled), "application")
    with pytest.warns(StoreWarning, match="was damaged"):
        assert len(filled.search()) >= 12
    assert list(outside.iterdir()) == []


def test_a_read_only_cache_rebuilds_nothing(filled):
    """It computes, with one warning, and leaves all as it is."""
    delete(filled)
    with Cache(filled.path, mode="read-only") as reader:
        large, _, _ = functions(reader)
        with pytest.warns(StoreWarning, match="a cache that may write rebuilds it"):
            assert large(1) == [*LARGE, 1]
    assert not os.path.exists(path_of(filled))
    with pytest.warns(StoreWarning, match="rebuilt with the 12"):
        assert len(filled.search()) == 12


def test_another_programs_database_is_left_alone(filled):
    """It is refused as before."""
    delete(filled)
    con = sqlite3.connect(path_of(filled))
    con.execute("CREATE TABLE theirs (x)")
    con.commit()
    con.close()
    before = Path(path_of(filled)).read_bytes()
    with pytest.raises(RegistryError, match="not a registry of cachedeco"):
        len(filled)
    with pytest.raises(RegistryError, match="not a registry of cachedeco"):
        filled.rebuild()
    assert Path(path_of(filled)).read_bytes() == before


def test_damaged_manifests_and_values_do_not_come_back(filled):
    """Their checksums, sizes and names say so; the rest does."""
    large, _, _ = functions(filled)
    places = [large.item(x).path.parent for x in range(5)]
    filled.close()
    delete(filled)
    text = Path(f"{places[0]}.json").read_bytes()
    Path(f"{places[0]}.json").write_bytes(text.replace(b"labelled", b"lapelled"))
    os.truncate(f"{places[2]}.json", 100)
    shutil.copyfile(f"{places[4]}.json", f"{places[3]}.json")
    (value,) = places[4].iterdir()
    value.chmod(0o600)
    os.truncate(value, 10)
    with pytest.warns(StoreWarning, match="rebuilt with the 8"):
        assert [len(large.items(x)) for x in range(5)] == [0, 2, 0, 0, 0]
    assert [large(x)[-1] for x in range(5)] == list(range(5))
    assert sorted(CALLS) == [0, 2, 3, 4]
    assert large.item(0).version == 2


def test_a_value_that_was_changed_comes_back_and_is_found_out(filled):
    """A rebuild reads no values; the first hit does."""
    large, _, _ = functions(filled)
    path = large.item(0).path
    filled.close()
    delete(filled)
    path.chmod(0o600)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.warns(StoreWarning, match="was lost"):
        assert large(0) == [*LARGE, 0]
    assert CALLS == [0]


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_flipped_in_a_registry_no_value_is_wrong(filled, seed):
    """Some bytes at random places: every call returns the right value, with at most warnings."""
    dice = random.Random(seed)  # noqa: S311 - places, not secrets
    path = path_of(filled)
    data = bytearray(Path(path).read_bytes())
    for _ in range(dice.choice([1, 10, 200])):
        # The four bytes that say which version wrote it are believed: a newer one is refused, never repaired.
        place = dice.choice([n for n in (dice.randrange(len(data)),) if not 60 <= n < 64] or [0])
        data[place] = dice.randrange(256)
    Path(path).write_bytes(data)
    large, small, file = functions(filled)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for x in range(5):
            assert large(x) == [*LARGE, x]
            assert small(x) == x
            assert file(x).read_text() == f"file {x}"
        assert all(item.status in Status for item in filled.search(include_removed=True))


def test_what_hinders_reading_for_a_moment_costs_nothing(filled, monkeypatch):
    """A registry that lies aside and cannot be opened just now, for want of descriptors or room, is read later."""
    from cachedeco.registry import salvage

    connect, failures = sqlite3.connect, []

    def hindered(path, *args, **options):
        if "salvage" in str(path) and not failures:
            failures.append(path)
            error = sqlite3.OperationalError("unable to open database file")
            error.sqlite_errorcode = 14
            raise error
        return connect(path, *args, **options)

    before = facts(filled.search())
    filled.close()
    monkeypatch.setattr(salvage.sqlite3, "connect", hindered)
    with Cache(filled.path) as cache:
        cache.rebuild()
    monkeypatch.undo()
    assert failures
    assert facts(filled.search()) == before


def test_what_cannot_be_reached_at_all_is_left_for_later(filled, monkeypatch):
    """It still lies aside, and nothing is made in its place without it."""
    from cachedeco.registry import salvage

    before = facts(filled.search())
    filled.close()
    connect = sqlite3.connect

    def hindered(path, *args, **options):
        if "salvage" in str(path):
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = 13
            raise error
        return connect(path, *args, **options)

    monkeypatch.setattr(salvage.sqlite3, "connect", hindered)
    monkeypatch.setattr(salvage, "_has_room", lambda folder: False)
    with Cache(filled.path) as cache, pytest.raises(RegistryError, match="could not be rebuilt"):
        cache.rebuild()
    monkeypatch.undo()
    with pytest.warns(StoreWarning, match="was rebuilt"), Cache(filled.path) as cache:
        assert facts(cache.search()) == before
    assert facts(filled.search()) == before


def test_a_registry_that_contradicts_itself_is_looked_through(filled, monkeypatch):
    """A damaged index may tell a claim again and again of a newer result that no look finds."""
    claim, doubt, doubted = Claims.claim, Pool.doubt, []

    def contradicted(claims, *given, **options):
        return claim(claims, *given, **options) if doubted else None

    def noted(pool):
        doubted.append(doubt(pool))

    monkeypatch.setattr(Claims, "claim", contradicted)
    monkeypatch.setattr(Pool, "doubt", noted)
    _, small, _ = functions(filled)
    assert small(99) == 99
    assert doubted == [False], "it is looked at once, and nothing is wrong with it"
    CALLS.clear()


def test_the_log_of_who_came_late_does_not_replace_that_of_a_registry_set_aside(filled):
    """Someone who had the old path open may make a log under it once more."""
    filled.close()
    path = path_of(filled)
    aside.set_aside(path)
    kept = Path(aside.salvage_folder(path), "registry.db-wal")
    kept.write_bytes(b"of the old one")
    Path(path + "-wal").write_bytes(b"late")
    aside.set_aside(path)
    assert kept.read_bytes() == b"of the old one"
    assert [each.read_bytes() for each in kept.parent.glob("registry.db-wal.late-*")] == [b"late"]
    assert not os.path.exists(path + "-wal")
    shutil.rmtree(kept.parent)

"""Signed caches and caches without pickles: what is stored, what is loaded, and what never is."""

from __future__ import annotations

import os
import pickle
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest
from xxhash import xxh3_128_digest

from cachedeco import OUTPUT, Cache, OptionError, Status, cached, contents
from cachedeco.errors import RetryError, StoreWarning, UntrustedCacheError
from cachedeco.files.staging import measure
from cachedeco.keys.markers import ContentKey

KEY = b"the key of these tests"
ran: list[str] = []


class Planted:
    """A pickle of it is a program."""

    def __reduce__(self):
        return ran.append, ("ran",)


@pytest.fixture(autouse=True)
def nothing_ran():
    """What is planted must never run."""
    ran.clear()
    yield
    assert ran == []


@pytest.fixture
def signed(tmp_path):
    """An empty signed cache."""
    with Cache(tmp_path / "cache", signing_key=KEY) as opened:
        yield opened


def change(cache, sql, *parameters):
    """Write to the registry as somebody who may."""
    cache.close()
    con = sqlite3.connect(os.path.join(cache.path, "registry", "registry.db"))
    with con:
        count = con.execute(sql, parameters).rowcount
    con.close()
    return count


def fit(cache):
    """Make the rows say what lies there now, as somebody would who plants it."""
    for item in cache.search():
        place = contents.place_of(cache.store, item._record)
        data = cache.store.items.inline(item.id)
        size, digest = (len(data), xxh3_128_digest(data)) if place is None else measure(place)
        change(cache, "UPDATE items SET size = ?, digest = ? WHERE id = ?", size, digest, item.id)


def small(number):
    return number


def large(number):
    return [number] * 9000


def numbers(count):
    yield from ([each] * 3000 for each in range(count))


def few(count):
    yield from range(count)


def unlike():
    return os.urandom(8)


def write(name, output=OUTPUT):
    output.write_text(name)


def write_several(name, output=OUTPUT):
    output["one"].write_text(name)
    output["two"].write_text(name)


def write_folder(name, output=OUTPUT):
    (output / "deep").mkdir()
    (output / "deep" / name).write_text(name)


def test_what_is_signed_is_a_hit(signed):
    """Small and large values, streams and files; in another cache object with the key too."""
    with Cache(signed.path, signing_key=KEY.decode()) as other:
        for cache in (signed, other):
            assert cached(cache=cache)(small)(1) == 1
            assert cached(cache=cache)(large)(1) == [1] * 9000
            assert list(cached(cache=cache)(numbers)(3)) == list(numbers(3))
            assert list(cached(cache=cache)(few)(3)) == [0, 1, 2]
            assert cached(cache=cache, output="{name}.txt")(write)("a").read_text() == "a"
            paths = cached(cache=cache, output={"one": "1", "two": "2"})(write_several)("a")
            assert [path.read_text() for path in paths.values()] == ["a", "a"]
            assert os.listdir(cached(cache=cache, output="f/")(write_folder)("a") / "deep") == ["a"]
        assert len(signed) == 7
        assert all(item.intact() for item in signed.search())
        assert [item.load() for item in signed.search(function=f"{__name__}.small")] == [1]
        assert list(signed.search(function=f"{__name__}.numbers")[0].load()) == list(numbers(3))


CASES = [
    pytest.param(small, {}, id="small value"),
    pytest.param(large, {}, id="large value"),
    pytest.param(few, {}, id="small stream"),
    pytest.param(numbers, {}, id="large stream"),
    pytest.param(write, {"output": "a.txt"}, id="file"),
    pytest.param(write_several, {"output": {"one": "1", "two": "2"}}, id="files"),
    pytest.param(write_folder, {"output": "f/"}, id="folder"),
]


def used(function, argument):
    """Call it, and consume what it gives."""
    value = function(argument)
    return list(value) if hasattr(value, "__next__") else value


@pytest.mark.parametrize(("plain", "options"), CASES)
@pytest.mark.parametrize("key", [None, b"another key"], ids=["unsigned", "another key"])
def test_what_is_not_signed_with_the_key_is_a_miss(tmp_path, plain, options, key):
    """It stays, for the key may have been a wrong one; the call computes, and says so once."""
    argument = 1 if plain in {small, large, few, numbers} else "a"
    with Cache(tmp_path / "cache", signing_key=key) as before:
        used(cached(cache=before, **options)(plain), argument)
    with Cache(tmp_path / "cache", signing_key=KEY) as cache:
        function = cached(cache=cache, **options)(plain)
        assert function.item(argument) is None
        with pytest.warns(StoreWarning, match=r"not signed|its signature is not") as caught:
            used(function, argument)
        assert len(caught) == 1
        used(function, argument)
        assert [item.status for item in function.items(argument)] == [Status.READY, Status.READY]
        with pytest.raises(UntrustedCacheError):
            cache.search()[0].load()


@pytest.mark.parametrize(
    "column", ["data", "mac", "serializer", "version", "compression", "filename", "code", "form"]
)
def test_a_row_that_was_changed_is_a_miss(signed, column):
    """Every fact of it that decides what is loaded."""
    function = cached(cache=signed)(small)
    function(1)
    forged = pickle.dumps(Planted())
    value = {
        "data": forged, "mac": bytes(33), "serializer": "json", "version": 7,
        "compression": "gzip", "filename": "x", "code": bytes(16), "form": "stream",
    }[column]  # fmt: skip
    assert change(signed, f"UPDATE items SET {column} = ?", value) == 1
    if column == "data":
        change(signed, "UPDATE items SET size = ?, digest = ?", len(forged), xxh3_128_digest(forged))
    if column in {"code", "form"}:  # such a row is not even found
        assert function(1) == 1
    else:
        with pytest.warns(StoreWarning, match="its signature is not that of this key and item"):
            assert function(1) == 1
    assert len(function.items(1)) >= 1


def test_a_value_replayed_from_another_item_is_a_miss(signed):
    """With its own signature: that is of another key."""
    function = cached(cache=signed)(small)
    function(1)
    function(2)
    change(signed, "UPDATE items SET (data, mac) = (SELECT data, mac FROM items WHERE id = 1) WHERE id = 2")
    fit(signed)
    with pytest.warns(StoreWarning, match="signature"):
        assert function(2) == 2


def test_a_value_replayed_from_an_older_version_is_a_miss(signed):
    """Also of the same key."""
    function = cached(cache=signed)(unlike)
    old = function()
    assert function.refresh() != old
    change(signed, "UPDATE items SET (data, mac) = (SELECT data, mac FROM items WHERE id = 1) WHERE id = 2")
    fit(signed)
    with pytest.warns(StoreWarning, match="version 2 .*signature"):
        assert function() == old  # version 1 itself is what it says


def test_a_result_of_other_code_stays_one(signed):
    """Whatever the row says of the code that made it."""
    old = cached(cache=signed, uri="u")(lambda number: number)
    new = cached(cache=signed, uri="u")(lambda number: number + 1)
    old(1)
    change(signed, "UPDATE items SET code = ?, scope = ?", *[Code(new)] * 2)
    with pytest.warns(StoreWarning, match="signature"):
        assert new(1) == 2


def Code(function):  # noqa: N802 - short for a digest
    from cachedeco.calls.plan import Request

    return Request(function.__cachedeco__, (1,), {}).code


@pytest.mark.parametrize(("plain", "options"), CASES[1:2] + CASES[3:])
def test_a_file_that_was_changed_is_a_miss(signed, plain, options):
    """In the same size, and whatever the row says of its digest."""
    argument = 1 if plain in {large, numbers} else "a"
    function = cached(cache=signed, **options)(plain)
    used(function, argument)
    for path in Path(signed.path, "items").rglob("*"):
        if path.is_file():
            path.chmod(0o600)
            path.write_bytes(bytes(path.stat().st_size))
    fit(signed)
    with pytest.warns(StoreWarning, match="signature"):
        used(function, argument)


def test_a_planted_pickle_never_runs(signed):
    """Neither from a file nor with the digest that fits it."""
    function = cached(cache=signed)(large)
    function(1)
    (path,) = Path(signed.path).glob("items/*/*/value.pickle")
    forged = pickle.dumps(Planted())
    path.chmod(0o600)
    path.write_bytes(forged)
    change(signed, "UPDATE items SET size = ?, digest = ?", len(forged), xxh3_128_digest(forged))
    with pytest.warns(StoreWarning, match="signature"):
        assert function(1) == [1] * 9000
    with pytest.raises(UntrustedCacheError):
        signed.search()[0].load()


def test_what_is_added_to_a_folder_makes_it_another(signed):
    """A file, a link, an empty folder."""
    function = cached(cache=signed, output="f/")(write_folder)
    for add in (
        lambda path: (path / "more").write_text(""),
        lambda path: (path / "more").symlink_to("deep"),
        lambda path: (path / "more").mkdir(),
    ):
        path = function.refresh("a")
        assert function.item("a").intact()
        add(path)
        assert function.item("a") is None or function.item("a").path != path


def test_files_made_by_hand_are_signed(signed, tmp_path):
    """Those of `create`, `best_or_new` and `move_in`; a forged one is neither best nor loaded nor opened."""
    item = signed.best_or_new("one", filename="a.txt")
    item.path.write_text("true")
    item.ready()
    (tmp_path / "b.txt").write_text("true")
    items = [signed.best("one"), signed.move_in(tmp_path / "b.txt", uri="two"), signed.create("three")]
    items[2].path.write_text("true")
    items[2].ready()
    for item in items:
        assert signed.best(item.uri) == item
        assert item.open(large=False).result == "true"
        item.path.chmod(0o600)
        item.path.write_text("fake")
        fit(signed)
        (now,) = signed.search(key=item.key, version=item.version)
        assert signed.best(item.uri) is None
        for use in (now.load, now.open):
            with pytest.raises(UntrustedCacheError):
                use()
    new = signed.best_or_new("one", filename="a.txt")
    assert (new.version, new.status) == (2, Status.WRITE)
    new.failed("enough")


def fails(number):
    raise ValueError(number)


def test_stored_arguments_are_signed(signed):
    """They are pickles too; arguments of another item, or unsigned ones, are not looked at."""
    function = cached(cache=signed, store_args=True)(fails)
    sys.modules[__name__].fails = function
    try:
        for number in (1, 2):
            with pytest.raises(ValueError, match=str(number)):
                function(number)
        assert [str(each.error) for each in signed.retry_failed()] == ["1", "2"]
        change(signed, "UPDATE details SET arguments = (SELECT arguments FROM details ORDER BY item LIMIT 1)")
        errors = [each.error for each in signed.retry_failed()]
        assert any(isinstance(error, UntrustedCacheError) for error in errors)
        change(signed, "UPDATE details SET arguments = ?", pickle.dumps(((Planted(),), {})))
        assert all(isinstance(each.error, UntrustedCacheError) for each in signed.retry_failed())
    finally:
        sys.modules[__name__].fails = function.__wrapped__


def test_a_forged_function_name_imports_nothing(signed, tmp_path, monkeypatch):
    """To look a function up is to run its module."""
    (tmp_path / "planted_module.py").write_text("import sys\nsys.planted = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="1"):
        cached(cache=signed, store_args=True)(fails)(1)
    change(signed, "UPDATE items SET function = 'planted_module.f'")
    assert isinstance(signed.retry_failed()[0].error, UntrustedCacheError)
    assert not hasattr(sys, "planted")


def test_the_key_is_nowhere_to_be_seen(signed, tmp_path):
    """Not in the folder, in representations, in errors, or in pickles."""
    function = cached(cache=signed)(large)
    function(1)
    signed.close()
    for path in Path(signed.path).rglob("*"):
        assert not path.is_file() or KEY not in path.read_bytes()
    item = signed.search()[0]
    for each in (signed, signed.store.guard, signed.store.guard.signer, item):
        assert KEY.decode() not in repr(each)
    assert KEY not in pickle.dumps(signed) + pickle.dumps(item)
    with pytest.raises(OptionError) as caught:
        Cache(tmp_path / "other", signing_key=["sesame"])
    assert "sesame" not in str(caught.value)


def test_a_pickled_cache_takes_the_key_from_where_it_is(signed, tmp_path, monkeypatch):
    """From the environment or a file; without either it is an error, never an unsigned cache."""
    pickled = pickle.dumps(signed)
    with pytest.raises(UntrustedCacheError, match="CACHEDECO_SIGNING_KEY"):
        pickle.loads(pickled)
    monkeypatch.setenv("CACHEDECO_SIGNING_KEY", KEY.decode())
    cached(cache=signed)(small)(1)
    assert pickle.loads(pickled).search()[0].load() == 1
    monkeypatch.delenv("CACHEDECO_SIGNING_KEY")
    file = tmp_path / "key"
    file.write_bytes(KEY + b"\n")
    file.chmod(0o600)
    again = pickle.loads(pickle.dumps(Cache(signed.path, signing_key_file=file)))
    assert again.search()[0].load() == 1
    assert pickle.loads(pickle.dumps(again.search()[0])).load() == 1


def test_the_environment_gives_the_key(tmp_path, monkeypatch):
    """As text or as a file; what is given by hand comes first."""
    monkeypatch.setenv("CACHEDECO_SIGNING_KEY", "key")
    with Cache(tmp_path / "cache") as cache:
        cached(cache=cache)(small)(1)
    monkeypatch.delenv("CACHEDECO_SIGNING_KEY")
    (tmp_path / "file").write_text("key\n")
    (tmp_path / "file").chmod(0o600)
    monkeypatch.setenv("CACHEDECO_SIGNING_KEY_FILE", str(tmp_path / "file"))
    with Cache(tmp_path / "cache") as cache:
        assert cache.search()[0].load() == 1
    with Cache(tmp_path / "cache", signing_key="other") as cache, pytest.raises(UntrustedCacheError):
        cache.search()[0].load()


@pytest.mark.parametrize("permission", [0o604, 0o602, 0o666])
def test_a_key_file_that_others_can_read_is_refused(tmp_path, permission):
    """The error says what to do."""
    (tmp_path / "key").write_bytes(KEY)
    (tmp_path / "key").chmod(permission)
    with pytest.raises(UntrustedCacheError, match="chmod 600"):
        Cache(tmp_path / "cache", signing_key_file=tmp_path / "key")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_a_key_file_of_another_user_is_refused(tmp_path):
    """Its owner could change it."""
    (tmp_path / "key").write_bytes(KEY)
    (tmp_path / "key").chmod(0o600)
    os.chown(tmp_path / "key", 54_321, 0)
    with pytest.raises(UntrustedCacheError, match="other users"):
        Cache(tmp_path / "cache", signing_key_file=tmp_path / "key")


def test_a_key_file_in_the_cache_is_refused(tmp_path):
    """Also through a link, and before the cache is made."""
    (tmp_path / "cache").mkdir(mode=0o700)
    (tmp_path / "cache" / "key").write_bytes(KEY)
    (tmp_path / "link").symlink_to(tmp_path / "cache" / "key")
    for path in (tmp_path / "cache" / "key", tmp_path / "link"):
        with pytest.raises(OptionError, match="lies in the cache folder"):
            Cache(tmp_path / "cache", signing_key_file=path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"signing_key": ""}, "not empty"),
        ({"signing_key": b""}, "not empty"),
        ({"signing_key": 5}, "bytes or text"),
        ({"signing_key_file": ""}, "a path"),
        ({"signing_key_file": 5}, "a path"),
        ({"signing_key_file": "nowhere/key"}, "cannot be read"),
        ({"signing_key": "a", "signing_key_file": "b"}, "one of them"),
    ],
    ids=str,
)
def test_keys_that_are_none_are_errors(tmp_path, options, message):
    """Never a cache that is signed with nothing."""
    with pytest.raises(OptionError, match=message):
        Cache(tmp_path / "cache", **options)


def test_an_empty_key_file_is_an_error(tmp_path):
    """As an empty key."""
    (tmp_path / "key").write_text("\n")
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(OptionError, match="empty"):
        Cache(tmp_path / "cache", signing_key_file=tmp_path / "key")


PROGRAM = """
    import sys
    from cachedeco import cached
    @cached(cache=sys.argv[1], uri="u")
    def f():
        print("computing")
        return [1] * 9000
    f()
"""


def test_processes_with_one_key_share_results(tmp_path, monkeypatch):
    """And those with another one compute for themselves."""
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))

    def run(key):
        environment = {**os.environ, "CACHEDECO_SIGNING_KEY": key, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(
            [sys.executable, "-W", "ignore", program, tmp_path / "cache"],
            env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout

    assert [run("one"), run("one"), run("two"), run("one")] == ["computing\n", "", "computing\n", ""]


# Without pickles

SAFE = [
    None, True, 5, 1.5, "text", "snow \u2603", b"bytes", [1, "a", [None]], {"a": {"b": 1}}, "x" * 9000, b"x" * 9000,
    [1] * 9000,
]  # fmt: skip


@pytest.fixture
def plain(tmp_path):
    """An empty cache without pickles."""
    with Cache(tmp_path / "cache", allow_pickle=False) as opened:
        yield opened


@pytest.mark.parametrize("value", SAFE, ids=lambda value: repr(value)[:20])
def test_without_pickle_simple_values_are_kept_exactly(plain, value):
    """In formats that run no code."""
    function = cached(cache=plain, code_version="1", uri="u")(lambda: value)
    for _ in range(2):
        found = function()
        assert (type(found), found) == (type(value), value)
    assert [item.status for item in plain.search()] == [Status.READY]
    assert not list(Path(plain.path).rglob("*.pickle"))


def test_without_pickle_arrays_and_frames_are_kept(plain):
    """Those without objects in them."""
    import pandas as pd

    frame = pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", None]})
    array = np.arange(20_000.0).reshape(2, -1)
    for number, value in enumerate((frame, array)):
        function = cached(cache=plain, code_version="1", uri=f"u{number}")(lambda value=value: value)
        function()
        found = cached(cache=plain, code_version="1", uri=f"u{number}")(lambda value=value: value)()
        assert (found == value).all().all() or found.equals(value)
    assert {item.path.suffix if item.path else "" for item in plain.search()} <= {"", ".npy", ".arrow"}


@pytest.mark.parametrize(
    "value",
    [(1, 2), {1: 2}, {1}, 1j, object, Planted(), np.array([None])],
    ids=lambda value: repr(value)[:20],
)
def test_without_pickle_other_values_are_returned_and_not_stored(plain, value):
    """With one warning that says why."""
    function = cached(cache=plain, code_version="1", uri="u")(lambda: value)
    with pytest.warns(StoreWarning, match="could not be stored"):
        assert function() is value
    assert [item.status for item in plain.search()] == [Status.FAILED]


@pytest.mark.parametrize("name", ["pickle", "joblib", "joblib-zlib", "stream"])
@pytest.mark.parametrize("content", [small, large], ids=["small", "large"])
def test_without_pickle_no_stored_pickle_is_loaded(tmp_path, plain, content, name):
    """Whatever serializer the row names; the call computes, and says so."""
    with Cache(tmp_path / "cache") as before:
        cached(cache=before)(content)(1)
    forged = pickle.dumps(Planted())
    for path in Path(plain.path).glob("items/*/*/value.pickle"):
        path.chmod(0o600)
        path.write_bytes(forged)
    change(plain, "UPDATE items SET data = ? WHERE data IS NOT NULL", forged)
    fit(plain)
    change(plain, "UPDATE items SET serializer = ?", name)
    function = cached(cache=plain)(content)
    assert function.item(1) is None
    with pytest.warns(StoreWarning, match="allow_pickle=False"):
        assert function(1) == content(1)
    assert function(1) == content(1)
    with pytest.raises(UntrustedCacheError, match="allow_pickle=False"):
        plain.search()[0].load()


def test_without_pickle_generators_hand_out_and_store_nothing(tmp_path, plain):
    """Their items are pickles; stored ones are not read."""
    with Cache(tmp_path / "cache") as before:
        list(cached(cache=before)(few)(3))
    function = cached(cache=plain)(few)
    with pytest.warns(StoreWarning, match="allow_pickle=False"):
        assert list(function(3)) == [0, 1, 2]
    assert len(function.items(3)) == 1


def test_without_pickle_arguments_are_neither_stored_nor_loaded(tmp_path, plain):
    """Those of a failed call."""
    with Cache(tmp_path / "cache") as before, pytest.raises(ValueError, match="1"):
        cached(cache=before, store_args=True)(fails)(1)
    with pytest.warns(StoreWarning, match="allow_pickle=False"), pytest.raises(ValueError, match="2"):
        cached(cache=plain, store_args=True)(fails)(2)
    assert [type(each.error) for each in plain.retry_failed()] == [UntrustedCacheError, RetryError]


def test_a_cache_without_pickles_stays_one_in_other_processes(plain):
    """The option is in its pickle."""
    again = pickle.loads(pickle.dumps(plain))
    assert again.store.guard.allow_pickle is False


def test_a_copy_of_a_signed_cache_is_signed(signed, tmp_path):
    """Signatures do not speak of the folder: it can be moved."""
    cached(cache=signed)(large)(1)
    signed.close()
    shutil.copytree(signed.path, tmp_path / "copy")
    (tmp_path / "copy").chmod(0o700)
    with Cache(tmp_path / "copy", signing_key=KEY) as copy:
        assert copy.search()[0].load() == [1] * 9000


def test_remembered_digests_of_files_are_not_believed(signed, tmp_path):
    """Nobody has signed them: the result of one file would be that of another."""
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        path.write_text(path.name)

    @cached(cache=signed, code_version="1")
    def read(path: Annotated[Path, ContentKey]):
        return path.read_text()

    assert [read(path) for path in paths] == ["a", "b"]
    assert signed.store.pool.read("SELECT count(*) FROM file_digests") == (0,)

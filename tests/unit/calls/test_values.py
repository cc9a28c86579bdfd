"""How the value of a call is stored: serializer, compression and maps, for a function or a cache."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import shutil
import socket
import subprocess
import sys
import textwrap
import threading
import types
import warnings
from importlib.util import find_spec

import cloudpickle
import numpy as np
import pandas as pd
import pytest

from cachedeco import (
    OUTPUT,
    Cache,
    MissingSerializerError,
    OptionError,
    Status,
    StoreError,
    StoreWarning,
    cached,
    contents,
    register_serializer,
)
from cachedeco.values import compression, table
from cachedeco.values.contract import Whole
from cachedeco.values.reading import MAP_FROM

COMPRESSIONS = [
    name
    for name, library in {"gzip": "gzip", "zstd": "zstandard", "lz4": "lz4"}.items()
    if find_spec(library)
]
KEY = b"the key of these tests"
LARGE = ["a text that shrinks"] * 5000


class Words:
    """A serializer of somebody else."""

    name = "words"
    ext = ".words"

    def pack(self, value):
        return Whole(" ".join(value).encode())

    def unpack(self, data):
        return bytes(data).decode().split()

    def load(self, path, *, mmap=True):
        with open(path, "rb") as file:
            return self.unpack(file.read())


class Point:
    """A class that may be gone when its objects are loaded."""

    def __init__(self, x):
        self.x = x


@pytest.fixture(autouse=True)
def own_table(monkeypatch):
    """Each test has a table of its own."""
    monkeypatch.setattr(table, "_ready", {"pickle": table.get("pickle")})
    monkeypatch.setattr(table, "_claiming", [])
    monkeypatch.setattr(table, "_own", {})


WORK = types.SimpleNamespace(value=None, calls=[])


def produce(number=0):
    WORK.calls.append(number)
    return WORK.value() if isinstance(WORK.value, types.FunctionType) else WORK.value


def returning(value, cache, **options):
    """A cached function that returns a value, or what a function returns, and counts its calls."""
    WORK.value, WORK.calls = value, []
    function = cached(cache=cache, code_version="1", uri="values://test", **options)(produce)
    function.calls = WORK.calls
    return function


def maps_of(path):
    with open("/proc/self/maps", encoding="utf-8") as file:
        return sum(path in line for line in file)


def record(function):
    return function.item()._record


# Serializers


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pickle", {"a": [1]}),
        ("json", {"a": [1]}),
        ("text", "text" * 3000),
        ("bytes", b"bytes" * 3000),
        ("joblib", {"a": [1]}),
        ("joblib-xz", {"a": [1]}),
        ("arrow", pd.DataFrame({"a": [1.5]})),
        ("parquet", pd.DataFrame({"a": [1.5]})),
        ("numpy", np.arange(5000)),
    ],
)
def test_a_function_names_its_serializer(name, value, cache):
    """Stored and loaded by the one that was asked for, in the registry or in a file."""
    function = returning(value, cache, serializer=name)
    function()
    back = function()
    assert function.calls == [0]
    assert type(back) is type(value)
    assert pickle.dumps(back) == pickle.dumps(value) or back.equals(value)
    assert record(function).serializer == name


def test_a_function_goes_before_its_cache(tmp_path):
    """What a function says overrules what its cache says, also back to auto."""
    with Cache(tmp_path / "cache", serializer="json") as cache:
        assert record_of(cache, "json://", {}) == "json"
        assert record_of(cache, "text://", {"serializer": "text"}) == "text"
        assert record_of(cache, "auto://", {"serializer": "auto"}) == "pickle"


def record_of(cache, uri, options):
    function = cached(cache=cache, uri=uri, **options)(plain)
    function()
    return record(function).serializer


def plain():
    return "plain"


@pytest.mark.parametrize(
    "make",
    [cached, lambda **given: Cache("never made", **given)],
    ids=["cached", "Cache"],
)
@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"serializer": "msgpack"},
            r"no serializer is named 'msgpack'; there are arrow, bytes, .*cachedeco\.serializers",
        ),
        ({"serializer": 5}, r"serializer=5: has no name, ext, pack, unpack, load"),
        ({"compress": "rar"}, r"compress='rar'.*'none', 'zstd', 'lz4', 'gzip'"),
    ],
)
def test_a_wrong_name_is_refused_with_the_right_ones(make, given, message, tmp_path, monkeypatch):
    """At decoration, where one can do something about it."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionError, match=message):
        make(**given)


@pytest.mark.parametrize("option", [{"serializer": "json"}, {"compress": "gzip"}, {"mmap": False}])
def test_what_returns_no_value_has_no_such_option(option):
    """A generator's items and output files are not stored by a serializer."""

    def items():
        yield 1

    def writes(output=OUTPUT):
        pass

    with pytest.raises(OptionError, match=f"{next(iter(option))}= is for values .* not for generators"):
        cached(**option)(items)
    with pytest.raises(OptionError, match=f"{next(iter(option))}= is for values .* not for output files"):
        cached(output="file", **option)(writes)


def test_naming_a_serializer_loads_no_library():
    """Decorating costs nothing; pyarrow is loaded with the first frame."""
    program = (
        "import sys, cachedeco\n"
        "cachedeco.cached(serializer='parquet')(lambda: 1)\n"
        "print('pyarrow' in sys.modules)\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"


def test_a_value_that_a_serializer_cannot_store_is_returned_with_one_warning(cache):
    """The caller has the right value; the next call computes."""
    function = returning({1: "keys of JSON are text"}, cache, serializer="json")
    with pytest.warns(StoreWarning, match="could not be stored.*json"):
        assert function() == {1: "keys of JSON are text"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert function() == {1: "keys of JSON are text"}
    assert function.calls == [0, 0]


def test_or_raises_where_it_is_to_raise(cache):
    """on_store_error="raise" says so for serializers too, and the value is in the error."""
    function = returning({1, 2}, cache, serializer="json", on_store_error="raise")
    with pytest.raises(StoreError) as caught:
        function()
    assert caught.value.value == {1, 2}


def test_an_object_is_a_serializer(cache):
    """Given itself it is used, found by its name, and not asked for values of others."""
    function = returning(["a", "b"], cache, serializer=Words())
    assert function() == function() == ["a", "b"]
    assert function.calls == [0]
    assert record(function).serializer == "words"
    assert contents.load(cache.store, record(function)) == ["a", "b"]
    assert table.choose(["a"]).name == "pickle"


def test_an_object_travels_with_its_function_and_its_cache(tmp_path):
    """A worker that gets the function by value has its serializer too."""
    with Cache(tmp_path / "cache", serializer=Words()) as cache:
        function = returning(["a"], cache, serializer=Words())
        function()
        travelling = cloudpickle.dumps((function, cache))
        table._ready.pop("words")
        table._own.clear()
        there, home = pickle.loads(travelling)
        assert there() == ["a"]
        assert there.calls == [0]
        assert home.store.serializer == "words"
        home.close()
        there.__cachedeco__.cache.close()


def test_a_registered_serializer_is_used_by_name_and_missed_by_name(cache):
    """Without it a stored value is an error that says what to do, not an hour of computing."""
    register_serializer(Words())
    function = returning(["a"], cache, serializer="words")
    function()
    table._ready.pop("words")
    with pytest.raises(MissingSerializerError, match=r"'words'.*register_serializer.*refresh"):
        function()
    assert function.calls == [0]


DISTRIBUTION = {
    "wordy.py": """
        from cachedeco.values.contract import Whole

        class Words:
            name, ext = "wordy", ".words"
            def pack(self, value): return Whole(" ".join(value).encode())
            def unpack(self, data): return bytes(data).decode().split()
            def load(self, path, *, mmap=True):
                with open(path, "rb") as file:
                    return self.unpack(file.read())
        """,
    "wordy-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: wordy\nVersion: 1.0\n",
    "wordy-1.0.dist-info/entry_points.txt": "[cachedeco.serializers]\nwordy = wordy:Words\n",
}
USER = """
    import sys
    from cachedeco import cached

    @cached(cache=sys.argv[1], serializer=sys.argv[2] if len(sys.argv) > 2 else None, uri="wordy://", code_version="1")
    def words():
        print("computing")
        return ["a", "b"] * 5000

    print(words() == ["a", "b"] * 5000)
"""


def test_an_installed_package_offers_a_serializer(tmp_path):
    """Found by its entry point at decoration and at loading; once it is gone its values are an error that names it."""
    for name, text in DISTRIBUTION.items():
        place = tmp_path / "installed" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(textwrap.dedent(text))

    def run(*arguments, path):
        return subprocess.run(
            [sys.executable, "-c", textwrap.dedent(USER), str(tmp_path / "cache"), *arguments],
            env={**os.environ, "PYTHONPATH": os.pathsep.join([path, *sys.path])},
            capture_output=True,
            text=True,
            check=False,
        )

    installed = str(tmp_path / "installed")
    assert run("wordy", path=installed).stdout.split() == ["computing", "True"]
    assert run(path=installed).stdout.split() == ["True"]
    gone = run(path="")
    assert "MissingSerializerError" in gone.stderr
    assert "'wordy'" in gone.stderr


@pytest.mark.parametrize(("name", "library"), [("parquet", "pyarrow"), ("joblib-lz4", "lz4")])
def test_a_missing_library_at_loading_names_the_extra(name, library, cache, monkeypatch):
    """The sentence that one needs, and nothing computed anew."""
    if find_spec(library) is None:
        pytest.skip(f"needs {library}")
    function = returning(pd.DataFrame({"a": [1]}), cache, serializer=name)
    function()
    monkeypatch.setattr(table, "_ready", {})
    for module in [
        each
        for each in sys.modules
        if each.startswith(("cachedeco.values.parquet", "cachedeco.values.joblib"))
    ]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "lz4.frame" if library == "lz4" else library, None)
    with pytest.raises(
        MissingSerializerError, match=rf"install cachedeco\[{'lz4' if library == 'lz4' else name}\]"
    ):
        function()
    assert function.calls == [0]


# What cannot be loaded


def test_a_class_that_is_gone_is_a_miss_with_one_warning(cache, monkeypatch):
    """An older version that can be loaded is taken first; without one the function runs."""
    module = types.ModuleType("a_module_that_goes")
    module.Point = type("Point", (), {"__module__": module.__name__})
    monkeypatch.setitem(sys.modules, module.__name__, module)
    values = ["an old value", module.Point()]
    function = returning(lambda: values.pop(0), cache)
    assert function() == "an old value"
    function.refresh()
    monkeypatch.delitem(sys.modules, module.__name__)
    cache.store.memory.clear()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert function() == "an old value"
        assert function() == "an old value"
    assert "version 2 is stored but cannot be loaded here" in str(said[0].message)
    assert module.__name__ in str(said[0].message)
    assert len(said) == 1
    assert [item.status for item in function.items()] == [Status.READY, Status.READY]
    function.items()[1].remove()
    values.append("computed anew")
    assert function() == "computed anew"


def test_a_function_that_is_gone_is_a_miss_too(cache, monkeypatch):
    """A value may hold a function, which is stored by its name."""
    monkeypatch.setattr(sys.modules[__name__], "helper", lambda: 1, raising=False)
    sys.modules[__name__].helper.__qualname__ = "helper"
    sys.modules[__name__].helper.__name__ = "helper"
    function = returning({"f": sys.modules[__name__].helper}, cache)
    function()
    monkeypatch.delattr(sys.modules[__name__], "helper")
    cache.store.memory.clear()
    with pytest.warns(StoreWarning) as said:
        function()
    assert function.calls == [0, 0]
    assert any("helper" in str(each.message) for each in said)


# Compression


@pytest.mark.parametrize("name", COMPRESSIONS)
@pytest.mark.parametrize("serializer", ["auto", "json", "joblib"])
def test_values_are_compressed(name, serializer, cache):
    """Recorded with the item, smaller on the disk, and what was stored comes back."""
    function = returning(LARGE, cache, compress=name, serializer=serializer)
    assert function() == function() == LARGE
    assert function.calls == [0]
    found = record(function)
    assert found.compression.partition(":")[0] == name
    assert found.size == os.path.getsize(function.item().path) < 20_000
    assert found.filename.endswith(compression.EXTENSIONS[name])
    assert function.item().load() == LARGE


def test_a_compressed_file_is_what_its_extension_says(cache):
    """Other programs can read it."""
    function = returning("a text " * 5000, cache, compress="gzip", serializer="text")
    function()
    with gzip.open(function.item().path, "rt", encoding="utf-8") as file:
        assert file.read() == "a text " * 5000


def test_a_small_value_is_not_compressed(cache):
    """What goes into the registry is left as it is."""
    function = returning("small", cache, compress="gzip")
    assert function() == function() == "small"
    assert record(function).compression is None


def test_a_cache_compresses_unless_a_function_says_none(tmp_path):
    """And generators go their own way."""
    with Cache(tmp_path / "cache", compress="gzip") as cache:
        function = returning(LARGE, cache)
        function()
        assert record(function).compression.startswith("gzip:")
        function = returning(LARGE, cache, compress="none")
        function.refresh()
        assert record(function).compression is None

        @cached(cache=cache)
        def items():
            yield from LARGE

        assert list(items()) == list(items()) == LARGE
        assert record(items).compression is None


def test_options_of_a_cache_survive_pickling(tmp_path):
    """Workers store as the parent does."""
    with Cache(tmp_path / "cache", compress="gzip", serializer="json", mmap=False) as cache:
        again = pickle.loads(pickle.dumps(cache))
        assert (again.store.compress, again.store.serializer, again.store.mmap) == ("gzip", "json", False)
        again.close()


def test_damage_of_a_compressed_value_is_a_miss(cache):
    """It is found out, set aside, and computed anew."""
    function = returning(LARGE, cache, compress="gzip")
    function()
    path = function.item().path
    os.chmod(path, 0o600)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    assert function() == LARGE
    assert function.calls == [0, 0]


@pytest.mark.parametrize("recorded", ["gzip:5", "gzip:99999999999999", "gzip", "gzip:-1", "", "rar:5"])
def test_a_wrong_record_of_the_compression_is_a_miss(recorded, cache):
    """No length that is read is believed."""
    function = returning(LARGE, cache, compress="gzip")
    function()
    cache.store.pool.write(lambda con: con.execute("UPDATE items SET compression = ?", (recorded,)))
    cache.store.memory.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StoreWarning)
        assert function() == LARGE
    assert function.calls == [0, 0]


@pytest.mark.skipif(not find_spec("zstandard"), reason="needs zstandard")
def test_a_missing_compressor_is_an_error_that_names_the_extra(cache, monkeypatch):
    """At loading; at storing it is a warning, and the value is returned."""
    function = returning(LARGE, cache, compress="zstd")
    function()
    monkeypatch.setitem(sys.modules, "zstandard", None)
    if sys.version_info >= (3, 14):
        monkeypatch.setitem(sys.modules, "compression.zstd", None)
    with pytest.raises(MissingSerializerError, match=r"install cachedeco\[zstd\]"):
        function()
    with pytest.warns(StoreWarning, match=r"install cachedeco\[zstd\]"):
        assert function.refresh() == LARGE


# Signed caches


def test_what_is_stored_is_signed_compressed(tmp_path):
    """The signature is that of the stored bytes, and covers the record of the compression."""
    with Cache(tmp_path / "cache", signing_key=KEY, compress="gzip") as cache:
        function = returning(LARGE, cache)
        assert function() == function() == LARGE
        assert function.calls == [0]
        assert function.item().load() == LARGE
        cache.store.pool.write(lambda con: con.execute("UPDATE items SET compression = 'gzip:5'"))
        with pytest.warns(StoreWarning, match="its signature is not that"):
            assert function() == LARGE
        assert function.calls == [0, 0]


def test_nothing_is_decompressed_before_it_is_verified(tmp_path, monkeypatch):
    """A forger reaches neither the decompressor nor the serializer."""
    with Cache(tmp_path / "cache", signing_key=KEY, compress="gzip") as cache:
        function = returning(LARGE, cache)
        function()
        path = function.item().path
        os.chmod(path, 0o600)
        path.write_bytes(gzip.compress(pickle.dumps("forged" * 5000)))
        forge(cache, path)
        reached = []
        monkeypatch.setattr(compression, "decompress", lambda *given: reached.append(given))
        with pytest.warns(StoreWarning, match="its signature is not that"):
            assert function() == LARGE
        assert reached == []


def forge(cache, path):
    """Make the record fit a planted file."""
    from cachedeco.files.staging import measure

    size, digest = measure(str(path))
    cache.store.pool.write(lambda con: con.execute("UPDATE items SET size = ?, digest = ?", (size, digest)))
    cache.store.checked.clear()


def test_a_bomb_is_refused_where_nothing_is_signed(tmp_path, monkeypatch):
    """Of a cache that others may write to, little is not made into much."""
    monkeypatch.setattr(compression, "HARMLESS", 100_000)
    with Cache(tmp_path / "cache", allow_pickle=False, compress="gzip") as cache:
        function = returning(b"".join(number.to_bytes(3) for number in range(20_000)), cache)
        assert function() == function()
        assert function.calls == [0]
        path = function.item().path
        os.chmod(path, 0o600)
        path.write_bytes(gzip.compress(bytes(50_000_000)))
        forge(cache, path)
        cache.store.pool.write(lambda con: con.execute("UPDATE items SET compression = 'gzip:50000000'"))
        with pytest.warns(StoreWarning, match="50000000.*are not decompressed"):
            function()
        assert function.calls == [0, 0]


def test_what_would_be_refused_as_a_bomb_is_not_stored(tmp_path, monkeypatch):
    """Otherwise each call would compute, and none would say why."""
    monkeypatch.setattr(compression, "HARMLESS", 100_000)
    with Cache(tmp_path / "cache", allow_pickle=False, compress="gzip") as cache:
        function = returning(bytes(1_000_000), cache)
        with pytest.warns(StoreWarning, match="compress=None, or sign"):
            assert function() == bytes(1_000_000)
    with Cache(tmp_path / "signed", signing_key=KEY, allow_pickle=False, compress="gzip") as cache:
        function = returning(bytes(1_000_000), cache)
        assert function() == function() == bytes(1_000_000)
        assert function.calls == [0]


@pytest.mark.parametrize("name", ["pickle", "joblib"])
def test_a_serializer_that_runs_code_stores_nothing_where_pickles_are_not_allowed(name, tmp_path):
    """Asking for it by name changes nothing about that."""
    with Cache(tmp_path / "cache", allow_pickle=False) as cache:
        function = returning([1], cache, serializer=name)
        with pytest.warns(StoreWarning, match="allow_pickle=False"):
            assert function() == [1]


# Maps


@pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="needs /proc")
@pytest.mark.parametrize("serializer", ["pickle", "numpy"])
def test_large_arrays_are_maps_unless_told_otherwise(serializer, cache):
    """A private writable map by default, plain memory with mmap=False, of the function or of the cache."""
    function = returning(np.arange(MAP_FROM // 8), cache, serializer=serializer)
    function()
    path = str(function.item().path)
    value = function()
    assert maps_of(path) == 1
    del value
    plainly = returning(np.arange(MAP_FROM // 8), cache, serializer=serializer, mmap=False)
    value = plainly()
    assert maps_of(path) == 0
    assert plainly.calls == []
    with Cache(cache.path, mmap=False) as other:
        value = returning(0, other)()
        assert value[-1] == MAP_FROM // 8 - 1
        assert maps_of(path) == 0
        assert returning(0, other, mmap=True)() is not None


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_a_hit_reads_plainly_when_the_process_may_open_no_map(cache, monkeypatch):
    """Also for hits, which are then slower and nothing else."""
    function = returning(np.arange(MAP_FROM // 8), cache)
    function()

    def refuse(*_):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("cachedeco.values.mapping._map", refuse)
    value = function()
    assert value[-1] == MAP_FROM // 8 - 1
    assert function.calls == [0]


LIMITED = """
    import resource, sys
    import numpy as np
    from cachedeco import Cache, cached

    size = 256 * 1024 * 1024
    source = np.memmap(sys.argv[1], dtype="u1", mode="r", shape=(size,))
    cache = Cache(sys.argv[2])
    function = cached(cache=cache, code_version="1", uri="big://")(lambda: source)
    # Not the pages of the file: memory that is the process's own.
    now = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmData")) * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (now + 64 * 1024 * 1024,) * 2)
    value = function()
    assert function.item() is not None, "not stored"
    print(function.item().size > size)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")
def test_a_value_larger_than_memory_is_stored_with_constant_memory(tmp_path):
    """A quarter of a gibibyte goes into the cache of a process that may have 64 MiB."""
    source = tmp_path / "source"
    with open(source, "wb") as file:
        file.truncate(256 * 1024 * 1024)
    try:
        ran = subprocess.run(
            [
                sys.executable,
                "-W",
                "error",
                "-c",
                textwrap.dedent(LIMITED),
                str(source),
                str(tmp_path / "cache"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.stdout == "True\n", ran.stderr
    finally:
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)


# What must not be stored, and what callers can do to each other


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("TextIOWrapper", lambda: open(os.devnull, encoding="utf-8")),  # noqa: SIM115 - the test closes it
        ("socket", socket.socket),
        ("lock", threading.Lock),
        ("generator", lambda: (each for each in range(3))),
    ],
    ids=["file", "socket", "lock", "generator"],
)
def test_what_belongs_to_the_process_is_returned_with_a_warning(name, make, cache):
    """Named, with its place in the value; the caller has it all the same."""
    thing = make()
    function = returning({"deep": [thing]}, cache)
    with pytest.warns(StoreWarning, match=rf"could not be stored.*{name} at value\['deep'\]\[0\]"):
        assert function()["deep"][0] is thing
    assert function.calls == [0]
    if isinstance(thing, (io.IOBase, socket.socket)):
        thing.close()


@pytest.mark.parametrize(
    "value",
    [[1, [2]], {"a": [1]}, np.arange(10), np.arange(MAP_FROM // 8), ([1],), {1, 2}],
    ids=["list", "dict", "array", "map", "tuple", "set"],
)
def test_a_caller_cannot_damage_what_another_gets(value, cache):
    """The one that computed, one from disk, one from memory: each has its own."""
    function = returning(value, cache)
    whole = pickle.dumps(value)
    for _ in range(4):
        got = function()
        assert pickle.dumps(got) == whole
        if got is not value:
            spoil(got)
    assert function.calls == [0]


def spoil(value):
    if isinstance(value, np.ndarray):
        value[:] = -1
    elif isinstance(value, tuple):
        value[0].append("spoilt")
    else:
        value.clear()


def test_waiting_threads_load_their_own_copies(cache):
    """Nobody who waited shares an object with the one that computed, or with another."""
    entered, go, got = threading.Event(), threading.Event(), []

    def compute():
        entered.set()
        assert go.wait(10)
        return {"rows": [1, 2]}

    function = returning(compute, cache)
    threads = [threading.Thread(target=lambda: got.append(function())) for _ in range(4)]
    threads[0].start()
    assert entered.wait(10)
    for thread in threads[1:]:
        thread.start()
    go.set()
    for thread in threads:
        thread.join()
    assert len({id(value) for value in got}) == len({id(value["rows"]) for value in got}) == 4
    got[0]["rows"].clear()
    assert [value["rows"] for value in got[1:]] == [[1, 2]] * 3
    assert function() == {"rows": [1, 2]}

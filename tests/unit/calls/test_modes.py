"""Turning the cache off, making it compute anew, and caches that only read."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import cachedeco
from cachedeco import OUTPUT, Cache, CodeChangedError, MissError, OptionError, Status, cached
from cachedeco.settings import Switches, switches

CALLS = []


@pytest.fixture(autouse=True)
def no_calls():
    """Forget the calls of the test before."""
    CALLS.clear()


def count(x=0):
    CALLS.append(x)
    return len(CALLS)


async def count_later(x=0):
    await asyncio.sleep(0)
    return count(x)


def produce(n):
    CALLS.append(n)
    yield from range(n)
    return "end"


async def produce_later(n):
    CALLS.append(n)
    for each in range(n):
        yield each


def produced_later(generator):
    async def collect():
        return [each async for each in generator]

    return asyncio.run(collect())


KINDS = {
    "plain": (count, lambda f: f(3)),
    "async": (count_later, lambda f: asyncio.run(f(3))),
    "generator": (produce, lambda f: list(f(3))),
    "async generator": (produce_later, lambda f: produced_later(f(3))),
}


@pytest.fixture(params=KINDS)
def kind(request):
    """A function of each kind, and how it is called."""
    return KINDS[request.param]


def decorate(cache, function, **options):
    return cached(cache=cache, code_version="1", **options)(function)


# disabled


def test_disabled_calls_are_plain_calls(cache, kind):
    """Nothing is looked up, nothing stored."""
    function, run = kind
    f = decorate(cache, function)
    run(f)
    with cachedeco.disabled():
        run(f)
        run(f)
    assert len(CALLS) == 3
    run(f)
    assert len(CALLS) == 3
    assert len(cache) == 1


def test_disabled_blocks_may_be_nested(cache):
    """The outermost end turns it on again, also after an exception."""
    f = decorate(cache, count)

    def nest():
        with cachedeco.disabled():
            with cachedeco.disabled():
                f()
            f()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        nest()
    assert len(CALLS) == 2
    assert (f(), f()) == (3, 3)


def test_disabled_is_for_all_threads(cache):
    """A worker that is started inside the block too."""
    f = decorate(cache, count)
    f()
    with cachedeco.disabled():
        thread = threading.Thread(target=f)
        thread.start()
        thread.join()
    assert len(CALLS) == 2


def test_disabled_needs_no_key(cache):
    """Arguments that cannot be keyed are of no concern, nor is a cache that cannot be used."""
    f = decorate(cache, count)
    with cachedeco.disabled():
        assert f(threading.Lock()) == 1
    Path(cache.path, "registry").rmdir() if Path(cache.path, "registry").is_dir() else None
    Path(cache.path, "registry").write_text("in the way")
    with cachedeco.disabled():
        assert f() == 2


def test_disabled_calls_do_not_wait(cache):
    """Whoever computes the same is of no concern."""
    f = decorate(cache, recurse_disabled)
    assert f(f, 3) == 3


def recurse_disabled(f, n):
    CALLS.append(n)
    if n == 0:
        return 0
    with cachedeco.disabled():
        return 1 + f(f, n - 1)


def run_script(tmp_path, body, **environment):
    script = tmp_path / "script.py"
    script.write_text(
        "import asyncio\nfrom cachedeco import cached, Cache\ncache = Cache('cache')\n" + body,
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=tmp_path,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


SCRIPT = """
@cached(cache=cache)
def load(x):
    print("load")
    return x
@cached(cache=cache, uri="https://example.org/{x}")
def fetch(x):
    print("fetch")
    return x
@cached(cache=cache)
def items(n):
    print("items")
    yield from range(n)
@cached(cache=cache)
async def later(x):
    print("later")
    return x
load(1); fetch(1); assert list(items(2)) == [0, 1]; asyncio.run(later(1))
"""
ALL = ["load", "fetch", "items", "later"]


@pytest.mark.parametrize("value", ["1", "true", "yes"])
def test_an_environment_variable_disables(tmp_path, value):
    """For all functions of the process."""
    assert run_script(tmp_path, SCRIPT) == ALL
    assert run_script(tmp_path, SCRIPT, CACHEDECO_DISABLE=value) == ALL
    assert run_script(tmp_path, SCRIPT) == []


@pytest.mark.parametrize("value", ["", "0", "false", "False", "no", "off"])
def test_some_values_of_the_variable_do_not_disable(value):
    """Whatever people write for no."""
    assert not Switches({"CACHEDECO_DISABLE": value}).disabled


# CACHEDECO_REFRESH


@pytest.mark.parametrize(
    ("pattern", "computed"),
    [
        ("*", ALL),
        ("https://example.org/*", ["fetch"]),
        ("py://script/items", ["items"]),
        ("py://script/*", ["load", "items", "later"]),
        ("*/LOAD", []),
        ("", []),
    ],
)
def test_a_pattern_of_uris_is_computed_anew(tmp_path, pattern, computed):
    """As file names are matched, in any kind of function; what is computed is stored as a new version."""
    assert run_script(tmp_path, SCRIPT) == ALL
    assert run_script(tmp_path, SCRIPT, CACHEDECO_REFRESH=pattern) == computed
    assert run_script(tmp_path, SCRIPT) == []
    with Cache(tmp_path / "cache") as cache:
        assert len(cache.search(version=2)) == len(computed)


def test_refresh_by_pattern_ignores_cooldown_and_other_code(cache, monkeypatch):
    """As the verb does."""
    monkeypatch.setattr(switches, "refresh", "*")
    old = cached(cache=cache, uri="family", code_version="1", on_code_change="raise")(produce)
    new = cached(cache=cache, uri="family", code_version="2", on_code_change="raise")(produce)
    assert list(old(2)) == list(new(2)) == [0, 1]
    assert [item.status for item in new.items(2)] == [Status.READY, Status.READY]


# Modes of a cache


def test_a_mode_that_there_is_not_is_refused(tmp_path):
    """With those that there are."""
    with pytest.raises(
        OptionError, match=r"Cache\(mode='ro'\): it is one of 'read-write', 'read-only', 'raise-on-miss'"
    ):
        Cache(tmp_path / "cache", mode="ro")


@pytest.fixture
def read_only(cache):
    """The same folder, for reading."""
    with Cache(cache.path, mode="read-only") as opened:
        yield opened


@pytest.fixture
def strict(cache):
    """The same folder, where a miss is an error."""
    with Cache(cache.path, mode="raise-on-miss") as opened:
        yield opened


def test_read_only_gives_hits(cache, read_only, kind):
    """As any cache."""
    function, run = kind
    first = run(decorate(cache, function))
    assert run(decorate(read_only, function)) == first
    assert len(CALLS) == 1


def test_read_only_computes_misses_and_stores_nothing(read_only, kind):
    """Neither a value nor a claim nor a failure."""
    function, run = kind
    f = decorate(read_only, function)
    run(f)
    run(f)
    assert len(CALLS) == 2
    assert len(read_only) == 0


def test_read_only_records_no_failure(read_only):
    """It is the caller's, as ever."""

    def fail():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        decorate(read_only, fail, cooldown=60)()
    with pytest.raises(ValueError, match="no"):
        decorate(read_only, fail, cooldown=60)()
    assert len(read_only) == 0


def test_read_only_stores_no_refresh(cache, read_only, kind):
    """The function is run, and what is stored stays as it is."""
    function, run = kind
    run(decorate(cache, function))
    f = decorate(read_only, function)
    refreshed = f.refresh(3)
    run(lambda _: refreshed)
    assert len(CALLS) == 2
    assert [item.version for item in f.items(3)] == [1]


def test_read_only_leaves_even_what_is_damaged(cache, read_only):
    """It computes, and lets those who may write set it aside."""

    def large(x):
        CALLS.append(x)
        return bytes(10_000)

    f = decorate(cache, large)
    f(1)
    f.item(1).path.unlink()
    assert decorate(read_only, large)(1) == bytes(10_000)
    assert f.items(1)[0].status == Status.READY


def test_read_only_writes_output_files_elsewhere(cache, read_only, tmp_path, monkeypatch):
    """In a temporary folder that is the caller's."""

    def write(output=OUTPUT):
        CALLS.append(1)
        output.write_text("text")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "elsewhere"))
    (tmp_path / "elsewhere").mkdir()
    path = decorate(read_only, write, output="x.txt")()
    assert path.read_text() == "text"
    assert tmp_path / "elsewhere" in path.parents


def test_read_only_keeps_to_on_code_change(cache, read_only, kind):
    """A result of other code is still an error where it is one."""
    function, run = kind
    run(cached(cache=cache, uri="family", code_version="1")(function))
    f = cached(cache=read_only, uri="family", code_version="2", on_code_change="raise")(function)
    with pytest.raises(CodeChangedError):
        run(f)


def test_raise_on_miss_gives_hits(cache, strict, kind):
    """As any cache."""
    function, run = kind
    first = run(decorate(cache, function))
    assert run(decorate(strict, function)) == first


def test_raise_on_miss_raises_and_computes_nothing(strict, kind):
    """By the function's name."""
    function, run = kind
    with pytest.raises(
        MissError, match=f"{function.__name__} has no stored result for these arguments.*raise-on-miss"
    ):
        run(decorate(strict, function))
    assert not CALLS
    assert len(strict) == 0


def test_raise_on_miss_is_no_failure_to_be_replaced(cache, strict):
    """`on_error` is about the function."""
    decorate(cache, count, expires=60)()
    with pytest.raises(MissError):
        decorate(strict, count, on_error="stale", expires=0)()


def test_verbs_that_only_look_work_in_every_mode(cache, read_only, strict):
    """They never compute."""
    decorate(cache, count)()
    for each in (read_only, strict):
        f = decorate(each, count)
        assert f.item().load() == 1
        assert f.status() == Status.READY
        assert f.why().hit
        assert f.status(5) == Status.UNINITIALIZED
        assert not f.why(5).hit


def test_the_mode_survives_pickling(strict):
    """A worker process must not compute either."""
    import pickle

    with pickle.loads(pickle.dumps(strict)) as again:
        assert (again.path, again.mode) == (strict.path, "raise-on-miss")

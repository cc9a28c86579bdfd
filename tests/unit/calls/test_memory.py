"""The same call again: no registry is read, and yet what others change is seen."""

from __future__ import annotations

import os
import pickle
import shutil
import sys
import threading

import pytest

from cachedeco import OUTPUT, Cache, OptionError, Status, cached
from cachedeco.registry import slots

COUNT = [0]


def number():
    """Another one each time it is computed."""
    COUNT[0] += 1
    return COUNT[0] - 1


@pytest.fixture(autouse=True)
def from_zero():
    """Each test counts for itself."""
    COUNT[0] = 0


def counting(cache):
    """That function, cached; what it counts with is not its code."""
    return cached(cache=cache, code_version="1")(number)


@pytest.fixture
def reads(cache, monkeypatch):
    """How often the registry was read."""
    count = []
    plain = cache.store.pool.read

    def read(sql, parameters=()):
        count.append(sql)
        return plain(sql, parameters)

    monkeypatch.setattr(cache.store.pool, "read", read)
    return count


@pytest.fixture
def other(cache):
    """The same folder as another process has it: with connections and slots of its own."""
    with Cache(cache.path) as opened:
        yield opened


def test_the_same_call_again_reads_no_registry(cache, reads):
    """The first hit is remembered."""

    @cached(cache=cache)
    def f(x):
        return x + 1

    f(1), f(1)
    reads.clear()
    assert f(1) == 2
    assert not reads


def test_a_new_version_is_seen_by_the_next_call(cache, other):
    """Whoever made it."""
    here, there = counting(cache), counting(other)
    assert [here(), here(), here()] == [0, 0, 0]
    assert there.refresh() == 1
    assert here() == 1
    assert here.refresh() == 2
    assert [there(), there()] == [2, 2]


def test_a_removal_and_its_undoing_are_seen_by_the_next_call(cache, other):
    """What is in the trash is no hit, what was brought back is."""
    here, there = counting(cache), counting(other)
    assert [here(), here()] == [0, 0]
    item = there.item()
    there.remove()
    assert here.status() == Status.UNINITIALIZED
    assert [here(), here()] == [1, 1]
    other.best(item.uri).remove()
    item.restore()
    assert here() == 0


def test_what_can_be_changed_is_handed_out_as_a_copy(cache):
    """Nobody can damage what another gets."""

    @cached(cache=cache)
    def f():
        return [1, {"a": []}]

    f(), f()
    first = f()
    first[1]["a"].append("mine")
    assert f() == [1, {"a": []}]


def test_what_cannot_be_changed_is_handed_out_as_it_is(cache):
    """It need not be made again."""

    @cached(cache=cache)
    def f():
        return ("text", 1.5, None)

    f(), f()
    assert f() is f()


def test_a_tuple_with_something_changeable_in_it_is_copied(cache):
    """The tuple cannot be changed, the list in it can."""

    @cached(cache=cache)
    def f():
        return ([],)

    f(), f()
    f()[0].append(1)
    assert f() == ([],)


def test_a_cached_none_is_remembered(cache, reads):
    """None is a value like any other."""

    @cached(cache=cache)
    def f():
        return None

    f(), f()
    reads.clear()
    assert f() is None
    assert not reads


def test_another_argument_or_other_code_is_another_call(cache):
    """Remembered by key and code."""
    factor = 2

    def make():
        @cached(cache=cache, uri="demo://f")
        def f(x):
            return x * factor

        return f

    f = make()
    assert [f(1), f(1), f(True), f(1.0)] == [2, 2, 2, 2.0]
    assert type(f(1.0)) is float
    factor = 3
    assert f(1) == 3


def test_functions_that_look_for_hits_in_different_ways_share_nothing(cache):
    """One that takes any code's result does not decide for one that does not."""

    def old():
        return "old"

    def new():
        return "new"

    cached(cache=cache, uri="demo://f")(old)()
    lenient = cached(cache=cache, uri="demo://f", on_code_change="ignore")(new)
    strict = cached(cache=cache, uri="demo://f")(new)
    assert [lenient(), lenient(), lenient()] == ["old"] * 3
    assert [strict(), strict()] == ["new"] * 2


def test_an_output_file_that_is_gone_is_noticed(cache):
    """The file itself is looked at each time."""

    @cached(cache=cache, code_version="1", output="a.txt")
    def f(output=OUTPUT):
        output.write_text(str(number()))
        return output

    f(), f()
    os.unlink(f())
    assert f().read_text() == "1"


def test_a_check_of_the_user_is_asked_each_time(cache):
    """It may say something else than a moment ago."""
    f = cached(cache=cache, code_version="1", validate=lambda item: COUNT[0] != 1)(number)
    assert [f(), f()] == [0, 1]
    COUNT[0] = 1
    assert f() == 1
    COUNT[0] = 7
    assert f() == 1


def test_without_memory_the_registry_is_read(tmp_path, monkeypatch):
    """memory=0 turns it off."""
    with Cache(tmp_path / "cache", memory=0) as cache:

        @cached(cache=cache)
        def f():
            return 1

        f(), f()
        count = []
        plain = cache.store.pool.read
        monkeypatch.setattr(cache.store.pool, "read", lambda *given: count.append(1) or plain(*given))
        assert f() == 1
        assert count


@pytest.mark.parametrize("wrong", [-1, True, 1.5, "1 MB", None])
def test_a_wrong_size_of_the_memory_is_refused(tmp_path, wrong):
    """It says what it should be."""
    with pytest.raises(OptionError, match="number of bytes"):
        Cache(tmp_path / "cache", memory=wrong)


def test_a_cache_pickles_with_the_size_of_its_memory(tmp_path):
    """A worker is as modest as its parent."""
    with Cache(tmp_path / "cache", memory=7) as cache, pickle.loads(pickle.dumps(cache)) as copy:
        assert copy.memory == 7


def test_no_more_is_remembered_than_the_size_allows(tmp_path):
    """The oldest goes first, unless it was used again meanwhile."""
    with Cache(tmp_path / "cache", memory=10_000) as cache:

        @cached(cache=cache)
        def f(x):
            return "v" * 100

        for x in range(20):
            f(x), f(x), f(0)
        hits = cache.store.memory._hits
        assert cache.store.memory._size == sum(hit.size for hit in hits.values()) <= 10_000
        assert {name[:16].hex() for name in hits} >= {f.key(0), f.key(19)}
        assert f.key(1) not in {name[:16].hex() for name in hits}


def test_threads_that_hit_and_change_get_right_values(cache):
    """None gets a value older than the newest one that was there when it asked."""
    newest = [0]

    @cached(cache=cache, code_version="1", uri="demo://count")
    def f():
        return newest[0] + 1

    f()
    newest[0] = 1
    wrong, stop = [], threading.Event()

    def look():
        while not stop.is_set():
            before = newest[0]
            got = f()
            if got < before:
                wrong.append((before, got))

    threads = [threading.Thread(target=look) for _ in range(4)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for _ in range(200):
            newest[0] = f.refresh()
    finally:
        stop.set()
        sys.setswitchinterval(interval)
        for thread in threads:
            thread.join()
    assert newest[0] == 201
    assert not wrong


def test_a_change_that_died_half_way_is_not_trusted(cache, other, monkeypatch):
    """A writer that was killed after its commit has not said so."""
    here, there = counting(cache), counting(other)
    assert [here(), here()] == [0, 0]
    monkeypatch.setattr(other.store.pool.slots, "done", lambda raised: None)
    assert there.refresh() == 1
    monkeypatch.undo()
    assert [here(), here()] == [1, 1]


def test_a_change_that_was_rolled_back_leaves_the_hits_as_they_were(cache):
    """Its slot is settled again, so that hits are remembered anew."""

    @cached(cache=cache)
    def f():
        return 1

    f(), f()

    def work(con):
        con.execute("UPDATE items SET status = -1")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cache.store.pool.write(work)
    assert f() == 1
    words = cache.store.pool.slots.words()
    place = slots.place_of(bytes.fromhex(f.key()))
    assert words[place] == words[place + 1]


def test_without_the_file_of_slots_nothing_is_remembered(cache, monkeypatch, reads):
    """Somebody removed it: the registry is asked again, and the next change makes it anew."""
    monkeypatch.setattr(slots, "_TRUST_SECONDS", 0)

    @cached(cache=cache)
    def f():
        return 1

    f(), f()
    os.unlink(cache.store.pool.slots.path)
    reads.clear()
    assert f() == 1
    assert reads
    f.refresh()
    f()
    reads.clear()
    assert f() == 1
    assert not reads


def test_a_folder_that_was_removed_is_noticed(cache, monkeypatch, reads):
    """Nothing is remembered of what lay there."""
    monkeypatch.setattr(slots, "_TRUST_SECONDS", 0)
    f = counting(cache)
    f(), f()
    shutil.rmtree(cache.path)
    reads.clear()
    f()
    assert reads


@pytest.mark.skipif(not hasattr(os, "fork"), reason="os.fork")
def test_a_child_sees_what_its_parent_changes_and_the_other_way(cache):
    """They share the slots, not the memory."""
    f = counting(cache)
    assert [f(), f()] == [0, 0]
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if f() == 0 and f.refresh() == 1 else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert f() == 1

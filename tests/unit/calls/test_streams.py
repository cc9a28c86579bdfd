"""Cached generators: items as they are produced, published when exhausted, streamed back."""

from __future__ import annotations

import gc
import inspect
import itertools
import os
import threading
import time
import tracemalloc
from pathlib import Path

import pytest

import cachedeco
from cachedeco import (
    OptionError,
    PreviousFailureError,
    Status,
    StoreError,
    StoreWarning,
    WaitCycleError,
    cached,
)
from cachedeco.calls import streams
from cachedeco.registry import owner as owners
from cachedeco.registry.claims import new_token
from cachedeco.values.contract import DamagedError, UnloadableError

CALLS = []
STATE = {}


@pytest.fixture(autouse=True)
def no_calls():
    """Forget the calls of the test before."""
    CALLS.clear()
    STATE.clear()


def produce(n, size=0):
    CALLS.append(n)
    for number in range(n):
        yield (number, bytes(size)) if size else number
    return "end"


@pytest.fixture
def make(cache):
    """Makes `produce` a cached generator."""

    def make(function=produce, **options):
        return cached(cache=cache, code_version="1", **options)(function)

    return make


def exhaust(generator):
    """The items, and what the generator returned."""
    items = []

    def collect():
        STATE["returned"] = yield from generator

    items.extend(collect())
    return items, STATE.pop("returned")


def files_of(cache):
    """All files of a cache but its registry, its owners and what marks the folder; spools have no name."""
    return [path for path in Path(cache.path, "items").rglob("*") if path.is_file()]


def open_spools(cache):
    """Files without a name that this process has open in the cache."""
    found = []
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{descriptor}")
        except FileNotFoundError:
            continue
        if target.startswith(cache.path) and target.endswith("(deleted)"):
            found.append(target)
    return found


def test_a_generator_is_run_once(make):
    """Its items and what it returned come back."""
    f = make()
    assert exhaust(f(3)) == exhaust(f(3)) == ([0, 1, 2], "end")
    assert CALLS == [3]
    assert f.status(3) == Status.READY


@pytest.mark.parametrize("n", [0, 1, 5000])
def test_any_number_of_items(make, n):
    """None at all too, inline or in a file."""
    f = make()
    assert exhaust(f(n)) == exhaust(f(n)) == (list(range(n)), "end")
    assert len(CALLS) == 1


def test_it_stays_a_generator_function(make):
    """Which does nothing until it is asked for an item."""
    f = make()
    assert inspect.isgeneratorfunction(f)
    items = f(3)
    assert inspect.isgenerator(items)
    assert not CALLS
    items.close()


def test_items_reach_the_consumer_as_they_are_produced(make):
    """Not when all are there."""

    def endless():
        for number in itertools.count():
            CALLS.append(number)
            yield number

    items = make(endless)()
    for number in range(5):
        assert next(items) == number
        assert list(range(number + 1)) == CALLS
    items.close()


def test_nothing_is_published_before_it_is_exhausted(make):
    """Nor claimed: the consumer may stop for ever."""
    f = make()
    items = f(2)
    next(items)
    assert f.status(2) == Status.UNINITIALIZED
    next(items)
    assert f.items(2) == []
    assert next(items, "over") == "over"
    assert f.status(2) == Status.READY


@pytest.mark.parametrize("stop", ["close", "break", "forget"])
def test_a_consumer_that_stops_early_publishes_nothing(make, cache, stop):
    """It leaves no file and no row; the function is told, and the next call runs it."""

    def tell(n):
        try:
            CALLS.append(n)
            yield from range(n)
        finally:
            CALLS.append("closed")

    f = make(tell)
    items = f(5)
    assert next(items) == 0
    assert len(open_spools(cache)) == 1
    if stop == "close":
        items.close()
    elif stop == "break":
        for _ in items:
            break
        del items
    else:
        del items
    gc.collect()
    assert CALLS == [5, "closed"]
    assert f.items(5) == []
    assert files_of(cache) == open_spools(cache) == []
    assert list(f(5)) == [0, 1, 2, 3, 4]
    assert f.status(5) == Status.READY


def test_a_hit_streams_with_constant_memory(make):
    """One item at a time, whatever the length."""
    f = make()
    size, n = 100_000, 200
    assert sum(1 for _ in f(n, size)) == n
    tracemalloc.start()
    try:
        assert sum(len(data) for _, data in f(n, size)) == n * size
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(CALLS) == 1
    assert peak < 10 * size


def test_a_miss_takes_constant_memory_too(make):
    """Items wait on disk, not in memory."""
    f = make()
    size, n = 100_000, 200
    next(iter(f(1, size)))
    tracemalloc.start()
    try:
        assert sum(len(data) for _, data in f(n, size)) == n * size
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000


def test_what_a_consumer_does_to_an_item_is_not_stored(make):
    """It is stored before it is handed over, and each call has its own."""

    def rows():
        CALLS.append(1)
        row = []
        for number in range(3):
            row.append(number)
            yield row

    f = make(rows)
    for items in (f(), f()):
        assert [len(row) for row in items] == [1, 2, 3]
    for row in f():
        row.append("mine")
    assert [len(row) for row in f()] == [1, 2, 3]
    assert CALLS == [1]


def test_two_consumers_at_once_both_run_the_function(make, cache):
    """Neither waits for the other; the first to exhaust it publishes, one version there is."""
    f = make()
    one, two = f(3), f(3)
    assert [next(one), next(two), next(one)] == [0, 0, 1]
    assert list(one) == [2]
    assert list(two) == [1, 2]
    assert [item.version for item in f.items(3)] == [1]
    assert open_spools(cache) == []
    assert list(f(3)) == [0, 1, 2]
    assert len(CALLS) == 2


def test_threads_that_consume_at_once(make):
    """All get all items."""
    f = make()
    got = []
    barrier = threading.Barrier(8)

    def consume():
        barrier.wait()
        got.append(list(f(500)))

    threads = [threading.Thread(target=consume) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert got == [list(range(500))] * 8
    assert [item.status for item in f.items(500)] == [Status.READY]


def test_a_generator_that_reads_its_own_stream(make):
    """Of other arguments, or of what another consumer has stored: no call waits for itself."""

    def sums(n):
        CALLS.append(n)
        yield 0
        if n:
            yield from STATE["f"](n - 1)

    STATE["f"] = f = make(sums)
    assert list(f(5)) == [0] * 6
    assert list(f(5)) == [0] * 6
    assert CALLS == [5, 4, 3, 2, 1, 0]


# Failures


def fail_after(n):
    CALLS.append(n)
    yield from range(n)
    raise ValueError("no more")


def test_exceptions_are_recorded_and_raised(make):
    """After the items that there were."""
    f = make(fail_after)
    items = f(2)
    assert [next(items), next(items)] == [0, 1]
    with pytest.raises(ValueError, match="no more"):
        next(items)
    item = f.items(2)[0]
    assert (item.status, item.cause) == (Status.FAILED, "raised")
    assert "ValueError: no more" in item.error
    assert os.path.dirname(cachedeco.__file__) not in item.error
    with pytest.raises(ValueError, match="no more"):
        list(f(2))
    assert len(CALLS) == 2


def test_an_interruption_is_no_failure(make, cache):
    """Nothing is recorded, nothing remains."""

    def interrupted():
        yield 1
        raise KeyboardInterrupt

    f = make(interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(f())
    assert f.items() == []
    assert files_of(cache) == []


def test_a_cooldown_holds_for_generators(make):
    """The call raises the stored failure before the first item."""
    f = make(fail_after, cooldown=600)
    with pytest.raises(ValueError, match="no more"):
        list(f(1))
    with pytest.raises(PreviousFailureError, match="no more"):
        next(f(1))
    assert len(CALLS) == 1
    with pytest.raises(ValueError, match="no more"):
        list(f.refresh(1))


def test_an_item_that_cannot_be_stored_reaches_the_consumer(make, cache):
    """As all others; it is said once, and nothing is published."""

    def odd():
        CALLS.append(1)
        yield 1
        yield STATE["lock"]
        yield 3
        return "end"

    STATE["lock"] = threading.Lock()
    f = make(odd)
    with pytest.warns(StoreWarning, match="its items are not stored"):
        assert exhaust(f()) == ([1, STATE["lock"], 3], "end")
    assert exhaust(f()) == ([1, STATE["lock"], 3], "end")
    assert len(CALLS) == 2
    assert files_of(cache) == open_spools(cache) == []


def test_what_cannot_be_stored_is_raised_at_the_end_where_that_is_wanted(make):
    """All items have reached the consumer by then; the error has what the generator returned."""

    def odd():
        yield STATE["lock"]
        yield 2
        return "end"

    STATE["lock"] = threading.Lock()
    items = make(odd, on_store_error="raise")()
    assert [next(items), next(items)] == [STATE["lock"], 2]
    with pytest.raises(StoreError, match="its items were produced, but could not be stored") as caught:
        next(items)
    assert caught.value.value == "end"


def test_a_returned_value_that_cannot_be_stored_reaches_the_consumer(make):
    """As an item does."""

    def odd():
        yield 1
        return STATE["lock"]

    STATE["lock"] = threading.Lock()
    with pytest.warns(StoreWarning, match="not stored"):
        assert exhaust(make(odd)()) == ([1], STATE["lock"])


def test_a_spool_that_cannot_be_written_costs_no_item(make, monkeypatch):
    """The disk may be full."""
    from cachedeco.calls import streams

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(streams.tempfile, "TemporaryFile", full)
    f = make()
    with pytest.warns(StoreWarning, match="its items are not stored.*No space left"):
        assert exhaust(f(3)) == ([0, 1, 2], "end")
    with pytest.raises(OSError, match="No space left"):
        list(make(on_store_error="raise", uri="strict")(3))


# What is sent


def test_sending_is_refused_on_a_miss_and_on_a_hit(make):
    """What is sent could not be part of the key."""
    f = make()
    for _ in range(2):
        items = f(3)
        next(items)
        with pytest.raises(TypeError, match="what is sent to it could not be part of its key"):
            items.send("x")
        assert list(f(3)) == [0, 1, 2]


def test_throwing_into_it_closes_it(make, cache):
    """And publishes nothing."""
    f = make()
    items = f(3)
    next(items)
    with pytest.raises(KeyError):
        items.throw(KeyError("x"))
    assert open_spools(cache) == []
    assert f.items(3) == []


# Damage


class Fragile:
    """An item that can be stored, but not always loaded."""

    def __setstate__(self, state):
        if STATE.get("broken"):
            raise ImportError("the library of this item is not installed")
        self.__dict__.update(state)

    def __init__(self, number):
        self.number = number


def fragile(n):
    CALLS.append(n)
    for number in range(n):
        yield Fragile(number)


def fragile_at_the_end(n):
    CALLS.append(n)
    yield from range(n)
    yield Fragile(n)


def harm(item, position, data):
    """Overwrite bytes of a stored stream; its size stays."""
    path = item.path
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.seek(position, os.SEEK_SET if position >= 0 else os.SEEK_END)
        file.write(data)


@pytest.mark.parametrize(
    ("position", "data"),
    [(0, b"wrong"), (8, b"?"), (9, b"\xff" * 8), (9, b"\xff" * 5), (17, b"\0" * 20), (9, b"\0" * 8)],
)
def test_damage_at_the_beginning_is_a_miss(make, position, data):
    """Nobody has seen an item yet, so the function runs; what is damaged is set aside."""
    f = make()
    list(f(1000, 10))
    harm(f.item(1000, 10), position, data)
    assert len(list(f(1000, 10))) == 1000
    assert len(CALLS) == 2
    assert [item.status for item in f.items(1000, 10)] == [Status.READY]
    assert f.item(1000, 10).version == 2


@pytest.mark.parametrize("data", [b"\xff" * 40, b"\0" * 40])
def test_damage_while_it_is_streamed_is_an_error(make, data):
    """The consumer has seen items of one run, and gets none of another. The next call runs the function."""
    f = make()
    list(f(1000, 10))
    items = f(1000, 10)
    assert next(items)[0] == 0
    harm(f.item(1000, 10), 20_000, data)
    with pytest.raises(DamagedError):
        list(items)
    assert len(list(f(1000, 10))) == 1000
    assert len(CALLS) == 2


def test_a_stream_that_is_cut_off_is_a_miss(make):
    """Its size says so."""
    f = make()
    list(f(1000, 10))
    path = f.item(1000, 10).path
    path.chmod(0o600)
    os.truncate(path, 5000)
    assert len(list(f(1000, 10))) == 1000
    assert len(CALLS) == 2


def test_a_stream_whose_file_is_gone_is_a_miss(make):
    """As any value."""
    f = make()
    list(f(1000, 10))
    f.item(1000, 10).path.unlink()
    assert len(list(f(1000, 10))) == 1000
    assert len(CALLS) == 2


def test_a_stream_that_is_removed_while_it_is_read_is_read_to_its_end(make):
    """The reader holds the file."""
    f = make()
    list(f(1000, 10))
    items = f(1000, 10)
    next(items)
    f.item(1000, 10).path.unlink()
    assert sum(1 for _ in items) == 999


@pytest.mark.parametrize("n", [3, 1000])
def test_items_that_cannot_be_loaded_here_are_a_miss_with_a_warning(make, n):
    """The version stays: another environment may still read it."""
    f = make(fragile)
    list(f(n))
    STATE["broken"] = True
    with pytest.warns(StoreWarning, match="version 1 is stored but cannot be loaded here.*not installed"):
        assert [item.number for item in f(n)] == list(range(n))
    STATE["broken"] = False
    assert [item.status for item in f.items(n)] == [Status.READY, Status.READY]


@pytest.mark.filterwarnings("ignore::cachedeco.StoreWarning")
def test_an_item_in_the_middle_that_cannot_be_loaded_here_is_an_error(make):
    """The version stays."""
    f = make(fragile_at_the_end)
    list(f(1000))
    STATE["broken"] = True
    with pytest.raises(UnloadableError, match="not installed"):
        list(f(1000))
    STATE["broken"] = False
    assert len(list(f(1000))) == 1001
    assert len(CALLS) == 1


def test_a_healthy_version_is_not_blamed_for_a_damaged_one(make):
    """What is set aside is what was read, not what is newest by then."""
    f = make()
    list(f(1000, 10))
    items = f(1000, 10)
    next(items)
    harm(f.item(1000, 10), 20_000, b"\xff" * 40)
    list(f.refresh(1000, 10))
    with pytest.raises(DamagedError):
        list(items)
    assert f.item(1000, 10).version == 2
    assert len(list(f(1000, 10))) == 1000
    assert len(CALLS) == 2


# Options and verbs


@pytest.mark.parametrize(
    "options", [{"retry": 3}, {"wait": 5}, {"on_error": "stale"}, {"output": "return"}], ids=str
)
def test_options_that_make_no_sense_for_generators_are_refused(make, options):
    """With what to do instead."""
    with pytest.raises(OptionError, match=r"is not for generators.*cache a function that returns a list"):
        make(**options)


def test_refresh_runs_it_again(make):
    """As a new version."""
    f = make()
    list(f(3))
    assert list(f.refresh(3)) == [0, 1, 2]
    assert [item.version for item in f.items(3)] == [2, 1]


def test_methods_may_be_generators(cache):
    """With `self` by its state."""

    class Station:
        def __init__(self, name):
            self.name = name

        @cached(cache=cache, code_version="1")
        def read(self, n):
            CALLS.append(n)
            for number in range(n):
                yield f"{self.name}{number}"

    assert list(Station("A").read(2)) == list(Station("A").read(2)) == ["A0", "A1"]
    assert list(Station("B").read(2)) == ["B0", "B1"]
    assert len(CALLS) == 2


def test_its_item_loads_as_a_stream(make):
    """One item at a time, inline or from a file."""
    f = make()
    for n in (3, 5000):
        list(f(n))
        assert exhaust(f.item(n).load()) == (list(range(n)), "end")


def test_attributes_of_a_generator(make):
    """A function of what it returned and its arguments."""
    f = make(attrs=lambda value, arguments: {"value": value, "n": arguments["n"]})
    list(f(3))
    assert f.item(3).attrs == {"value": "end", "n": 3}


def test_arrays_come_back_private_and_writable(make):
    """As values do."""
    import numpy as np

    def arrays():
        CALLS.append(1)
        for number in range(3):
            yield np.full(100_000, number)

    f = make(arrays)
    list(f())
    for number, array in enumerate(f()):
        assert array[0] == number
        array[0] = -1
    assert [array[0] for array in f()] == [0, 1, 2]
    assert len(CALLS) == 1


def test_code_that_changes_between_two_streams(cache):
    """With on_code_change="warn" an older stream is used, and it is said."""
    old = cached(cache=cache, uri="family", code_version="1")(produce)
    new = cached(cache=cache, uri="family", code_version="2", on_code_change="warn")(produce)
    list(old(3))
    with pytest.warns(UserWarning, match="made by other code and is used all the same"):
        assert list(new(3)) == [0, 1, 2]
    assert len(CALLS) == 1


def test_a_function_and_a_generator_of_one_uri_do_not_meet(cache):
    """A value is no stream."""
    one = cached(cache=cache, uri="family", code_version="1")(lambda n: [n])
    two = cached(cache=cache, uri="family", code_version="1")(produce)
    assert one(3) == [3]
    assert list(two(3)) == [0, 1, 2]
    assert one(3) == [3]
    assert list(two(3)) == [0, 1, 2]
    assert CALLS == [3]


def test_a_stream_is_stored_also_when_the_registry_is_rebuilt_while_it_is_claimed(cache, make, monkeypatch):
    """What the claim was to belong to is gone by then: it is claimed once more."""
    stream, own, rebuilt = make(), owners.own, []

    def own_and_rebuild(pool):
        owner = own(pool)
        if not rebuilt:
            rebuilt.append(True)
            cache.rebuild()
        return owner

    monkeypatch.setattr(owners, "own", own_and_rebuild)
    assert list(stream(3)) == list(stream(3)) == [0, 1, 2]
    assert CALLS == [3]
    assert rebuilt


@pytest.mark.parametrize("fails", [True, False], ids=["which fails", "which takes too long"])
def test_who_exhausts_a_stream_waits_a_moment_for_who_is_storing_it(cache, make, monkeypatch, fails):
    """If nothing comes of that, it is stored here; the caller has its items in any case."""
    claims, theirs = cache.store.claims, new_token()
    claim = claims.claim

    def be_outrun(wanted, token, form, above):
        monkeypatch.setattr(claims, "claim", claim)
        claim(wanted, theirs, form, above)
        return claim(wanted, token, form, above)

    def wait(store, flight, running, deadline):
        assert 0 < deadline - time.monotonic() <= streams._PATIENCE
        if not fails:
            return None
        claims.release(theirs)
        return claims.outcome(running.id)

    monkeypatch.setattr(claims, "claim", be_outrun)
    monkeypatch.setattr(streams, "wait", wait)
    owners.live_tokens.add(theirs)
    try:
        assert list(make()(3)) == [0, 1, 2]
    finally:
        owners.live_tokens.discard(theirs)
    assert [item.status for item in cache.search()][-1] == (Status.READY if fails else Status.WRITE)
    claims.release(theirs)


def test_who_exhausts_a_stream_is_not_refused_for_waiting_in_a_circle(cache, make, monkeypatch):
    """Whoever stores the same just then may wait for this very call, which has all its items."""
    claims, theirs = cache.store.claims, new_token()
    claim = claims.claim

    def be_outrun(wanted, token, form, above):
        claim(wanted, theirs, form, above)
        return claim(wanted, token, form, above)

    def wait(store, flight, running, deadline):
        raise WaitCycleError("a circle")

    monkeypatch.setattr(claims, "claim", be_outrun)
    monkeypatch.setattr(streams, "wait", wait)
    owners.live_tokens.add(theirs)
    try:
        assert list(make()(3)) == [0, 1, 2]
    finally:
        owners.live_tokens.discard(theirs)
    claims.release(theirs)


def test_no_check_of_the_user_runs_when_a_stream_is_stored(make):
    """Another consumer has stored the same meanwhile: that is seen without asking what may take long."""
    checked = []

    def validate(value, item):
        checked.append(item.version)
        return True

    stream = make(validate=validate)
    slow = stream(3)
    assert next(slow) == 0
    assert list(stream(3)) == [0, 1, 2]
    checked.clear()
    assert list(slow) == [1, 2]
    assert checked == []
    assert CALLS == [3, 3]

"""CacheItem: what one can ask of it, and the moves that it allows."""

from __future__ import annotations

import datetime
import os
import threading

import pytest

from cachedeco import Status, StatusError, cached


def square(x, scale=1.5):
    return [x * x] * 3


def large(x):
    return b"x" * 50_000


@pytest.fixture
def stored(cache):
    """An item that a function made."""
    f = cached(cache=cache, label="lab", attrs={"kind": "report", "lab": {"city": "Bonn"}})(square)
    f(4)
    return f.item(4)


@pytest.fixture
def made(cache):
    """An item made by hand, without its file so far."""
    return cache.create("demo://a", {"x": 1, "text": "t"}, filename="a.txt", attrs={"n": 3})


def test_it_tells_what_it_is(stored):
    """Everything that was recorded when it was computed."""
    assert stored.version == 1
    assert stored.version_id == f"{stored.key}-1"
    assert len(stored.key) == 32
    assert (stored.label, stored.ext, stored.filename, stored.path) == ("lab", None, None, None)
    assert (stored.status, stored.cause, stored.error, stored.attempts) == (Status.READY, None, None, 1)
    assert stored.params == {"x": 4, "scale": 1.5}
    assert stored.attrs == {"kind": "report", "lab": {"city": "Bonn"}}
    assert stored.function.endswith(".square")
    assert len(stored.code) == 32
    assert 0 <= stored.seconds < 60
    assert stored.size > 0
    assert stored.load() == [16, 16, 16]


def test_its_times_are_in_utc(stored):
    """And follow one another."""
    now = datetime.datetime.now(datetime.UTC)
    assert stored.created.utcoffset() == datetime.timedelta(0)
    assert now - datetime.timedelta(minutes=1) < stored.created <= stored.committed <= now


def test_a_large_value_has_a_file(cache):
    """With its path, size and name."""
    f = cached(cache=cache)(large)
    f(1)
    item = f.item(1)
    assert item.path.is_file()
    assert item.size == item.path.stat().st_size
    assert item.filename == item.path.name
    assert item.load() == large(1)


def test_its_text_is_short(made):
    """Uri, version, status."""
    assert repr(made) == "CacheItem[demo://a V:1 UNINITIALIZED]"


def test_equal_items_are_one_row(cache, made):
    """However they were found."""
    again = cache.by_key(made.version_id)
    assert again == made
    assert hash(again) == hash(made)
    assert cache.create("demo://a") != made
    assert made != "demo://a"


def test_parameters_of_other_types_are_described(cache):
    """Values themselves are kept of scalars and short texts only."""
    item = cache.create("u", {"numbers": [1, 2], "long": "x" * 1000, "none": None})
    assert item.params["none"] is None
    assert item.params["numbers"] == "[1, 2]"
    assert len(item.params["long"]) <= 200


def test_ready_records_the_file(made):
    """Size and digest of what was written."""
    assert made.size is None
    made.path.write_text("hello", encoding="utf-8")
    assert made.size == 5
    made.ready()
    assert (made.status, made.size, made.intact()) == (Status.READY, 5, True)
    assert made.load() == made.path


def test_ready_without_a_file_is_no_hit(cache, made):
    """It is READY because somebody says so, but there is nothing to load."""
    made.ready()
    assert made.status == Status.READY
    assert not made.intact()
    assert cache.best("demo://a", {"x": 1, "text": "t"}) is None
    with pytest.raises(StatusError, match="no value to load"):
        made.load()


def test_failed_keeps_the_reason(made):
    """For people."""
    made.failed("the server said no")
    assert (made.status, made.error, made.cause) == (Status.FAILED, "the server said no", "raised")


def test_a_failed_item_made_by_hand_may_become_ready(made):
    """After another try; its error is over."""
    made.failed("once")
    made.path.write_text("x")
    made.ready()
    assert (made.status, made.cause, made.error) == (Status.READY, None, None)


def test_moving_to_where_it_is_changes_nothing(made):
    """Twice ready is ready."""
    made.ready()
    committed = made.committed
    made.ready()
    assert made.committed == committed


def test_a_ready_item_cannot_fail(made):
    """What is READY is complete."""
    made.ready()
    with pytest.raises(StatusError, match="cannot become FAILED"):
        made.failed()


def test_an_item_in_the_trash_stays_there(cache, made):
    """It has to be restored first."""
    cache.store.items.trash_key(bytes.fromhex(made.key))
    with pytest.raises(StatusError):
        made.failed()
    assert made.status == Status.TRASH


def test_the_status_is_that_of_now(cache, made):
    """Another holder of the item may have moved it."""
    other = cache.by_key(made.version_id)
    other.ready()
    assert made.status == Status.READY


def test_a_row_that_is_gone_is_deleted(cache, made):
    """It has no other status left."""
    cache.store.pool.write(lambda con: con.execute("DELETE FROM items"))
    assert made.status == Status.DELETED
    with pytest.raises(StatusError):
        made.ready()


def test_a_running_claim_is_its_callers(cache):
    """Nobody marks it from outside."""
    entered, go = threading.Event(), threading.Event()
    HOLD.update(entered=entered, go=go)
    f = cached(cache=cache, code_version="1")(hold)
    thread = threading.Thread(target=f, args=(1,))
    thread.start()
    assert entered.wait(30)
    item = f.items(1)[0]
    try:
        for move in (item.ready, item.failed):
            with pytest.raises(StatusError, match=r"running call|being computed"):
                move()
    finally:
        go.set()
        thread.join()
    assert f(1) == 1


HOLD = {}


def hold(x):
    HOLD["entered"].set()
    assert HOLD["go"].wait(30)
    return x


def test_a_computed_failure_cannot_be_declared_ready(cache):
    """There is no value."""
    f = cached(cache=cache)(fails)
    with pytest.raises(ZeroDivisionError):
        f(1)
    with pytest.raises(StatusError):
        f.items(1)[0].ready()


def fails(x):
    return x / 0


def test_a_vanished_file_is_an_error_when_loaded(made):
    """The caller asked for this very item."""
    made.path.write_text("hello")
    made.ready()
    made.path.unlink()
    assert not made.intact()
    assert made.size == 5


def test_a_file_of_another_size_is_not_intact(made):
    """It is not what was recorded."""
    made.path.write_text("hello")
    made.ready()
    os.truncate(made.path, 3)
    assert not made.intact()


def test_attributes_are_there_from_the_beginning(made):
    """Also while it is being written."""
    assert made.attrs == {"n": 3}

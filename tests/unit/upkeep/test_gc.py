"""Letting go of what is old, too much or of no use any more."""

from __future__ import annotations

import datetime

import pytest

from cachedeco import Cache, OptionError, QueryError, Status, cached


def test_what_was_not_used_for_long_goes(filler):
    """By its last use, or by its making if it was never used."""
    filler.item("old", days=10)
    filler.item("used", days=10, used=1)
    filler.item("new")
    report = filler.cache.gc(max_age=datetime.timedelta(days=5))
    assert filler.labels() == ["used", "new"]
    (gone,) = report
    assert (gone.name, gone.size, gone.why) == ("demo://x", 1000, "not used for longer than max_age")


def test_the_least_recently_used_go_first(filler):
    """Until the rest is small enough."""
    for name, used in (("a", 3), ("b", 9), ("c", 5), ("d", 1)):
        filler.item(name, days=10, used=used)
    assert filler.cache.gc(max_size="2 kB").size == 2000
    assert filler.labels() == ["a", "d"]


def test_a_hit_is_a_use(cache):
    """What a function's calls load stays longest."""

    @cached(cache=cache)
    def f(x):
        return bytes(2000)

    for x in range(3):
        f(x)
    f(0)
    cache.store.pool.keep_uses(wait=1.0)
    cache.gc(max_size=3000)
    assert [f.item(x) is not None for x in range(3)] == [True, False, False]


def test_the_newest_versions_of_each_call_stay(filler):
    """As many as are wanted."""
    for name in ("a", "a", "a", "b"):
        filler.item(name)
    filler.cache.gc(keep=2)
    assert [(item.label, item.version) for item in filler.cache.search()] == [("a", 2), ("a", 3), ("b", 1)]


def test_a_condition_narrows_what_may_go(filler):
    """The rest stays, whatever its age."""
    for name in ("a", "b"):
        filler.item(name, days=10)
    filler.cache.gc(max_age="1d", where="label = b")
    assert filler.labels() == ["a"]


def test_a_pinned_item_stays(filler):
    """Whatever is asked for, until it is unpinned."""
    item = filler.item("a", days=100)
    item.pin()
    filler.cache.gc(max_age=0, max_size=0)
    assert (filler.labels(), item.pinned) == (["a"], True)
    item.unpin()
    filler.cache.gc(max_age="1d")
    assert filler.labels() == []


def test_a_dry_run_changes_nothing_and_tells_the_same(filler):
    """Which items, why, and how many bytes; sizes and ages together."""
    for number in range(6):
        filler.item(str(number), days=10 - number)
    told = filler.cache.gc(max_age="8d", max_size=3000, dry_run=True)
    assert len(filler.labels()) == 6
    done = filler.cache.gc(max_age="8d", max_size=3000)
    assert [(gone.what, gone.why, gone.size) for gone in told] == [
        (gone.what, gone.why, gone.size) for gone in done
    ]
    assert filler.labels() == ["3", "4", "5"]
    assert repr(told) == "Report(gc: 3 would go, 3000 bytes)"


def test_what_went_comes_back_within_the_grace(filler):
    """From the trash, with its file."""
    item = filler.item("a", days=10)
    filler.cache.gc(max_age="1d")
    assert item.status == Status.TRASH
    item.restore()
    assert (item.status, item.intact()) == (Status.READY, True)


def test_the_trash_is_emptied_after_the_grace(filler):
    """The file goes, and the record; the version number is not used again."""
    item = filler.item("a")
    path = item.path
    item.remove()
    filler.cache.gc()
    assert path.exists()
    filler.back(item, 1)
    assert filler.cache.gc().size == 1000
    assert not path.parent.exists()
    assert len(filler.cache) == 0
    assert filler.item("a").version == 2


def test_who_holds_a_path_reads_on_within_the_grace(filler):
    """An item that has just gone to the trash is still on the disk."""
    path = filler.item("a", days=10).path
    filler.cache.gc(max_age="1d", grace="1h")
    assert path.read_bytes() == b"x" * 1000


def test_failures_do_not_pile_up(cache):
    """Three of a call stay."""

    @cached(cache=cache)
    def f(x):
        raise ValueError(x)

    for _ in range(6):
        with pytest.raises(ValueError, match="1"):
            f(1)
    assert len(cache.gc()) == 3
    assert [item.version for item in cache.search(status=Status.FAILED)] == [4, 5, 6]


def test_what_replaced_code_has_made_goes_when_nobody_uses_it(cache):
    """After 30 days, and only where newer code has made it, too."""

    @cached(cache=cache, uri="demo://f")
    def f(x):
        return x

    @cached(cache=cache, uri="demo://f")
    def g(x):
        return x + 1

    f(1), f(2), g(1)
    cache.store.pool.update("UPDATE items SET ended = ended - 31 * 86400000000", ())
    assert len(cache.gc()) == 1
    assert f.item(1) is None
    assert f(2) == 2
    assert g.item(1) is not None


def test_running_claims_are_left_alone(cache):
    """And what somebody writes by hand."""
    item = cache.best_or_new("demo://x", filename="f")
    cache.gc(max_age=0, max_size=0, grace=0)
    assert item.status == Status.WRITE
    item.path.write_text("a")
    item.ready()
    assert item.intact()


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_size": "10 XB"},
        {"max_size": -1},
        {"max_age": "soon"},
        {"keep": 0},
        {"grace": -1},
        {"max_age": True},
    ],
)
def test_a_wrong_option_is_named(cache, wrong):
    """With how to say it."""
    (name,) = wrong
    with pytest.raises(OptionError, match=rf"gc\({name}="):
        cache.gc(**wrong)


def test_a_wrong_condition_points_at_the_place(cache):
    """As in a search."""
    with pytest.raises(QueryError):
        cache.gc(where="label =")


def test_a_read_only_cache_only_tells(filler, tmp_path):
    """A dry run is a look."""
    filler.item("a", days=10)
    reader = Cache(tmp_path / "cache", mode="read-only")
    with pytest.raises(OptionError, match="read-only"):
        reader.gc(max_age="1d")
    assert len(reader.gc(max_age="1d", dry_run=True)) == 1
    reader.close()

"""Finding what is damaged before somebody asks for it."""

from __future__ import annotations

import os

from cachedeco import Status, cached


def damage(item, *, quietly=False):
    """Flip a byte of an item's file; quietly as a disk does it, so that no time tells."""
    found = os.stat(item.path)
    os.chmod(item.path, 0o600)
    with open(item.path, "r+b") as file:
        file.write(b"y")
    if quietly:
        os.utime(item.path, ns=(found.st_atime_ns, found.st_mtime_ns))


def test_what_is_damaged_goes_to_the_trash(filler):
    """From where one can still look at it."""
    bad, good = filler.item("a"), filler.item("b")
    damage(bad)
    report = filler.cache.verify()
    assert [(gone.id, gone.why) for gone in report] == [(bad.id, "damaged or lost")]
    assert (report.checked, report.complete) == (2, True)
    assert (bad.status, good.status) == (Status.TRASH, Status.READY)


def test_full_reads_what_nothing_seems_to_have_touched(filler, monkeypatch):
    """A disk may change bytes without changing times."""
    item = filler.item("a")
    filler.cache.verify()
    damage(item, quietly=True)
    from cachedeco.files import check

    # As a disk that flips a bit: not even the time of the last change of the inode tells.
    known = filler.cache.store.checked.get(item.token, item._record.signature)
    monkeypatch.setattr(check, "look", lambda path, found=None: (1000, known))
    assert not filler.cache.verify(dry_run=True)
    assert filler.cache.verify(full=True)


def test_short_runs_come_through_the_whole_cache(filler):
    """Each goes on where the last one stopped."""
    items = [filler.item(str(number)) for number in range(3)]
    damage(items[-1])
    report = filler.cache.verify(time_limit=0)
    assert (report.checked, report.complete) == (0, False)
    filler.cache.store.pool.update("UPDATE marks SET value = ?", (items[1].id,))
    report = filler.cache.verify(time_limit=60)
    assert (report.checked, report.complete, len(report)) == (1, True, 1)
    assert filler.cache.verify(time_limit=60).checked == 2


def test_since_looks_at_what_is_newer(filler):
    """By the time of becoming READY."""
    filler.item("old", days=10)
    filler.item("new")
    assert filler.cache.verify(since="2000-01-01").checked == 2
    assert filler.cache.verify(since=filler.cache.search()[1].committed.isoformat()).checked == 0


def test_values_in_the_registry_are_looked_at_too(cache):
    """By their digest."""

    @cached(cache=cache)
    def f(x):
        return x

    f(1)
    assert cache.verify().checked == 1
    cache.store.pool.update("UPDATE items SET data = ?", (b"nonsense",))
    assert len(cache.verify(dry_run=True)) == 1


def test_an_item_without_bytes_is_no_damage(cache):
    """It was made by hand, and has none."""
    cache.create("demo://x").ready()
    assert cache.verify().checked == 0
    assert cache.search()[0].status == Status.READY

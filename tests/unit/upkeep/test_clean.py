"""Bringing registry and disk together."""

from __future__ import annotations

import os
import shutil

import pytest

from cachedeco import Cache, OptionError, Status, cached


def test_records_without_a_file_go(filler):
    """And those whose bytes were deleted on purpose; what failed stays."""
    lost, kept, deleted, failed = (filler.item(name) for name in "abcd")
    shutil.rmtree(lost.path.parent)
    deleted.remove(disk=True)
    failed.status = Status.TRASH
    report = filler.cache.clean_db()
    assert {gone.why for gone in report} == {"its file is gone", "its bytes were deleted"}
    assert filler.labels() == ["b"]
    assert {item.label for item in filler.cache.search(include_removed=True)} == {"a", "b", "d"}
    assert kept.intact()


def test_an_item_that_is_being_prepared_keeps_its_record(cache):
    """D40: it has no file yet."""
    for status in (Status.UNINITIALIZED, Status.WRITE):
        cache.create("demo://x", status=status, filename="f")
    claimed = cache.best_or_new("demo://y", filename="f")
    assert not cache.clean_db()
    assert not cache.clean_disk()
    assert len(cache) == 3
    claimed.failed()


def test_bytes_without_a_record_go(filler, tmp_path):
    """What is left of an item, of a writer that died, and of manifests."""
    item = filler.item("a")
    other = filler.item("b")
    folder = str(item.path.parent)
    part = str(other.path.parent) + ".part"
    os.mkdir(part)
    with open(folder + ".json.0123.part", "w", encoding="utf-8") as file:
        file.write("half")
    filler.cache.store.pool.update("DELETE FROM items WHERE id = ?", (item.id,))
    report = filler.cache.clean_disk(dry_run=True)
    assert {gone.what for gone in report} == {folder, part, folder + ".json", folder + ".json.0123.part"}
    assert os.path.exists(folder)
    assert filler.cache.clean_disk().size >= 1000
    assert not [
        path for path in (folder, part, folder + ".json", folder + ".json.0123.part") if os.path.exists(path)
    ]
    assert other.intact()
    assert not filler.cache.clean_disk()


def test_what_was_not_made_here_is_left_alone(filler):
    """D40: whatever it is called, and be it a folder."""
    place = filler.item("a").path.parent.parent
    names = [
        "backup-" + "ab" * 16 + "-12-thesis.docx",
        "ab" * 16 + "-1",
        "notes.txt",
        "ab" * 16 + "-0-" + "cd" * 16,
    ]
    for name in names[:2]:
        (place / name).write_text("mine")
    for name in names[2:]:
        (place / name).mkdir()
    assert not filler.cache.clean_disk()
    assert all((place / name).exists() for name in names)


def test_autoclean_keeps_the_newest_ready_version(filler):
    """D39: never for one that is unfinished, also if that was newer."""
    filler.item("a")
    filler.item("a")
    filler.cache.create("demo://x", params={"name": "a"}, status=Status.WRITE, filename="f", label="writing")
    filler.cache.create("demo://x", params={"name": "a"}, filename="f", label="failed").failed("why")
    report = filler.cache.autoclean()
    assert [(item.version, item.status) for item in filler.cache.search()] == [
        (2, Status.READY),
        (3, Status.WRITE),
    ]
    assert {gone.why for gone in report} == {"a newer READY version is there"}


def test_autoclean_keeps_a_lone_failure(cache):
    """D39: it can be looked at."""
    cache.create("demo://x", filename="f").failed("why")
    assert not cache.autoclean()


def test_a_restored_failure_still_says_why(cache):
    """Its cause and its traceback come back with it."""

    @cached(cache=cache)
    def f(x):
        raise ValueError(x)

    with pytest.raises(ValueError, match="1"):
        f(1)
    (item,) = cache.failed()
    item.remove()
    assert item.cause == "removed"
    item.restore()
    assert (item.status, item.cause) == (Status.FAILED, "raised")
    assert "ValueError: 1" in item.error


def test_clean_does_it_all(filler):
    """Records, bytes and the trash."""
    old, new = filler.item("a"), filler.item("b")
    old.remove()
    new.remove()
    filler.back(old, 1)
    assert {gone.why for gone in filler.cache.clean()} == {"in the trash for longer than grace"}
    assert len(filler.cache) == 1


def test_remove_tells_what_it_would_remove(filler):
    """How many, and which with their bytes."""
    filler.item("a")
    filler.item("b")
    assert filler.cache.remove(label="a", dry_run=True) == 1
    report = filler.cache.would_remove(label="a", disk=True)
    assert [(gone.name, gone.size, gone.why) for gone in report] == [("demo://x", 1000, "would be deleted")]
    assert filler.labels() == ["a", "b"]
    with pytest.raises(OptionError, match="without a condition"):
        filler.cache.would_remove()


@pytest.mark.parametrize("verb", ["gc", "clean", "clean_db", "clean_disk", "autoclean", "verify"])
def test_a_read_only_cache_is_not_cleaned(filler, tmp_path, verb):
    """It says so, and only a dry run looks."""
    filler.item("a")
    with Cache(tmp_path / "cache", mode="read-only") as reader:
        with pytest.raises(OptionError, match="read-only"):
            getattr(reader, verb)()
        assert not getattr(reader, verb)(dry_run=True)


def test_what_is_being_written_just_now_is_left_alone(filler):
    """The manifest of a finished item is written anew when something is said of it."""
    item = filler.item("a")
    part = f"{item.path.parent}.json.0123.part"
    with open(part, "w", encoding="utf-8") as file:
        file.write("half")
    assert not filler.cache.clean_disk()
    os.utime(part, (0, 0))
    assert len(filler.cache.clean_disk()) == 1

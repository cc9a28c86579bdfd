"""The cache manager: finding by attributes, removing, changing, taking files in, opening them."""

from __future__ import annotations

import errno
import gzip
import logging
import os
import pickle
import stat
import subprocess
import sys
import threading
import zipfile

import pytest

from cachedeco import Cache, CacheItem, OptionError, Status, StatusError, StoreWarning, cached, log
from cachedeco.files import intake


def make(cache, uri="u", *, text="text", status=Status.READY, **fields):
    """An item by hand; a READY one has its file."""
    fields.setdefault("filename", "file.txt")
    item = cache.create(uri, status=Status.UNINITIALIZED if status == Status.READY else status, **fields)
    if status == Status.READY:
        item.path.write_text(text)
        item.ready()
    return item


def statuses(*items):
    return [item.status for item in items]


# Searching by attributes


def test_attributes_find_items(cache):
    """As numbers of the items, and as items together with other conditions."""
    one = make(cache, "a", attrs={"project": "alpha", "batch": 1})
    two = make(cache, "b", attrs={"project": "alpha", "batch": 2})
    assert cache.by_attrs({"project": "alpha", "batch": 2}) == {two.id}
    assert cache.search(attrs={"project": "alpha"}) == [one, two]
    assert cache.search("a", attrs={"project": "alpha", "batch>": 1}) == []
    assert cache.search(attrs={"batch": (">=", 2)}, status=Status.READY) == [two]
    assert cache.by_attrs({}) == {one.id, two.id}


def test_what_a_cached_function_stored_is_found_by_its_attributes(cache):
    """They are attributes like any others."""

    @cached(cache=cache, attrs={"kind": "report"})
    def compute(x):
        return x

    compute(1)
    assert cache.search(attrs={"kind": "report"}) == [compute.item(1)]


def test_d14_the_newest_version_keeps_its_attributes(cache):
    """D14: also when it is asked for by them; and each key has a newest."""
    make(cache, attrs={"a": 1, "b": "x"})
    newest = make(cache, attrs={"a": 2, "b": "x", "c": {"d": 0.5}})
    other = make(cache, "v", attrs={"a": 1})
    (found,) = cache.search("u", version=-1)
    assert (found, found.attrs) == (newest, {"a": 2, "b": "x", "c": {"d": 0.5}})
    assert cache.search(version=-1, attrs={"a>=": 1}) == [newest, other]


def test_d21_the_dict_of_the_caller_is_not_changed(cache):
    """D21: nor those of parameters and attributes, D12."""
    attrs, params, wanted = {"a": {"b": 1}}, {"x": 1}, {"__and": False, "b": [1]}
    cache.create("u", params, attrs)
    cache.by_attrs(wanted)
    cache.update("u", params, update={"attrs": attrs})
    assert (attrs, params, wanted) == ({"a": {"b": 1}}, {"x": 1}, {"__and": False, "b": [1]})


HOSTILE = [
    "it's",
    'x" OR "1"="1',
    "a'); DELETE FROM items; --",
    "a\n\n  b\tc",
    "two  blanks",
    "name",
    "value",
    "%",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_d6_d7_d8_text_is_text(cache, text):
    """D6, D7, D8: in every place it is stored and found as it is, and finds nothing else."""
    other = make(cache, "other", attrs={"other": "x"}, label="other")
    item = cache.create(text, {text: text}, {text: text}, label=text, filename="f.txt")
    assert (item.uri, item.label, item.params, item.attrs) == (text, text, {text: text}, {text: text})
    for conditions in (
        {"uri": text},
        {"label": text},
        {"attrs": {text: text}},
        {"attrs": {text: {text: text}}},
    ):
        assert cache.search(**conditions) in ([item], [])
    assert cache.by_attrs({text: text}) == {item.id}
    assert cache.by_attrs({"other": text}) == set()
    assert cache.remove(label=text) == 1
    assert other.status == Status.READY


def test_d9_the_file_name_is_kept(cache):
    """D9: and with it the extension; D30: both of a packed archive."""
    assert make(cache, filename="hello.txt").path.name == "hello.txt"
    assert [make(cache, filename=name).ext for name in ("a.txt", "a.tar.gz", "a.b.gz", "a", ".x")] == [
        "txt",
        "tar.gz",
        "gz",
        None,
        None,
    ]


@pytest.mark.parametrize(("ext", "end"), [("tsv", ".tsv"), (".tsv", ".tsv"), (None, "")])
def test_without_a_name_the_file_is_called_by_key_version_and_extension(cache, ext, end):
    """So there is always a place to write to."""
    item = cache.create("u", ext=ext)
    assert item.path.name == f"{item.key}-1{end}"
    assert item.path.parent.is_dir()
    assert cache.search(ext=ext) == [item]


@pytest.mark.parametrize("ext", ["/../../../evil", "a/b", "..", "a\0b", "x" * 300])
def test_d30_an_extension_stays_inside_the_cache(cache, ext):
    """D30: however an item is made or changed."""
    item = make(cache)
    for attempt in (
        lambda: cache.create("u", ext=ext),
        lambda: cache.best_or_new("v", ext=ext),
        lambda: item.update(ext=ext),
    ):
        with pytest.raises(OptionError, match="ext="):
            attempt()


def test_d10_a_version_is_never_used_again(cache):
    """D10: neither after the trash nor after the record is gone."""
    for options in ({}, {"disk": True}, {"disk": True, "keep_record": False}):
        item = make(cache)
        before, path = item.version, item.path
        item.remove(**options)
        after = make(cache)
        assert (after.version, after.path != path, after.id > item.id) == (before + 1, True, True)


def test_d11_an_attribute_that_cannot_be_stored_leaves_no_record(cache):
    """D11: all of an item, or nothing."""
    with pytest.raises(OptionError):
        cache.create("u", attrs={"a": 1, "b": object()})
    assert len(cache) == 0


def test_d11_processes_get_versions_of_their_own(cache):
    """D11: no two share a number or a file."""
    program = (
        "import sys; from cachedeco import Cache\n"
        "with Cache(sys.argv[1]) as cache: print(*[cache.create('u').path for _ in range(15)], sep='\\n')"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", program, cache.path]
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(3)
    ]
    paths = [path for process in processes for path in process.communicate()[0].split()]
    assert len(set(paths)) == 45
    assert sorted(item.version for item in cache.search("u")) == [*range(1, 46)]


def test_d15_searching_writes_nothing(cache):
    """D15: neither does looking at an item."""
    item = make(cache, attrs={"a": 1})
    log_file = os.path.join(cache.path, "registry", "registry.db-wal")
    before = os.stat(log_file).st_size
    assert cache.search(attrs={"a": 1})[0].status == Status.READY
    assert cache.best("u") == item
    assert cache.contents()
    assert os.stat(log_file).st_size == before


def test_d16_times_are_moments(cache, monkeypatch):
    """D16: whatever the zone of this machine; a text is the same time."""
    item = make(cache)
    for zone in ("America/New_York", "Asia/Tokyo", "UTC"):
        monkeypatch.setenv("TZ", zone)
        local = item.created.astimezone().replace(tzinfo=None)
        for moment in (item.created, local, item.created.isoformat(), local.isoformat()):
            assert cache.search(newer_than=moment) == []
            assert cache.search(older_than=moment) == []
    earlier, later = item.created.replace(year=2000), item.created.replace(year=2100)
    assert cache.search(newer_than=earlier, older_than=later) == [item]
    assert cache.search(newer_than=later) == cache.search(older_than=earlier) == []


@pytest.mark.parametrize("moment", ["yesterday", 5, b"2026"])
def test_a_time_that_is_none_is_refused(cache, moment):
    """Instead of being compared as text."""
    with pytest.raises(OptionError, match="newer_than="):
        cache.search(newer_than=moment)


@pytest.mark.parametrize("status", [Status.READY, 3, {Status.READY}, [3], (Status.READY, Status.FAILED)])
def test_d18_a_status_is_a_number_a_member_or_several(cache, status):
    """D18: in every place."""
    item = make(cache)
    assert cache.search(status=status) == [item]
    assert cache.best("u", status=status) == item
    assert cache.remove(status=status) == 1


@pytest.mark.parametrize("status", [99, "ready", [99], [None]])
def test_d18_an_unknown_status_is_refused(cache, status):
    """D18: by its name."""
    item = make(cache)
    for attempt in (
        lambda: cache.search(status=status),
        lambda: cache.remove(status=status),
        lambda: cache.create("u", status=status),
        lambda: cache.update("u", update={"status": status}),
    ):
        with pytest.raises(OptionError, match="status="):
            attempt()
    assert item.status == Status.READY


# Removing


def test_removed_items_are_in_the_trash(cache):
    """With their bytes, and out of sight; how many is told."""
    item, other = make(cache), make(cache, "v")
    assert cache.remove("u") == 1
    assert statuses(item, other) == [Status.TRASH, Status.READY]
    assert item.path.read_text() == "text"
    assert cache.search() == [other]
    assert cache.best("u") is None
    assert cache.remove("u") == 0


def test_d29_what_is_in_the_trash_comes_back(cache):
    """D29: as what it was, whole."""
    ready, failed = make(cache), make(cache, "v", status=Status.UNINITIALIZED)
    failed.failed("x")
    for item, status in ((ready, Status.READY), (failed, Status.FAILED)):
        item.remove()
        item.restore()
        assert item.status == status
        with pytest.raises(StatusError, match="not in the trash"):
            item.restore()
    assert ready.intact()
    assert ready.load().read_text() == "text"


def test_d29_an_item_tells_its_status_by_now(cache):
    """D29: whoever changed it."""
    item = make(cache)
    (same,) = cache.search("u")
    same.remove()
    assert (item.status, "TRASH" in repr(item)) == (Status.TRASH, True)
    with pytest.raises(StatusError, match="restore"):
        item.ready()
    item.remove(disk=True, keep_record=False)
    assert item.status == Status.DELETED
    with pytest.raises(StatusError):
        item.failed()


def test_deleted_items_have_no_bytes(cache):
    """The record remains."""
    item = make(cache)
    assert cache.remove("u", disk=True) == 1
    assert (item.status, item.path.parent.exists(), len(cache)) == (Status.DELETED, False, 1)
    with pytest.raises(StatusError):
        item.restore()


def test_a_value_in_the_registry_is_deleted_too(cache):
    """It has no file, but bytes."""

    @cached(cache=cache)
    def compute(x):
        return x

    compute(1)
    item = compute.item(1)
    item.remove(disk=True)
    assert (item.status, cache.store.items.inline(item.id), compute.item(1)) == (Status.DELETED, None, None)


def test_the_record_can_go_as_well(cache):
    """With everything that is known of it."""
    item = make(cache, attrs={"a": 1})
    assert cache.remove("u", disk=True, keep_record=False) == 1
    assert (len(cache), item.attrs, item.path.parent.exists()) == (0, {}, False)


def test_d23_a_record_does_not_go_without_its_bytes(cache):
    """D23: they would be lost on the disk."""
    item = make(cache)
    with pytest.raises(OptionError, match="disk=True"):
        cache.remove("u", keep_record=False)
    assert item.intact()


def test_the_trash_is_emptied_when_it_is_named(cache):
    """And only then."""
    item, kept = make(cache), make(cache, "v")
    item.remove()
    assert cache.remove("u", disk=True) == 0
    assert item.path.exists()
    assert cache.remove(status=Status.TRASH, disk=True) == 1
    assert (item.status, item.path.exists(), kept.intact()) == (Status.DELETED, False, True)


CONDITIONS = {
    "uri": "u",
    "key": None,
    "version": 2,
    "status": Status.FAILED,
    "ext": "csv",
    "label": "x",
    "filename": "one.csv",
    "attrs": {"a": 1},
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_d23_d24_every_condition_counts(cache, name):
    """D23, D24: what it does not match is neither removed nor changed."""
    kept = [make(cache, "v", attrs={"a": 2}), make(cache, "w", label="y", ext="tsv")]
    make(cache, "x").remove()
    kept.append(make(cache, "other", status=Status.UNINITIALIZED))
    first = make(cache, "u", filename="first.csv", label="x", attrs={"a": 1}) if name == "version" else None
    item = cache.create("u", filename="one.csv", label="x", attrs={"a": 1})
    item.failed()
    condition = {name: item.key if name == "key" else CONDITIONS[name]}
    assert cache.update(**condition, update={"attrs": {"seen": True}}) == 1
    assert cache.by_attrs({"seen": True}) == {item.id}
    before = statuses(*kept)
    assert cache.remove(**condition) == 1
    assert (item.status, statuses(*kept)) == (Status.TRASH, before)
    assert first is None or first.status == Status.READY


@pytest.mark.parametrize("conditions", [{}, {"attrs": {}}, {"status": None}, {"uri": None, "label": ...}])
def test_d23_everything_goes_only_when_all_is_said(cache, conditions):
    """D23: a call without a condition is an error."""
    conditions.pop("label", None)
    item = make(cache)
    for attempt in (
        lambda: cache.remove(**conditions),
        lambda: cache.update(update={"label": "x"}, **conditions),
    ):
        with pytest.raises(OptionError, match="all=True"):
            attempt()
    assert item.status == Status.READY
    assert cache.update(update={"label": "x"}, all=True, **conditions) == 1
    assert cache.remove(all=True, **conditions) == 1


def test_items_without_a_label_can_be_meant(cache):
    """None is a condition: those that have none."""
    labelled, plain = make(cache, label="x"), make(cache)
    assert cache.remove(label=None) == 1
    assert statuses(labelled, plain) == [Status.READY, Status.TRASH]


def test_what_is_written_by_hand_goes_only_when_it_is_named(cache):
    """Somebody may still write it."""
    item, other = (cache.create("u", status=Status.WRITE) for _ in range(2))
    assert cache.remove("u") == 0
    assert cache.remove("u", version=1, status=Status.WRITE) == 1
    other.remove()
    assert statuses(item, other) == [Status.TRASH, Status.TRASH]
    item.restore()
    assert item.status == Status.FAILED


def test_a_running_computation_is_left_alone(cache):
    """Its result arrives all the same."""
    inside, go_on = threading.Event(), threading.Event()

    @cached(cache=cache, ignore=("inside", "go_on"))
    def compute(x, inside=None, go_on=None):
        inside.set()
        go_on.wait(60)
        return x

    thread = threading.Thread(target=compute, args=(1, inside, go_on))
    thread.start()
    assert inside.wait(60)
    (running,) = cache.search(status=Status.WRITE)
    counts = [cache.remove(all=True), cache.remove(status=Status.WRITE), cache.remove(all=True, disk=True)]
    for end in (running.ready, running.failed, running.remove):
        with pytest.raises(StatusError):
            end()
    go_on.set()
    thread.join()
    assert counts == [0, 0, 0]
    assert compute.status(1) == Status.READY


# Changing


def test_d25_attributes_are_replaced_added_and_dropped(cache):
    """D25: one value a name, of its new type; the others stay."""
    one, two = (make(cache, uri, attrs={"a": 1, "lab": {"x": 1, "y": 2}, "b": "x"}) for uri in "uv")
    assert (
        cache.update(
            all=True, update={"attrs": {"a": "one", "new": None, "lab": {"x": True}, "label": "attr"}}
        )
        == 2
    )
    wanted = {"a": "one", "b": "x", "label": "attr", "lab": {"x": True, "y": 2}, "new": None}
    assert one.attrs == two.attrs == wanted
    assert cache.by_attrs({"a": 1}) == set()
    assert cache.by_attrs({"a": "one"}) == {one.id, two.id}
    assert one.label is None
    one.update(remove_attrs=["a", ("lab", "x"), "absent"])
    assert one.attrs == {"b": "x", "label": "attr", "lab": {"y": 2}, "new": None}
    one.update(remove_attrs="lab")
    assert "lab" not in one.attrs


def test_d25_a_name_is_a_value_or_a_namespace(cache):
    """D25: what it was before goes."""
    item = make(cache, attrs={"a": 1, "b": {"x": 1}})
    item.update(attrs={"a": {"x": 2}, "b": 3})
    assert item.attrs == {"a": {"x": 2}, "b": 3}


@pytest.mark.parametrize(
    "update", [{"bar": 0}, {"uri": "v"}, {"filename": "x"}, {"label": "x", "version": 2}], ids=repr
)
def test_d24_an_unknown_field_is_refused(cache, update):
    """D24: and nothing is changed."""
    item = make(cache)
    with pytest.raises(OptionError, match=r'update: .* cannot be changed, only .*"attrs"'):
        cache.update("u", update=update)
    assert cache.by_key(item.version_id).label is None


def test_d26_another_extension_leaves_the_file_where_it_is(cache):
    """D26: the item still has it."""
    item = make(cache, filename="data.txt")
    item.update(ext="tsv", label="x")
    assert (item.ext, item.label, item.path.read_text()) == ("tsv", "x", "text")
    assert cache.search(ext="tsv") == [item]
    assert cache.best("u") == item


def test_d27_how_many_were_changed_is_told(cache):
    """D27: none is a number, too."""
    make(cache, status=Status.UNINITIALIZED)
    newest = make(cache, status=Status.UNINITIALIZED)
    assert cache.update_status("v") == 0
    assert cache.update("v", update={"label": "x"}) == 0
    newest.path.write_text("x")
    assert cache.update_status("u") == 1
    assert statuses(*cache.search("u")) == [Status.UNINITIALIZED, Status.READY]
    assert cache.update_status(key=newest.key, version=1, status=Status.FAILED) == 1
    with pytest.raises(OptionError, match=r"update_status needs uri"):
        cache.update_status()


def test_a_status_changes_only_in_legal_steps(cache):
    """By whichever way."""
    item = make(cache)
    for attempt in (
        item.failed,
        lambda: cache.update_status("u", status=Status.WRITE),
        lambda: item.update(status=Status.UNINITIALIZED),
    ):
        with pytest.raises(StatusError, match="cannot become"):
            attempt()
    item.status = Status.TRASH
    assert item.status == Status.TRASH
    item.restore()
    item.status = Status.DELETED
    assert not item.path.exists()


def test_a_cache_that_is_only_read_is_not_changed(cache, tmp_path):
    """Every verb that would says so."""
    make(cache)
    with Cache(cache.path, mode="read-only") as other:
        for attempt in (
            lambda: other.create("u"),
            lambda: other.remove("u"),
            lambda: other.update("u", update={"label": "x"}),
            lambda: other.move_in(__file__),
        ):
            with pytest.raises(OptionError, match="read-only"):
                attempt()
        assert len(other) == 1


# Taking in, listing, room


def test_d22_a_file_that_is_moved_in_is_ready(cache, tmp_path):
    """D22: a copy, with size and digest; the original stays."""
    source = tmp_path / "data.tar.gz"
    source.write_bytes(b"bytes")
    item = cache.move_in(source, params={"x": 1}, attrs={"a": 1}, label="l")
    assert (item.uri, item.status, item.ext, item.filename) == (
        "data.tar.gz",
        Status.READY,
        "tar.gz",
        "data.tar.gz",
    )
    assert (item.size, item.attrs, item.label, item.params) == (5, {"a": 1}, "l", {"x": 1})
    assert (item.path.read_bytes(), source.read_bytes()) == (b"bytes", b"bytes")
    assert item._record.digest == make(cache, text="bytes")._record.digest
    assert stat.S_IMODE(item.path.stat().st_mode) == 0o444
    assert cache.best("data.tar.gz", {"x": 1}) == item
    assert os.listdir(item.path.parent) == ["data.tar.gz"]


def test_a_folder_is_moved_in_whole(cache, tmp_path):
    """And loaded as its path."""
    (tmp_path / "shards" / "deep").mkdir(parents=True)
    (tmp_path / "shards" / "a").write_text("1")
    (tmp_path / "shards" / "deep" / "b").write_text("22")
    item = cache.move_in(tmp_path / "shards", uri="s", filename="parts")
    assert (item.size, item.intact(), item.load().name) == (3, True, "parts")
    assert (item.path / "deep" / "b").read_text() == "22"
    with pytest.raises(OptionError, match="not one file"):
        item.open()


@pytest.mark.parametrize("status", [Status.WRITE, Status.FAILED])
def test_a_file_can_be_moved_in_with_another_status(cache, tmp_path, status):
    """Somebody else decides whether it is good."""
    item = cache.move_in(__file__, "u", status=status)
    assert (item.status, item.path.exists()) == (status, True)
    item.ready()
    assert item.intact()


def test_d22_a_copy_that_fails_is_recorded_and_leaves_nothing(cache, tmp_path, monkeypatch):
    """D22: the disk may be full."""

    def refuse(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    make(cache)
    source = tmp_path / "data"
    source.write_bytes(b"bytes")
    monkeypatch.setattr(intake.os, "rename", refuse)
    with pytest.raises(OSError, match="No space"):
        cache.move_in(source)
    (item,) = cache.search("data")
    assert (item.status, "No space" in item.error, os.listdir(item.path.parent)) == (Status.FAILED, True, [])


@pytest.mark.parametrize("how", ["copy", "move", "link"])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_moved_in_is_copied_moved_or_linked(cache, tmp_path, how, kind):
    """The item is the same; whether the file is where it was, and takes room twice, is not."""
    source = tmp_path / "data"
    inner = source if kind == "file" else source / "deep" / "data"
    inner.parent.mkdir(parents=True, exist_ok=True)
    inner.write_bytes(b"bytes")
    number = inner.stat().st_ino
    item = cache.move_in(source, how=how)
    kept = item.path if kind == "file" else item.path / "deep" / "data"
    assert (item.status, item.size, item.intact(), kept.read_bytes()) == (Status.READY, 5, True, b"bytes")
    assert source.exists() == (how != "move")
    assert (kept.stat().st_ino == number) == (how != "copy")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o444


def test_a_file_of_two_names_is_copied_when_it_is_moved(cache, tmp_path):
    """Who has the other name could change what is in the cache."""
    source, other = tmp_path / "data", tmp_path / "other"
    source.write_bytes(b"bytes")
    os.link(source, other)
    item = cache.move_in(source, how="move")
    other.write_bytes(b"other")
    assert not source.exists()
    assert item.path.read_bytes() == b"bytes"


@pytest.mark.parametrize("how", ["move", "link", "copy"])
def test_of_a_symbolic_link_the_file_is_taken(cache, tmp_path, how):
    """Never the link, which leads out of the cache; a move removes the link and not what it leads to."""
    target, source = tmp_path / "target", tmp_path / "source"
    target.write_bytes(b"bytes")
    source.symlink_to(target)
    item = cache.move_in(source, how=how)
    assert not item.path.is_symlink()
    assert item.path.read_bytes() == target.read_bytes() == b"bytes"
    assert source.is_symlink() == (how != "move")


def test_a_linked_file_that_is_changed_is_no_hit(cache, tmp_path):
    """It has been changed under its other name."""
    source = tmp_path / "data"
    source.write_bytes(b"bytes")
    item = cache.move_in(source, "u", how="link")
    source.chmod(0o644)
    source.write_bytes(b"other")
    assert not item.intact()
    assert cache.best("u") is None


def test_a_move_that_fails_leaves_the_file_where_it_was(cache, tmp_path, monkeypatch):
    """And the item FAILED."""
    source = tmp_path / "data"
    source.write_bytes(b"bytes")

    def refuse(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    make(cache)
    monkeypatch.setattr(intake.os, "rename", refuse)
    with pytest.raises(OSError, match="No space"):
        cache.move_in(source, "moved", how="move")
    monkeypatch.undo()
    assert source.read_bytes() == b"bytes"
    assert [item.status for item in cache.search("moved")] == [Status.FAILED]


def test_what_cannot_be_removed_is_in_the_cache_all_the_same(cache, tmp_path, monkeypatch):
    """And that is said."""
    source = tmp_path / "data"
    source.write_bytes(b"bytes")

    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(intake, "remove_source", refuse)
    with pytest.warns(StoreWarning, match="could not be removed where it was"):
        item = cache.move_in(source, how="move")
    assert item.status == Status.READY


@pytest.mark.parametrize("how", ["move", "link"])
def test_files_of_the_cache_are_not_moved_out_of_their_items(cache, how):
    """The item would lose them."""
    item = cache.move_in(__file__, "u")
    with pytest.raises(OptionError, match="lies in this cache"):
        cache.move_in(item.path, "v", how=how)
    assert cache.move_in(item.path, "v").intact()
    with pytest.raises(OptionError, match="one of 'copy'"):
        cache.move_in(item.path, how="steal")


def test_a_file_that_is_not_there_makes_no_item(cache, tmp_path):
    """Nor does a status that a copy cannot have."""
    with pytest.raises(FileNotFoundError):
        cache.move_in(tmp_path / "absent")
    with pytest.raises(OptionError, match=r"move_in\(status=TRASH\)"):
        cache.move_in(__file__, status=Status.TRASH)
    assert len(cache) == 0


def test_a_link_is_not_made_ready(cache, tmp_path):
    """What it leads to is not in the cache, and stays as it is."""
    (tmp_path / "outside").write_text("x")
    item = cache.create("u", filename="f")
    item.path.symlink_to(tmp_path / "outside")
    with pytest.raises(StatusError, match="is a link"):
        item.ready()
    assert (tmp_path / "outside").stat().st_mode & stat.S_IWUSR


def test_d21_contents_join_registry_and_folder(cache):
    """D21: items, also removed ones, what lies on disk, and what has no item."""
    item, gone = make(cache), make(cache, "v")
    gone.remove(disk=True)
    (item.path.parent / "file.txt.tmp").write_text("")
    stray = item.path.parent.parent / "stray"
    stray.mkdir()
    found = cache.contents()
    assert set(found) == {item.version_id, gone.version_id, "stray"}
    assert found[item.version_id] == {
        "item": item,
        "status": Status.READY,
        "filename": "file.txt",
        "size": 4,
        "path": str(item.path.parent),
    }
    assert (found[gone.version_id]["status"], found[gone.version_id]["path"]) == (Status.DELETED, None)
    assert found["stray"] == {
        "item": None,
        "status": None,
        "filename": None,
        "size": None,
        "path": str(stray),
    }


def test_room_is_told(cache):
    """On the disk of the cache."""
    assert cache.does_it_fit(0)
    assert cache.does_it_fit(cache.free_space // 2)
    assert not cache.does_it_fit(cache.free_space * 1000 + 1)


# Items


def test_d1_an_empty_cache_serves_its_items(cache):
    """D1: an item whose record is the only one, and then none, has the path that it had."""
    item = make(cache)
    path = item.path
    item.remove(disk=True, keep_record=False)
    assert (len(cache), bool(cache), item.path) == (0, True, path)
    assert path.is_absolute()


def test_d3_an_item_travels(cache):
    """D3: to another process, where it is the same item."""
    item = make(cache, attrs={"a": 1})
    copy = pickle.loads(pickle.dumps(item))
    assert (copy, copy.path, copy.attrs, copy.status) == (item, item.path, {"a": 1}, Status.READY)


def test_d13_a_uri_is_a_text(cache):
    """D13: without one there is no key, and the error says so."""
    for make_one in (cache.create, cache.best_or_new, cache.best):
        with pytest.raises((TypeError, ValueError), match="uri"):
            make_one(None)


def test_d32_parameters_come_back_as_they_were(cache):
    """D32: nothing is added to them, and they find the item again."""
    params = {"flag": True, "none": None, "text": "x", "number": 1.5}
    item = cache.create("u", params)
    assert item.params == params
    assert cache.search("u", item.params) == [item]


def test_ready_without_a_file_is_no_hit(cache):
    """It is found by a search alone."""
    item = cache.create("u", status=Status.READY)
    assert cache.best("u") is None
    assert cache.search("u") == [item]
    assert item.size is None
    with pytest.raises(StatusError, match="no value"):
        item.load()


def test_several_files_of_a_function_are_one_item(cache):
    """Its path is their folder; it is intact while all of them are there."""

    @cached(cache=cache, output={"data": "x.txt", "plot": "y.txt"}, code_version="1")
    def produce(output=None):
        for path in output.values():
            path.write_text("x")
        return output

    paths = produce()
    item = produce.item()
    assert (item.load(), item.path, item.size, item.intact()) == (paths, paths["data"].parent, 2, True)
    paths["plot"].unlink()
    assert not item.intact()


# Opening


def test_a_ready_item_is_opened(cache):
    """As text or bytes, lines or content."""
    item = make(cache, text="a\nb\n")
    assert [*item.open().result] == ["a\n", "b\n"]
    assert item.open(default_mode="rb", large=False).result == b"a\nb\n"
    with item.open() as opened:
        assert (opened.type, opened.size) == ("plain", 4)


def test_a_packed_item_is_opened_by_its_content(cache, tmp_path):
    """D30, D36: whatever its extension; members by name."""
    packed = cache.create("u", filename="data.txt")
    packed.path.write_bytes(gzip.compress(b"text"))
    packed.ready()
    assert packed.open(large=False).result == "text"
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("m.txt", "member")
    item = cache.move_in(tmp_path / "a.zip")
    assert item.open(large=False, needed="m.txt").result == {"m.txt": "member"}


@pytest.mark.parametrize("status", [Status.WRITE, Status.UNINITIALIZED, Status.FAILED])
def test_what_is_not_ready_is_not_opened(cache, status):
    """Its file may be half written."""
    item = make(cache, status=status)
    item.path.write_text("half")
    with pytest.raises(StatusError, match="not READY"):
        item.open()


def test_a_value_is_loaded_not_opened(cache):
    """It has no file that a user could read."""

    @cached(cache=cache)
    def compute():
        return bytes(10_000)

    compute()
    with pytest.raises(OptionError, match="load"):
        compute.item().open()


def test_d31_opening_an_item_counts_for_no_other(cache):
    """D31: its other versions are as they were."""
    first, second = make(cache), make(cache)
    before = cache.store.items.get(first.id)
    assert [*second.open()] == ["text"]
    after = cache.store.items.get(first.id)
    assert [getattr(before, name) for name in before.__slots__] == [
        getattr(after, name) for name in after.__slots__
    ]


# Traces


def test_d44_what_happens_is_told_to_who_listens(cache, caplog):
    """D44: by the standard logging."""
    with caplog.at_level(logging.DEBUG, logger="cachedeco"):
        item = cache.best_or_new("u", filename="f")
        item.path.write_text("x")
        item.ready()
        cache.remove("u")
    assert [record.getMessage() for record in caplog.records] == [
        "claimed version 1 of u",
        f"{item.version_id} is READY",
        f"removed 1 items from {cache.path}",
    ]
    assert {record.name for record in caplog.records} == {"cachedeco"}


QUIET = """
import os, sys
before = set(os.listdir("."))
from cachedeco import Cache, log
with Cache("cache") as cache:
    item = cache.best_or_new("u", filename="f")
    item.path.write_text("x")
    item.ready()
    cache.remove("u")
assert "logging" not in sys.modules or len(sys.argv) > 1
import logging
log.info("nobody listens")
logger = logging.getLogger("cachedeco")
assert [type(each).__name__ for each in logger.handlers] == ["NullHandler"]
assert set(os.listdir(".")) - before == {"cache"}
"""


def test_d44_nothing_is_written_unasked(tmp_path):
    """D44: neither to the streams nor to the working directory."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    answer = subprocess.run(
        [sys.executable, "-W", "error", "-c", QUIET, "filelock imports it"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


def test_traces_wait_until_logging_is_there(monkeypatch):
    """A program that has not imported it is not made to."""
    monkeypatch.delitem(sys.modules, "logging")
    log.debug("nobody %s", "listens")
    assert "logging" not in sys.modules


def test_an_item_is_what_the_documentation_says():
    """Every verb has its words."""
    for name in ("open", "ready", "failed", "remove", "restore", "update"):
        assert getattr(CacheItem, name).__doc__

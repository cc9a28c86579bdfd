"""Files and folders as parts of keys, by their content."""

from __future__ import annotations

import os
import socket
import stat
import time
from types import SimpleNamespace
from typing import Any

import pytest

from cachedeco.errors import KeyingError
from cachedeco.keys import content
from cachedeco.keys.content import Content, ProcessMemory, still_same
from cachedeco.keys.fingerprint import digest

HOUR = 3600 * 1_000_000_000


def of(path: object) -> Any:
    return content.of(path, "data", ProcessMemory())


def key(path: object) -> object:
    return of(path).__cachedeco_key__()


def write(path: Any, text: str) -> Any:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def reads(monkeypatch):
    """Return the list of the files that are read."""
    paths: list[str] = []
    read = content._read

    def counted(path):
        paths.append(path)
        return read(path)

    monkeypatch.setattr(content, "_read", counted)
    return paths


@pytest.fixture
def later(monkeypatch):
    """Let the clock go an hour ahead, so that all files are old."""
    monkeypatch.setattr(content.time, "time_ns", lambda now=time.time_ns: now() + HOUR)


def test_names_and_times_of_a_file_do_not_count(tmp_path):
    """A copy with other times and permissions has the same key."""
    one, two = write(tmp_path / "one", "text"), write(tmp_path / "two", "text")
    os.utime(two, (1, 1))
    two.chmod(0o600)
    assert key(one) == key(two) == key(str(one))


def test_each_byte_of_a_file_counts(tmp_path):
    """Also behind the first block, and in a file of the same size."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(b"\0" * 3_000_000 + b"a")
    second.write_bytes(b"\0" * 3_000_000 + b"b")
    assert key(first) != key(second)
    assert key(write(tmp_path / "empty", "")) != key(write(tmp_path / "blank", " "))


def test_an_unchanged_file_is_read_once(tmp_path, reads, later):
    """The memory knows it by path, size, times and inode."""
    path, memory = write(tmp_path / "data", "text"), ProcessMemory()
    digests = {content.of(path, "data", memory).digest for _ in range(3)}
    assert len(digests) == len(reads) == 1


@pytest.mark.parametrize("change", ["size", "mtime", "inode"])
def test_a_changed_file_is_read_again(change, tmp_path, reads, later):
    """Also when size and modification time are set back to what they were."""
    path, memory = write(tmp_path / "data", "text"), ProcessMemory()
    os.utime(path, ns=(1, 1))
    before = content.of(path, "data", memory).digest
    if change == "inode":
        os.replace(write(tmp_path / "new", "tset"), path)
        os.utime(path, ns=(1, 1))
    else:
        path.write_text("longer text" if change == "size" else "tset")
    assert content.of(path, "data", memory).digest != before
    assert len(reads) == 2


def test_a_young_file_is_not_remembered(tmp_path, reads, monkeypatch):
    """Another change within the clock's resolution would leave the same times."""
    path, memory = write(tmp_path / "data", "text"), ProcessMemory()
    changed = path.stat().st_ctime_ns
    monkeypatch.setattr(content.time, "time_ns", lambda: changed + 19_000_000)
    content.of(path, "data", memory)
    content.of(path, "data", memory)
    assert len(reads) == 2
    monkeypatch.setattr(content.time, "time_ns", lambda: changed + 2_000_000_001)
    content.of(path, "data", memory)
    content.of(path, "data", memory)
    assert len(reads) == 3


@pytest.mark.parametrize(
    ("fraction", "seconds", "settled"), [(0, 1.9, False), (0, 2.1, True), (5, 0.1, True)]
)
def test_whole_seconds_mean_a_coarse_clock(fraction, seconds, settled, tmp_path, monkeypatch):
    """A file system that counts seconds, or two, is distrusted for longer."""
    path = write(tmp_path / "data", "text")
    signature = (str(path), 4, 0, 1_000_000_000 * 1_000 + fraction, 7)
    now = signature[3] + int(seconds * 1_000_000_000)
    monkeypatch.setattr(content.time, "time_ns", lambda: now)
    assert content._digest(signature, ProcessMemory())[1] is settled


def test_a_file_that_changes_while_it_is_read_is_not_remembered(tmp_path, monkeypatch, later):
    """What was read belongs to neither state."""
    path, memory = write(tmp_path / "data", "text"), ProcessMemory()
    read = content._read

    def changing(name):
        result = read(name)
        path.write_text("changed")
        return result[0], os.stat(name)

    monkeypatch.setattr(content, "_read", changing)
    stand_in = content.of(path, "data", memory)
    monkeypatch.setattr(content, "_read", read)
    assert still_same([stand_in]) == [str(path)]
    assert content.of(path, "data", memory).digest == of(path).digest != stand_in.digest


def test_still_same_after_the_computation(tmp_path, reads, later):
    """Nothing is read again for old files; a change is told by its path."""
    path, other = write(tmp_path / "data", "text"), write(tmp_path / "other", "text")
    stand_ins = [of(path), of([path, {"a": other}]), 3, "text", [1], None]
    assert still_same(stand_ins) == []
    assert len(reads) == 3
    other.write_text("more text")
    assert still_same(stand_ins) == [str(other)]
    other.unlink()
    path.chmod(0o600)
    assert still_same(stand_ins) == [str(path), str(path), str(other)]


def test_a_young_file_is_read_again_after_the_computation(tmp_path, monkeypatch):
    """A change too quick for the clock leaves the same times, but not the same content."""
    path = write(tmp_path / "data", "text")
    state = path.stat()
    monkeypatch.setattr(content.time, "time_ns", lambda: state.st_ctime_ns + 1)
    stand_in = of(path)
    assert still_same([stand_in]) == []
    path.write_text("tset")
    monkeypatch.setattr(content.os, "stat", lambda name: state)
    assert still_same([stand_in]) == [str(path)]


def test_a_folder_is_names_and_contents(tmp_path):
    """The order of creation, the folder's own name and times do not count."""
    for name, order in (("one", "abc"), ("two", "cab")):
        for part in order:
            write(tmp_path / name / part, part)
            write(tmp_path / name / "sub" / part, part)
    os.utime(tmp_path / "two" / "a", (1, 1))
    assert key(tmp_path / "one") == key(tmp_path / "two")


@pytest.mark.parametrize(
    "change",
    [
        lambda root: write(root / "a", "changed"),
        lambda root: write(root / "new", ""),
        lambda root: (root / "new").mkdir(),
        lambda root: (root / "empty").rmdir(),
        lambda root: (root / "sub" / "b").unlink(),
        lambda root: (root / "a").rename(root / "c"),
        lambda root: (root / "sub" / "b").rename(root / "b"),
        lambda root: (root / "link").symlink_to("a"),
        lambda root: (root / "link").symlink_to("nowhere"),
        lambda root: (root / "link").symlink_to("sub"),
    ],
    ids=[
        "content",
        "file",
        "folder",
        "no-folder",
        "no-file",
        "rename",
        "move",
        "link",
        "broken",
        "folder-link",
    ],
)
def test_each_change_of_a_folder_counts(change, tmp_path):
    """For the key, and for what is looked at after the computation."""
    root = tmp_path / "root"
    write(root / "a", "a")
    write(root / "sub" / "b", "b")
    (root / "empty").mkdir()
    before = of(root)
    assert still_same([before]) == []
    change(root)
    assert of(root).digest != before.digest
    (path,) = still_same([before])
    assert path.startswith(str(root) + "/")


def test_names_and_contents_of_a_folder_cannot_be_mixed_up(tmp_path):
    """A file whose content looks like further entries is but a file."""
    write(tmp_path / "one" / "a", "x")
    write(tmp_path / "one" / "b", "y")
    write(tmp_path / "two" / "a", "xby")
    write(tmp_path / "three" / "ab", "xy")
    write(tmp_path / "four" / "a" / "b", "y")
    (tmp_path / "five").mkdir()
    (tmp_path / "six" / "five").mkdir(parents=True)
    names = ("one", "two", "three", "four", "five", "six")
    assert len({key(tmp_path / name) for name in names}) == len(names)


def test_an_unchanged_folder_is_not_read_again(tmp_path, reads, later):
    """Each of its files is remembered."""
    for name in "abc":
        write(tmp_path / "root" / name, name)
    memory = ProcessMemory()
    content.of(tmp_path / "root", "data", memory)
    write(tmp_path / "root" / "a", "other")
    content.of(tmp_path / "root", "data", memory)
    assert sorted(os.path.basename(path) for path in reads) == ["a", "a", "b", "c"]


def test_links_to_files_count_as_the_files(tmp_path):
    """Wherever the file lies: what a program reads there is its content."""
    target = write(tmp_path / "elsewhere" / "file", "text")
    write(tmp_path / "one" / "a", "text")
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "a").symlink_to(target)
    assert key(tmp_path / "one") == key(tmp_path / "two")
    stand_in = of(tmp_path / "two")
    target.write_text("other")
    assert still_same([stand_in]) == [str(tmp_path / "two" / "a")]
    assert key(tmp_path / "one") != key(tmp_path / "two")


def test_links_to_folders_within_are_not_followed(tmp_path):
    """Circles end, and absolute links count like relative ones."""
    for name, prefix in (("one", ""), ("two", f"{tmp_path}/two/")):
        write(tmp_path / name / "sub" / "a", "a")
        (tmp_path / name / "again").symlink_to(f"{prefix}sub")
        (tmp_path / name / "sub" / "up").symlink_to("..")
    assert key(tmp_path / "one") == key(tmp_path / "two")
    (tmp_path / "two" / "again").unlink()
    (tmp_path / "two" / "again").symlink_to(".")
    assert key(tmp_path / "one") != key(tmp_path / "two")


def test_a_link_to_a_folder_outside_is_refused(tmp_path):
    """What counts would have no end."""
    (tmp_path / "root").mkdir()
    (tmp_path / "rooted").mkdir()
    (tmp_path / "root" / "out").symlink_to(tmp_path / "rooted")
    with pytest.raises(KeyingError, match=r"the argument data .* is a link to the folder .* outside"):
        of(tmp_path / "root")


def test_a_link_to_a_folder_is_that_folder(tmp_path):
    """The path itself is followed."""
    write(tmp_path / "root" / "sub" / "a", "a")
    (tmp_path / "root" / "again").symlink_to("sub")
    (tmp_path / "link").symlink_to("root")
    assert key(tmp_path / "link") == key(tmp_path / "root")


def test_dots_are_left_to_the_operating_system(tmp_path, monkeypatch):
    """link/.. is the parent of what the link leads to."""
    write(tmp_path / "far" / "away" / "x", "x")
    write(tmp_path / "far" / "data", "far")
    write(tmp_path / "data", "near")
    (tmp_path / "link").symlink_to("far/away")
    monkeypatch.chdir(tmp_path)
    assert key("link/../data") == key(tmp_path / "far" / "data") != key("data")


def test_a_relative_path_stays_what_it_was(tmp_path, monkeypatch):
    """A computation that changes the working directory does not look like a changed file."""
    write(tmp_path / "data", "text")
    monkeypatch.chdir(tmp_path)
    stand_in = of("data")
    monkeypatch.chdir("/")
    assert still_same([stand_in]) == []
    assert stand_in.path == str(tmp_path / "data")


def test_strange_names_count(tmp_path):
    """Names that are no UTF-8, and a deep path."""
    root = tmp_path / "root"
    deep = root / "/".join("d" * 100)
    write(deep / "a", "a")
    with open(os.path.join(os.fsencode(root), b"\xff"), "wb"):
        pass
    before = key(root)
    os.rename(os.path.join(os.fsencode(root), b"\xff"), os.path.join(os.fsencode(root), b"\xfe"))
    assert key(root) != before


@pytest.mark.parametrize("path", ["no/such/file", "data\n"])
def test_a_missing_file_is_a_content_of_its_own(path, tmp_path, monkeypatch):
    """The function runs and fails by itself; once the file is there, even empty, the key is another one."""
    monkeypatch.chdir(tmp_path)
    missing = of(path)
    assert missing.kind == "absent"
    assert missing.changed() is None
    write(tmp_path / path, "")
    assert missing.changed() is not None
    assert of(path).__cachedeco_key__() != missing.__cachedeco_key__()


def test_an_error_in_a_list_names_the_place(tmp_path):
    """As for other values: data[1]."""
    with pytest.raises(KeyingError, match=r"data\[1\]"):
        of([write(tmp_path / "a", "a"), 3])
    with pytest.raises(KeyingError, match=r"data\['x'\]"):
        of({"x": 3})


@pytest.mark.parametrize("value", [3, b"data", {"a"}, SimpleNamespace(), iter(["a"]), "a\0b"])
def test_what_is_no_path_is_refused(value):
    """With what to do about it."""
    with pytest.raises(KeyingError, match="the argument data is"):
        of(value)


def test_what_has_no_content_is_refused(tmp_path):
    """Reading a pipe would wait for ever, or take what another reader needs."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(KeyingError, match="pipe"):
        of(tmp_path / "pipe")
    with pytest.raises(KeyingError, match="pipe"):
        of(tmp_path)
    with pytest.raises(KeyingError, match="device"):
        of("/dev/null")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        assert stat.S_ISSOCK(os.stat(tmp_path / "socket").st_mode)
        with pytest.raises(KeyingError, match="socket"):
            of(tmp_path / "socket")


def test_containers_of_paths(tmp_path):
    """Their kind and order count, the names of the files do not; None may be among them."""
    one, two = write(tmp_path / "one", "1"), write(tmp_path / "two", "2")
    copy = write(tmp_path / "copy", "1")
    assert digest(of([one, two, None])) == digest(of([copy, two, None]))
    kinds = [
        [one, two],
        [two, one],
        (one, two),
        {"a": one, "b": two},
        {"a": two, "b": one},
        [one, two, None],
        one,
    ]
    assert len({digest(of(paths)) for paths in kinds}) == len(kinds)
    assert content.of(None, "data") is None


def test_sizes_are_known(tmp_path):
    """For people."""
    write(tmp_path / "root" / "a", "12")
    write(tmp_path / "root" / "b", "345")
    assert (of(tmp_path / "root").size, of(tmp_path / "root").kind) == (5, "folder")
    assert isinstance(of(tmp_path / "root" / "a"), Content)


def test_a_memory_that_is_handed_in_is_used(tmp_path, later):
    """Any object with get and put will do."""
    path = write(tmp_path / "data", "text")
    known: dict[object, bytes] = {}
    memory: Any = SimpleNamespace(get=known.get, put=known.__setitem__)
    digest = content.of(path, "data", memory).digest
    state = path.stat()
    signature = (str(path), 4, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)
    assert known == {signature: digest}
    known[signature] = b"\1" * 16
    assert content.of(path, "data", memory).digest == b"\1" * 16

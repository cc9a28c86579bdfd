"""Whether bytes are what was recorded, without reading what nothing has touched."""

from __future__ import annotations

import os

import pytest

from cachedeco import machine
from cachedeco.files import check
from cachedeco.files.check import examine, look
from cachedeco.files.staging import measure


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "value"
    path.write_bytes(b"content" * 100)
    return str(path)


@pytest.fixture
def reads(monkeypatch):
    """Paths whose content was read."""
    seen = []

    def counted(path):
        seen.append(path)
        return measure(path)

    monkeypatch.setattr(check, "measure", counted)
    return seen


def recorded(path):
    return (*measure(path), look(path)[1])


def test_what_nothing_has_touched_is_not_read(file, reads):
    """Its size, times, inode and the start of the machine are enough."""
    size, digest, signature = recorded(file)
    assert examine(file, size, digest, signature) == signature
    assert reads == []


def test_another_size_needs_no_reading(file, reads):
    """It is not what was recorded."""
    _, digest, signature = recorded(file)
    assert examine(file, 3, digest, signature) is None
    assert reads == []


def test_content_of_the_same_size_is_found_out(file):
    """Although the size agrees, and the time of the change was set back."""
    size, digest, signature = recorded(file)
    times = os.stat(file)
    with open(file, "r+b") as opened:
        opened.write(b"CONTENT")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert examine(file, size, digest, signature) is None


def test_what_was_only_touched_is_read_once(file, reads):
    """Its new signature is given back, to be recorded."""
    size, digest, signature = recorded(file)
    os.utime(file, ns=(1, 1))
    new = examine(file, size, digest, signature)
    assert new not in {None, signature}
    assert examine(file, size, digest, new) == new
    assert reads == [file]


def test_another_file_in_its_place_is_read(file, tmp_path, reads):
    """A copy has another inode, and is as good when its content is."""
    size, digest, signature = recorded(file)
    (tmp_path / "copy").write_bytes(b"content" * 100)
    os.replace(tmp_path / "copy", file)
    assert examine(file, size, digest, signature) is not None
    assert reads == [file]


def test_after_a_new_start_of_the_machine_it_is_read(file, reads, monkeypatch):
    """A power cut may have taken content and left size and times."""
    size, digest, signature = recorded(file)
    monkeypatch.setattr(check, "boot_id", lambda: b"another start...")
    assert examine(file, size, digest, signature) not in {None, signature}
    assert reads == [file]


def test_thoroughly_it_is_read_whatever_its_signature(file, reads):
    """For who trusts no signature."""
    size, digest, signature = recorded(file)
    assert examine(file, size, digest, signature, thorough=True) == signature
    assert reads == [file]


def test_a_folder_is_looked_at_file_by_file(tmp_path):
    """One that is changed, renamed, added or gone changes its signature."""
    place = tmp_path / "folder"
    (place / "deep").mkdir(parents=True)
    (place / "a").write_bytes(b"1")
    (place / "deep" / "b").write_bytes(b"22")
    size, digest, signature = recorded(str(place))
    assert size == 3
    assert examine(str(place), size, digest, signature) == signature
    (place / "a").write_bytes(b"9")
    assert examine(str(place), size, digest, signature) is None
    (place / "a").write_bytes(b"1")
    assert examine(str(place), size, digest, signature) is not None
    (place / "a").rename(place / "c")
    assert examine(str(place), size, digest, signature) is None


def test_a_file_that_is_gone_is_an_error(file):
    """Lost is not the same as damaged."""
    os.unlink(file)
    with pytest.raises(FileNotFoundError):
        examine(file, 1, b"", b"")


def test_the_start_of_the_machine_is_read_once(monkeypatch):
    """And made up where the system tells none, so that nobody trusts what another process saw."""
    assert machine.boot_id() is machine.boot_id()
    monkeypatch.setattr(machine, "_known", [])
    monkeypatch.setattr(machine, "_BOOT", "/nowhere/boot_id")
    first = machine.boot_id()
    assert len(first) == 16
    assert machine.boot_id() is first
    monkeypatch.setattr(machine, "_known", [])
    assert machine.boot_id() != first

"""Writing beside, then moving into place: no reader ever sees half of an item."""

from __future__ import annotations

import io
import os

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from cachedeco.files.staging import DigestingFile, Staging, digest_of, files_in, measure, size_in


@pytest.fixture
def staging(tmp_path):
    return Staging(str(tmp_path / "items" / "ab" / "name"))


def write(staging, name="value", data=b"data"):
    with staging.create(name) as file:
        file.write(data)
    return file


def test_nothing_is_in_place_before_it_is_published(staging):
    """What is being written has another name."""
    write(staging)
    assert not os.path.exists(staging.final)
    staging.publish()
    assert os.listdir(staging.final) == ["value"]
    assert not os.path.exists(staging.folder)


def test_what_is_published_is_read_only(staging):
    """Nobody changes a stored result by a slip."""
    write(staging)
    staging.publish()
    assert os.stat(os.path.join(staging.final, "value")).st_mode & 0o777 == 0o444


def test_only_its_owner_may_look_into_it(staging):
    """Also while it is being written."""
    assert os.stat(staging.folder).st_mode & 0o777 == 0o700


def test_two_writers_never_share_a_place(staging):
    """A second one of the same name is an error, not a mixture."""
    with pytest.raises(FileExistsError):
        Staging(staging.final)
    write(staging)
    with pytest.raises(FileExistsError):
        staging.create("value")


def test_what_is_discarded_is_gone(staging):
    """Before it was published, after, and twice."""
    write(staging)
    staging.discard()
    assert not os.path.exists(staging.folder)
    staging.discard()


def test_what_was_published_can_be_discarded(staging):
    """Read-only files are no obstacle."""
    write(staging)
    staging.publish()
    staging.discard()
    assert not os.path.exists(staging.final)


def test_an_interruption_of_the_clean_up_stays_one(staging, monkeypatch):
    """Whatever the removal of a folder makes of it."""

    def confused(_folder, ignore_errors):
        raise OSError(9, "Bad file descriptor")

    monkeypatch.setattr("shutil.rmtree", confused)
    staging.discard()
    monkeypatch.undo()
    assert os.path.isdir(staging.folder)


@given(st.lists(st.binary()))
def test_size_and_digest_are_those_of_all_that_was_written(tmp_path_factory, parts):
    """However it came in pieces."""
    path = tmp_path_factory.mktemp("digest") / "value"
    with DigestingFile(open(path, "wb", buffering=0)) as file:
        for part in parts:
            assert file.write(part) == len(part)
        assert file.tell() == sum(map(len, parts))
    whole = b"".join(parts)
    assert path.read_bytes() == whole
    assert (file.size, file.digest()) == (len(whole), xxhash.xxh3_128_digest(whole))
    assert digest_of(str(path)) == (file.size, file.digest())


def test_any_buffer_is_counted_in_bytes(staging):
    """Arrays of larger elements too."""
    with staging.create("value") as file:
        assert file.write(memoryview(b"12345678").cast("Q")) == 8
    assert file.size == 8


def test_a_short_write_is_continued():
    """The system may take less than it is given."""

    class Slow(io.RawIOBase):
        taken = b""

        def write(self, data):
            self.taken += bytes(data[:3])
            return min(3, len(data))

    slow = Slow()
    file = DigestingFile(slow)
    file.write(b"0123456789")
    assert (slow.taken, file.size) == (b"0123456789", 10)
    file.close()


def test_an_error_of_the_last_write_shows_at_the_close():
    """Some file systems report a full disk only then."""

    class Full(io.RawIOBase):
        def close(self):
            if not self.closed:
                super().close()
                raise OSError(28, "No space left on device")

    file = DigestingFile(Full())
    with pytest.raises(OSError, match="No space left"):
        file.close()
    assert file.closed


def test_there_is_no_way_past_the_digest(staging):
    """The descriptor is not given out."""
    with staging.create("value") as file, pytest.raises(io.UnsupportedOperation):
        file.fileno()


def test_a_folder_is_measured_by_names_and_contents(tmp_path):
    """A renamed file is another folder; the order of writing does not matter."""

    def folder(name, files):
        for path, text in files.items():
            target = tmp_path / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        return measure(str(tmp_path / name))

    first = folder("a", {"x": "1", "sub/y": "22"})
    assert first == folder("b", {"sub/y": "22", "x": "1"})
    assert first[0] == 3
    assert (
        len({first[1], folder("c", {"x": "1", "sub/z": "22"})[1], folder("d", {"x": "2", "sub/y": "22"})[1]})
        == 3
    )


def test_one_file_is_measured_by_its_content(tmp_path):
    """Its name does not count, as for a value."""
    (tmp_path / "f").write_bytes(b"abc")
    assert measure(str(tmp_path)) == digest_of(str(tmp_path / "f"))


def test_links_do_not_count(tmp_path):
    """They lead outside."""
    (tmp_path / "f").write_bytes(b"abc")
    (tmp_path / "link").symlink_to(tmp_path / "f")
    assert files_in(str(tmp_path)) == [str(tmp_path / "f")]
    assert size_in(str(tmp_path)) == 3


def test_a_folder_that_is_gone_has_no_size(tmp_path):
    """It is not empty, it is missing."""
    with pytest.raises(FileNotFoundError):
        size_in(str(tmp_path / "gone"))


def test_an_empty_folder_is_not_an_empty_file(tmp_path):
    """Nor is one without any file in its folders."""
    (tmp_path / "file").touch()
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    assert measure(str(tmp_path / "folder")) != measure(str(tmp_path / "file"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
def test_a_pipe_is_not_waited_for(tmp_path):
    """In the place of a file, or beside those in a folder."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(FileNotFoundError, match="no file"):
            measure(str(path))

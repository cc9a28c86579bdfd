"""Opening: every format in the same way, told by its content, and nothing of it touches the disk."""

from __future__ import annotations

import bz2
import gc
import gzip
import io
import lzma
import os
import tarfile
import zipfile

import pytest

from cachedeco import OptionError
from cachedeco.files import formats
from cachedeco.files.formats import MissingLibraryError, UnreadableFileError
from cachedeco.files.opener import Content, Opener

TEXT = "first\nsecond ü\n\nlast"
DATA = TEXT.encode()
MEMBERS = {"a.txt": DATA, "folder/b.txt": b"b\n", "empty": b""}


def tar_bytes(mode, members=MEMBERS):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return made.getvalue()


def zip_bytes():
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("folder") if hasattr(archive, "mkdir") else archive.writestr("folder/", b"")
        for name, data in MEMBERS.items():
            archive.writestr(name, data)
    return made.getvalue()


SINGLE = {
    "plain": DATA,
    "gz": gzip.compress(DATA, mtime=0),
    "bz2": bz2.compress(DATA),
    "xz": lzma.compress(DATA),
}
ARCHIVES = {
    "zip": zip_bytes(),
    "tar": tar_bytes("w"),
    "tar.gz": tar_bytes("w:gz"),
    "tar.bz2": tar_bytes("w:bz2"),
    "tar.xz": tar_bytes("w:xz"),
}
single = pytest.mark.parametrize("kind", SINGLE)
archives = pytest.mark.parametrize("kind", ARCHIVES)


@pytest.fixture
def put(tmp_path):
    def write(data, name="file.dat"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


@pytest.mark.parametrize(("kind", "data"), [*SINGLE.items(), *ARCHIVES.items()])
@pytest.mark.parametrize("name", ["file", "file.gz", "file.zip", "file.txt", "file.tgz"])
def test_the_format_is_told_by_the_content(put, kind, data, name):
    """D36: whatever the file is called."""
    with Opener(put(data, name)) as opened:
        assert opened.type == kind


@pytest.mark.parametrize("data", [b"", b"x", b"BZh9", b"PK", bytes(1024), b"\x1f\x8b", DATA * 100], ids=repr)
def test_what_looks_like_no_format_is_plain(put, data):
    """Also what only begins like one, and zeros, of which an empty tar is made."""
    opened = Opener(put(data), default_mode="rb", large=False)
    assert (opened.type, opened.result, opened.size) == ("plain", data, len(data))


def test_a_tar_of_the_oldest_kind_is_known(put):
    """It has no mark, but a checksum."""
    data = bytearray(tar_bytes("w"))
    data[257:265] = bytes(8)
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    with Opener(put(bytes(data))) as opened:
        assert opened.type == "tar"


@single
@pytest.mark.parametrize(
    ("mode", "lines", "content"),
    [("r", TEXT.splitlines(keepends=True), TEXT), ("rb", DATA.splitlines(keepends=True), DATA)],
    ids=["text", "bytes"],
)
def test_text_and_bytes_are_the_same_for_every_file(put, kind, mode, lines, content):
    """D36, D37: lines if large, else the whole."""
    path = put(SINGLE[kind])
    assert [*Opener(path, default_mode=mode).result] == lines
    assert [*Opener(path, default_mode=mode)] == lines
    assert Opener(path, default_mode=mode, large=False).result == content
    with Opener(path, default_mode=mode) as opened:
        assert opened.fileobj.read() == content


@archives
@pytest.mark.parametrize("mode", ["r", "rb"])
def test_text_and_bytes_are_the_same_for_every_archive(put, kind, mode):
    """D37: members by name, empty ones too, folders not."""
    path = put(ARCHIVES[kind])
    wanted = {name: data.decode() if mode == "r" else data for name, data in MEMBERS.items()}
    assert Opener(path, default_mode=mode, large=False).result == wanted
    with Opener(path, default_mode=mode) as opened:
        assert {name: each.read() for name, each in opened.result.items()} == wanted
        assert {name: [*each] for name, each in opened.result.items()} == {
            name: content.splitlines(keepends=True) for name, content in wanted.items()
        }
        assert [*opened] == [*MEMBERS]


@pytest.mark.parametrize(("kind", "data"), [*SINGLE.items(), *ARCHIVES.items()])
def test_the_size_is_that_of_the_content(put, kind, data):
    """D38: once decompressed, all members together."""
    with Opener(put(data)) as opened:
        sizes = (
            {"file.dat": len(DATA)} if kind in SINGLE else {name: len(each) for name, each in MEMBERS.items()}
        )
        assert (opened.size, opened.sizes) == (sum(sizes.values()), sizes)


def test_the_size_of_several_streams_is_counted(put):
    """A gzip file may hold more than one; its end tells only of the last."""
    opened = Opener(put(gzip.compress(DATA) + gzip.compress(DATA)), large=False)
    assert (opened.size, opened.result) == (2 * len(DATA), TEXT * 2)


@archives
def test_only_what_is_needed_is_given(put, kind):
    """D37: by their whole names, one or several."""
    path = put(ARCHIVES[kind])
    assert [*Opener(path, needed="empty", large=False).result] == ["empty"]
    with Opener(path, needed=["folder/b.txt", "a.txt"]) as opened:
        assert [*opened.result] == ["folder/b.txt", "a.txt"]
        assert opened.size == 2 + len(DATA)
    with pytest.raises(OptionError, match=r"no member 'b\.txt'; it has 'a\.txt', 'empty'"):
        Opener(path, needed="b.txt")


@single
def test_a_file_without_members_has_none_that_are_needed(put, kind):
    """An option that means nothing is not ignored."""
    with pytest.raises(OptionError, match="no archive"):
        Opener(put(SINGLE[kind]), needed="a")


@pytest.mark.parametrize(("kind", "data"), [*SINGLE.items(), *ARCHIVES.items()])
def test_a_result_outlives_its_opener(put, kind, data):
    """D38: it can be read as long as somebody has it, and more than once."""
    result = Opener(put(data)).result
    gc.collect()
    content = result if kind in SINGLE else result["a.txt"]
    del result
    gc.collect()
    assert isinstance(content, Content)
    assert next(iter(content)) == "first\n"
    assert [*content] == [*content] == TEXT.splitlines(keepends=True)


@archives
def test_an_open_member_outlives_its_archive(put, kind):
    """The file object alone keeps it open."""
    member = Opener(put(ARCHIVES[kind])).result["a.txt"].open()
    gc.collect()
    with member:
        assert member.read() == TEXT


@archives
def test_members_can_be_read_in_turns(put, kind):
    """Each has its own place."""
    with Opener(put(ARCHIVES[kind])) as opened:
        first, second = (iter(opened.result["a.txt"]) for _ in range(2))
        assert [next(first), next(second), next(first), next(second)] == [
            "first\n",
            "first\n",
            "second ü\n",
            "second ü\n",
        ]


@archives
def test_a_closed_archive_is_not_read(put, kind):
    """It says so."""
    with Opener(put(ARCHIVES[kind])) as opened:
        member = opened.result["a.txt"]
    with pytest.raises(ValueError, match="closed"):
        member.read()


@single
def test_leaving_the_block_closes_the_file(put, kind):
    """The one that was given out."""
    with Opener(put(SINGLE[kind])) as opened:
        file = opened.fileobj
        assert opened.fileobj is file
    assert file.closed


@archives
def test_an_archive_is_no_file_object(put, kind):
    """Its members are."""
    with Opener(put(ARCHIVES[kind])) as opened, pytest.raises(OptionError, match="members are opened"):
        _ = opened.fileobj


@pytest.mark.parametrize("mode", ["w", "a", "r+", "x", "wb", ""])
def test_a_file_is_opened_for_reading_only(put, mode):
    """D38: a result in the cache is never truncated."""
    path = put(DATA)
    with pytest.raises(OptionError, match="for reading"):
        Opener(path, default_mode=mode)
    assert path.read_bytes() == DATA


def test_nothing_global_is_changed(put):
    """D38: the size of buffers is everybody's."""
    before = io.DEFAULT_BUFFER_SIZE
    Opener(put(SINGLE["gz"]), large=False).result  # noqa: B018 - reading it is what might change it
    assert before == io.DEFAULT_BUFFER_SIZE


def test_the_encoding_is_the_callers(put):
    """UTF-8 unless another is given; bytes have none."""
    path = put(gzip.compress("ü".encode("latin-1")))
    assert Opener(path, encoding="latin-1", large=False).result == "ü"
    with pytest.raises(UnicodeDecodeError):
        _ = Opener(path, large=False).result
    with pytest.raises(OptionError, match="is for text"):
        Opener(path, encoding="latin-1", default_mode="rb")


@pytest.mark.parametrize("ext", ["tgz", ".tar.gz", "TAR.GZ"])
def test_the_format_can_be_named(put, ext):
    """D36: in each of its spellings."""
    with Opener(put(ARCHIVES["tar.gz"]), ext=ext) as opened:
        assert [*opened.result] == [*MEMBERS]


def test_a_named_format_overrules_the_content(put):
    """A document that is a zip inside can be read as it is; a tar.gz as the gz that it is."""
    data = ARCHIVES["zip"]
    assert Opener(put(data), ext="docx", default_mode="rb", large=False).result == data
    opened = Opener(put(ARCHIVES["tar.gz"]), ext="gz", default_mode="rb", large=False)
    assert opened.result == gzip.decompress(ARCHIVES["tar.gz"])


@pytest.mark.parametrize("ext", ["gz", "bz2", "xz", "zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_a_file_of_another_format_is_refused(put, ext):
    """The error names the file and the format."""
    path = put(DATA * 100)
    with pytest.raises(UnreadableFileError, match=rf"file\.dat cannot be read as {ext}"):
        _ = Opener(path, ext=ext, large=False).result


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz", "zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_a_file_that_is_cut_off_is_refused(put, kind):
    """At the latest when its end is read; never silently shorter."""
    noise = os.urandom(20_000)
    whole = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
    if kind in whole:
        data = whole[kind](noise)
    elif kind == "zip":
        data = zip_bytes()
    else:
        data = tar_bytes(f"w:{kind[4:]}", {"noise": noise})
    path = put(data[: len(data) * 2 // 3])
    with pytest.raises(UnreadableFileError, match=r"file\.dat cannot be read as"):
        _ = Opener(path, default_mode="rb", large=False).result


def _end_of_zip(data):
    return data.rindex(b"PK\5\6")


def _before_the_beginning(data):
    """The directory is said to be longer than what lies before it."""
    data[_end_of_zip(data) + 12 : _end_of_zip(data) + 16] = (len(data) * 2).to_bytes(4, "little")


def _member_before_the_beginning(data):
    """The directory's size is smaller than it is, so all places are taken for later ones."""
    place = _end_of_zip(data) + 16
    data[place : place + 4] = (int.from_bytes(data[place : place + 4], "little") + 9_999).to_bytes(
        4, "little"
    )


def _without_names(data):
    """A member's name is said to have no characters."""
    place = data.index(b"PK\1\2") + 28
    data[place : place + 2] = b"\0\0"


def _encrypted(data):
    """A member is said to be encrypted."""
    for mark, offset in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        place = -1
        while (place := data.find(mark, place + 1)) >= 0:
            data[place + offset] |= 1


@pytest.mark.parametrize(
    "damage", [_before_the_beginning, _member_before_the_beginning, _without_names, _encrypted]
)
def test_a_zip_file_that_leads_its_reader_astray_is_refused(put, damage):
    """What `zipfile` makes of it is no error of the system, nor one of ours."""
    data = bytearray(zip_bytes())
    damage(data)
    path = put(bytes(data))
    with pytest.raises(UnreadableFileError, match=r"file\.dat cannot be read as zip"):
        _ = Opener(path, ext="zip", default_mode="rb", large=False).result


def test_a_damaged_member_is_named(put):
    """By its own name and that of the archive."""
    data = bytearray(zip_bytes())
    place = data.index(b"a.txt") + len(b"a.txt")
    data[place + 3] ^= 0xFF
    with (
        Opener(put(bytes(data))) as opened,
        pytest.raises(UnreadableFileError, match=r"a\.txt in .*file\.dat"),
    ):
        opened.result["a.txt"].read()


def test_an_absent_file_is_an_error(tmp_path):
    """The usual one."""
    with pytest.raises(FileNotFoundError):
        Opener(tmp_path / "nothing")


def test_only_regular_files_of_a_tar_are_members(put):
    """D37: links that lead out, devices and pipes are passed over; a second name of a member is one."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        plain = tarfile.TarInfo("plain")
        plain.size = 3
        archive.addfile(plain, io.BytesIO(b"abc"))
        for name, kind, target in [
            ("hard", tarfile.LNKTYPE, "plain"),
            ("lost", tarfile.LNKTYPE, "nowhere"),
            ("soft", tarfile.SYMTYPE, "/etc/passwd"),
            ("loop", tarfile.SYMTYPE, "loop"),
            ("device", tarfile.CHRTYPE, ""),
            ("pipe", tarfile.FIFOTYPE, ""),
        ]:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            archive.addfile(member)
    with Opener(put(made.getvalue())) as opened:
        assert {name: each.read() for name, each in opened.result.items()} == {"plain": "abc", "hard": "abc"}
        assert opened.sizes == {"plain": 3, "hard": 3}


def test_of_two_members_with_one_name_the_last_counts(put):
    """As when the archive is extracted."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for data in (b"old", b"newer"):
            member = tarfile.TarInfo("a")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    assert Opener(put(made.getvalue()), large=False).result == {"a": "newer"}


def test_nothing_is_extracted(put, tmp_path):
    """The folder holds what it held."""
    path = put(tar_bytes("w:gz", {"../evil": b"x", "/evil": b"y"}))
    assert Opener(path, large=False).result == {"../evil": "x", "/evil": "y"}
    assert os.listdir(tmp_path) == ["file.dat"]


def test_zstd_needs_its_library(put, monkeypatch):
    """The error names it; the format is known without it."""
    monkeypatch.setattr(formats, "_zstd_library", lambda: None)
    opened = Opener(put(b"\x28\xb5\x2f\xfd rest"))
    assert opened.type == "zst"
    with pytest.raises(MissingLibraryError, match="install zstandard"):
        next(iter(opened.result))


@pytest.mark.skipif(formats._zstd_library() is None, reason="needs a library for zstd")
def test_zstd_is_read_where_its_library_is(put):
    """Several frames, and archives too."""
    library = formats._zstd_library()
    compress = getattr(library, "compress", None) or library.ZstdCompressor().compress
    assert Opener(put(compress(DATA) + compress(DATA)), large=False).result == TEXT * 2
    opened = Opener(put(compress(ARCHIVES["tar"])), default_mode="rb", large=False)
    assert (opened.type, opened.result) == ("tar.zst", MEMBERS)
    with pytest.raises(UnreadableFileError):
        _ = Opener(put(compress(os.urandom(9000))[:5000]), ext="zst", default_mode="rb", large=False).result

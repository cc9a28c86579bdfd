"""Formats of files: told by their first bytes, opened as streams of what they hold.

A format is named by its layers, as file names have them: ``"gz"``, ``"tar"``, ``"tar.gz"``, ``"zip"``, and ``"plain"``
for everything else.
"""

from __future__ import annotations

import errno
import io
import struct
import sys

from cachedeco.errors import CachedecoError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, BinaryIO

PLAIN = "plain"

ARCHIVES = ("zip", "tar", "tar.gz", "tar.bz2", "tar.xz", "tar.zst")
"""Formats that hold files with names."""

_SHORT = {
    "tgz": "tar.gz",
    "tbz": "tar.bz2",
    "tbz2": "tar.bz2",
    "txz": "tar.xz",
    "tzst": "tar.zst",
    "zstd": "zst",
}

_MAGIC = (
    ("gz", b"\x1f\x8b\x08"),
    ("xz", b"\xfd7zXZ\x00"),
    ("zst", b"\x28\xb5\x2f\xfd"),
    ("zip", b"PK\x03\x04"),
    ("zip", b"PK\x05\x06"),  # an empty one
)
_BZ2_BLOCKS = (b"1AY&SY", b"\x17rE8P\x90")  # a block of data, or the end
_BLOCK = 512  # bytes of a tar header
_CHUNK = 1 << 20
_PIECE = 1 << 11
_CHECKSUM = slice(148, 156)


class MissingLibraryError(CachedecoError, ImportError):
    """Reading a format needs a library that is not installed."""


class UnreadableFileError(CachedecoError, OSError):
    """A file is damaged, cut off, encrypted, or not in the format that it was opened as."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


def format_of(path: str) -> str:
    """The format of a file, by its content.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        head = file.read(_BLOCK)
    layer = _layer(head)
    if layer is None:
        return "tar" if _is_tar(head) else PLAIN
    if layer == "zip":
        return layer
    expected: tuple[type[Exception], ...] = (*failures(layer), MissingLibraryError)
    try:
        with open(path, "rb") as file, decompressed(layer, file) as stream:
            inner = stream.read(_BLOCK)
    except expected:
        return layer  # whoever reads it learns what is wrong
    return f"tar.{layer}" if _is_tar(inner) else layer


def named(ext: str) -> str:
    """The format that an extension names.

    Args:
        ext: such as ``"gz"`` or ``".tgz"``; any other one is of a plain file.

    Examples:
        >>> named("tgz"), named(".tar.gz"), named("csv")
        ('tar.gz', 'tar.gz', 'plain')
    """
    ext = ext.lower().lstrip(".")
    ext = _SHORT.get(ext, ext)
    return ext if ext in ARCHIVES or ext in _OPENERS else PLAIN


def decompressed(layer: str, file: BinaryIO) -> BinaryIO:
    """A stream of what a compressed file holds. Closing it leaves the file open.

    Args:
        layer: ``"gz"``, ``"bz2"``, ``"xz"`` or ``"zst"``.
        file: open for reading.

    Raises:
        MissingLibraryError: what reads that format is not installed.
    """
    return _OPENERS[layer](file)


def failures(format_: str) -> tuple[type[Exception], ...]:
    """What reading a damaged file of a format may raise."""
    import tarfile
    import zipfile
    import zlib

    found: list[type[Exception]] = [
        EOFError,
        zlib.error,
        tarfile.TarError,
        zipfile.BadZipFile,
        NotImplementedError,
    ]
    if format_.endswith(("gz", "bz2", "zip")):
        found.append(OSError)
    if format_ == "zip":
        # Its lengths, places, names and texts are taken as they are.
        found.extend((UnicodeError, IndexError, OverflowError, struct.error))
    if format_.endswith(("xz", "zip")):
        import lzma

        found.append(lzma.LZMAError)
    if format_.endswith("zst") and (library := _zstd_library()) is not None:
        found.append(library.ZstdError)
    return tuple(found)


def is_of_the_system(error: Exception) -> bool:
    """Whether it is the file that cannot be read, and not what it holds."""
    # A damaged zip file may send its reader to a place before the beginning of the file.
    return isinstance(error, OSError) and error.errno not in {None, errno.EINVAL}


def _layer(head: bytes) -> str | None:
    for name, magic in _MAGIC:
        if head.startswith(magic):
            return name
    if head[:3] == b"BZh" and head[3:4].isdigit() and head[4:10] in _BZ2_BLOCKS:
        return "bz2"
    return None


def _is_tar(head: bytes) -> bool:
    """Whether a block is the header of a tar member: the oldest kind has no mark, but all have a checksum."""
    if len(head) < _BLOCK or not head[0]:
        return False
    digits = head[_CHECKSUM].strip(b" \0")
    try:
        stated = int(digits, 8)
    except ValueError:
        return False
    rest = head[: _CHECKSUM.start] + b" " * 8 + head[_CHECKSUM.stop :]
    # Some old programs took bytes for signed numbers.
    return stated in {sum(rest), sum(each - 256 if each > 127 else each for each in rest)}  # noqa: PLR2004


def _gz(file: BinaryIO) -> BinaryIO:
    from gzip import GzipFile

    return GzipFile(fileobj=file, mode="rb")  # type: ignore[return-value]  # as far as reading goes it is one


def _bz2(file: BinaryIO) -> BinaryIO:
    from bz2 import BZ2File

    return BZ2File(file, "rb")  # type: ignore[return-value]  # as above


def _xz(file: BinaryIO) -> BinaryIO:
    from lzma import LZMAFile

    return LZMAFile(file, "rb")  # type: ignore[return-value]  # as above


def _zst(file: BinaryIO) -> BinaryIO:
    library = _zstd_library()
    if library is None:
        raise MissingLibraryError("this file is compressed by zstd; to read it, install zstandard")
    if sys.version_info >= (3, 14):
        stream: BinaryIO = library.ZstdFile(file, "rb")
        return stream
    return io.BufferedReader(_Zstd(library, file))


class _Zstd(io.RawIOBase):
    """What a zstd file holds, with what the library lacks: noticing a cut, and going back by beginning anew."""

    def __init__(self, library: Any, file: BinaryIO) -> None:
        self._decompressor = library.ZstdDecompressor()
        self._file = file
        self._ready = memoryview(b"")
        self._begin()

    def readable(self) -> bool:
        """It is for reading."""
        return True

    def seekable(self) -> bool:
        """It can be gone to any place, if slowly backwards."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what is there by now, at most as much as the buffer takes; 0 bytes at the end."""
        self._fill()
        data = self._ready[: len(buffer)]
        self._ready = self._ready[len(data) :]
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place in what it holds, by reading until there."""
        if whence == io.SEEK_END:
            raise io.UnsupportedOperation("the end of what a zstd file holds is not known beforehand")
        target = offset + (self._place if whence == io.SEEK_CUR else 0)
        if target < self._place:
            self._begin()
        while self._place < target and self.read(min(target - self._place, _CHUNK)):
            pass
        return self._place

    def tell(self) -> int:
        """The place in what it holds."""
        return self._place

    def _begin(self) -> None:
        self._file.seek(0)
        self._place = 0
        self._ready = memoryview(b"")
        self._rest = b""
        self._frame: Any = None

    def _fill(self) -> None:
        """Decompress a piece: a small one, as it may become many times as large."""
        while not self._ready and (piece := self._rest or self._file.read(_PIECE)):
            if self._frame is None:
                self._frame = self._decompressor.decompressobj()
            self._ready = memoryview(self._frame.decompress(piece))
            self._rest = b""
            if self._frame.eof:
                self._rest, self._frame = self._frame.unused_data, None
        if not self._ready and self._frame is not None:
            raise EOFError("it ends in the middle of a frame")


def _zstd_library() -> Any:
    from importlib import import_module

    try:
        return import_module("compression.zstd" if sys.version_info >= (3, 14) else "zstandard")
    except ModuleNotFoundError:
        return None


_OPENERS: dict[str, Callable[[BinaryIO], BinaryIO]] = {"gz": _gz, "bz2": _bz2, "xz": _xz, "zst": _zst}

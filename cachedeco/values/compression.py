"""Compression by name, around whatever a serializer writes."""

from __future__ import annotations

import io
import sys

from cachedeco.errors import OptionError, UntrustedCacheError
from cachedeco.values.contract import (
    DamagedError,
    MissingSerializerError,
    Packed,
    UnloadableError,
    UnstorableError,
)
from cachedeco.values.reading import open_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, BinaryIO

    from cachedeco.values.contract import Serializer

    Opener = Callable[[BinaryIO], Any]
    Library = tuple[Opener, Opener, tuple[type[Exception], ...]]

NAMES = ("gzip", "lz4", "zstd")
EXTENSIONS = {"gzip": ".gz", "lz4": ".lz4", "zstd": ".zst"}
PIECE = 1024 * 1024
HARMLESS = 64 * 1024 * 1024
EXPANSION = 200
"""Where nobody vouches for what is stored, content of more bytes than HARMLESS is not made from less than a part of it
in EXPANSION: it may be a bomb."""
_GZIP_LEVEL = 6  # the command line's


class Compressed(Packed):
    """An encoding that is compressed while it is written; kept inline it is left as it is.

    Args:
        name: of the compression.
        packed: the encoding.
        bounded: refuse what a cache in which nothing is signed would take for a bomb.
    """

    __slots__ = ("_bounded", "_name", "_packed", "compression")

    def __init__(self, name: str, packed: Packed, *, bounded: bool) -> None:
        self._name = name
        self._packed = packed
        self._bounded = bounded
        self.size = None
        self.compression: str | None = None

    def inline(self, limit: int) -> bytes | None:
        """The whole encoding, not compressed, if it has at most `limit` bytes, else None."""
        return self._packed.inline(limit)

    def write(self, file: BinaryIO) -> None:
        """Write the encoding, compressed.

        Raises:
            MissingSerializerError: the library that it needs is not installed.
            UnstorableError: it could not be told from a bomb.
        """
        start = file.tell()
        with compressor(self._name, file) as compressing:
            counting = _Counting(compressing)
            self._packed.write(counting)  # type: ignore[arg-type]  # as far as writing goes it is a BinaryIO
        if self._bounded and _may_be_bomb(counting.count, file.tell() - start):
            raise UnstorableError(
                f"{counting.count} bytes shrink by {self._name} to less than a part in {EXPANSION}, which a cache that "
                "is not signed would refuse to load as a bomb; use compress=None, or sign the cache"
            )
        self.compression = f"{self._name}:{counting.count}"


class _Counting(io.RawIOBase):
    """A file that passes on and counts what is written to it."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self.count = 0

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, data: Any, /) -> int:
        """Write all of a bytes-like object; returns how many bytes it has."""
        view = memoryview(data).cast("B")
        self._file.write(view)
        self.count += len(view)
        return len(view)

    def tell(self) -> int:
        """Bytes written so far."""
        return self.count


def load(
    serializer: Serializer,
    recorded: str,
    source: str | bytes | bytearray | memoryview,
    stored: int,
    *,
    bounded: bool = False,
) -> object:
    """The value of an item that was stored compressed.

    Args:
        serializer: that it was stored with.
        recorded: its compression, as recorded.
        source: path of its file, or its bytes.
        stored: how many bytes these are.
        bounded: refuse what may be a bomb.

    Raises:
        MissingSerializerError: the library that it needs is not installed.
        UnloadableError: a newer version of this library has compressed it.
        DamagedError: the record or the bytes are damaged.
        UntrustedCacheError: it may be a bomb.
        OSError: the file cannot be read.
    """
    # A damaged record may hold what is no text at all.
    name, _, size = str(recorded).partition(":")
    if not (size.isascii() and size.isdigit()):
        raise DamagedError(f"the record says {recorded!r} of the value's compression")
    if name not in NAMES:
        raise UnloadableError(f"the value is compressed by {name!r}: a newer cachedeco wrote it")
    if bounded and _may_be_bomb(int(size), stored):
        raise UntrustedCacheError(
            f"{stored} stored bytes would become {size}, more than {EXPANSION} times as many, and nobody has signed "
            "them, so they are not decompressed"
        )
    return serializer.unpack(decompress(name, source, int(size)))


def _may_be_bomb(content: int, stored: int) -> bool:
    return content > max(HARMLESS, EXPANSION * stored)


def compressor(name: str, file: BinaryIO) -> BinaryIO:
    """A file that compresses into another one. Closing it writes what is left, and leaves the other open.

    Args:
        name: "gzip", "zstd" or "lz4".
        file: open for writing.

    Raises:
        OptionError: no compression has that name.
        MissingSerializerError: the library that it needs is not installed.

    Example:
        >>> from io import BytesIO
        >>> stored = BytesIO()
        >>> with compressor("gzip", stored) as writing:
        ...     _ = writing.write(bytes(1000))
        >>> decompress("gzip", stored.getvalue(), 1000) == bytes(1000)
        True
    """
    opened: BinaryIO = _library(name)[0](file)
    return opened


def decompress(name: str, source: str | bytes | bytearray | memoryview, size: int) -> bytearray:
    """The content of a compressed file or of compressed bytes.

    Args:
        name: what it was compressed with.
        source: a path, or the compressed bytes.
        size: of the content, as recorded. Reading stops one byte later, however much is promised.

    Raises:
        OptionError: no compression has that name.
        MissingSerializerError: the library that it needs is not installed.
        DamagedError: it is no such stream, not a whole one, or its content has another size.
        OSError: the file cannot be read.
    """
    _, open_reader, failures = _library(name)
    if isinstance(source, str):
        with io.BufferedReader(open_value(source)) as file:
            return _read(name, open_reader, failures, file, size)
    return _read(name, open_reader, failures, io.BytesIO(source), size)


def _read(
    name: str,
    open_reader: Callable[[BinaryIO], Any],
    failures: tuple[type[Exception], ...],
    file: BinaryIO,
    size: int,
) -> bytearray:
    content = bytearray()
    try:
        with open_reader(file) as reader:
            while piece := reader.read(min(PIECE, size + 1 - len(content))):
                content += piece
                if len(content) > size:
                    break
    except failures as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the file, not its content
        raise DamagedError(f"the stored bytes are not a whole {name} stream: {error}") from error
    if len(content) != size:
        more = "more" if len(content) > size else f"{len(content)}"
        raise DamagedError(f"the {name} stream holds {more} bytes where {size} were stored")
    return content


def _library(name: str) -> Library:
    """What opens a stream for writing, what for reading, and what reading may raise."""
    if name not in NAMES:
        raise OptionError(f"no compression is named {name!r}; there are {', '.join(NAMES)}")
    try:
        if name == "gzip":
            return _gzip()
        return _lz4() if name == "lz4" else _zstd()
    except ModuleNotFoundError as error:
        raise MissingSerializerError(
            f"compression by {name} needs {error.name}; install cachedeco[{name}]", serializer=name
        ) from error


def _gzip() -> Library:
    import zlib
    from gzip import GzipFile

    return (
        lambda file: GzipFile(filename="", mode="wb", fileobj=file, compresslevel=_GZIP_LEVEL, mtime=0),
        lambda file: GzipFile(mode="rb", fileobj=file),
        (OSError, EOFError, zlib.error),
    )


def _lz4() -> Library:
    from importlib import import_module

    frame = import_module("lz4.frame")
    return (
        lambda file: frame.LZ4FrameFile(file, mode="wb", content_checksum=True),
        lambda file: frame.LZ4FrameFile(file, mode="rb"),
        (OSError, EOFError, RuntimeError),
    )


def _zstd() -> Library:
    from importlib import import_module

    if sys.version_info >= (3, 14):
        zstd = import_module("compression.zstd")
        return (
            lambda file: zstd.ZstdFile(file, "wb", options={zstd.CompressionParameter.checksum_flag: 1}),
            lambda file: zstd.ZstdFile(file, "rb"),
            (OSError, EOFError, zstd.ZstdError),
        )
    zstandard = import_module("zstandard")
    return (
        lambda file: zstandard.ZstdCompressor(write_checksum=True).stream_writer(file, closefd=False),
        lambda file: zstandard.ZstdDecompressor().stream_reader(file, closefd=False),
        (OSError, EOFError, zstandard.ZstdError),
    )

"""Compression by name, around whatever a serializer writes."""

from __future__ import annotations

import sys

from cachedeco.errors import OptionError
from cachedeco.values.contract import DamagedError, MissingSerializerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, BinaryIO

    Opener = Callable[[BinaryIO], Any]
    Library = tuple[Opener, Opener, tuple[type[Exception], ...]]

NAMES = ("gzip", "lz4", "zstd")
PIECE = 1024 * 1024
_GZIP_LEVEL = 6  # the command line's


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
        with open(source, "rb") as file:
            return _read(name, open_reader, failures, file, size)
    from io import BytesIO

    return _read(name, open_reader, failures, BytesIO(source), size)


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

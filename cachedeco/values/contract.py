"""What every serializer promises, and what it raises: the one module that each of them imports."""

from __future__ import annotations

from io import BytesIO

from cachedeco.errors import CachedecoError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import BinaryIO, Protocol

    from typing_extensions import Buffer
else:
    Protocol = object  # importing typing costs more than a hit


class UnstorableError(CachedecoError, TypeError):
    """A value cannot be stored, or would not come back as it was.

    Attributes:
        type_name: the type that is to blame, with its module.
        path: where it sits inside the value (``[3].logger``), empty for the value itself.
    """

    type_name: str = ""
    path: str = ""


class UnloadableError(CachedecoError, ImportError):
    """The bytes are whole as far as one can see, but this process cannot rebuild the value.

    Its class was moved, renamed or changed, its package is not installed, or a newer version of this library
    wrote it. Another environment may still read it, so it is no reason to delete anything.
    """


class DamagedError(CachedecoError, ValueError):
    """The bytes are not what a serializer wrote: truncated, overwritten, or never its own.

    Whoever holds the digest of the bytes should ask it before deleting anything: a class whose constructor
    was changed can fail in the same ways as damaged bytes.
    """


class MissingSerializerError(CachedecoError, ImportError):
    """A serializer, or the library that it needs, is not installed."""


class Serializer(Protocol):
    """Turns values into bytes and back. Register one with `cachedeco.values.table.register`.

    A serializer that is registered and has a method ``claims(value) -> bool`` is asked by
    ``serializer="auto"`` before pickle is taken. One with ``runs_code = False`` promises that loading runs no code that
    the bytes name, whoever wrote them; without that promise it is not used where pickles are not allowed.

    Attributes:
        name: recorded with each item; never reuse it for another format.
        ext: the extension of its files, with the dot.
    """

    name: str
    ext: str

    def pack(self, value: object) -> Packed:
        """Prepare a value for writing.

        The result may refer to the value's own memory: write it before the value can change.

        Raises:
            UnstorableError: the value cannot be stored, or would not come back exactly.
            MissingSerializerError: the library that it needs is not installed.
        """

    def unpack(self, data: bytes | bytearray | memoryview) -> object:
        """Rebuild a value from its whole content.

        Whatever the caller does with the value, `data` stays as it is. A `bytearray` is the exception: it is
        given away, and the value may live in it.

        Raises:
            UnloadableError: this process cannot rebuild it.
            DamagedError: the bytes are not a value.
        """

    def load(self, path: str, *, mmap: bool = True) -> object:
        """Rebuild a value from a file.

        With `mmap`, large buffers may be private copy-on-write maps of the file: the caller may change them,
        nobody else sees it.

        Raises:
            OSError: the file cannot be read.
            UnloadableError: this process cannot rebuild it.
            DamagedError: the file does not hold a value.
        """


def write_all(file: BinaryIO, data: bytes | bytearray | memoryview) -> None:
    """Write all of `data`, also to a raw file, whose `write` may take only a part."""
    written = file.write(data)
    if written is None or written == len(data):
        return
    with memoryview(data) as view:
        while written < len(view):
            taken = file.write(view[written:])
            if not taken:
                raise OSError(f"the file took {written} of {len(view)} bytes and no more")
            written += taken


def refuse_type(serializer: str, wanted: str, value: object) -> UnstorableError:
    """The error for a value of a type that a serializer does not take."""
    kind = type(value)
    type_name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
    return UnstorableError(
        f"the serializer {serializer!r} stores {wanted}, and this is {type_name}: it would not come back "
        "as it is. Use serializer='pickle' for it",
        type_name=type_name,
    )


class Packed:
    """An encoded value, ready to be kept inline or written to a file.

    Attributes:
        size: bytes that `write` will write, or None where only writing tells.
        compression: how `write` has compressed them, as it is recorded; None for not at all.
    """

    __slots__ = ("size",)
    size: int | None
    compression: str | None = None

    def inline(self, limit: int) -> bytes | None:
        """The whole encoding if it has at most `limit` bytes, else None."""
        raise NotImplementedError

    def write(self, file: BinaryIO) -> None:
        """Write the encoding at the file's current position, without a second copy of it in memory."""
        raise NotImplementedError


class Whole(Packed):
    """An encoding that is one bytes object."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def inline(self, limit: int) -> bytes | None:
        """The whole encoding if it has at most `limit` bytes, else None."""
        data = self._data
        return data if len(data) <= limit else None

    def write(self, file: BinaryIO) -> None:
        """Write the bytes."""
        write_all(file, self._data)


class Block(Protocol):
    """A part of an encoding that is produced while it is written.

    Attributes:
        nbytes: its length.
        readonly: whether it is memory that the value could not be written to.
    """

    nbytes: int
    readonly: bool

    def pieces(self) -> Iterable[bytes | memoryview]:
        """The part's bytes, in order, `nbytes` in all."""


class Parts(Packed):
    """An encoding in several parts, some of which may be memory of the value itself."""

    __slots__ = ("_parts",)

    def __init__(self, parts: list[bytes | bytearray | memoryview | Block]) -> None:
        self._parts = parts
        self.size = sum(len(part) if isinstance(part, (bytes, bytearray)) else part.nbytes for part in parts)

    def inline(self, limit: int) -> bytes | None:
        """The whole encoding if it has at most `limit` bytes, else None."""
        if self.size is None or self.size > limit:
            return None
        return b"".join(self._pieces())

    def write(self, file: BinaryIO) -> None:
        """Write the parts one after another."""
        for piece in self._pieces():
            write_all(file, piece)

    def _pieces(self) -> Iterable[bytes | bytearray | memoryview]:
        for part in self._parts:
            if isinstance(part, (bytes, bytearray, memoryview)):
                yield part
            else:
                yield from part.pieces()


class _Bounded(BytesIO):
    """Memory that takes `limit` bytes and then refuses."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit
        self.exceeded = False

    def write(self, data: Buffer, /) -> int:
        if self.tell() + memoryview(data).nbytes > self.limit:
            self.exceeded = True
            raise OSError(f"more than {self.limit} bytes")
        return super().write(data)


class Streamed(Packed):
    """An encoding that only writing produces: a function that is handed the file.

    What the function finds unstorable is raised by `inline` or `write`, not by `pack`.
    """

    __slots__ = ("_stream",)

    def __init__(self, stream: Callable[[BinaryIO], object]) -> None:
        self._stream = stream
        self.size = None

    def inline(self, limit: int) -> bytes | None:
        """The whole encoding if it has at most `limit` bytes, else None."""
        file = _Bounded(limit)
        try:
            self._stream(file)
        except Exception:
            if file.exceeded:
                return None
            raise
        return None if file.exceeded else file.getvalue()

    def write(self, file: BinaryIO) -> None:
        """Run the function on the file."""
        self._stream(file)

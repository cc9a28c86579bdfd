"""The items of a generator, one after another: written while they are produced, read one at a time.

magic, its last byte the version
per item:  "i", length (64-bit little-endian), pickle
at the end: "r", length, pickle of what the generator returned
"""

from __future__ import annotations

from os import SEEK_END
from struct import Struct

from cachedeco.values.contract import DamagedError
from cachedeco.values.pickle import PickleSerializer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any, BinaryIO, Self

NAME = "stream"
EXT = ".stream"
MAGIC = b"\x93CDST\r\n\x01"

_FRAME = Struct("<cQ")
_ITEM, _RETURNED = b"i", b"r"
_pickle = PickleSerializer()


def begin(file: BinaryIO) -> None:
    """Write what comes before the first item."""
    file.write(MAGIC)


def add(file: BinaryIO, item: object) -> None:
    """Write one item.

    Raises:
        UnstorableError: it cannot be pickled.
    """
    _write(file, _ITEM, item)


def end(file: BinaryIO, returned: object) -> None:
    """Write what the generator returned; nothing may follow.

    Raises:
        UnstorableError: it cannot be pickled.
    """
    _write(file, _RETURNED, returned)


class Reader:
    """A stored stream, read one item at a time.

    Args:
        file: at its beginning; closed by `close` or at the end of a ``with`` block.

    Attributes:
        value: the current item; at the end, what the generator returned.
        over: whether there is no item any more.

    Raises:
        DamagedError: the file is not a whole stream.
        UnloadableError: an item's class cannot be imported.
    """

    __slots__ = ("_file", "_size", "over", "value")

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = file.seek(0, SEEK_END)
        self.value: Any = None
        self.over = False
        file.seek(0)
        if file.read(len(MAGIC)) != MAGIC:
            raise DamagedError("this is not a stream of items")
        self.advance()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def advance(self) -> None:
        """Go to the next item, or to the end; raises what the constructor raises."""
        self.value = None  # two items are never in memory at once
        header = self._file.read(_FRAME.size)
        if len(header) != _FRAME.size:
            raise DamagedError("the stream of items is cut off")
        kind, length = _FRAME.unpack(header)
        if kind not in {_ITEM, _RETURNED} or length > self._size - self._file.tell():
            raise DamagedError("the stream of items is cut off or overwritten")
        data = bytearray(length)
        with memoryview(data) as view:
            read = 0
            while read < length:
                count = self._file.readinto(view[read:])  # type: ignore[attr-defined]  # files of bytes have it
                if not count:
                    raise DamagedError("the stream of items is cut off")
                read += count
        self.value = _pickle.unpack(data)
        self.over = kind == _RETURNED


def read(file: BinaryIO) -> Generator[Any, None, Any]:
    """Give the items of a stream one at a time, then close the file; returns what the generator returned.

    Raises:
        DamagedError: the file is not a whole stream.
        UnloadableError: an item's class cannot be imported.
    """
    with file:
        reader = Reader(file)
        while not reader.over:
            yield reader.value
            reader.advance()
        return reader.value


def _write(file: BinaryIO, kind: bytes, value: object) -> None:
    packed = _pickle.pack(value)
    if packed.size is None:
        raise TypeError("a pickle knows its size")
    file.write(_FRAME.pack(kind, packed.size))
    packed.write(file)

"""The items of a generator, one after another: written while they are produced, read one at a time.

magic, its last byte the version
per item:  "i", length (64-bit little-endian), pickle
at the end: "r", length, pickle of what the generator returned
"""

from __future__ import annotations

from struct import Struct

from cachedeco.values.contract import DamagedError
from cachedeco.values.pickle import PickleSerializer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any, BinaryIO

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


def read(file: BinaryIO) -> Generator[Any, None, Any]:
    """Give the items one at a time; what the generator returned is the value of the `StopIteration`.

    Raises:
        DamagedError: the file is not a whole stream.
        UnloadableError: an item's class cannot be imported.
    """
    if file.read(len(MAGIC)) != MAGIC:
        raise DamagedError("this is not a stream of items")
    while True:
        header = file.read(_FRAME.size)
        if len(header) != _FRAME.size:
            raise DamagedError("the stream of items is cut off")
        kind, length = _FRAME.unpack(header)
        data = file.read(length)
        if len(data) != length or kind not in {_ITEM, _RETURNED}:
            raise DamagedError("the stream of items is cut off or overwritten")
        value = _pickle.unpack(bytearray(data))
        if kind == _RETURNED:
            return value
        yield value


def _write(file: BinaryIO, kind: bytes, value: object) -> None:
    packed = _pickle.pack(value)
    if packed.size is None:
        raise TypeError("a pickle knows its size")
    file.write(_FRAME.pack(kind, packed.size))
    packed.write(file)

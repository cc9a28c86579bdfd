"""How arrays are pickled whose own way would copy them: dates, strided arrays and maps of files."""

from __future__ import annotations

from pickle import PickleBuffer

import numpy as np

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    Reduced = tuple[Callable[..., object], tuple[object, ...]]

LARGE = 64 * 1024
PIECE = 1024 * 1024


class Strided:
    """Strided memory, gathered in C order, about a mebibyte at a time, while it is written.

    Attributes:
        nbytes: length of the memory, gathered.
        readonly: whether the array could not be written to.
    """

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        self.nbytes = array.nbytes
        self.readonly = not array.flags.writeable
        self._array = array

    def pieces(self) -> Iterable[memoryview]:
        """The memory's bytes, in order."""
        return _pieces(self._array)


class _Token(bytearray):
    """Stands for strided memory, which pickle takes neither in band nor out of band without a copy.

    To the pickler it is an empty buffer; whoever collects the buffers finds the block on it.
    """

    def __init__(self, block: Strided) -> None:
        super().__init__()
        self.cachedeco_block = block


def reduce_array(array: np.ndarray[Any, Any]) -> str | tuple[Any, ...]:
    """Reduce an array so that its memory goes out of band, and that it stays read-only if it is."""
    flags = array.flags
    kind = array.dtype.kind
    contiguous = flags.c_contiguous or flags.f_contiguous
    if contiguous and kind not in "mM":
        return array.__reduce_ex__(5)
    if array.nbytes < LARGE or kind not in "mMbiufcSUV" or array.dtype.hasobject:
        if flags.writeable or array.dtype.hasobject:
            return array.__reduce_ex__(5)
        return rebuild_readonly, (array.copy(),)
    if kind in "mM":  # numpy exports no buffer of these
        return np.ndarray.view, (array.view(np.int64), array.dtype)
    return rebuild_strided, (PickleBuffer(_Token(Strided(array))), array.dtype, array.shape)


def reduce_memmap(array: np.memmap[Any, Any]) -> str | tuple[Any, ...]:
    """Reduce a map of a file by its memory; it comes back as a `memmap` of the stored bytes."""
    if array.dtype.hasobject:
        return array.__reduce_ex__(5)
    return np.ndarray.view, (array.view(np.ndarray), np.memmap)


def rebuild_strided(
    buffer: bytes | bytearray | memoryview, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> np.ndarray[Any, Any]:
    """The strided array that `reduce_array` took apart, now in C order."""
    return np.frombuffer(buffer, dtype).reshape(shape)


def rebuild_readonly(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The read-only array that `reduce_array` took apart."""
    array.flags.writeable = False
    return array


def _pieces(array: np.ndarray[Any, Any]) -> Iterable[memoryview]:
    if array.ndim == 0 or array.nbytes <= PIECE:
        yield np.frombuffer(np.ascontiguousarray(array), np.uint8).data
        return
    row = array.nbytes // len(array)
    if row > PIECE:
        for part in array:
            yield from _pieces(part)
        return
    step = PIECE // row
    for start in range(0, len(array), step):
        yield from _pieces(array[start : start + step])

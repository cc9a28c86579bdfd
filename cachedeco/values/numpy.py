"""Arrays in numpy's own file format, never with pickle inside."""

from __future__ import annotations

from io import BytesIO
from math import prod

import numpy as np
from numpy.lib import format as npy

from cachedeco.values.contract import DamagedError, Parts, UnstorableError, refuse_type
from cachedeco.values.numpy_reducers import Strided
from cachedeco.values.reading import read_whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cachedeco.values.contract import Packed

    Array = np.ndarray[Any, Any]

_READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


class NumpySerializer:
    """Stores `numpy.ndarray`, exactly that type, without objects in it.

    Content, dtype, shape and the order of axes in memory come back. What the format does not record: a
    read-only array comes back writable, and one with gaps in memory without them.
    """

    name = "numpy"
    ext = ".npy"
    runs_code = False

    def pack(self, value: object) -> Packed:
        """The header, and the array's own memory."""
        if type(value) is not np.ndarray:
            raise refuse_type(self.name, "numpy.ndarray (numpy.asarray(value) makes one)", value)
        header = _header(value)
        if value.size == 0 or value.dtype.itemsize == 0:
            return Parts([header])
        flags = value.flags
        if flags.c_contiguous or flags.f_contiguous:
            return Parts([header, value.ravel(order="K").view(np.uint8).data])
        return Parts([header, Strided(value)])

    def unpack(self, data: bytes | bytearray | memoryview) -> object:
        """A writable array in memory of its own."""
        return _array(bytearray(data) if type(data) is not bytearray else data)

    def load(self, path: str, *, mmap: bool = True) -> object:
        """A writable array; from 8 MiB up it is a private map of the file."""
        return _array(read_whole(path, mmap=mmap))


def _header(array: Array) -> bytes:
    """The header of the file, once it has been read back and says the same."""
    dtype = array.dtype
    if dtype.hasobject:
        raise _refusal(dtype, "it holds Python objects")
    if dtype.metadata:
        raise _refusal(dtype, "its metadata would be lost")
    file = BytesIO()
    facts = npy.header_data_from_array_1_0(array)
    try:
        try:
            npy.write_array_header_1_0(file, facts)
        except ValueError:  # longer than 64 KiB
            file.seek(0)
            npy.write_array_header_2_0(file, facts)
        file.seek(0)
        shape, fortran, read = _READERS[npy.read_magic(file)](file)
    except (ValueError, UnicodeError) as error:
        raise _refusal(dtype, str(error)) from error
    if (
        (shape, fortran) != (array.shape, facts["fortran_order"])
        or read != dtype
        or repr(read) != repr(dtype)
    ):
        raise _refusal(dtype, f"it would come back as {read}")
    return file.getvalue()


def _refusal(dtype: np.dtype[Any], reason: str) -> UnstorableError:
    return UnstorableError(
        f"the serializer 'numpy' cannot store an array of dtype {dtype}: {reason}. "
        "Use serializer='pickle' for it",
        type_name="numpy.ndarray",
    )


def _array(data: bytearray | memoryview) -> Array:
    try:
        shape, fortran, dtype, start = _facts(data)
        if dtype.hasobject or min(shape, default=0) < 0:
            reason = "its header speaks of Python objects or of negative lengths"
        elif start + prod(shape) * dtype.itemsize != len(data):
            reason = f"shape {shape} and dtype {dtype} do not fill its {len(data)} bytes"
        else:
            return np.ndarray(shape, dtype, data, start, order="F" if fortran else "C")
    except Exception as error:
        raise DamagedError(f"the stored bytes are not a numpy file: {error}") from error
    raise DamagedError(f"the stored bytes are not a whole numpy file: {reason}")


def _facts(data: bytearray | memoryview) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, whether in Fortran order, dtype, and where the content starts."""
    length_ends = 10 if data[6] == 1 else 12  # version 1 gives the header's length in two bytes, 2 in four
    file = BytesIO(data[: length_ends + int.from_bytes(data[8:length_ends], "little")])
    shape, fortran, dtype = _READERS[npy.read_magic(file)](file)
    return shape, fortran, dtype, file.tell()

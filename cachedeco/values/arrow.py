"""Frames as Arrow files, which are read where they lie."""

from __future__ import annotations

from importlib import import_module
from io import BytesIO

from cachedeco.values.contract import DamagedError, MissingSerializerError, Streamed, UnstorableError
from cachedeco.values.frames import from_table, to_table
from cachedeco.values.reading import read_whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cachedeco.values.contract import Packed

pyarrow: Any = import_module("pyarrow")  # it ships no types
ipc: Any = import_module("pyarrow.ipc")


class ArrowSerializer:
    """Stores frames of pandas and polars, and Arrow's own tables and record batches, in Arrow's file format.

    A frame is turned back before it is stored, and refused if anything would change. Tables come back with
    the same rows, though perhaps in other chunks.
    """

    name = "arrow"
    ext = ".arrow"
    runs_code = False

    def pack(self, value: object) -> Packed:
        """The frame as a table, to be written batch by batch."""
        table = to_table(value, self.name, _through)
        return Streamed(lambda file: _write(table, file))

    def unpack(self, data: bytes | bytearray | memoryview) -> object:
        """The frame."""
        return _frame(bytes(data) if type(data) is memoryview else data)

    def load(self, path: str, *, mmap: bool = True) -> object:
        """The frame in the file; from 8 MiB up a table is a private map of it."""
        return _frame(read_whole(path, mmap=mmap))


def _write(table: Any, file: Any) -> None:
    try:
        with ipc.new_file(pyarrow.PythonFile(file, "w"), table.schema) as writer:
            writer.write_table(table)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError) as error:
        raise UnstorableError(
            f"the serializer 'arrow' cannot store this table: {error}. Use serializer='pickle' for it",
            type_name="pyarrow.Table",
        ) from error


def _read(data: bytes | bytearray | memoryview) -> Any:
    with ipc.open_file(pyarrow.py_buffer(data)) as reader:
        return reader.read_all()


def _through(table: Any) -> Any:
    """The table as the format gives it back: as it is, but without rows there are no dictionaries either."""
    if table.num_rows:
        return table
    file = BytesIO()
    _write(table, file)
    return _read(file.getvalue())


def _frame(data: bytes | bytearray | memoryview) -> object:
    try:
        table = _read(data)
        table.validate()
        return from_table(table)
    except (DamagedError, MissingSerializerError, MemoryError):
        raise
    except Exception as error:
        raise DamagedError(f"the stored bytes are not a whole Arrow file: {error}") from error

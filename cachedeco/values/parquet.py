"""Frames as Parquet files."""

from __future__ import annotations

from importlib import import_module
from io import BytesIO

from cachedeco.values.contract import DamagedError, MissingSerializerError, Parts, UnstorableError
from cachedeco.values.frames import from_table, to_table
from cachedeco.values.reading import read_whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cachedeco.values.contract import Packed

pyarrow: Any = import_module("pyarrow")  # it ships no types
parquet: Any = import_module("pyarrow.parquet")


class ParquetSerializer:
    """Stores frames of pandas and polars, and Arrow's own tables and record batches, as Parquet.

    A value is encoded and read back before it is stored, because Parquet has fewer types than Arrow, and
    refused if anything would change. Tables come back with the same rows, though perhaps in other chunks.
    """

    name = "parquet"
    ext = ".parquet"
    runs_code = False

    def pack(self, value: object) -> Packed:
        """The frame, encoded."""
        file = BytesIO()

        def through(table: Any) -> Any:
            try:
                parquet.write_table(table, file, use_compliant_nested_type=False)
            except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError) as error:
                raise UnstorableError(
                    f"the serializer 'parquet' cannot store this table: {error}. "
                    "Use serializer='arrow' or 'pickle' for it",
                    type_name="pyarrow.Table",
                ) from error
            return _read(file.getbuffer())

        to_table(value, self.name, through)
        return Parts([file.getbuffer()])

    def unpack(self, data: bytes | bytearray | memoryview) -> object:
        """The frame."""
        return _frame(data)

    def load(self, path: str, *, mmap: bool = True) -> object:
        """The frame in the file."""
        return _frame(read_whole(path, mmap=mmap))


def _read(data: bytes | bytearray | memoryview) -> Any:
    with parquet.ParquetFile(pyarrow.BufferReader(pyarrow.py_buffer(data))) as file:
        return file.read()


def _frame(data: bytes | bytearray | memoryview) -> object:
    try:
        return from_table(_read(data))
    except (DamagedError, MissingSerializerError, MemoryError):
        raise
    except Exception as error:
        raise DamagedError(f"the stored bytes are not a whole Parquet file: {error}") from error

"""joblib's own format and its compressors."""

from __future__ import annotations

from importlib import import_module
from io import BufferedReader, BytesIO

import joblib  # type: ignore[import-untyped]

from cachedeco.values.contract import DamagedError, Streamed, UnloadableError
from cachedeco.values.diagnosis import unstorable
from cachedeco.values.reading import open_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from cachedeco.values.contract import Packed


class JoblibSerializer:
    """Stores what joblib stores: pickles in which arrays are written apart.

    Values come back as joblib gives them back: arrays writable, maps of files as plain arrays. It reads into
    plain memory; large arrays that come back as maps are what ``serializer="pickle"`` is for.
    """

    ext = ".joblib"

    def __init__(self, compressor: str = "") -> None:
        self.name = f"joblib-{compressor}" if compressor else "joblib"
        self._compress: int | str = compressor or 0
        if compressor == "lz4":
            import_module("lz4.frame")  # joblib itself would say so only when it is too late

    def pack(self, value: object) -> Packed:
        """The value, to be pickled while it is written."""

        def dump(file: BinaryIO) -> None:
            try:
                joblib.dump(value, file, compress=self._compress)
            except (MemoryError, OSError):
                raise
            except Exception as error:
                raise unstorable(value, error) from error

        return Streamed(dump)

    def unpack(self, data: bytes | bytearray | memoryview) -> object:
        """The value; the compressor is told by the content."""
        return _load(BytesIO(data))

    def load(self, path: str, *, mmap: bool = True) -> object:  # noqa: ARG002 - see the class
        """The value in the file."""
        with open_value(path) as raw, BufferedReader(raw) as file:
            return _load(file)


def _load(file: BinaryIO) -> object:
    try:
        return joblib.load(file)
    except MemoryError:
        raise
    except (ImportError, AttributeError) as error:
        raise UnloadableError(
            f"the stored value cannot be rebuilt here: {error}. Its class was moved or renamed, or its "
            "package is not installed in this environment"
        ) from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the file, not its content
        raise DamagedError(f"the stored bytes are nothing that joblib wrote: {error}") from error

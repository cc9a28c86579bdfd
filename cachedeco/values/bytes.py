"""Bytes as they are."""

from __future__ import annotations

from cachedeco.values.contract import Whole, refuse_type
from cachedeco.values.reading import read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cachedeco.values.contract import Packed


class BytesSerializer:
    """Stores `bytes`, exactly that type, and nothing around them."""

    name = "bytes"
    ext = ".bin"
    runs_code = False

    def pack(self, value: object) -> Packed:
        """The bytes themselves."""
        if type(value) is not bytes:
            raise refuse_type(self.name, "bytes", value)
        return Whole(value)

    def unpack(self, data: bytes | bytearray | memoryview) -> object:
        """The bytes themselves, as immutable as ever."""
        return bytes(data)

    def load(self, path: str, *, mmap: bool = True) -> object:  # noqa: ARG002 - bytes cannot live in a map
        """The content of the file."""
        return read_file(path)

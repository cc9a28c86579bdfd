"""Text as UTF-8, line ends untouched."""

from __future__ import annotations

from cachedeco.values.contract import DamagedError, Parts, UnstorableError, refuse_type
from cachedeco.values.reading import read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cachedeco.values.contract import Packed

PIECE = 1024 * 1024


class TextSerializer:
    """Stores `str`, exactly that type, as UTF-8."""

    name = "text"
    ext = ".txt"
    runs_code = False

    def pack(self, value: object) -> Packed:
        """Text that can be encoded; half a surrogate pair cannot."""
        if type(value) is not str:
            raise refuse_type(self.name, "str", value)
        try:
            return Parts([_Encoded(value)])
        except UnicodeEncodeError as error:
            raise UnstorableError(
                f"the serializer 'text' cannot store this text: {error}. Use serializer='pickle' for it",
                type_name="str",
            ) from error

    def unpack(self, data: bytes | bytearray | memoryview) -> object:
        """The text."""
        try:
            return str(data, "utf-8")
        except UnicodeDecodeError as error:
            raise DamagedError(f"the stored bytes are not UTF-8: {error}") from error

    def load(self, path: str, *, mmap: bool = True) -> object:  # noqa: ARG002 - text cannot live in a map
        """The text in the file."""
        return self.unpack(read_file(path))


class _Encoded:
    """Text that is encoded while it is written, so that it never is in memory twice."""

    readonly = True

    def __init__(self, text: str) -> None:
        self._text = text
        self.nbytes = len(text) if text.isascii() else sum(map(len, self.pieces()))

    def pieces(self) -> Iterable[bytes]:
        text = self._text
        for start in range(0, len(text), PIECE):
            yield text[start : start + PIECE].encode()

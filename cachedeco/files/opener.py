"""Opening a file for reading, whatever it is packed in: lines, the whole content, or members by name."""

from __future__ import annotations

import contextlib
import io
import os

from cachedeco.errors import OptionError
from cachedeco.files.archive import Archive
from cachedeco.files.formats import (
    ARCHIVES,
    PLAIN,
    UnreadableFileError,
    decompressed,
    failures,
    format_of,
    is_of_the_system,
    named,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import IO, Any, BinaryIO, Self

MODES = {"r": False, "rt": False, "rb": True}
"""What a file can be opened as -> whether that gives bytes."""

_CHUNK = 1 << 20


class Content:
    """What a file or a member of an archive holds, read when it is asked for.

    Iterating gives its lines, each time from the first on. It stays usable as long as somebody has it.

    Args:
        open_stream: opens it as a stream of bytes.
        name: for messages.
        kind: the format of the file.
        encoding: of the text; None for bytes.
    """

    def __init__(
        self, open_stream: Callable[[], BinaryIO], name: str, kind: str, encoding: str | None
    ) -> None:
        self._open_stream = open_stream
        self._name = name
        self._kind = kind
        self._encoding = encoding

    def __repr__(self) -> str:
        return f"<content of {self._name}>"

    def open(self) -> IO[Any]:
        """Open it as a file object, of text or bytes; the caller closes it."""
        stream = self._open_stream()
        return stream if self._encoding is None else io.TextIOWrapper(stream, encoding=self._encoding)

    def __iter__(self) -> Iterator[Any]:
        """Its lines.

        Raises:
            UnreadableFileError: the file is damaged or cut off.
        """
        with self._translated(), self.open() as file:
            yield from file

    def read(self) -> Any:
        """All of it, as text or bytes.

        Raises:
            UnreadableFileError: the file is damaged or cut off.
        """
        with self._translated(), self.open() as file:
            return file.read()

    def measure(self) -> int:
        """How many bytes it has, found by reading it."""
        size = 0
        with self._translated(), self._open_stream() as stream:
            while chunk := stream.read(_CHUNK):
                size += len(chunk)
        return size

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except failures(self._kind) as error:
            if is_of_the_system(error):
                raise  # the file, not what it holds
            raise UnreadableFileError(f"{self._name} cannot be read as {self._kind}: {error}") from error


class Opener:
    """A file, opened for reading. Nothing is extracted to disk, and the file is never changed.

    Args:
        path: of the file.
        ext: its format, such as ``"gz"``; another extension for a file that is to be read as it is. Default: told
            by its first bytes.
        needed: names of the members of an archive that are wanted; default all files in it.
        large: give lines that are read one by one; else the whole content.
        default_mode: ``"r"`` for text or ``"rb"`` for bytes, in every format.
        encoding: of text; default UTF-8.

    Attributes:
        path: of the file.
        type: its format: ``"plain"``, ``"gz"``, ``"bz2"``, ``"xz"``, ``"zst"``, ``"zip"``, ``"tar"``, ``"tar.gz"``...

    Raises:
        OptionError: the mode is not for reading, or a needed member does not exist.
        UnreadableFileError: it is no archive of that format.
        OSError: it cannot be read.

    Examples:
        >>> import gzip, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with gzip.open(folder + "/words", "wt") as file:
        ...         count = file.write("one two")
        ...     Opener(folder + "/words", large=False).result
        'one two'
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        ext: str | None = None,
        needed: str | Iterable[str] | None = None,
        large: bool = True,
        default_mode: str = "r",
        encoding: str | None = None,
    ) -> None:
        if default_mode not in MODES:
            raise OptionError(f"default_mode={default_mode!r}: a file is opened for reading, as 'r' or 'rb'")
        if MODES[default_mode] and encoding is not None:
            raise OptionError(f"encoding={encoding!r} is for text; default_mode='rb' gives bytes")
        self.path = os.fspath(path)
        self.type = format_of(self.path) if ext is None else named(ext)
        self._encoding = None if MODES[default_mode] else encoding or "utf-8"
        self._large = large
        self._archive: Archive | None = None
        self._members: dict[str, Content] = {}
        self._file: IO[Any] | None = None
        if self.type in ARCHIVES:
            self._open_archive(needed)
        elif needed is not None:
            raise OptionError(f"needed={needed!r}: {self.path} is no archive, it has no members")

    def __repr__(self) -> str:
        return f"Opener({self.path!r}, type={self.type!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Any]:
        """The lines of a file; the names of the members of an archive."""
        return iter(self._content()) if self._archive is None else iter(self._members)

    @property
    def result(self) -> Content | str | bytes | Mapping[str, Content | str | bytes]:
        """Its lines if `large`, else its content; of an archive, a mapping of names to that."""
        if self._archive is None:
            return self._content() if self._large else self._content().read()
        return self._members if self._large else {name: each.read() for name, each in self._members.items()}

    @property
    def fileobj(self) -> IO[Any]:
        """The file as a file object of text or bytes, closed together with this.

        Raises:
            OptionError: it is an archive: its members are opened by ``result[name].open()``.
        """
        if self._archive is not None:
            raise OptionError(f"{self.path} is an archive; its members are opened by result[name].open()")
        if self._file is None or self._file.closed:
            self._file = self._content().open()
        return self._file

    @property
    def size(self) -> int:
        """Bytes of the content once decompressed; of an archive, of all wanted members together."""
        if self.type == PLAIN:
            return os.stat(self.path).st_size
        return self._content().measure() if self._archive is None else sum(self.sizes.values())

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of each wanted member of an archive; of another file, of the one that it is."""
        if self._archive is None:
            return {os.path.basename(self.path): self.size}
        return {name: self._archive.sizes[name] for name in self._members}

    def close(self) -> None:
        """Close what is open. Members of an archive cannot be read afterwards."""
        if self._file is not None:
            self._file.close()
        if self._archive is not None:
            self._archive.close()

    def _content(self) -> Content:
        path, layer = self.path, self.type
        return Content(lambda: _stream(path, layer), path, layer, self._encoding)

    def _open_archive(self, needed: str | Iterable[str] | None) -> None:
        archive = self._archive = Archive(self.path, self.type)
        names = list(archive.sizes)
        if needed is not None:
            names = [needed] if isinstance(needed, str) else list(needed)
            missing = [name for name in names if name not in archive.sizes]
            if missing:
                archive.close()
                raise OptionError(
                    f"needed: {self.path} has no member {missing[0]!r}; it has {_some(archive.sizes)}"
                )
        for name in names:
            self._members[name] = Content(
                archive.opening(name), f"{name} in {self.path}", self.type, self._encoding
            )


def _stream(path: str, layer: str) -> BinaryIO:
    file = open(path, "rb")  # noqa: SIM115 - the caller closes it
    if layer == PLAIN:
        return file
    try:
        return _Stream(decompressed(layer, file), file)
    except BaseException:
        file.close()
        raise


class _Stream(io.BufferedReader):
    """A decompressed stream that closes the file underneath as well."""

    def __init__(self, stream: BinaryIO, file: BinaryIO) -> None:
        super().__init__(stream)  # type: ignore[arg-type]  # it reads like a raw stream
        self._stream_file = file

    def close(self) -> None:
        """Close it, and the file underneath."""
        try:
            super().close()
        finally:
            self._stream_file.close()


def _some(names: Iterable[str]) -> str:
    listed = sorted(names)
    shown = ", ".join(map(repr, listed[:10]))
    return f"{shown} and {len(listed) - 10} more" if len(listed) > 10 else shown or "none"  # noqa: PLR2004

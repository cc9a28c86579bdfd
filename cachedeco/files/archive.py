"""Archives: their regular files by name, read without extracting anything to disk."""

from __future__ import annotations

import weakref

from cachedeco.errors import OptionError
from cachedeco.files.formats import UnreadableFileError, decompressed, failures, is_of_the_system

TYPE_CHECKING = False
if TYPE_CHECKING:
    import tarfile
    import zipfile
    from collections.abc import Callable
    from typing import BinaryIO


class Archive:
    """A zip or tar file. It stays open until it is closed, or until nobody has a member of it any more.

    Folders, devices and symbolic links are no members; of two with one name the last one counts, as when an
    archive is extracted. Names are only names here: they lead nowhere.

    Args:
        path: of the file.
        kind: its format.

    Attributes:
        sizes: name of each member -> its bytes.

    Raises:
        UnreadableFileError: it is no archive of that format, or is cut off.
        OSError: it cannot be read.
    """

    def __init__(self, path: str, kind: str) -> None:
        self.path = path
        self.sizes: dict[str, int] = {}
        self._opening: dict[str, Callable[[], BinaryIO]] = {}
        file = open(path, "rb")  # noqa: SIM115 - closed by `close`
        opened: list[BinaryIO] = [file]
        try:
            if kind == "zip":
                self._read_zip(file)
            else:
                layer = kind.partition(".")[2]
                if layer:
                    opened.append(decompressed(layer, file))
                self._read_tar(opened[-1])
        except failures(kind) as error:
            _close(opened)
            if is_of_the_system(error):
                raise
            raise UnreadableFileError(f"{path} cannot be read as {kind}: {error}") from error
        except BaseException:
            _close(opened)
            raise
        self.close = weakref.finalize(self, _close, opened)

    def opening(self, name: str) -> Callable[[], BinaryIO]:
        """A function that opens a member as a stream of bytes, and keeps the archive open."""
        opened = self._opening[name]

        def open_member() -> BinaryIO:
            if not self.close.alive:
                raise ValueError(f"{self.path} has been closed")
            stream = opened()
            stream.archive = self  # type: ignore[attr-defined]  # it would be closed with the last member
            return stream

        return open_member

    def _read_zip(self, file: BinaryIO) -> None:
        import zipfile

        archive = zipfile.ZipFile(file)

        def opening(member: zipfile.ZipInfo) -> Callable[[], BinaryIO]:
            return lambda: _open_zipped(archive, member)

        for member in archive.infolist():
            if not member.is_dir():
                self.sizes[member.filename] = member.file_size
                self._opening[member.filename] = opening(member)

    def _read_tar(self, file: BinaryIO) -> None:
        import tarfile

        archive = tarfile.open(fileobj=file, mode="r:")  # noqa: SIM115 - it has nothing to close but the file
        members = {member.name: member for member in archive.getmembers() if member.isreg() or member.islnk()}

        def opening(member: tarfile.TarInfo) -> Callable[[], BinaryIO]:
            return lambda: _open_in_tar(archive, member)

        for name, member in members.items():
            # A second name of a file holds nothing itself.
            target = member if member.isreg() else members.get(member.linkname)
            if target is not None and target.isreg():
                self.sizes[name] = target.size
                self._opening[name] = opening(target)


def _open_zipped(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> BinaryIO:
    if member.flag_bits & 1:
        raise NotImplementedError("it is encrypted")
    return archive.open(member)  # type: ignore[return-value]  # as far as reading goes it is one


def _open_in_tar(archive: tarfile.TarFile, member: tarfile.TarInfo) -> BinaryIO:
    stream = archive.extractfile(member)
    if stream is None:
        raise OptionError(f"{member.name} is no regular file")
    return stream  # type: ignore[return-value]  # as above


def _close(opened: list[BinaryIO]) -> None:
    for each in reversed(opened):
        each.close()

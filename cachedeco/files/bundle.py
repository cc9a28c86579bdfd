"""An archive of items: a zip file, from which nothing is believed that was not looked at.

    cachedeco.json     what this is, and in which version of the format
    items/1.json       what is known of an item, with size and SHA-256 of each of its parts
    items/1/1          a part: its value, one of its files, its stored arguments
    index.json         SHA-256 of each description

Nothing is compressed, so nothing can swell when it is read; entries have numbers for names, so none of them can lead
anywhere. What the items' own files are called stands in the descriptions.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import zipfile

from cachedeco.errors import ArchiveError
from cachedeco.files.formats import failures, is_of_the_system

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any, Self

FORMAT, VERSION = "cachedeco export", 1

_HEADER, _INDEX = "cachedeco.json", "index.json"
_LARGEST_HEADER, _LARGEST_INDEX, _LARGEST_DESCRIPTION = 1 << 16, 1 << 28, 1 << 26
_CHUNK = 1 << 20
_DATE = (1980, 1, 1, 0, 0, 0)
_ENCRYPTED = 1
_SHA256_BYTES = 32


class Part:
    """Bytes that belong to an item, or a folder among them.

    Attributes:
        role: ``"inline"``, ``"file"``, ``"folder"`` or ``"arguments"``.
        path: inside the item's place, with ``/``; empty for the place itself.
        size: bytes.
        sha256: 32 bytes; none for a folder.
    """

    __slots__ = ("path", "role", "sha256", "size")

    def __init__(self, role: str, path: str, size: int = 0, sha256: bytes = b"") -> None:
        self.role = role
        self.path = path
        self.size = size
        self.sha256 = sha256


class Writer:
    """Writes an archive, beside the place that it gets; there is none until it is whole.

    Args:
        path: of the archive.
        keys: names the scheme by which the items' keys were made.

    Raises:
        FileExistsError: there is something at that path.
        FileNotFoundError: its folder does not exist.
        OSError: it cannot be written.
    """

    def __init__(self, path: str, keys: str) -> None:
        if os.path.lexists(path):
            raise FileExistsError(f"{path} exists, and is not overwritten; choose another path or remove it")
        folder = os.path.dirname(path) or os.curdir
        if not os.path.isdir(folder):
            raise FileNotFoundError(
                f"there is no folder {folder} for the archive; make it, or choose another path"
            )
        self._path = path
        self._part = f"{path}.{os.urandom(4).hex()}.part"
        self._index: dict[str, str] = {}
        self._number = 0
        self._zip = zipfile.ZipFile(self._part, "x", zipfile.ZIP_STORED)
        self._write(_HEADER, {"format": FORMAT, "version": VERSION, "keys": keys})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._write(_INDEX, {"items": self._index})
            self._zip.close()
            if kind is None:
                _move(self._part, self._path)
        finally:
            self._zip.close()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._part)

    def begin(self) -> None:
        """Begin with an item. One that is not described in the end is not in the archive, whatever lies there."""
        self._number += 1

    def part(self, role: str, path: str, number: int, chunks: Callable[[], Iterable[bytes]]) -> Part:
        """Put in a part of the item that has been begun.

        Args:
            role: see `Part`.
            path: see `Part`.
            number: of the part in its item.
            chunks: gives its bytes.
        """
        size, total = 0, hashlib.sha256()
        with self._zip.open(_entry(_part_name(self._number, number)), "w", force_zip64=True) as file:
            for chunk in chunks():
                file.write(chunk)
                total.update(chunk)
                size += len(chunk)
        return Part(role, path, size, total.digest())

    def put(self, known: dict[str, Any], parts: Sequence[Part]) -> None:
        """Put in the description of the item that has been begun."""
        described = [
            {"role": each.role, "path": each.path, "size": each.size, "sha256": each.sha256.hex()}
            for each in parts
        ]
        data = self._write(_item_name(self._number), {"item": known, "parts": described})
        self._index[str(self._number)] = hashlib.sha256(data).hexdigest()

    def _write(self, name: str, content: dict[str, Any]) -> bytes:
        import json

        data = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
        self._zip.writestr(_entry(name), data)
        return data


class Reader:
    """Reads an archive of whoever.

    Args:
        path: of the archive.

    Attributes:
        keys: names the scheme by which the items' keys were made.
        size: bytes of all parts, as they are in the file.

    Raises:
        ArchiveError: it is none, is damaged, or is made in a way that exports are not.
        OSError: it cannot be read.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = open(path, "rb")  # noqa: SIM115 - closed by `close`
        try:
            with _damage_told(f"{path} is no archive of `Cache.export`, or"):
                self._zip = zipfile.ZipFile(self._file)
                self._entries = self._looked_at()
            header = self._read(_HEADER, _LARGEST_HEADER)
            if header.get("format") != FORMAT:
                raise ArchiveError(f"{path} is no archive of `Cache.export`")
            if header.get("version") != VERSION:
                raise ArchiveError(
                    f"{path} has version {header.get('version')!r} of the format, and this library knows {VERSION}; "
                    "a newer one may read it"
                )
            self.keys = header.get("keys")
            index = self._read(_INDEX, _LARGEST_INDEX).get("items")
            if not isinstance(index, dict):
                raise ArchiveError(f"{path} is damaged: it has no index")
            self._index: dict[str, Any] = index
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def numbers(self) -> list[int]:
        """The items, in the order in which they were put in."""
        return sorted(int(each) for each in self._index if each.isascii() and each.isdigit())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def item(self, number: int) -> tuple[dict[str, Any], list[Part]]:
        """What is known of an item, and its parts.

        Raises:
            ArchiveError: it is not what was written.
        """
        name = _item_name(number)
        content = self._read(name, _LARGEST_DESCRIPTION, self._index[str(number)])
        known, parts = content.get("item"), content.get("parts")
        if not isinstance(known, dict) or not isinstance(parts, list):
            raise ArchiveError(f"{name} describes no item")
        return known, [_part(name, each) for each in parts]

    def chunks(self, item: int, number: int, part: Part) -> Iterator[bytes]:
        """The bytes of a part; the last of them are given away before it is known whether they are right.

        Raises:
            ArchiveError: they are not what was written.
        """
        name = _part_name(item, number)
        entry = self._entries.get(name)
        if entry is None or entry.file_size != part.size:
            raise ArchiveError(f"{name} is missing, or has another size")
        total = hashlib.sha256()
        with _damage_told(name), self._zip.open(entry) as file:
            while chunk := file.read(_CHUNK):
                total.update(chunk)
                yield chunk
        if total.digest() != part.sha256:
            raise ArchiveError(f"{name} is not what was written")

    def _looked_at(self) -> dict[str, zipfile.ZipInfo]:
        """The entries by name, none of which can be larger than it looks."""
        found: dict[str, zipfile.ZipInfo] = {}
        for each in self._zip.infolist():
            if each.filename in found:
                raise ArchiveError(f"{self._path} has two entries of the name {each.filename!r}")
            if each.compress_type != zipfile.ZIP_STORED or each.file_size != each.compress_size:
                raise ArchiveError(f"{self._path} has compressed entries, which exports have not")
            if each.flag_bits & _ENCRYPTED:
                raise ArchiveError(f"{self._path} is encrypted")
            found[each.filename] = each
        self.size = sum(each.file_size for each in found.values())
        # Entries may lie over each other, and so be many times what the file is.
        if self.size > os.fstat(self._file.fileno()).st_size:
            raise ArchiveError(f"{self._path} claims to hold more bytes than it has")
        return found

    def _read(self, name: str, largest: int, sha256: object = None) -> dict[str, Any]:
        import json

        entry = self._entries.get(name)
        if entry is None or entry.file_size > largest:
            raise ArchiveError(f"{self._path} is damaged, or no export: {name} is missing or too large")
        with _damage_told(name):
            data = self._zip.read(entry)
            if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
                raise ArchiveError(f"{name} is not what was written")
            content = json.loads(data)
        if not isinstance(content, dict):
            raise ArchiveError(f"{name} is damaged: it is no object")
        return content


@contextlib.contextmanager
def _damage_told(what: str) -> Iterator[None]:
    """Tell by an `ArchiveError` whatever a damaged archive makes `zipfile` and `json` raise."""
    try:
        yield
    except ArchiveError:
        raise
    except (ValueError, RecursionError) as error:
        raise ArchiveError(f"{what} is damaged: {error}") from error
    except failures("zip") as error:
        if is_of_the_system(error):
            raise
        raise ArchiveError(f"{what} is damaged: {error}") from error


def _move(part: str, path: str) -> None:
    """Give a file its name, if nobody has taken that meanwhile."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:
        # A file system without second names for files.
        if os.path.lexists(path):
            raise FileExistsError(f"{path} exists by now, and is not overwritten") from None
        os.rename(part, path)


def _part(name: str, described: object) -> Part:
    try:
        fields: dict[str, Any] = dict(described)  # type: ignore[call-overload]  # what is no dict is an error
        part = Part(fields["role"], fields["path"], fields["size"], bytes.fromhex(fields["sha256"]))
    except (TypeError, KeyError, ValueError) as error:
        raise ArchiveError(f"{name} describes a part that is none: {error!r}") from error
    kinds_fit = isinstance(part.role, str) and isinstance(part.path, str) and type(part.size) is int
    if not kinds_fit or part.size < 0 or len(part.sha256) != (0 if part.role == "folder" else _SHA256_BYTES):
        raise ArchiveError(f"{name} describes a part that is none")
    return part


def _item_name(item: int) -> str:
    return f"items/{item}.json"


def _part_name(item: int, number: int) -> str:
    return f"items/{item}/{number}"


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _DATE)
    entry.external_attr = 0o644 << 16
    return entry

"""Keys of files and folders by their content.

A file is read once, then known by path, size, times and inode. It is read again as long as it is so young
that another change could leave the same times behind. Setting the modification time back does not help: the
change time, which nobody can set, counts too. A program that writes through a shared memory map may escape.

That there is nothing is a content too: the function runs and says so in its own words, its failure is recorded
like any other, and once the file is there the call is another one.

A folder is what a program finds in it: the relative names of all entries and the content of all files, in no
order; empty folders count, times and permissions do not. A link to a file counts as that file, wherever it
lies. A link to a folder within counts as the way to it; it is not followed, so circles end. A link to a
folder outside is refused: what counts would have no end.
"""

from __future__ import annotations

import os
import stat
import time

from xxhash import xxh3_128, xxh3_128_digest

from cachedeco.errors import KeyingError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Protocol

    Signature = tuple[str, int, int, int, int]
    """Path, size, mtime_ns, ctime_ns, inode."""

    Listing = dict[str, Signature | str]
    """By relative name: the signature of a file, or the text that stands for a folder or a link."""

    class Memory(Protocol):
        """Remembers digests of files. Forgetting is allowed, mixing up is not."""

        def get(self, signature: Signature, /) -> bytes | None:
            """Return the digest that was put under exactly this signature, else None."""

        def put(self, signature: Signature, digest: bytes, /) -> None:
            """Remember a digest of 16 bytes. Older signatures of the path may be dropped."""


_SECOND = 1_000_000_000
_COARSE_TICK = 2 * _SECOND
_FINE_TICK = 20_000_000
_BLOCK = 1 << 20


class ProcessMemory:
    """A memory that ends with the process. Threads may share it."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[str, tuple[Signature, bytes]] = {}

    def get(self, signature: Signature) -> bytes | None:
        """Return the digest that was put under exactly this signature, else None.

        Args:
            signature: of a file.
        """
        known = self._known.get(signature[0])
        return known[1] if known is not None and known[0] == signature else None

    def put(self, signature: Signature, digest: bytes) -> None:
        """Remember the digest of a file, in the place of its earlier ones.

        Args:
            signature: of the file.
            digest: of its content.
        """
        self._known[signature[0]] = signature, digest


MEMORY = ProcessMemory()
"""Used where no other memory is handed in."""


class Content:
    """Stands in a key for the path of a file or folder.

    Attributes:
        path: the absolute path.
        kind: ``"file"``, ``"folder"`` or ``"absent"``.
        digest: 16 bytes.
        size: bytes of all files in it.
    """

    __slots__ = ("_listing", "_young", "digest", "kind", "path", "size")

    def __init__(self, path: str, memory: Memory) -> None:
        self.path = path
        self.kind, self._listing = _list(path)
        signatures = {name: entry for name, entry in self._listing.items() if isinstance(entry, tuple)}
        self.size = sum(signature[1] for signature in signatures.values())
        self._young: dict[str, bytes] = {}
        digests: dict[str, bytes] = {}
        for name, signature in signatures.items():
            digests[name], settled = _digest(signature, memory)
            if not settled:
                self._young[name] = digests[name]
        self.digest = digests[""] if self.kind == "file" else _fold(self._listing, digests)

    def __repr__(self) -> str:
        return f"Content({self.path!r}, {self.digest.hex()})"

    def __cachedeco_key__(self) -> object:
        return (self.kind, self.size, self.digest)

    def changed(self) -> str | None:
        """Return the path of something that is not as it was when it was read, None when all still is."""
        try:
            now = _list(self.path)[1]
            for name in sorted(now.keys() | self._listing.keys()):
                if now.get(name) != self._listing.get(name):
                    return os.path.join(self.path, name) if name else self.path
            for name, digest in self._young.items():
                signature = self._listing[name]
                if isinstance(signature, tuple) and _read(signature[0])[0] != digest:
                    return signature[0]
        except (OSError, KeyingError):
            return self.path
        return None


class Contents:
    """Stands in a key for a list, tuple or dict of paths.

    Attributes:
        parts: the container, with `Content` for each path.
    """

    __slots__ = ("parts",)

    def __init__(self, parts: Sequence[object] | dict[object, object]) -> None:
        self.parts = parts

    def __repr__(self) -> str:
        return f"Contents({self.parts!r})"

    def __cachedeco_key__(self) -> object:
        return self.parts

    def __iter__(self) -> Iterator[object]:
        return iter(self.parts.values() if isinstance(self.parts, dict) else self.parts)


def of(value: object, name: str, memory: Memory | None = None) -> Content | Contents | None:
    """Return what stands for a path, or for a container of paths, in a key.

    Args:
        value: a str or path, a list, tuple or dict of such, or None.
        name: of the argument, for messages.
        memory: remembers files; None for one that ends with the process.

    Raises:
        OSError: a file or folder cannot be read; the message names the argument.
        KeyingError: the value is no path, or what it leads to has no content.
    """
    if value is None:
        return None
    if isinstance(value, (str, os.PathLike)):
        return _content(value, name, MEMORY if memory is None else memory)
    if isinstance(value, (list, tuple)):
        parts = [of(part, f"{name}[{place}]", memory) for place, part in enumerate(value)]
        return Contents(parts if isinstance(value, list) else tuple(parts))
    if isinstance(value, dict):
        return Contents({key: of(part, f"{name}[{key!r}]", memory) for key, part in value.items()})
    raise KeyingError(
        f"the argument {name} is keyed by the content of a file, but is a {type(value).__qualname__}; "
        "pass a path, or a list, tuple or dict of paths",
        path=name,
    )


def still_same(stand_ins: Iterable[object]) -> list[str]:
    """Look again at all files and folders that were keyed by their content.

    Args:
        stand_ins: values of the params; those that do not stand for files are passed over.

    Returns:
        For each that has changed since, the path of one file that did.
    """
    changed: list[str] = []
    for stand_in in stand_ins:
        if isinstance(stand_in, Content):
            path = stand_in.changed()
            if path is not None:
                changed.append(path)
        elif isinstance(stand_in, Contents):
            changed += still_same(stand_in)
    return changed


def _content(value: str | os.PathLike[str], name: str, memory: Memory) -> Content:
    text = os.fsdecode(value)
    try:
        # Not abspath: it cuts "link/.." out, which leads elsewhere. Nor may an empty text become the folder.
        return Content(os.path.join(os.getcwd(), text) if text else text, memory)
    except OSError as error:
        # OSError picks the class by the number: FileNotFoundError stays one.
        raise OSError(
            error.errno,
            f"the argument {name} is keyed by the content of a file, but: {error.strerror}",
            text if error.filename is None else error.filename,
        ) from error
    except ValueError as error:
        raise KeyingError(f"the argument {name} is no path: {error}", path=name) from error
    except KeyingError as error:
        raise KeyingError(f"the argument {name} is keyed by its content, but {error}", path=name) from None


def _list(path: str) -> tuple[str, Listing]:
    """Say what a path leads to, and list what is in it; a file has the name '' there."""
    try:
        state = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return "absent", {}
    if stat.S_ISDIR(state.st_mode):
        return "folder", _list_folder(path)
    return "file", {"": _signature(path, state)}


def _list_folder(root: str) -> Listing:
    listing: Listing = {}
    real_root = os.path.realpath(root)
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        with os.scandir(os.path.join(root, folder)) as entries:
            for entry in entries:
                name = os.path.join(folder, entry.name)
                if entry.is_symlink():
                    listing[name] = _link(entry.path, real_root)
                elif entry.is_dir():
                    listing[name] = "folder"
                    waiting.append(name)
                else:
                    listing[name] = _signature(entry.path, entry.stat())
    return listing


def _link(path: str, real_root: str) -> Signature | str:
    target = os.path.realpath(path)
    try:
        state = os.stat(target)
    except OSError:
        return "broken link to " + os.readlink(path)
    if not stat.S_ISDIR(state.st_mode):
        return _signature(path, state)
    if os.path.commonpath((real_root, target)) != real_root:
        raise KeyingError(
            f"{path} in it is a link to the folder {target} outside of it; "
            "pass that folder as an argument of its own"
        )
    return "link to " + os.path.relpath(target, real_root)


def _signature(path: str, state: os.stat_result) -> Signature:
    if not stat.S_ISREG(state.st_mode):
        raise KeyingError(f"{path} is a device, pipe or socket, whose content is gone once it is read")
    return path, state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino


def _digest(signature: Signature, memory: Memory) -> tuple[bytes, bool]:
    """Return the digest of a file, and whether a later change is sure to leave another signature."""
    now = time.time_ns()
    tick = _FINE_TICK if signature[3] % _SECOND else _COARSE_TICK
    settled = signature[3] + tick < now
    known = memory.get(signature) if settled else None
    if known is not None:
        return known, True
    digest, state = _read(signature[0])
    if settled and _signature(signature[0], state) == signature:
        memory.put(signature, digest)
    return digest, settled


def _read(path: str) -> tuple[bytes, os.stat_result]:
    """Return the digest of a file's bytes, and its state after they were read."""
    hasher = xxh3_128()
    buffer = memoryview(bytearray(_BLOCK))
    with open(path, "rb", buffering=0) as file:
        while count := file.readinto(buffer):
            hasher.update(buffer[:count])
        return hasher.digest(), os.fstat(file.fileno())


def _fold(listing: Listing, digests: dict[str, bytes]) -> bytes:
    """Return the digest of a folder: of each entry its name, what it is, and its digest."""
    records: list[tuple[bytes, bytes]] = []
    for name, entry in listing.items():
        record = (
            b"file" + digests[name]
            if isinstance(entry, tuple)
            else b"else" + xxh3_128_digest(os.fsencode(entry))
        )
        records.append((os.fsencode(name), record))
    hasher = xxh3_128()
    for encoded, record in sorted(records):
        hasher.update(len(encoded).to_bytes(8, "little") + encoded + record)
    return hasher.digest()

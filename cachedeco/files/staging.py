"""Write beside, then move into place: no reader ever sees half of an item.

Notes:
    The staging folder lies beside the final one, so publishing is one `os.rename` on one file system. Both
    names contain the token of the claim: a writer that has lost its claim can only touch its own folder.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
import threading

import xxhash

from cachedeco.files import manifest
from cachedeco.trust import Trust

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO, Protocol

    class Hash(Protocol):
        """A digest under way, of ``hashlib`` or ``xxhash``."""

        def update(self, data: bytes | memoryview, /) -> None:
            """Take more bytes."""


_CHUNK = 1 << 20
_IN_CORE = 1 << 19  # fits into a core's cache, so that digesting and writing read memory once
_WORTH_A_THREAD = 1 << 24
_SIDE_BY_SIDE = 1 << 25  # so that a map of a file larger than memory is read once for both


class Staging:
    """The place where one item's bytes are written until they are complete.

    Args:
        final: absolute path of the item's folder; ``.part`` is appended while it is being written.
        top: the cache folder; by default it lies three levels above.
        trust: whose the cache folder may be; by default its owner's only.

    Attributes:
        folder: absolute path of the staging folder.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, final: str, top: str | None = None, trust: Trust | None = None) -> None:
        self.final = final
        self.folder = final + ".part"
        self._trust = trust or Trust()
        self._trust.make_folder(top or final.rsplit(os.sep, 3)[0], self.folder)
        if self._trust.shared:
            # Until it is published nobody else of the group can change what is about to be signed.
            os.chmod(self.folder, 0o700)

    def create(self, filename: str, also: Hash | None = None) -> DigestingFile:
        """Open a new file for writing that counts and digests what passes through it.

        Args:
            filename: its name.
            also: another digest that is to see the same bytes.
        """
        return DigestingFile(open(os.path.join(self.folder, filename), "xb", buffering=0), also)

    def publish(self, *, sync: bool = False) -> None:
        """Make everything read-only and move it into place.

        Args:
            sync: see that the content survives a power cut; `settle` does so for its place.

        Raises:
            OSError: it cannot be moved, or the disk could not keep it. Nobody may ask again whether it can now: after
                an error the system takes what it has lost for written.
        """
        protect(self.folder, self._trust)
        if sync:
            sync_content(self.folder)
        os.rename(self.folder, self.final)

    def settle(self, top: str) -> None:
        """See that what was published, and what lies beside it, has its place also after a power cut.

        Args:
            top: the cache folder; those in between may be new.
        """
        sync_place(self.final, top)

    def discard(self) -> None:
        """Delete what was written, published or not. Nothing is done for what is gone already."""
        import shutil

        for folder in (self.folder, self.final):
            # Interrupted by Ctrl-C, `rmtree` may raise an OSError even so, which would take the place of Ctrl-C.
            with contextlib.suppress(OSError):
                shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            manifest.remove(self.final)


class DigestingFile(io.RawIOBase):
    """A file that is written front to back, and knows the size and digest of its content.

    Attributes:
        size: bytes written so far.
    """

    def __init__(self, file: BinaryIO | io.FileIO, also: Hash | None = None) -> None:
        super().__init__()
        self._file = file
        self._also = also
        self._hash = xxhash.xxh3_128()
        self.size = 0

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, data: object, /) -> int:
        """Write all of a bytes-like object; returns how many bytes it has."""
        view = memoryview(data).cast("B")  # type: ignore[arg-type]  # what is not a buffer is a TypeError here
        for start in range(0, len(view), _SIDE_BY_SIDE):
            piece = view[start : start + _SIDE_BY_SIDE]
            if len(piece) < _WORTH_A_THREAD:
                self._write_and_digest(piece)
            else:
                self._write_while_digesting(piece)
        self.size += len(view)
        return len(view)

    def _write_and_digest(self, view: memoryview) -> None:
        for start in range(0, len(view), _IN_CORE):
            piece = view[start : start + _IN_CORE]
            self._digest(piece)
            self._write_all(piece)

    def _write_while_digesting(self, view: memoryview) -> None:
        digesting = threading.Thread(target=self._digest, args=(view,), daemon=True)
        try:
            digesting.start()
        except RuntimeError:  # the process may have no more threads
            self._write_and_digest(view)
            return
        try:
            self._write_all(view)
        finally:
            digesting.join()

    def _digest(self, view: memoryview) -> None:
        self._hash.update(view)
        if self._also is not None:
            self._also.update(view)

    def _write_all(self, view: memoryview) -> None:
        while view:  # an unbuffered write may take less than it is given
            view = view[self._file.write(view) or 0 :]

    def tell(self) -> int:
        """Bytes written so far."""
        return self.size

    def fileno(self) -> int:
        """The descriptor: for what asks where it writes to, not for writing past the digest."""
        raise io.UnsupportedOperation("bytes written to the descriptor would miss the digest")

    def close(self) -> None:
        """Close the file underneath; an error of the last write shows here."""
        if not self.closed:
            try:
                self._file.close()
            finally:
                super().close()

    def digest(self) -> bytes:
        """16 bytes, XXH3-128 of what was written."""
        return self._hash.digest()


def sync_content(folder: str) -> None:
    """Wait until all files and folders below a folder, and itself, are on the disk.

    Raises:
        OSError: the disk could not keep them.
    """
    for path in files_in(folder):
        _sync(path)
    for each, _, _ in os.walk(folder):
        _sync(each)


def sync_place(final: str, top: str) -> None:
    """Wait until the disk knows where an item's folder is: the folders above it, up to the cache folder."""
    folder = os.path.dirname(final)
    while len(folder) >= len(top):
        _sync(folder)
        folder = os.path.dirname(folder)


def _sync(path: str) -> None:
    """Wait until a file, or the entries of a folder, are on the disk."""
    if os.name == "nt" and os.path.isdir(path):
        return  # there folders cannot be opened, and renaming writes through
    descriptor = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def protect(place: str, trust: Trust) -> None:
    """Make a file, or the files in a folder, read-only: what is READY does not change."""
    if not os.path.isdir(place):
        os.chmod(place, 0o444)
        return
    for folder, _, names in os.walk(place):
        if trust.shared:
            trust.admit_folder(folder)
        for name in names:
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                os.chmod(path, 0o444)


def files_in(folder: str) -> list[str]:
    """All files below a folder, links not followed, in the order of their paths."""
    found = []
    for place, _, names in os.walk(folder):
        found += [os.path.join(place, name) for name in names]
    return sorted(path for path in found if not os.path.islink(path))


def size_in(folder: str) -> int:
    """Bytes of all files below a folder.

    Raises:
        OSError: there is no such folder.
    """
    os.stat(folder)
    return sum(os.stat(path).st_size for path in files_in(folder))


def measure(folder: str) -> tuple[int, bytes]:
    """Size and XXH3-128 of a file, or of the files below a folder.

    One file has the digest of its bytes; several, or files in folders, that of their names and digests.

    Raises:
        OSError: a file cannot be read.
    """
    if not os.path.isdir(folder):
        return digest_of(folder)
    digests = {os.path.relpath(path, folder): digest_of(path) for path in files_in(folder)}
    size = sum(size for size, _ in digests.values())
    if len(digests) == 1 and os.sep not in next(iter(digests)):
        return size, next(iter(digests.values()))[1]
    total = xxhash.xxh3_128() if digests else xxhash.xxh3_128(b"an empty folder")  # which is no empty file
    for name, (_, digest) in digests.items():
        encoded = os.fsencode(name)
        total.update(len(encoded).to_bytes(8, "little") + encoded + digest)
    return size, total.digest()


def digest_of(path: str) -> tuple[int, bytes]:
    """Size and XXH3-128 of a file.

    Raises:
        OSError: the file cannot be read, or is none.
    """
    total = xxhash.xxh3_128()
    size = 0
    # A pipe that somebody has put there would wait for a writer. Asked first: a file opened without waiting by an
    # opener of ours would stay open if Ctrl-C struck between the system's call and Python's file.
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise FileNotFoundError(errno.ENOENT, "it is no file", path)
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            total.update(chunk)
            size += len(chunk)
    return size, total.digest()

"""Slots: a small file in shared memory that tells every process which keys may have changed.

A slot is two words, shared by all keys with the same first bits. A writer raises ``begun`` while it holds the
write lock, before its COMMIT, and sets ``done`` to the same number after it. Who reads a hit notes both words
first: were they equal, then all commits counted so far are visible to the read that follows, and what it found
stays true for as long as ``begun`` does not move. One word alone cannot do it: raised after the COMMIT, a
reader trusts what has just changed; raised before, it reads the old row and trusts it under the new number.

Notes:
    A writer that dies between the two leaves them unequal: the slot is not trusted until the next write there
    sets both. Numbers only grow, and only under the write lock, so no two writers give out the same one.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import stat
import time

from cachedeco.errors import RegistryUnavailableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Ticket = tuple[int, int]  # place of a slot's first word, its number

SLOTS = 4096
"""How many there are: a change makes one in so many of the remembered hits be looked up again."""

_BYTES = SLOTS * 16
_TRUST_SECONDS = 0.1
# Linux and macOS; elsewhere a file that is mapped cannot be removed, which only makes the check needless.
_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class Slots:
    """The slots of one registry, mapped when they are first needed.

    Args:
        folder: the one of the registry file. Who removes it removes both.
        mode: of the file.

    Attributes:
        on_look: gives what is called when the file is looked for, or None: that is often, and never on a hot road.
    """

    def __init__(self, folder: str, mode: int = 0o600) -> None:
        self._mode = mode
        self.on_look: Callable[[], Callable[[], object] | None] | None = None
        self.path = os.path.join(folder, "slots")
        self._words: memoryview | None = None
        self._file: tuple[int, int] | None = None
        self._checked = 0.0

    def words(self) -> memoryview | None:
        """The words as whole numbers, of the file that lies there now or did 0.1 s ago; None without one.

        Whoever keeps what a ticket vouches for must let go of it when this is another object than before.
        """
        if self._words is not None and time.monotonic() - self._checked < _TRUST_SECONDS:
            return self._words
        return self._renewed()

    def begin(self, keys: Iterable[bytes]) -> list[Ticket]:
        """Raise ``begun`` for keys that change. To be called under the registry's write lock, before COMMIT.

        Raises:
            RegistryUnavailableError: the file cannot be used; then nothing may be committed, for other processes
                would go on trusting what they remember.
        """
        words = self._current()
        raised = []
        for place in {place_of(key) for key in keys}:
            number = words[place] + 1
            words[place] = number
            raised.append((place, number))
        return raised

    def done(self, raised: list[Ticket]) -> None:
        """Set ``done``. To be called after COMMIT, or when it has failed."""
        words = self._words
        if words is not None:
            for place, number in raised:
                words[place + 1] = number

    def replace(self) -> None:
        """Remove the file: nobody trusts anything that was read before. For who replaces the registry."""
        with contextlib.suppress(FileNotFoundError):
            if self._found() is not None:
                os.unlink(self.path)
        self.close()

    def close(self) -> None:
        """Let go of the file; it is mapped again when it is needed."""
        self._words = None

    def _current(self) -> memoryview:
        """The words of the file that lies there now, writable; made where there is none."""
        try:
            found = self._found()
            if found is None:
                self._make()
                found = os.lstat(self.path)
            words = self._words
            if words is None or words.readonly or self._file != (found.st_dev, found.st_ino):
                words = self._map(os.O_RDWR)
        except OSError as error:
            raise RegistryUnavailableError(f"cannot use {self.path}: {error}", path=self.path) from error
        return words

    def _found(self) -> os.stat_result | None:
        """What lies there now; what cannot be slots is put aside first, an empty file removed."""
        try:
            found = os.lstat(self.path)
        except FileNotFoundError:
            return None
        if stat.S_ISREG(found.st_mode) and found.st_size == _BYTES:
            return found
        if stat.S_ISREG(found.st_mode) and found.st_size == 0:
            os.unlink(self.path)  # what a power cut leaves: nobody waits for the disk here
        else:
            os.rename(self.path, f"{self.path}.damaged-{os.urandom(4).hex()}")
        return None

    def _renewed(self) -> memoryview | None:
        self._checked = time.monotonic()
        looked = None if self.on_look is None else self.on_look()
        if looked is not None:
            looked()
        try:
            found = os.stat(self.path)
            # Of a file that somebody has cut short, the pages behind its end cannot be touched: not longer than needed.
            if self._words is None or self._file != (found.st_dev, found.st_ino) or found.st_size != _BYTES:
                self._map(os.O_RDWR if os.access(self.path, os.W_OK) else os.O_RDONLY)
        except OSError:
            self._words = None  # nothing is remembered then
        return self._words

    def _make(self) -> None:
        self._sweep()
        temporary = f"{self.path}.{os.urandom(8).hex()}.new"
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600)
        try:
            # Written, not only made long: on a full disk the first use of a page without a place kills the process.
            if os.write(descriptor, bytes(_BYTES)) != _BYTES:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), temporary)
            os.chmod(temporary, self._mode)  # whatever the umask says
            # Unlike a rename it does not take the place of a file that another process maps already.
            with contextlib.suppress(FileExistsError):
                os.link(temporary, self.path)
        finally:
            os.close(descriptor)
            os.unlink(temporary)

    def _sweep(self) -> None:
        """Delete what killed processes left half made; under the write lock nobody else is making one."""
        folder, stem = os.path.split(self.path)
        for name in os.listdir(folder):
            if name.startswith(stem + ".") and name.endswith(".new"):
                os.unlink(os.path.join(folder, name))

    def _map(self, mode: int) -> memoryview:
        descriptor = os.open(self.path, mode | _FLAGS)
        try:
            found = os.fstat(descriptor)
            if found.st_size != _BYTES:
                raise OSError(f"it has {found.st_size} bytes instead of {_BYTES}")
            access = mmap.ACCESS_READ if mode == os.O_RDONLY else mmap.ACCESS_WRITE
            words = memoryview(mmap.mmap(descriptor, _BYTES, access=access)).cast("Q")
        finally:
            os.close(descriptor)
        self._words, self._file = words, (found.st_dev, found.st_ino)
        return words


def place_of(key: bytes) -> int:
    """The place of a key's ``begun`` among the words; ``done`` is the next.

    Args:
        key: 16 bytes.
    """
    return (key[0] | (key[1] & 15) << 8) * 2

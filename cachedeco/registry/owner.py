"""The owner of claims: a process that writes, known by the lock file that it holds.

Notes:
    A lock file ``owners/<name>.lock`` is held from the process's first claim in a cache folder to its end, so
    the kernel frees it at whatever instruction the process dies, and a claim costs no lock of its own. A
    stopped process keeps its lock: it is waited for, never robbed. A forked child is another owner.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import threading
import time

from cachedeco.errors import RegistryUnavailableError
from cachedeco.registry.imports import import_filelock
from cachedeco.registry.statements import QUERIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from filelock import BaseFileLock

    from cachedeco.registry.connection import Connection
    from cachedeco.registry.pool import Pool

SWEEP = 4
"""How many other owners a new owner looks at, to end those that died without anybody waiting for them."""

_NAME_LENGTH, _HEX_DIGITS = 32, frozenset("0123456789abcdef")

live_tokens: set[bytes] = set()
"""Tokens of the claims that this process is computing. A claim of ours with another token has no writer."""

_owners: dict[str, Owner] = {}
_making = threading.Lock()
# Owners of a parent process, and those whose file was deleted: their locks are never let go by a destructor.
_kept: list[Owner] = []
_unended: set[str] = set()


class Owner:
    """This process as a writer in one cache folder.

    Attributes:
        id: number of its row in the registry.
        path: its lock file.
        registry: which file the row is in.
        begun: tokens of its claims that may have a row and are not known to have ended. Those that are not in
            `live_tokens` either have no writer.
    """

    def __init__(self, id_: int, path: str, registry: tuple[int, int] | None, lock: BaseFileLock) -> None:
        self.id = id_
        self.path = path
        self.registry = registry
        self.begun: set[bytes] = set()
        self._lock = lock

    def begin(self, token: bytes) -> set[bytes]:
        """Note a claim that is about to get a row.

        Returns:
            Tokens of claims of this process without a writer: Ctrl-C struck between their commit and their end, or
            their end could not be written. The new claim's transaction is to release them.
        """
        # Copied before it is compared: what a thread adds to both meanwhile is not taken for one without a writer.
        without_writer = self.begun.copy() - live_tokens
        self.begun.add(token)
        return without_writer

    def is_known(self, pool: Pool) -> bool:
        """Whether others can still tell that it lives: by its file, and by its row."""
        return os.path.exists(self.path) and self.registry == pool.database.file()

    def let_go(self) -> None:
        """Free the lock file; who looks at it from now on finds its owner dead."""
        self._lock.release()


class OwnerRow:
    """What the registry knows of an owner."""

    __slots__ = ("boot_id", "host", "id", "name", "pid", "pid_namespace", "pid_started", "since")

    def __init__(self, row: tuple[int, str, str, str, int, int, str, int]) -> None:
        (
            self.id,
            self.name,
            self.boot_id,
            self.pid_namespace,
            self.pid,
            self.pid_started,
            self.host,
            self.since,
        ) = row
        if not _is_name(self.name):
            self.name = ""  # damaged; a path made of it could lead anywhere


def own(pool: Pool) -> Owner:
    """This process's owner in the folder of a registry; made at its first claim there.

    Raises:
        RegistryUnavailableError: the lock file or the row cannot be made.
    """
    folder = pool.database.folder
    owner = _owners.get(folder)
    if owner is not None and owner.is_known(pool):
        return owner
    with _making:
        owner = _owners.get(folder)
        if owner is not None:
            if owner.is_known(pool):
                return owner
            # Somebody removed the folder or a file: nobody could tell any more that we live. Of an owner that computes
            # something the lock is kept all the same.
            if owner.begun & live_tokens:
                _kept.append(owner)
            else:
                owner.let_go()
        owner = _owners[folder] = _make(pool)
    for row in pool.read_all(QUERIES["running_owners"], (SWEEP,)):
        other = OwnerRow(row)
        if other.id != owner.id:
            reap_if_dead(pool, other)
    return owner


def reap_if_dead(pool: Pool, row: OwnerRow) -> bool:
    """Move the claims of an owner to FAILED if it is dead.

    Args:
        pool: connections to the registry.
        row: the owner to look at.

    Returns:
        Whether it was dead.
    """
    path = _lock_path(pool.database.folder, row.name)
    with _held_if_free(path) as free:
        if free or (free is None and _process_is_gone(row)):
            end(pool, row.id)
            # Rows first, then the file, while it is locked: nobody can take the path for a living owner.
            with contextlib.suppress(OSError):
                os.unlink(path)
            return True
    return False


def ended(pool: Pool, token: bytes) -> None:
    """Note that a claim of this process has ended, or that it has no row."""
    owner = _owners.get(pool.database.folder)
    if owner is not None:
        owner.begun.discard(token)


def is_this_process(pool: Pool, owner_id: int) -> bool:
    """Whether an owner of that number is this process."""
    owner = _owners.get(pool.database.folder)
    return owner is not None and owner.id == owner_id and owner.registry == pool.database.file()


def end_later(pool: Pool) -> None:
    """Note that a claim of this process could not be ended: the registry takes no writes just now."""
    _unended.add(pool.database.folder)


def resign(pool: Pool) -> None:
    """Stop being the owner of claims that could not be ended, so that who waits for one can end it.

    A process that goes on to do other things would otherwise keep them waiting as long as it lives. Nothing is done
    while it still computes something: its other claims are not to be taken for abandoned.
    """
    folder = pool.database.folder
    if folder not in _unended or live_tokens:
        return
    with _making:
        _unended.discard(folder)
        owner = _owners.pop(folder, None)
    if owner is not None:
        owner.let_go()


def _make(pool: Pool) -> Owner:
    from cachedeco.provenance import made_here

    file_lock = import_filelock().FileLock
    folder, trust = pool.database.folder, pool.database.trust
    name = os.urandom(16).hex()
    path = _lock_path(folder, name)
    try:
        identity = _identity()
        trust.make_folder(folder, os.path.dirname(path), exist_ok=True)
        lock = file_lock(path, mode=trust.file_mode, thread_local=False, fallback_to_soft=False)
        lock.acquire(blocking=False)
    except OSError as error:
        raise RegistryUnavailableError(f"cannot make the lock file {path}: {error}", path=path) from error

    def insert(con: Connection) -> Owner:
        parameters = (name, *identity, time.time_ns() // 1000, *made_here())
        return Owner(con.execute(QUERIES["insert_owner"], parameters).lastrowid or 0, path, con.file, lock)

    try:
        return pool.write(insert)
    except BaseException:
        # Without a row nobody would ever look at the file again.
        lock.release()
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise


def _identity() -> tuple[str, str, str, int, int]:
    pid = os.getpid()
    return os.uname().nodename if hasattr(os, "uname") else "", _boot_id(), _namespace(), pid, _started(pid)


def _is_name(name: object) -> bool:
    return isinstance(name, str) and len(name) == _NAME_LENGTH and set(name) <= _HEX_DIGITS


def _lock_path(folder: str, name: str) -> str:
    return os.path.join(folder, "owners", name + ".lock")


@contextlib.contextmanager
def _held_if_free(path: str) -> Iterator[bool | None]:
    """Try to lock an existing file: True with the lock held, False when another has it, None without a file.

    Opened without creating: a lock file that somebody deleted would otherwise look free while its owner
    lives.
    """
    lock_descriptor = import_filelock().lock_descriptor
    try:
        descriptor = os.open(path, os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0))
    except FileNotFoundError:
        yield None
        return
    except OSError as error:
        # A link, a folder or a socket is nobody's lock, whoever put it there; nor is anything below what is no folder.
        # Else it is there, or nobody can tell: in doubt its owner lives.
        yield None if error.errno in {errno.ELOOP, errno.EISDIR, errno.ENOTDIR, errno.ENXIO} else False
        return
    try:
        try:
            free = lock_descriptor(descriptor, blocking=False)
        except OSError:
            free = False  # the lock cannot be asked; in doubt its owner lives
        yield free
    finally:
        os.close(descriptor)


def _process_is_gone(row: OwnerRow) -> bool:
    """Judge an owner without a lock file, by its process. In doubt it lives."""
    try:
        now = _boot_id()
        if row.boot_id == "" or not now:
            return False
        if row.boot_id != now:
            return True  # the folder is local, and the machine has started anew since
        if type(row.pid) is not int:
            return True  # a number that is none is nobody's
        return row.pid_namespace == _namespace() and _started(row.pid) != row.pid_started
    except OSError:
        return False  # nobody can tell, as when this process has too many files open


def end(pool: Pool, owner_id: int) -> None:
    """Move the claims of an owner that is dead, or that the registry does not know, to FAILED `abandoned`."""

    def work(con: sqlite3.Connection) -> None:
        con.execute(QUERIES["reap"], (owner_id,))
        con.execute(QUERIES["end_owner"], (time.time_ns() // 1000, owner_id))

    pool.write(work)


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _boot_id() -> str:
    return _read("/proc/sys/kernel/random/boot_id").strip() if sys.platform == "linux" else ""


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _started(pid: int) -> int:
    """Clock ticks between boot and the start of a process, field 22 of its ``stat``; 0 when there is none.

    Raises:
        OSError: nobody can tell, as when this process has too many files open.
    """
    # The name of the program, in parentheses, may hold blanks and parentheses itself.
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return int(fields[19]) if len(fields) > 19 else 0  # noqa: PLR2004 - as above, without the first two


def _after_fork_in_child() -> None:
    global _making  # noqa: PLW0603 - a lock may be held at the fork by a thread that the child lacks
    _making = threading.Lock()
    _kept.extend(_owners.values())
    _owners.clear()
    _unended.clear()
    live_tokens.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)

"""Connections of a process to a registry: a pool, transactions, and what happens around a fork.

Notes:
    No connection crosses a fork. SQLite's locks belong to the process that took them; a child that uses or
    closes an inherited connection, or opens its own beside it, loses commits. So a fork first waits for the
    running statements of all threads and closes every connection; both sides reopen when they need one.
"""

from __future__ import annotations

import atexit
import os
import sqlite3
import threading
import time
import weakref

from cachedeco.errors import OptionError, RegistryDamagedError, RegistryError, RegistryUnavailableError
from cachedeco.registry import imports
from cachedeco.registry.aside import ERRORS, says_damaged
from cachedeco.registry.checkpoint import checkpoint, log_is_long
from cachedeco.registry.connection import patiently
from cachedeco.registry.gate import Gate
from cachedeco.registry.slots import Slots
from cachedeco.registry.uses import Uses
from cachedeco.settings import CHECKPOINT_COMMITS, IDLE_CONNECTIONS, LOOK_SECONDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from cachedeco.registry.connection import Connection
    from cachedeco.registry.database import Database

    T = TypeVar("T")

_pools: weakref.WeakSet[Pool] = weakref.WeakSet()
# Held around a fork: a second thread that forks would replace the gates at which others wait.
_forking = threading.Lock()
_EXIT_WAIT = 1.0


class _SetAsideError(Exception):
    """The registry is another one by now."""


class Pool:
    """Keeps connections for reuse, the last used first; safe to use from any thread.

    Args:
        database: the registry to connect to.

    Attributes:
        database: as given.
        slots: tell all processes which keys have changed.
        uses: of items by this process, that the registry is still to be told of.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._gate = Gate()
        database.outside = self._gate.outside
        self.slots = Slots(os.path.dirname(database.path), database.trust.file_mode)
        self.uses = Uses()
        # Weakly: who drops a pool closes its connections at once.
        self.slots.on_look = weakref.WeakMethod(self.keep_due_uses)
        self._idle: list[Connection] = []
        self._writing = threading.Lock()
        self._pid = os.getpid()
        self._commits = 0
        self._settled: tuple[int, int] | None = None
        _pools.add(self)
        # Also at the end of the interpreter, which complains of connections left open.
        weakref.finalize(self, _close, self._idle)

    def read(self, sql: str, parameters: tuple[object, ...] = ()) -> Any:
        """Run one SELECT and give its first row, or None."""
        con = self._take()
        try:
            return patiently(con, sql, parameters).fetchone()
        except ERRORS as error:
            trouble = self._trouble(error, con)
        finally:
            self._give(con)
        self._mend(trouble)
        return self._once(lambda con: patiently(con, sql, parameters).fetchone())

    def read_all(self, sql: str, parameters: tuple[object, ...] = ()) -> list[Any]:
        """Run one SELECT and give all its rows; never an open cursor."""
        con = self._take()
        try:
            return patiently(con, sql, parameters).fetchall()
        except ERRORS as error:
            trouble = self._trouble(error, con)
        finally:
            self._give(con)
        self._mend(trouble)
        rows: list[Any] = self._once(lambda con: patiently(con, sql, parameters).fetchall())
        return rows

    def write(self, work: Callable[[Connection], T], *, durable: bool = False) -> T:
        """Run a function inside one write transaction; roll back when it raises.

        Args:
            work: gets the connection; runs nothing but short statements. It may be run twice, the second time on
                another registry than the first.
            durable: what is committed survives a power cut.

        Returns:
            What `work` returned, after the commit.

        Raises:
            RegistryUnavailableError: the transaction failed, at its commit at the latest.
        """
        mended = False
        while True:
            try:
                return self._write(work, durable=durable)
            except _SetAsideError:
                continue  # nothing was done yet
            except RegistryDamagedError as error:
                if mended:
                    raise
                self._mend(error)
                mended = True

    def _write(self, work: Callable[[Connection], T], *, durable: bool) -> T:
        # Threads of one process queue here rather than in SQLite's busy handler, which sleeps.
        with self._writing:
            con = self._take()
            while not self.database.is_current(con):
                # Somebody removed the folder: what is written to a file without a name is lost.
                self._drop(con)
                con = self._take()
            try:
                changed = con.watch() if con.changed is None else con.changed
                changed.clear()
                if durable:
                    con.execute("PRAGMA synchronous = FULL")
                    self._settle(con)
                patiently(con, "BEGIN IMMEDIATE")
                if not self.database.is_current(con):
                    raise _SetAsideError  # by a rebuild, which had the write lock until now
                result = work(con)
                raised = self.slots.begin(changed) if changed else []
                try:
                    con.execute("COMMIT")
                finally:
                    self.slots.done(raised)
                if not self.database.is_current(con):
                    raise sqlite3.OperationalError("it was removed or set aside during the commit")
            except ERRORS as error:
                raise self._trouble(error, con) from error
            finally:
                # Into C at once: a second Ctrl-C may strike any Python function at its first instruction, and a lost
                # connection would hold the write lock until the garbage collector finds it.
                try:
                    if con.in_transaction:
                        con.rollback()
                    if durable:
                        con.execute("PRAGMA synchronous = NORMAL")
                except sqlite3.Error:
                    con.close()
                finally:
                    self._give(con)
            self._commits += 1
            if self._commits >= CHECKPOINT_COMMITS:
                self._checkpoint()
        return result

    def update(self, sql: str, parameters: tuple[object, ...]) -> int:
        """Run one statement that changes rows, in a transaction of its own.

        Returns:
            How many rows it changed.

        Raises:
            RegistryUnavailableError: the transaction failed.
        """
        return self.write(lambda con: con.execute(sql, parameters).rowcount)

    def keep_due_uses(self) -> None:
        """Write what was counted of uses, when it is time and nobody else is writing just now."""
        if self.uses.are_due():
            self.keep_uses(wait=0.0)

    def keep_uses(self, wait: float) -> None:
        """Write what was counted of uses. Never an error: a count is not worth one.

        Args:
            wait: at most so many seconds for others that are writing; what is not written stays counted.
        """
        # Where the registry was removed none is to be made for this.
        if not self.uses.counts or not self.uses.kept or self.database.file() is None:
            return
        if not self._writing.acquire(timeout=wait):
            return
        try:
            con = self._take()
            try:
                if con.can_write and self.database.is_current(con):
                    self.uses.write_apart(con, wait)
            finally:
                self._give(con)
        except RegistryError:
            return  # who reads or writes something that matters will say so
        finally:
            self._writing.release()

    def close(self) -> None:
        """Close the idle connections. The pool stays usable: it opens new ones when asked."""
        _close(self._idle)
        self.slots.close()

    def _trouble(self, error: Exception, con: Connection) -> RegistryUnavailableError | OptionError:
        if isinstance(error, UnicodeEncodeError):
            # Half of a surrogate pair, as in names of files that are no text.
            return OptionError(
                f"the registry takes text only, and {ascii(error.object)[:80]} is none: {error.reason}"
            )
        path = self.database.path
        kind = RegistryDamagedError if says_damaged(error) else RegistryUnavailableError
        trouble = kind(f"the registry {path} cannot be used: {error}", path=path)
        if isinstance(trouble, RegistryDamagedError):
            trouble.file = con.file
        trouble.__cause__ = error
        return trouble

    def _mend(self, trouble: RegistryUnavailableError | OptionError) -> None:
        """Replace a damaged registry; raise what is no damage, or what could not be mended."""
        if not isinstance(trouble, RegistryDamagedError):
            raise trouble
        # Another thread or process may have been faster, before or after we took a look.
        if not self.doubt() and self.database.file() == trouble.file:
            raise trouble

    def doubt(self) -> bool:
        """Look through the whole registry, after answers that contradict each other; rebuild it if it is damaged.

        Returns:
            Whether it was.

        Raises:
            RegistryError: it could not be read, or not be rebuilt.
        """
        self.close()
        self._gate.enter()
        try:
            return self.database.mend()
        finally:
            self._gate.leave()

    def _settle(self, con: Connection) -> None:
        if con.file == self._settled:
            return
        try:
            self.database.settle()
        except OSError as error:
            raise sqlite3.OperationalError(f"its folder cannot be kept: {error}") from error
        self._settled = con.file

    def _once(self, read: Callable[[Connection], Any]) -> Any:
        con = self._take()
        try:
            return read(con)
        except ERRORS as error:
            raise self._trouble(error, con) from error
        finally:
            self._give(con)

    def _take(self) -> Connection:
        self._gate.enter()
        try:
            if self._pid != os.getpid():
                raise RegistryUnavailableError(
                    "this process was forked without Python knowing; its cache connections cannot be used",
                    path=self.database.path,
                )
            while True:
                try:
                    con = self._idle.pop()
                except IndexError:
                    return self._connect()
                now = time.monotonic()
                if now < con.look_again:
                    return con
                con.look_again = now + LOOK_SECONDS
                if con.can_write and self.database.is_current(con):
                    return con
                con.close()  # somebody removed the folder, or set the registry aside
        except BaseException:
            self._gate.leave()
            raise

    def _connect(self) -> Connection:
        con = self.database.connect()
        con.execute("PRAGMA busy_timeout = 0")  # the pool waits in shorter steps
        if log_is_long(self.database.path):
            self._commits = CHECKPOINT_COMMITS
        return con

    def _give(self, con: Connection) -> None:
        try:
            if _is_at_rest(con) and len(self._idle) < IDLE_CONNECTIONS:
                self._idle.append(con)
            else:
                con.close()
        finally:
            self._gate.leave()

    def _drop(self, con: Connection) -> None:
        try:
            con.close()
        finally:
            self._gate.leave()

    def _checkpoint(self) -> None:
        self._commits = 0
        try:
            holder = self._take()
            try:
                worker = self.database.connect()
                try:
                    checkpoint(holder, worker)
                finally:
                    worker.close()
            finally:
                self._give(holder)
        except (sqlite3.Error, RegistryError):
            # The commit before it stands, and the log only stays longer: tried again a few commits later.
            self._commits = CHECKPOINT_COMMITS - CHECKPOINT_COMMITS // 10

    def _before_fork(self) -> None:
        self._gate.close()
        _close(self._idle)

    def _after_fork_in_parent(self) -> None:
        self._gate.open()

    def _after_fork_in_child(self) -> None:
        self._writing = threading.Lock()
        self._gate.forget()
        self._pid = os.getpid()
        self._commits = 0
        self.uses.forget()


def _is_at_rest(con: Connection) -> bool:
    try:
        return not con.in_transaction
    except sqlite3.Error:
        return False  # closed, because not even a rollback was possible


def _close(idle: list[Connection]) -> None:
    while idle:
        idle.pop().close()


def _at_exit() -> None:
    for pool in list(_pools):
        pool.keep_uses(wait=_EXIT_WAIT)
        pool.close()


atexit.register(_at_exit)


def _before_fork() -> None:
    _forking.acquire()
    # Pools first: who is inside one may still have to import something.
    for pool in list(_pools):
        pool._before_fork()
    imports.before_fork(finish=bool(_pools))


def _after_fork_in_parent() -> None:
    imports.after_fork_in_parent()
    for pool in list(_pools):
        pool._after_fork_in_parent()
    _forking.release()


def _after_fork_in_child() -> None:
    global _forking  # noqa: PLW0603 - the parent's thread lets go of its own
    _forking = threading.Lock()
    imports.after_fork_in_child()
    for pool in list(_pools):
        pool._after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
    )

"""The registry file: making it, recognising it, bringing it up to date, connecting to it.

Notes:
    Nothing but SQLite may open the file, its ``-wal`` or its ``-shm`` in this process: closing any other
    descriptor of it drops all of SQLite's locks (POSIX locks belong to the process, not to the descriptor).
    ``os.stat`` is harmless.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time

from cachedeco.errors import RegistryError, RegistryUnavailableError
from cachedeco.registry import statements
from cachedeco.registry.filesystem import refuse_network
from cachedeco.settings import BUSY_SECONDS, FIRST_PAUSE, LAST_PAUSE
from cachedeco.trust import Trust

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

APPLICATION_ID = 0x63646563
"""Marks an SQLite file as a registry of this library: ``cdec``."""

OLDEST_SQLITE = (3, 35, 0)
"""The first SQLite that knows ``RETURNING``."""

_PRAGMAS = (
    "PRAGMA synchronous = NORMAL",
    # SQLite before 3.51.3 can corrupt a log when a commit overlaps a checkpoint: checkpoint.py sees to it.
    "PRAGMA wal_autocheckpoint = 0",
    "PRAGMA journal_size_limit = 16777216",
    "PRAGMA foreign_keys = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
)


# Temporary: they are this connection's own. Whoever looks into the file with another tool never meets them.
_TRIGGERS = (
    """CREATE TEMP TRIGGER hit_changed AFTER UPDATE ON main.items
    WHEN NEW.status = 3 OR OLD.status = 3 BEGIN SELECT changed(NEW.key); END""",
    """CREATE TEMP TRIGGER hit_made AFTER INSERT ON main.items
    WHEN NEW.status = 3 BEGIN SELECT changed(NEW.key); END""",
    """CREATE TEMP TRIGGER hit_deleted AFTER DELETE ON main.items
    WHEN OLD.status = 3 BEGIN SELECT changed(OLD.key); END""",
)


def migrations() -> list[str]:
    """The steps from version 1 of the schema to the newest, in order."""
    folder = os.path.join(os.path.dirname(__file__), "migrations")
    names = sorted(name for name in os.listdir(folder) if name.endswith(".sql"))
    return [statements.read(os.path.join("migrations", name)) for name in names]


class Connection(sqlite3.Connection):
    """A connection that remembers which file it was opened on, and what its transaction changes.

    Attributes:
        file: device and inode.
        changed: keys whose hits are others after the transaction that is running.
    """

    file: tuple[int, int] | None = None
    changed: set[bytes] | None = None

    def watch(self) -> set[bytes]:
        """Have `changed` filled from now on, whatever statement changes an item."""
        changed = self.changed = set()
        self.create_function("changed", 1, changed.add)
        for trigger in _TRIGGERS:
            self.execute(trigger)
        return changed


class Database:
    """The registry file of a cache folder.

    Args:
        folder: the cache folder; the file lies in a subfolder of its own.
        trust: whose the folder may be; by default its owner's only.
    """

    def __init__(self, folder: str, trust: Trust | None = None) -> None:
        self.folder = folder
        self.trust = trust or Trust()
        self.path = os.path.join(folder, "registry", "registry.db")
        # Only these three characters mean something in the path of an SQLite address.
        quoted = self.path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
        self._address = f"file:{quoted}?mode=rw"
        self._is_local = False

    def connect(self) -> Connection:
        """Open a connection; make the registry first where there is none.

        Raises:
            RegistryError: the file is not a registry, is newer than this library, lies on a network file
                system, or cannot be made.
        """
        if not self._is_local:
            # Also for a registry that exists: its own host may have made it on what is a local disk there.
            refuse_network(self.folder)
            self._is_local = True
        if not os.path.exists(self.path):
            self._create()
        # Not only when the cache is opened: a link may have been put there since.
        with contextlib.suppress(FileNotFoundError):
            self.trust.check_part(self.folder, os.path.dirname(self.path))
            self.trust.check_part(self.folder, self.path)
        con = self._open()
        try:
            self._check(con)
        except BaseException:
            con.close()
            raise
        return con

    def is_current(self, con: Connection) -> bool:
        """Whether a connection is to the file that lies there now: somebody may have removed the folder."""
        return con.file is not None and con.file == self.file()

    def file(self) -> tuple[int, int] | None:
        """Device and inode of the file that lies there now; None when there is none."""
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _open(self) -> Connection:
        try:
            # Asked before: of a file that is replaced in between, the connection looks outdated, never
            # current.
            file = self.file()
            con = sqlite3.connect(
                self._address,
                uri=True,
                timeout=BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
                factory=Connection,
            )
        except sqlite3.Error as error:
            raise RegistryUnavailableError(
                f"cannot open the registry {self.path}: {error}", path=self.path
            ) from error
        con.file = file
        return con

    def _check(self, con: Connection) -> None:
        """Refuse what is not a registry of ours; bring an older one up to date."""
        try:
            for pragma in _PRAGMAS:
                con.execute(pragma)
            application = con.execute("PRAGMA application_id").fetchone()[0]
            version = con.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.Error as error:
            # Opening is lazy: what is wrong with the file or its folder shows at the first statement.
            foreign = isinstance(error, sqlite3.DatabaseError) and not isinstance(
                error, sqlite3.OperationalError
            )
            if foreign:
                raise RegistryError(
                    f"{self.path} cannot be read as a registry ({error}); move it away to start anew",
                    path=self.path,
                ) from error
            raise RegistryUnavailableError(
                f"cannot open the registry {self.path}: {error}", path=self.path
            ) from error
        if application != APPLICATION_ID:
            raise RegistryError(
                f"{self.path} is an SQLite file, but not a registry of cachedeco; choose another folder",
                path=self.path,
            )
        steps = migrations()
        newest = 1 + len(steps)
        if version > newest:
            raise RegistryError(
                f"{self.path} has schema {version}, this cachedeco knows up to {newest}; "
                "upgrade cachedeco or choose another cache folder",
                path=self.path,
            )
        if version < newest:
            try:
                migrate(con, steps)
            except sqlite3.Error as error:
                raise RegistryUnavailableError(
                    f"cannot bring the registry {self.path} from schema {version} to {newest}: {error}",
                    path=self.path,
                ) from error

    def _create(self) -> None:
        """Make the registry as a temporary file and rename it, one process at a time.

        Switching a file to WAL ignores the busy timeout, so it happens where nobody else looks.
        """
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise RegistryError(
                f"cachedeco needs SQLite {'.'.join(map(str, OLDEST_SQLITE))} or newer, "
                f"this Python has {sqlite3.sqlite_version}",
                path=self.path,
            )
        try:
            self.trust.make_folder(self.folder, os.path.dirname(self.path), exist_ok=True)
            with maintenance(self.folder, self.trust.file_mode):
                if not os.path.exists(self.path):
                    self._write_new()
        except RegistryError:
            raise
        except (OSError, sqlite3.Error) as error:
            raise RegistryUnavailableError(
                f"cannot make a registry in {self.folder}: {error}", path=self.folder
            ) from error

    def _write_new(self) -> None:
        temporary = f"{self.path}.{os.urandom(8).hex()}.new"
        con = sqlite3.connect(temporary, isolation_level=None)
        try:
            # A transaction writes whole pages: of rows of this size smaller ones cost less, and no look-up more.
            con.execute("PRAGMA page_size = 2048")
            con.execute("PRAGMA journal_mode = WAL")
            con.execute("PRAGMA synchronous = FULL")
            script = statements.read("schema.sql") + "".join(migrations())
            con.executescript(
                f"BEGIN; {script} PRAGMA application_id = {APPLICATION_ID}; "
                f"PRAGMA user_version = {1 + len(migrations())}; COMMIT;"
            )
        except BaseException:
            con.close()
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        con.close()
        # SQLite gives the files beside it the same mode, whatever the umask says.
        self.trust.admit_file(temporary)
        os.rename(temporary, self.path)


def patiently(con: sqlite3.Connection, sql: str, parameters: tuple[object, ...] = ()) -> sqlite3.Cursor:
    """Execute a statement; while another process holds the lock that it needs, try again.

    For connections without a busy timeout: SQLite itself would sleep for a millisecond at least, which is ten
    transactions of ours.

    Args:
        con: outside a transaction, or at its beginning.
        sql: one statement.
        parameters: of the statement.
    """
    pause, deadline = FIRST_PAUSE, 0.0
    while True:
        try:
            return con.execute(sql, parameters)
        except sqlite3.OperationalError as error:
            # The extended codes have the plain one in their lowest byte.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            now = time.monotonic()
            deadline = deadline or now + BUSY_SECONDS
            if now >= deadline:
                raise
        time.sleep(pause)
        pause = min(pause * 1.5, LAST_PAUSE)


def migrate(con: sqlite3.Connection, steps: list[str]) -> None:
    """Apply the steps that a registry lacks, in one transaction: it has the old schema or the new one.

    Args:
        con: a connection outside a transaction.
        steps: all steps after version 1, in order.
    """
    con.execute("BEGIN IMMEDIATE")
    try:
        # Asked again under the write lock: another process may have migrated meanwhile.
        version = con.execute("PRAGMA user_version").fetchone()[0]
        for number, step in enumerate(steps[version - 1 :], start=version + 1):
            for statement in split(step):
                con.execute(statement)
            con.execute(f"PRAGMA user_version = {number:d}")
        con.execute("COMMIT")
    finally:
        if con.in_transaction:
            con.execute("ROLLBACK")


def split(script: str) -> Iterator[str]:
    """Split a script into statements; `sqlite3.Connection.executescript` would commit before the first."""
    *pieces, rest = script.split(";")
    statement = ""
    for piece in pieces:
        statement += piece + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if (statement + rest).strip():
        yield statement + rest


@contextlib.contextmanager
def maintenance(folder: str, mode: int = 0o600) -> Iterator[None]:
    """Hold the lock of a cache folder for what only one process may do at a time."""
    from filelock import FileLock

    path = os.path.join(folder, "maintenance.lock")
    with FileLock(path, mode=mode, thread_local=False, fallback_to_soft=False):
        yield

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

from cachedeco.errors import RegistryDamagedError, RegistryError, RegistryUnavailableError
from cachedeco.registry import aside, statements
from cachedeco.registry.connection import Connection, patiently
from cachedeco.registry.filesystem import refuse_network
from cachedeco.registry.maintenance import maintenance
from cachedeco.registry.migrating import migrate, migrations
from cachedeco.registry.slots import Slots
from cachedeco.settings import BUSY_SECONDS
from cachedeco.trust import REGISTRY_FILES, Trust

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from typing import Protocol

    class Rebuilding(Protocol):
        """Knows what a new registry has to know of what was there before."""

        def needed(self, database: Database, /) -> bool:
            """Whether there was anything."""

        def fill(self, con: sqlite3.Connection, database: Database, /) -> int:
            """Fill a new registry; how many items there are."""

        def tell(self, count: int, aside: str | None, /) -> None:
            """Tell the user that a registry was rebuilt."""


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


class Database:
    """The registry file of a cache folder.

    Args:
        folder: the cache folder; the file lies in a subfolder of its own.
        rebuilding: fills a new registry in the place of one that is lost or damaged; None to begin with an empty
            one, and to leave a damaged one where it is.
        trust: whose the folder may be; by default its owner's only.

    Attributes:
        outside: a context in which the calling thread keeps nobody from forking: for waits for other processes.
    """

    def __init__(self, folder: str, rebuilding: Rebuilding | None = None, trust: Trust | None = None) -> None:
        self.folder = folder
        self._rebuilding = rebuilding
        self.trust = trust or Trust()
        self.path = os.path.join(folder, "registry", "registry.db")
        # Only these three characters mean something in the path of an SQLite address.
        quoted = self.path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
        self._address = f"file:{quoted}"
        self._is_local = False
        self.outside: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext

    def connect(self) -> Connection:
        """Open a connection; make the registry first where there is none.

        Raises:
            RegistryError: the file is not a registry, is newer than this library, lies on a network file
                system, or cannot be made.
            RegistryDamagedError: it is damaged, and cannot be rebuilt.
        """
        if not self._is_local:
            # Also for a registry that exists: its own host may have made it on what is a local disk there.
            refuse_network(self.folder)
            self._is_local = True
        while True:
            if not os.path.exists(self.path):
                self._create()
            before = self.file()
            try:
                con = self._usable()
            except RegistryDamagedError:
                if not self.mend() and before == self.file():
                    raise
                continue
            except RegistryUnavailableError:
                if before is not None and before == self.file():
                    if os.access(os.path.dirname(self.path), os.W_OK):
                        raise
                    return self._snapshot()
                continue  # it was set aside, before it was looked at or while it was opened
            if self.is_current(con):
                return con
            # Its log may have been looked for in the place of another one's.
            con.close()

    def _usable(self) -> Connection:
        # Not only when the cache is opened: a link may have been put there since.
        for part in ("registry", *REGISTRY_FILES):
            with contextlib.suppress(FileNotFoundError):
                self.trust.check_part(self.folder, os.path.join(self.folder, part))
        if aside.is_obstructed(self.path):
            raise self._damaged("something that is no file stands in its place, or in that of its log")
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

    def settle(self) -> None:
        """See that the registry has its place also after a power cut.

        Raises:
            OSError: the disk could not keep it.
        """
        if os.name == "nt":
            return  # there folders cannot be opened, and renaming writes through
        for folder in (os.path.dirname(self.path), self.folder, os.path.dirname(self.folder)):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

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
                f"{self._address}?mode=rw",
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

    def _check(self, con: Connection, *, read_only: bool = False) -> None:
        """Refuse what is not a registry of ours; bring an older one up to date."""
        try:
            for pragma in () if read_only else _PRAGMAS:
                con.execute(pragma)
            application = con.execute("PRAGMA application_id").fetchone()[0]
            version = con.execute("PRAGMA user_version").fetchone()[0]
            con.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except aside.ERRORS as error:
            # Opening is lazy: what is wrong with the file or its folder shows at the first statement.
            if aside.says_damaged(error):
                raise self._damaged(error) from error
            raise RegistryUnavailableError(
                f"cannot open the registry {self.path}: {error}", path=self.path
            ) from error
        if application != APPLICATION_ID:
            tables = {row[0] for row in con.execute("SELECT name FROM sqlite_master")}
            if not tables or tables >= aside.TABLES:
                raise self._damaged("its header was overwritten")
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
        if version < 1:
            raise self._damaged("its header was overwritten")
        if version < newest:
            self._migrate(con, steps, version)

    def _migrate(self, con: Connection, steps: list[str], version: int) -> None:
        try:
            migrate(con, steps)
        except aside.ERRORS as error:
            if aside.says_damaged(error) and aside.is_damaged(con, {}):
                raise self._damaged(error) from error
            raise RegistryUnavailableError(
                f"cannot bring the registry {self.path} from schema {version} to {1 + len(steps)}: {error}",
                path=self.path,
            ) from error

    def _snapshot(self) -> Connection:
        """What stands for a connection where nothing can be written.

        Raises:
            RegistryUnavailableError: the registry cannot be read either.
        """
        from cachedeco.registry.readonly import Snapshot

        try:
            snapshot: Connection = Snapshot(self.path, self._address)  # type: ignore[assignment]  # has what is used of one
            self._check(snapshot, read_only=True)
        except sqlite3.Error as error:
            raise RegistryUnavailableError(
                f"cannot open the registry {self.path}: {error}", path=self.path
            ) from error
        return snapshot

    def _damaged(self, why: object) -> RegistryDamagedError:
        return RegistryDamagedError(
            f"the registry {self.path} is damaged ({why}); move it away to start anew", path=self.path
        )

    def mend(self) -> bool:
        """Set a damaged registry aside and rebuild it, one process at a time.

        Returns:
            False when nothing is wrong with it, or when it is not to be rebuilt here.

        Raises:
            RegistryError: it belongs to another program or to a newer version of this library, or there is no
                place for a new one.
        """
        if self._rebuilding is None:
            return False
        return self._replace(lambda: os.path.exists(self.path) and self._is_damaged())

    def rebuild(self) -> int:
        """Set the registry aside as it is, and fill a new one; how many items it has.

        Raises:
            RegistryError: as for `mend`.
        """
        replaced = False
        while not replaced:
            with contextlib.closing(self.connect()) as con, self._alone(con):
                # Another rebuild may have been faster: then that registry is the one to be replaced.
                replaced = self._replace(lambda file=con.file: self.file() == file, tell=False)  # type: ignore[misc]
        with contextlib.closing(self.connect()) as con:
            return int(con.execute(statements.QUERIES["count"]).fetchone()[0])

    @contextlib.contextmanager
    def _alone(self, con: Connection) -> Iterator[None]:
        """Hold the write lock, so that nobody commits to what is about to be read out; as far as it can be had."""
        with contextlib.suppress(*aside.ERRORS):
            patiently(con, "BEGIN IMMEDIATE")
        try:
            yield
        finally:
            if con.in_transaction:
                con.rollback()

    def _replace(self, wanted: Callable[[], bool], *, tell: bool = True) -> bool:
        try:
            with maintenance(self.folder, outside=self.outside):
                if os.path.exists(self.path):
                    if not wanted():
                        return False
                    if self._rebuilding is not None:
                        self._rebuilding.needed(self)
                    aside.set_aside(self.path)
                self._write_new(tell=tell)
        except RegistryError:
            raise
        except (OSError, sqlite3.Error) as error:
            raise RegistryDamagedError(
                f"the registry {self.path} is damaged and could not be rebuilt: {error}", path=self.path
            ) from error
        return True

    def _is_damaged(self) -> bool:
        if aside.is_obstructed(self.path):
            return True
        con = self._open()
        try:
            self._check(con)
            with contextlib.closing(sqlite3.connect(":memory:")) as sample:
                sample.executescript(statements.read("schema.sql") + "".join(migrations()))
                columns = aside.columns_of(sample)
            return aside.is_damaged(con, columns)
        except RegistryDamagedError:
            return True
        except aside.ERRORS as error:
            raise RegistryUnavailableError(
                f"cannot read the registry {self.path}: {error}", path=self.path
            ) from error
        finally:
            con.close()

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
            with maintenance(self.folder, self.trust.file_mode, self.outside):
                if not os.path.exists(self.path):
                    self._write_new()
        except RegistryError:
            raise
        except (OSError, sqlite3.Error) as error:
            raise RegistryUnavailableError(
                f"cannot make a registry in {self.folder}: {error}", path=self.folder
            ) from error

    def _write_new(self, *, tell: bool = True) -> None:
        """Make a registry and fill it; under the maintenance lock, where there is none."""
        aside.sweep(self.path)
        if aside.has_strays(self.path):
            aside.set_aside(self.path)
        rebuilding = (
            self._rebuilding if self._rebuilding is not None and self._rebuilding.needed(self) else None
        )
        temporary = f"{self.path}.{os.urandom(8).hex()}.new"
        count = 0
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
            if rebuilding is not None:
                con.execute("BEGIN IMMEDIATE")
                count = rebuilding.fill(con, self)
                con.execute("COMMIT")
            # `close` would do so too, but tells nobody when the disk is full; the log is not renamed with the file.
            con.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except BaseException:
            con.close()
            aside.sweep(self.path)
            raise
        con.close()
        # SQLite gives the files beside it the same mode, whatever the umask says.
        self.trust.admit_file(temporary)
        Slots(os.path.dirname(self.path)).replace()  # nobody trusts any longer what the old one said
        os.rename(temporary, self.path)
        old = aside.finish(self.path)
        if tell and rebuilding is not None and (count or old):
            rebuilding.tell(count, old)

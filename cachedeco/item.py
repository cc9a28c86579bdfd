"""CacheItem: one version of one key, with what one can ask of it and do with it."""

from __future__ import annotations

from cachedeco.errors import OptionError, StatusError
from cachedeco.keeping import Keeping
from cachedeco.status import Status

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from typing import Any

    from cachedeco.files.opener import Opener
    from cachedeco.guard import Guard
    from cachedeco.record import Record
    from cachedeco.store import Store


class CacheItem(Keeping):
    """One version of one key: a record of the registry and its value or file.

    Items come from `Cache` and from the verbs of cached functions, never from this constructor.

    Attributes:
        key: 32 hex digits.
        version: 1, 2, 3... of the key.
        uri: names the family of results.
        label: free text.
        ext: file name extension, without the dot.
        filename: name of the file inside the item's folder.
        function: module and qualified name of the function that made it; None when it was made by hand.
        cause: why it is FAILED: ``"raised"``, ``"abandoned"`` or ``"store"``.
        error: the traceback of a failure, as text.
        attempts: how often the function was tried.
    """

    __slots__ = ("__weakref__", "_record", "_store")

    def __init__(self, record: Record, store: Store) -> None:
        self._record = record
        self._store = store

    def __repr__(self) -> str:
        # A uri may hold what a terminal takes for commands.
        uri = self.uri if self.uri.isprintable() else ascii(self.uri)[1:-1]
        return f"CacheItem[{uri} V:{self.version} {self.status.name}]"

    def _repr_html_(self) -> str:
        from cachedeco.tables import of_item

        return of_item(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CacheItem):
            return NotImplemented
        return (self._store.folder, self._record.id) == (other._store.folder, other._record.id)

    def __hash__(self) -> int:
        return hash((self._store.folder, self._record.id))

    def __reduce__(self) -> tuple[Callable[..., CacheItem], tuple[Any, ...]]:
        # A claim stays with the process that made it.
        store = self._store
        return _opened, (self._record, store.folder, store.mode, store.shared, store.guard, store.mmap)

    @property
    def id(self) -> int:
        """Number of its record in the registry, as `Cache.by_attrs` gives it; never reused."""
        return self._record.id

    @property
    def key(self) -> str:
        """32 hex digits: the digest of uri and params."""
        return self._record.key

    @property
    def version(self) -> int:
        """1, 2, 3... of the key; never reused."""
        return self._record.version

    @property
    def version_id(self) -> str:
        """Key and version in one, as ``key-version``."""
        return f"{self._record.key}-{self._record.version}"

    @property
    def uri(self) -> str:
        """The family of results that it belongs to."""
        return self._record.uri

    @property
    def token(self) -> bytes:
        """16 random bytes that name its folder."""
        return bytes.fromhex(self._record.token)

    @property
    def label(self) -> str | None:
        """Free text."""
        return self._record.label

    @property
    def ext(self) -> str | None:
        """File name extension, without the dot."""
        return self._record.ext

    @property
    def filename(self) -> str | None:
        """Name of its file inside its folder; None for a value kept in the registry."""
        return self._record.filename

    @property
    def function(self) -> str | None:
        """Module and qualified name of the function that made it; None when it was made by hand."""
        return self._record.function

    @property
    def cause(self) -> str | None:
        """Why it is FAILED: ``"raised"``, ``"abandoned"`` or ``"store"``."""
        return self._record.cause

    @property
    def error(self) -> str | None:
        """The traceback of a failure, as text."""
        return self._record.error

    @property
    def code(self) -> str | None:
        """Digest of the code that made it, 32 hex digits."""
        return self._record.code

    @property
    def size(self) -> int | None:
        """Bytes of its value or file, or of all files in its folder; None while it has none."""
        if self._record.size is None and self._refreshed().size is None:
            from cachedeco import contents

            return contents.size_now(self._store, self._record)
        return self._record.size

    @property
    def created(self) -> datetime.datetime:
        """When the record was made, in UTC."""
        return _moment(self._record.created)

    @property
    def committed(self) -> datetime.datetime | None:
        """When it became READY, in UTC."""
        record = self._record
        return None if record.ended is None or record.status == Status.FAILED else _moment(record.ended)

    @property
    def seconds(self) -> float | None:
        """How long the function ran."""
        return None if self._record.duration is None else self._record.duration / 1e6

    @property
    def status(self) -> Status:
        """Its status by now, asked of the registry. A record that is gone is DELETED."""
        status = self._store.items.status(self._record.id)
        self._record.status = Status.DELETED if status is None else status
        return self._record.status

    @status.setter
    def status(self, status: int) -> None:
        self._move(Status(status), None)

    @property
    def attempts(self) -> int:
        """How often the function was tried; 0 for an item made by hand."""
        return self._record.attempts

    @property
    def made_by(self) -> dict[str, Any]:
        """Who computed it, for people; empty for an item made by hand, and after a rebuild of the registry.

        Returns:
            ``user``, ``host``, ``pid``, ``program``, ``python``; ``revision``, the commit of the git checkout that
            it ran in, or None; and ``packages``: name -> version of each installed package that its code uses.
        """
        from cachedeco.describing import made_by

        return made_by(self._store, self._record)

    @property
    def params(self) -> dict[str, Any]:
        """The parameters: scalars and short strings as they were, of others a short description."""
        return {
            name: each["value"] if "value" in each else each.get("preview")
            for name, each in self._record.described().items()
        }

    @property
    def attrs(self) -> dict[str, Any]:
        """The attributes; one in a namespace as an entry of a dict of that name."""
        return self._store.items.attributes(self._record.id)

    @property
    def path(self) -> Path | None:
        """Where its file or folder is, or is to be written; None for a value that is kept in the registry.

        Of several files it is the folder that they lie in.
        """
        from cachedeco import contents

        place = contents.place_of(self._store, self._record)
        if place is None:
            return None
        from pathlib import Path

        return Path(place)

    def intact(self) -> bool:
        """Whether its value or file is there, is what was recorded, and is signed if the cache is.

        A file is read only if something has touched it since it was read last.
        """
        from cachedeco import contents

        return contents.is_intact(self._store, self._record)

    def load(self) -> Any:
        """Load the stored value; for an output file or folder its path, for several a dict of paths.

        Of a generator it is an iterator over the items.

        Raises:
            StatusError: it is not READY, or was made by hand and has no file.
            OSError: its file is gone, or not signed in a cache that is.
            DamagedError: its value or file is not what was stored.
        """
        record = self._record
        if self.status != Status.READY or (record.form is None and self._refreshed().form is None):
            raise StatusError(f"{self!r} has no value to load")
        from cachedeco import contents

        value = contents.load(self._store, self._record)
        self.accessed()
        return value

    def open(
        self,
        default_mode: str = "r",
        encoding: str | None = None,
        *,
        large: bool = True,
        needed: str | Iterable[str] | None = None,
        ext: str | None = None,
    ) -> Opener:
        """Open its file for reading, decompressed, archives by their members.

        Args:
            default_mode: ``"r"`` for text, ``"rb"`` for bytes.
            encoding: of text; default UTF-8.
            large: the result is lines that are read one by one; else the whole content.
            needed: names of the members of an archive that are wanted. Default: all files in it.
            ext: the format, such as ``"gz"`` or ``"tar.gz"``; any other extension for a file that is to be read as
                it is. Default: told by the file's first bytes.

        Raises:
            StatusError: it is not READY.
            OptionError: it has no file, or the arguments do not fit it.
            OSError: its file is gone.
        """
        if self.status != Status.READY:
            raise StatusError(f"{self!r} is not READY, so there is nothing to open")
        path = self.path
        if path is None or self._record.form not in {None, "file"} or path.is_dir():
            raise OptionError(f"{self!r} is not one file; load() gives its value or paths")
        from cachedeco import contents
        from cachedeco.files.opener import Opener

        contents.check(self._store, self._record, str(path))
        self.accessed()
        return Opener(path, ext=ext, needed=needed, large=large, default_mode=default_mode, encoding=encoding)

    def ready(self) -> None:
        """Mark it READY; size and digest of its file are recorded, and the file is made read-only.

        Raises:
            StatusError: it cannot become READY from what it is, or another process or call owns it.
            MissingOutputError: others wait for it, and its file has not been written.
        """
        self._move(Status.READY, None)

    def failed(self, error: str | None = None) -> None:
        """Mark it FAILED.

        Args:
            error: what went wrong, for people.

        Raises:
            StatusError: it cannot become FAILED from what it is, or another process or call owns it.
        """
        self._move(Status.FAILED, error)

    def remove(self, *, disk: bool = False, keep_record: bool = True) -> None:
        """Move it to the trash.

        Args:
            disk: delete its value or file, for good.
            keep_record: with `disk`, leave a record with the status DELETED.

        Raises:
            StatusError: somebody is computing or writing it and others wait for it.
        """
        from cachedeco.changes import remove

        options = {"disk": disk, "keep_record": keep_record, "unowned_writes": True}
        if not remove(self._store, [self._refreshed()], **options) and self.status == Status.WRITE:
            raise StatusError(f"{self!r} is being computed; it can be removed when that has ended")
        self._refreshed()

    def restore(self) -> None:
        """Bring it back from the trash as what it was.

        Raises:
            StatusError: it is not in the trash.
        """
        from cachedeco.changes import restore

        if not restore(self._store, self._record):
            raise StatusError(f"{self!r} is not in the trash")
        self._refreshed()

    def update(self, **fields: Any) -> None:
        """Change what is said of it.

        Args:
            fields: ``attrs`` to add or replace, ``remove_attrs`` with names to drop, ``label``, ``ext``, ``status``.

        Raises:
            OptionError: there is no such field, or its value cannot be used.
            StatusError: it cannot have that status.
        """
        from cachedeco.changes import update

        update(self._store, [self._record], fields)
        if "status" in fields:
            self._move(Status(fields["status"]), None)
        self._refreshed()

    def _move(self, after: Status, error: str | None) -> None:
        record = self._refreshed()
        if self.status == after:
            return
        if after in {Status.TRASH, Status.DELETED}:
            self.remove(disk=after == Status.DELETED)
            return
        from cachedeco.moves import move

        move(self._store, record, after, error, repr(self))
        self._refreshed()

    def _refreshed(self) -> Record:
        found = self._store.items.get(self._record.id)
        if found is not None:
            self._record = found
        return self._record


class Items(list[CacheItem]):
    """A list of items, which a notebook shows as a table."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        from cachedeco.tables import of_items

        return of_items(self)


def _opened(  # noqa: PLR0917 - called by pickle
    record: Record, folder: str, mode: str, shared: str | None, guard: Guard | None, mmap: bool
) -> CacheItem:
    from cachedeco.store import Store

    return CacheItem(record, Store(folder, mode, shared=shared, guard=guard, mmap=mmap))


def _moment(microseconds: int) -> datetime.datetime:
    import datetime

    return datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(microseconds=microseconds)

"""CacheItem: one version of one key, with what one can ask of it and do with it."""

from __future__ import annotations

import os

from cachedeco.errors import StatusError
from cachedeco.files.staging import digest_of
from cachedeco.status import MOVES, Status
from cachedeco.values import table

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime
    from pathlib import Path
    from typing import Any

    from cachedeco.record import Record
    from cachedeco.store import Store


class CacheItem:
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

    __slots__ = ("_record", "_store")

    def __init__(self, record: Record, store: Store) -> None:
        self._record = record
        self._store = store

    def __repr__(self) -> str:
        return f"CacheItem[{self.uri} V:{self.version} {self.status.name}]"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CacheItem):
            return NotImplemented
        return (self._store.folder, self._record.id) == (other._store.folder, other._record.id)

    def __hash__(self) -> int:
        return hash((self._store.folder, self._record.id))

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
        """Bytes of its value or file; None while it has none."""
        if self._record.size is None and self._record.owner is None and self.path is not None:
            try:
                return os.stat(self.path).st_size
            except OSError:
                return None
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

    @property
    def params(self) -> dict[str, Any]:
        """The parameters: scalars and short strings as they were, of others a short description."""
        import json

        described = json.loads(self._record.params or "{}")
        return {
            name: each["value"] if "value" in each else each.get("preview")
            for name, each in described.items()
        }

    @property
    def attrs(self) -> dict[str, Any]:
        """The attributes; one in a namespace as an entry of a dict of that name."""
        return self._store.items.attributes(self._record.id)

    @property
    def path(self) -> Path | None:
        """Where its file is, or is to be written; None for a value that is kept in the registry."""
        record = self._record
        if record.filename is None:
            return None
        from pathlib import Path

        return Path(self._store.item_folder(record.key, record.version, record.token), record.filename)

    def intact(self) -> bool:
        """Whether its value or file is there, in the size that was recorded."""
        record = self._record
        if record.form is None:
            return False
        if record.filename is None:
            return True
        try:
            return os.stat(str(self.path)).st_size == record.size
        except OSError:
            return False

    def load(self) -> Any:
        """Load the stored value; for an output file, its path.

        Raises:
            StatusError: it is not READY, or was made by hand and has no file.
            OSError: its file is gone.
        """
        record = self._record
        if self.status != Status.READY or (record.form is None and self._refreshed().form is None):
            raise StatusError(f"{self!r} has no value to load")
        record = self._record
        if record.form == "file":
            return self.path
        serializer = table.get(record.serializer or "")
        inline = self._store.items.inline(record.id) if record.filename is None else None
        return serializer.load(str(self.path)) if inline is None else serializer.unpack(inline)

    def ready(self) -> None:
        """Mark it READY; the size and digest of its file are recorded, if it has been written.

        Raises:
            StatusError: it cannot become READY from what it is, or a running call owns it.
        """
        self._move(Status.READY, None)

    def failed(self, error: str | None = None) -> None:
        """Mark it FAILED.

        Args:
            error: what went wrong, for people.

        Raises:
            StatusError: it cannot become FAILED from what it is, or a running call owns it.
        """
        self._move(Status.FAILED, error)

    def _move(self, after: Status, error: str | None) -> None:
        before = self.status
        if before == after:
            return
        if after not in MOVES[before]:
            raise StatusError(f"{self!r} cannot become {after.name}")
        size = digest = None
        if after == Status.READY and self.path is not None and self.path.is_file():
            size, digest = digest_of(str(self.path))
        if not self._store.items.move(self._record.id, before, after, size=size, digest=digest, error=error):
            raise StatusError(
                f"{self!r} is being computed by a call, or was changed by somebody else just now"
            )
        self._refreshed()

    def _refreshed(self) -> Record:
        found = self._store.items.get(self._record.id)
        if found is not None:
            self._record = found
        return self._record


def _moment(microseconds: int) -> datetime.datetime:
    import datetime

    return datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(microseconds=microseconds)

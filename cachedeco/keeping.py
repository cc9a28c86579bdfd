"""What an item is worth keeping for: how often and when it was used, and whether somebody has pinned it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime

    from cachedeco.record import Record
    from cachedeco.store import Store


class Keeping:
    """The part of `CacheItem` that speaks of its use and of clean-ups."""

    __slots__ = ()

    _record: Record
    _store: Store

    @property
    def read_count(self) -> int:
        """How often it was used: hits of its function, `load`, `open` and `accessed`.

        Other processes tell the registry some seconds after a use, or when they end.
        """
        written = self._store.items.uses(self._record.id)
        return (0 if written is None else written[0]) + self._store.uses.counts.get(self._record.id, 0)

    @property
    def last_read(self) -> datetime.datetime | None:
        """When it was last used, to some seconds, in UTC; None if it never was."""
        import datetime

        if self._store.uses.counts.get(self._record.id):
            return datetime.datetime.now(datetime.UTC)
        written = self._store.items.uses(self._record.id)
        if written is None or not written[0]:
            return None
        return datetime.datetime.fromtimestamp(0, datetime.UTC) + datetime.timedelta(microseconds=written[1])

    def accessed(self) -> None:
        """Count a use, as of a path that was kept elsewhere: what is used is the last to be cleaned up."""
        self._store.uses.counts[self._record.id] += 1
        self._store.pool.keep_due_uses()

    @property
    def pinned(self) -> bool:
        """Whether no clean-up may remove it."""
        found = self._store.items.get(self._record.id)
        return found is not None and found.pinned

    def pin(self) -> None:
        """Keep it from every clean-up, whatever its age and whatever the cache may take.

        Only `remove` moves it to the trash, or a value that turns out to be damaged.

        Raises:
            OptionError: the cache has ``mode="read-only"``.
            StatusError: its record is gone.
        """
        self._pin(pinned=True)

    def unpin(self) -> None:
        """Let clean-ups remove it again.

        Raises:
            OptionError: the cache has ``mode="read-only"``.
            StatusError: its record is gone.
        """
        self._pin(pinned=False)

    def _pin(self, *, pinned: bool) -> None:
        from cachedeco.errors import OptionError, StatusError

        if self._store.mode == "read-only":
            raise OptionError("a pin would write to the cache, which has mode='read-only'")
        from cachedeco.changes import pin

        if not pin(self._store, self._record, pinned=pinned):
            raise StatusError(f"{self!r} is gone, so it cannot be kept")

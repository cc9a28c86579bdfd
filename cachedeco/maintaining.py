"""Keeping a cache in order: letting go of what is old or too much, and checking what stays."""

from __future__ import annotations

from cachedeco.errors import OptionError
from cachedeco.finding import Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime
    from typing import Any

    from cachedeco.search import Moment
    from cachedeco.upkeep.report import Report

    Length = datetime.timedelta | float | str


class Maintaining(Finding):
    """The part of `Cache` that keeps it in order.

    What is pinned, being computed or written stays, whatever is asked for. All verbs return a `Report` of what went and
    why; with ``dry_run=True`` of what would.
    """

    def gc(
        self,
        *,
        max_size: int | str | None = None,
        max_age: Length | None = None,
        keep: int | None = None,
        where: str | None = None,
        grace: Length = "1h",
        dry_run: bool = False,
    ) -> Report:
        """Let go of what is old or too much, the least recently used first.

        It goes to the trash, from where `CacheItem.restore` brings it back; what is there for longer than `grace` is
        deleted. In any case old failures go, those of a call beyond three, and what replaced code has made and nobody
        has used for 30 days.

        Args:
            max_size: bytes that may stay in use, as a number or a text like ``"50 GB"``.
            max_age: go what was not used for longer, a timedelta, seconds, or a text like ``"90d"``.
            keep: so many READY versions of each call stay, the newest.
            where: a condition that everything that goes to the trash must meet, see `Cache.search`.
            grace: how long what went to the trash stays there.
            dry_run: only tell what would go.

        Raises:
            OptionError: something is not what it should be, or the cache has ``mode="read-only"``.
            QueryError: `where` is no condition.
        """
        from cachedeco.search import compiled
        from cachedeco.units import bytes_of, microseconds_of
        from cachedeco.upkeep import gc

        if keep is not None and (isinstance(keep, bool) or not isinstance(keep, int) or keep < 1):
            raise OptionError(f"gc(keep={keep!r}): a number of versions, at least 1")
        self._check_writable("gc", dry_run=dry_run)
        rules = gc.Rules(
            max_size=None if max_size is None else bytes_of("gc(max_size=...)", max_size),
            max_age=None if max_age is None else microseconds_of("gc(max_age=...)", max_age),
            keep=keep,
            grace=microseconds_of("gc(grace=...)", grace),
            where=None if where is None else compiled(where)[0],
        )
        return gc.gc(self.store, rules, dry_run=dry_run)

    def clean_db(self, *, dry_run: bool = False) -> Report:
        """Let go of records without bytes: READY ones whose file is gone, and those whose bytes were deleted.

        Args:
            dry_run: only tell what would go.
        """
        from cachedeco.upkeep import clean

        self._check_writable("clean_db", dry_run=dry_run)
        return clean.clean_db(self.store, dry_run=dry_run)

    def clean_disk(self, *, dry_run: bool = False) -> Report:
        """Delete bytes without a record, and what processes that died have left half written.

        Nothing is touched whose name was not made by this library.

        Args:
            dry_run: only tell what would go.
        """
        from cachedeco.upkeep import clean

        self._check_writable("clean_disk", dry_run=dry_run)
        return clean.clean_disk(self.store, dry_run=dry_run)

    def clean(self, *, grace: Length = "1h", dry_run: bool = False) -> Report:
        """All of it: records without bytes, bytes without a record, and the trash.

        Args:
            grace: how long what went to the trash stays there, a timedelta, seconds, or a text like ``"2h"``.
            dry_run: only tell what would go.
        """
        from cachedeco.units import microseconds_of
        from cachedeco.upkeep import clean

        self._check_writable("clean", dry_run=dry_run)
        return clean.clean(self.store, microseconds_of("clean(grace=...)", grace), dry_run=dry_run)

    def autoclean(self, *, dry_run: bool = False) -> Report:
        """Keep the newest READY version of each call; others, and failures that were made up for, go to the trash.

        A READY version never goes for one that is unfinished. Bytes without a record are deleted.

        Args:
            dry_run: only tell what would go.
        """
        from cachedeco.upkeep import clean

        self._check_writable("autoclean", dry_run=dry_run)
        return clean.autoclean(self.store, dry_run=dry_run)

    def verify(
        self,
        *,
        full: bool = False,
        since: Moment | None = None,
        time_limit: float | None = None,
        dry_run: bool = False,
        progress: bool | None = None,
    ) -> Report:
        """Look whether all READY items are what was stored; what is damaged goes to the trash.

        Args:
            full: read every file; by default only those that something has touched since they were found right.
            since: only what became READY after this time, a datetime or a text in ISO format.
            time_limit: stop after so many seconds; the next call with one goes on from there, so that short runs
                come through the whole cache.
            dry_run: only tell what is damaged.
            progress: show a bar; default: on a terminal or in a notebook.

        Returns:
            What is damaged, how many items were `checked`, and whether it was `complete`.

        Raises:
            OptionError: something is not what it should be, or the cache has ``mode="read-only"``.
        """
        from cachedeco.calls.progress import bar
        from cachedeco.search import microseconds
        from cachedeco.upkeep.verify import verify

        if time_limit is not None and not time_limit >= 0:
            raise OptionError(f"verify(time_limit={time_limit!r}): seconds, not less than 0")
        self._check_writable("verify", dry_run=dry_run)
        moment = None if since is None else microseconds(since, "since")
        with bar("verify", len(self.store.items), progress) as step:
            return verify(self.store, full=full, since=moment, seconds=time_limit, dry_run=dry_run, step=step)

    def stats(self) -> list[dict[str, Any]]:
        """What the cache was good for, a dict for each function or uri, those first that saved most.

        Returns:
            ``name``; ``items``; ``computed`` and ``failed``, how many of them; ``bytes``; ``hits``;
            ``seconds_computed``, of all computations; ``seconds_saved``, what the hits would have taken to compute.
            What was deleted does not count any more, and other processes tell of their hits some seconds later.
        """
        from cachedeco.registry import upkeep

        self.store.pool.keep_uses(wait=1.0)
        return [
            {
                "name": name,
                "items": items,
                "computed": computed,
                "failed": failed,
                "bytes": size,
                "hits": hits,
                "seconds_computed": computing / 1e6,
                "seconds_saved": saved / 1e6,
            }
            for name, items, computed, failed, size, hits, computing, saved in upkeep.stats(self.store.pool)
        ]

"""Changing items that a search finds."""

from __future__ import annotations

from cachedeco.errors import OptionError
from cachedeco.finding import Finding
from cachedeco.item import CacheItem
from cachedeco.record import MISSING
from cachedeco.status import Status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, Unpack

    from cachedeco.record import Missing, Record
    from cachedeco.search import Conditions
    from cachedeco.upkeep.report import Report

    Params = Mapping[str, Any] | Missing | None

_MAY_LACK = ("label", "ext", "filename", "function", "size", "duration", "code", "cause", "owner")
"""Conditions for which None means the items that have none."""


class Changing(Finding):
    """The part of `Cache` that removes items and changes what is said of them."""

    def remove(
        self,
        uri: str | None = None,
        params: Params = MISSING,
        *,
        disk: bool = False,
        keep_record: bool = True,
        all: bool = False,  # noqa: A002 - the word that people say
        dry_run: bool = False,
        **conditions: Unpack[Conditions],
    ) -> int:
        """Move the items that match everything given to the trash. A running claim is left alone.

        Items that are written by hand, without a claim, go only when their status is asked for.

        Args:
            uri: exactly this one.
            params: exactly these; needs `uri`. Left out: any.
            disk: delete their values and files, for good; what is in the trash goes when its status is asked for.
            keep_record: with `disk`, leave records with the status DELETED.
            all: there need not be a condition: remove everything.
            dry_run: only tell how many would go; `would_remove` tells which, and the bytes.
            conditions: further ones, as those of `Cache.search`.

        Returns:
            How many items were removed.

        Raises:
            OptionError: there is no condition, or one is not what it should be.
        """
        self._check_writable("remove", dry_run=dry_run)
        records, unowned_writes = self._to_remove("remove", uri, params, conditions, all=all)
        from cachedeco import changes

        if dry_run:
            return len(changes.would_go(records, disk=disk, unowned_writes=unowned_writes))
        return changes.remove(
            self.store, records, disk=disk, keep_record=keep_record, unowned_writes=unowned_writes
        )

    def would_remove(
        self,
        uri: str | None = None,
        params: Params = MISSING,
        *,
        disk: bool = False,
        all: bool = False,  # noqa: A002 - as above
        **conditions: Unpack[Conditions],
    ) -> Report:
        """What `remove` would remove with the same arguments: which items, why, and their bytes."""
        records, unowned_writes = self._to_remove("would_remove", uri, params, conditions, all=all)
        from cachedeco import changes
        from cachedeco.upkeep.report import Gone, Report

        report = Report("remove", dry_run=True)
        why = "would be deleted" if disk else "would go to the trash"
        for each in changes.would_go(records, disk=disk, unowned_writes=unowned_writes):
            version_id = f"{each.key}-{each.version}"
            report.gone.append(Gone(version_id, each.function or each.uri, why, each.size or 0, each.id))
        return report

    def _to_remove(
        self,
        verb: str,
        uri: str | None,
        params: Params,
        conditions: Conditions,
        *,
        all: bool,  # noqa: A002 - as above
    ) -> tuple[list[Record], bool]:
        """Records that meet the conditions, and whether what is written by hand is meant, too."""
        _check_conditions(verb, {"uri": uri, "params": params, **conditions}, all=all)
        from cachedeco.search import statuses

        status = conditions.get("status")
        named = status is not None and Status.WRITE in statuses(status)
        return self._records(verb, uri=uri, params=params, **conditions), named

    def update(
        self,
        uri: str | None = None,
        params: Params = MISSING,
        *,
        update: Mapping[str, Any],
        all: bool = False,  # noqa: A002 - as above
        **conditions: Unpack[Conditions],
    ) -> int:
        """Change what is said of the items that match everything given.

        Args:
            uri: exactly this one.
            params: exactly these; needs `uri`. Left out: any.
            update: ``"attrs"`` with attributes to add or replace, ``"remove_attrs"`` with names to drop, ``"label"``,
                ``"ext"``, ``"status"``.
            all: there need not be a condition: change all items.
            conditions: further ones, as those of `Cache.search`.

        Returns:
            How many items were changed.

        Raises:
            OptionError: there is no condition, no such field, or one is not what it should be.
            StatusError: an item cannot have that status.
        """
        self._check_writable("update")
        _check_conditions("update", {"uri": uri, "params": params, **conditions}, all=all)
        from cachedeco import changes
        from cachedeco.search import statuses

        records = self._records("update", uri=uri, params=params, **conditions)
        status = statuses(update["status"]) if "status" in update else []
        changes.update(self.store, records, update)
        for record in records:
            for each in status:
                CacheItem(record, self.store).status = each
        return len(records)

    def update_status(
        self,
        uri: str | None = None,
        params: Mapping[str, Any] | None = None,
        version: int | Iterable[int] = -1,
        status: int = Status.READY,
        key: str | None = None,
    ) -> int:
        """Change the status of versions of one key.

        Args:
            uri: names the family of results.
            params: the named values.
            version: one of these; -1 for the newest.
            status: the new one.
            key: 32 hex digits, in place of uri and params.

        Returns:
            How many items there were.

        Raises:
            OptionError: neither uri nor key is given, or something is not what it should be.
            StatusError: an item cannot have that status.
        """
        if (uri is None) == (key is None):
            raise OptionError("update_status needs uri=... (and params=...), or key=...")
        wanted: Params = MISSING if uri is None else params
        return self.update(uri, wanted, update={"status": status}, version=version, key=key)


def _check_conditions(verb: str, conditions: Mapping[str, Any], *, all: bool) -> None:  # noqa: A002 - as above
    # A dict without attributes narrows nothing.
    narrowing = [name for name, value in conditions.items() if value not in (None, MISSING) and value != {}]
    without = [name for name in _MAY_LACK if conditions.get(name, MISSING) is None]
    if not all and not narrowing and not without:
        raise OptionError(
            f"{verb} without a condition would concern every item; if that is meant, all=True says so"
        )

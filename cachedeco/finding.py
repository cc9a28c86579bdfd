"""Looking for items: by key, by what is known of them, by what lies in the folder."""

from __future__ import annotations

from cachedeco.errors import OptionError
from cachedeco.item import CacheItem, Items
from cachedeco.record import MISSING
from cachedeco.registry.items import VISIBLE, Filter
from cachedeco.status import Status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any, Unpack

    from cachedeco.record import Missing, Record
    from cachedeco.search import Moment, Search, Statuses
    from cachedeco.store import Store

_MOST = 1 << 62
"""More items than any registry can have."""


class Finding:
    """The part of `Cache` that changes nothing.

    Attributes:
        path: absolute path of the folder.
        mode: what a miss does.
        store: the rooms of the folder.
        upstream: the caches that are looked up after this one.
    """

    upstream: tuple[Finding, ...]
    path: str
    mode: str
    store: Store

    def best(
        self,
        uri: str,
        params: Mapping[str, Any] | None = None,
        status: Statuses = Status.READY,
        newer_than: Moment | None = None,
        older_than: Moment | None = None,
    ) -> CacheItem | None:
        """The newest version of a key; of the caches in `upstream` where this one has none; else None.

        With the default status, it is the newest one whose value or file is there, whatever code made it. Of
        a cached function, the uri is ``py://module/function`` unless it has another one, and the params are
        all its arguments.

        Args:
            uri: names the family of results.
            params: the named values; None is the same as none of them.
            status: one of these.
            newer_than: made after this time.
            older_than: made before this time.

        Raises:
            KeyingError: a parameter cannot be part of a key.
        """
        given = dict(params or {})
        times = {"newer_than": newer_than, "older_than": older_than}
        for record in reversed(self._records("best", uri=uri, params=given, status=status, **times)):
            item = CacheItem(record, self.store)
            if record.status != Status.READY or item.intact():
                return item
        for each in self.upstream:
            found = (
                each.best(uri, params, status, newer_than, older_than) if each.store.has_registry() else None
            )
            if found is not None:
                return found
        return None

    def search(  # noqa: PLR0917 - promised by position
        self,
        uri: str | None = None,
        params: Mapping[str, Any] | Missing | None = MISSING,
        status: Statuses | None = None,
        version: int | Iterable[int] | None = None,
        newer_than: Moment | None = None,
        older_than: Moment | None = None,
        ext: str | Missing | None = MISSING,
        label: str | Missing | None = MISSING,
        filename: str | Missing | None = MISSING,
        key: str | None = None,
        attrs: Mapping[str, Any] | None = None,
        *,
        include_removed: bool = False,
        function: str | Missing | None = MISSING,
        where: str | None = None,
        params_like: Mapping[str, Any] | None = None,
        size: Any = MISSING,
        duration: Any = MISSING,
        code: Any = MISSING,
        cause: Any = MISSING,
        owner: Any = MISSING,
        order: str = "id",
        limit: int | None = None,
    ) -> list[CacheItem]:
        """The items that match everything given, oldest first.

        `size`, `duration`, `code`, `cause` and `owner` take a value, a list of values any of which will do, or a tuple
        of operator and value, as attributes do: ``size=(">", "10 MB")``.

        Args:
            uri: exactly this one.
            params: exactly these; needs `uri`. Left out: any.
            status: one of these. Default: all but TRASH and DELETED.
            version: one of these; -1 for the newest of each key.
            newer_than: made after this time, a datetime or a text in ISO format. Without a zone it is local time.
            older_than: made before this time.
            ext: exactly this extension; None for items without one.
            label: exactly this label; None for items without one.
            filename: exactly this name; None for items without one.
            key: 32 hex digits.
            attrs: attributes: name -> value. ``{"batch": 2}`` finds 2 and 2.0; ``{"batch": [1, 2]}`` either;
                ``{"batch>=": 2}`` or ``{"batch": (">=", 2)}`` compares with ``= != <> >= <= > <``; further
                ``("like", "a%")``, ``("in", [1, 2])``, ``("between", 1, 5)``, ``("exists", True)``; ``{"lab": {"city":
                "Bonn"}}`` looks in a namespace; ``"__and": False`` finds items that have any of them.
            include_removed: also TRASH and DELETED.
            function: module and qualified name of the function; None for items made by hand.
            where: a condition such as ``"function like 'shop.%' and (size > 10MB or took >= 1.5s) and not age > 30d"``.
                Names are fields of items, ``params.year`` or attributes; see `cachedeco.registry.expression`.
            params_like: some of the parameters: name -> value, as in `attrs`. Any value is found by what is equal to
                it: ``{"year": 2026}``, ``{"frame": frame}``; numbers and texts also by their order:
                ``{"year>=": 2020}``, ``{"name": ("like", "a%")}``.
            size: bytes, as a number or a text like ``"10 MB"``.
            duration: seconds that the function ran, as a number, a text like ``"1.5s"`` or a ``timedelta``.
            code: digest of the code that made it, as `CacheItem.code`.
            cause: why it is FAILED or TRASH: ``"raised"``, ``"abandoned"``, ``"store"``...
            owner: the user who made it; or a dict of what is known of the process, such as ``{"host": "node7"}``, with
                the names of `CacheItem.made_by`.
            order: ``"size"``, ``"-created"``, ...: a field, with ``-`` before it for the largest first. What items lack
                comes last. ``"-id"`` is the newest first.
            limit: at most so many.

        Raises:
            QueryError: `where` is no condition; the message points at the place.
            OptionError: the arguments contradict each other, or one is not what it should be.
            KeyingError: a parameter cannot be part of a key.
        """
        conditions: Search = {
            "uri": uri,
            "params": params,
            "status": status,
            "version": version,
            "newer_than": newer_than,
            "older_than": older_than,
            "ext": ext,
            "label": label,
            "filename": filename,
            "key": key,
            "attrs": attrs,
            "include_removed": include_removed,
            "function": function,
            "where": where,
            "params_like": params_like,
            "size": size,
            "duration": duration,
            "code": code,
            "cause": cause,
            "owner": owner,
        }
        from cachedeco.registry.ordering import Order
        from cachedeco.search import wanted

        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
            raise OptionError(f"search(limit={limit!r}): it is a number of items, or None for all")
        found = self.store.items.search(
            wanted("search", **conditions),
            order=Order(order),
            limit=-1 if limit is None else min(limit, _MOST),
        )
        return Items(CacheItem(record, self.store) for record in found)

    def iterate(
        self, *, order: str = "id", page: int = 1000, **conditions: Unpack[Search]
    ) -> Iterator[CacheItem]:
        """The items that match everything given, one after another, however many there are.

        They are read in pages, each from where the last one ended: no transaction is open meanwhile, so others write
        and clean as ever. What comes or goes meanwhile is seen or not; what stays as it is, is seen once.

        Args:
            order: as for `search`. By number, the default, a page costs the same however many items there are; by
                anything else each page looks at all that match.
            page: items that are read at once.
            **conditions: as for `search`.

        Yields:
            The items.

        Raises:
            OptionError: the arguments contradict each other, or one is not what it should be.

        Examples:
            >>> import tempfile
            >>> from cachedeco import Cache
            >>> with tempfile.TemporaryDirectory() as folder, Cache(folder) as cache:
            ...     items = [cache.create("demo://x", params={"n": n}) for n in range(5)]
            ...     [item.params["n"] for item in cache.iterate(order="-id", page=2, params_like={"n>": 1})]
            [4, 3, 2]
        """
        from cachedeco.registry.ordering import Order
        from cachedeco.search import wanted

        if isinstance(page, bool) or not isinstance(page, int) or page < 1:
            raise OptionError(f"iterate(page={page!r}): it is a number of items, 1 or more")
        pages = self.store.items.pages(
            wanted("iterate", **conditions), order=Order(order), size=min(page, _MOST)
        )
        return (CacheItem(record, self.store) for records in pages for record in records)

    def by_attrs(self, attrs: Mapping[str, Any]) -> set[int]:
        """Numbers of the items that have these attributes, as `CacheItem.id` has them.

        Args:
            attrs: see `search`.

        Raises:
            OptionError: an operator does not exist, or does not fit its value.
        """
        return {record.id for record in self._records("by_attrs", attrs=attrs)}

    def by_key(self, key: str, version: int | None = None) -> CacheItem | None:
        """The item of a key and version; None when there is none.

        Args:
            key: 32 hex digits, or a ``version_id``, which names the version too.
            version: default the newest that is not in the trash.
        """
        if version is None and "-" in key:
            key, _, digits = key.partition("-")
            if not digits.isdecimal():
                raise OptionError(f"by_key({key}-{digits}): a version_id is 32 hex digits, '-' and a number")
            version = int(digits)
        from cachedeco.search import key_bytes

        found: list[Record] = self.store.items.search(
            Filter(
                key=key_bytes(key),
                version=(-1,) if version is None else (version,),
                status=VISIBLE if version is None else tuple(Status),
            )
        )
        return CacheItem(found[-1], self.store) if found else None

    def contents(self) -> dict[str, dict[str, Any]]:
        """What the registry and the folder have, together.

        Returns:
            ``version_id`` of each item -> ``item``, ``status``, ``filename``, ``size`` as recorded, and ``path`` of its
            folder on disk, None if there is none. A folder that no item has stands under its own name, with
            its ``path`` and None for the rest.
        """
        from cachedeco.files.listing import item_folders

        # The folder first: what is written in between is then an item without a folder, not the reverse.
        folders = item_folders(self.path)
        found: dict[str, dict[str, Any]] = {}
        for record in self._records("contents", include_removed=True):
            item = CacheItem(record, self.store)
            facts = {"item": item, "status": record.status, "filename": record.filename, "size": record.size}
            found[item.version_id] = {**facts, "path": folders.pop(f"{item.version_id}-{record.token}", None)}
        nothing = dict.fromkeys(("item", "status", "filename", "size"))
        return found | {name: {**nothing, "path": path} for name, path in folders.items()}

    @property
    def free_space(self) -> int:
        """Bytes that can still be written to the disk that the cache is on."""
        import shutil

        return shutil.disk_usage(self.path).free

    def does_it_fit(self, size: int) -> bool:
        """Whether so many bytes can still be written to the disk that the cache is on."""
        return size <= self.free_space

    def _records(self, verb: str, **conditions: Any) -> list[Record]:
        from cachedeco.search import wanted

        return self.store.items.search(wanted(verb, **conditions))

    def _check_writable(self, verb: str, *, dry_run: bool = False) -> None:
        if not dry_run and self.mode == "read-only":
            raise OptionError(f"{verb} would write to the cache, which has mode='read-only'")

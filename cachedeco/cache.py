"""Cache: one folder of results, and what one does with it."""

from __future__ import annotations

import contextlib
import os
import threading

from cachedeco.errors import OptionError
from cachedeco.files.folder import item_name
from cachedeco.item import CacheItem
from cachedeco.keys.describe import describe
from cachedeco.keys.key import make_key
from cachedeco.location import folder_of
from cachedeco.record import MISSING
from cachedeco.registry.attributes import encode
from cachedeco.registry.claims import new_token
from cachedeco.retry import Retried, failed, retry_failed
from cachedeco.registry.items import VISIBLE, Filter
from cachedeco.status import Status
from cachedeco.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any, Self

    from cachedeco.record import Missing, Record

MODES = ("read-write", "read-only", "raise-on-miss")
"""What a miss does: compute and store; compute and store nothing; raise a `MissError`."""

_NAME_LIMIT = 255


class Cache:
    """A folder of results with a registry of what is in it.

    A cache may be used from any thread, survives a fork, and pickles as its path. Opening one costs nothing
    but making the folder; connections are opened when they are needed.

    Args:
        path: the folder; made if it is missing. ``~`` and relative paths are resolved at once.
        pkg: name of an application: use its cache folder in the user's account instead. Without both, the
            default cache: ``CACHEDECO_DIR``, or one folder per project in the user's account.

        mode: what a cached call does on a miss: ``"read-write"`` computes and stores, ``"read-only"``
            computes and stores nothing, ``"raise-on-miss"`` raises a `MissError`.

    Attributes:
        path: absolute path of the folder.
        mode: as given.

    Raises:
        OptionError: both paths are given, or one has a wrong type.
        RegistryError: the folder cannot be made.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, Cache(folder) as cache:
        ...     item = cache.create("demo://greeting", params={"lang": "en"}, filename="greeting.txt")
        ...     size = item.path.write_text("hello")
        ...     item.ready()
        ...     cache.best("demo://greeting", params={"lang": "en"}).path.read_text()
        'hello'
    """

    def __init__(
        self, path: str | os.PathLike[str] | None = None, pkg: str | None = None, *, mode: str = "read-write"
    ) -> None:
        if mode not in MODES:
            raise OptionError(f"Cache(mode={mode!r}): it is one of {', '.join(map(repr, MODES))}")
        self.path = folder_of(path, pkg)
        self.mode = mode
        self.store = Store(self.path, mode)

    def __repr__(self) -> str:
        return f"Cache({self.path!r})"

    def __len__(self) -> int:
        """Number of all records, whatever their status."""
        return len(self.store.items)

    def __bool__(self) -> bool:
        """A cache is true, also an empty one."""
        return True

    def __reduce__(self) -> tuple[Callable[..., Cache], tuple[str, str]]:
        return _opened, (self.path, self.mode)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections to the registry. Using the cache again opens new ones."""
        self.store.pool.close()

    def create(
        self,
        uri: str,
        params: Mapping[str, Any] | None = None,
        attrs: Mapping[str, Any] | None = None,
        status: int = Status.UNINITIALIZED,
        ext: str | None = None,
        label: str | None = None,
        filename: str | None = None,
    ) -> CacheItem:
        """Make a new version of a key by hand: write to its ``path``, then call its ``ready()``.

        Nobody waits for such an item. It becomes a hit once it is READY and has its file.

        Args:
            uri: names the family of results.
            params: the named values that make the key together with the uri.
            attrs: attributes to find it by; a dict as value is a namespace.
            status: UNINITIALIZED, WRITE, FAILED or READY.
            ext: file name extension; default that of `filename`.
            label: free text.
            filename: name of its file; default made from key, version and `ext`.

        Raises:
            KeyingError: a parameter cannot be part of a key.
            OptionError: a name, the status or an attribute cannot be used.
        """
        if Status(status) not in VISIBLE:
            raise OptionError(f"create(status={Status(status).name}): a new item cannot be in the trash")
        params = dict(params or {})
        key, token = make_key(uri, params), new_token()
        if ext is None and _checked(filename, "filename") is not None:
            ext = os.path.splitext(filename)[1].lstrip(".") or None
        record = self.store.items.create(
            key=key,
            uri=uri,
            token=token,
            status=Status(status),
            params=_described(params),
            attributes=encode(attrs or {}),
            filename=_checked(filename, "filename"),
            ext=_checked(ext, "ext"),
            label=label,
        )
        os.makedirs(os.path.join(self.path, item_name(record.key, record.version, record.token)), mode=0o700)
        return CacheItem(record, self.store)

    def best(
        self,
        uri: str,
        params: Mapping[str, Any] | None = None,
        status: int | Iterable[int] = Status.READY,
        newer_than: datetime.datetime | None = None,
        older_than: datetime.datetime | None = None,
    ) -> CacheItem | None:
        """The newest version of a key; None when there is none.

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
        for item in reversed(self.search(uri, dict(params or {}), status, None, newer_than, older_than)):
            if item.status != Status.READY or item.intact():
                return item
        return None

    def search(
        self,
        uri: str | None = None,
        params: Mapping[str, Any] | Missing | None = MISSING,
        status: int | Iterable[int] | None = None,
        version: int | Iterable[int] | None = None,
        newer_than: datetime.datetime | None = None,
        older_than: datetime.datetime | None = None,
        ext: str | Missing | None = MISSING,
        label: str | Missing | None = MISSING,
        filename: str | Missing | None = MISSING,
        key: str | None = None,
        *,
        include_removed: bool = False,
        function: str | Missing | None = MISSING,
    ) -> list[CacheItem]:
        """The items that match everything given, oldest first.

        Args:
            uri: exactly this one.
            params: exactly these; needs `uri`. Left out: any.
            status: one of these. Default: all but TRASH and DELETED.
            version: one of these; -1 for the newest of each key.
            newer_than: made after this time. A time without a zone is local time.
            older_than: made before this time.
            ext: exactly this extension, without the dot; None for items without one.
            label: exactly this label; None for items without one.
            filename: exactly this name; None for items without one.
            key: 32 hex digits.
            include_removed: also TRASH and DELETED.
            function: module and qualified name of the function; None for items made by hand.

        Raises:
            OptionError: the arguments contradict each other, or one is not what it should be.
            KeyingError: a parameter cannot be part of a key.
        """
        wanted_key = None if key is None else _key_bytes(key)
        if params is not MISSING:
            if uri is None:
                raise OptionError("search(params=...) needs uri=...: a key is made of both")
            made = make_key(uri, dict(params or {}))
            if wanted_key is not None and wanted_key != made:
                raise OptionError("search(key=...) is not the key of the uri and params given with it")
            wanted_key = made
        if status is None:
            status = tuple(Status) if include_removed else VISIBLE
        wanted = Filter(
            uri=uri,
            key=wanted_key,
            status=_statuses(status),
            version=None if version is None else _several(version),
            created_after=None if newer_than is None else _microseconds(newer_than),
            created_before=None if older_than is None else _microseconds(older_than),
            ext=ext,
            label=label,
            filename=filename,
            function=function,
        )
        return [CacheItem(record, self.store) for record in self.store.items.search(wanted)]

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
        found: list[Record] = self.store.items.search(
            Filter(
                key=_key_bytes(key),
                version=(-1,) if version is None else (version,),
                status=VISIBLE if version is None else tuple(Status),
            )
        )
        return CacheItem(found[-1], self.store) if found else None

    def failed(self, where: Callable[[CacheItem], object] | None = None) -> list[CacheItem]:
        """The items that failed and that no later version has made up for, the oldest first.

        Args:
            where: a function of the item; only those for which it returns something true.
        """
        return failed(self.store, where)

    def retry_failed(self, where: Callable[[CacheItem], object] | None = None) -> list[Retried]:
        """Make failed calls of functions with ``store_args=True`` again, one after another.

        A call that fails again, or whose function is gone, does not keep the others from being made.

        Args:
            where: a function of the item; only those for which it returns something true.

        Returns:
            For each of them its item, and the value or the exception of the new call. That of a call without stored
            arguments is a `RetryError`.
        """
        return retry_failed(self.store, where)


def _opened(path: str, mode: str) -> Cache:
    return Cache(path, mode=mode)


_default: dict[str, Cache] = {}
_default_lock = threading.Lock()


@contextlib.contextmanager
def use_default_cache(path: str | os.PathLike[str]) -> Iterator[Cache]:
    """Use another default cache in this process for the length of a block; it is closed at its end.

    Args:
        path: its folder; made if it is missing.

    Yields:
        The cache.
    """
    before = _default.get("cache")
    with Cache(path) as cache:
        _default["cache"] = cache
        try:
            yield cache
        finally:
            if before is None:
                _default.pop("cache", None)
            else:
                _default["cache"] = before


def default_cache() -> Cache:
    """The default cache of this process, opened when it is first needed."""
    cache = _default.get("cache")
    if cache is None:
        with _default_lock:
            cache = _default.get("cache") or _default.setdefault("cache", Cache())
    return cache


def _described(params: dict[str, Any]) -> str:
    import json

    return json.dumps(describe(params), ensure_ascii=False)


def _statuses(status: int | Iterable[int]) -> list[Status]:
    try:
        return [Status(each) for each in _several(status)]
    except (TypeError, ValueError) as error:
        raise OptionError(f"status={status!r}: it is a Status, such as Status.READY, or several of them") from error


def _several(value: int | Iterable[int]) -> list[int]:
    return [value] if isinstance(value, int) else list(value)


def _key_bytes(key: str) -> bytes:
    try:
        digits = bytes.fromhex(key)
    except (TypeError, ValueError):
        digits = b""
    if len(digits) != 16:  # noqa: PLR2004 - a key has 128 bits
        raise OptionError(f"a key is 32 hex digits, not {key!r}")
    return digits


def _microseconds(moment: datetime.datetime) -> int:
    return round(moment.timestamp() * 1e6)


def _checked(name: str | None, option: str) -> str | None:
    """Refuse a name that would leave the item's folder, or that a file system cannot hold."""
    if name is None:
        return None
    if not isinstance(name, str) or not name or name in {".", ".."} or len(os.fsencode(name)) > _NAME_LIMIT:
        raise OptionError(f"{option}={name!r} is not a usable file name")
    if any(sign in name for sign in ("/", "\\", "\0")):
        raise OptionError(f"{option}={name!r} must be a plain name without folders")
    return name

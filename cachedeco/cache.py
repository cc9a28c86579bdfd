"""Cache: one folder of results, and what one does with it."""

from __future__ import annotations

import contextlib
import os

from cachedeco.calls.options import DURABILITIES, compression_of, one_of, serializer_of
from cachedeco.changing import Changing
from cachedeco.errors import OptionError
from cachedeco.exchanging import Exchanging
from cachedeco.location import folder_of
from cachedeco.maintaining import Maintaining
from cachedeco.settings import MEMORY_LIMIT, signs
from cachedeco.store import Store
from cachedeco.values import table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, Self

    from cachedeco.events import Event, Subscription
    from cachedeco.guard import Guard
    from cachedeco.item import CacheItem
    from cachedeco.retry import Retried
    from cachedeco.values.contract import Serializer
    from cachedeco.why import Why

MODES = ("read-write", "read-only", "raise-on-miss")
"""What a miss does: compute and store; compute and store nothing; raise a `MissError`."""


class Cache(Exchanging, Changing, Maintaining):
    """A folder of results with a registry of what is in it.

    A cache may be used from any thread, survives a fork, and pickles as its path and options; a signing key is not
    in the pickle. Opening one costs nothing but making the folder and looking at who may write there; connections
    are opened when they are needed.

    Args:
        path: the folder; made if it is missing. ``~`` and relative paths are resolved at once.
        pkg: name of an application: use its cache folder in the user's account instead. Without both, the
            default cache: ``CACHEDECO_DIR``, or one folder per project in the user's account.

        mode: what a cached call does on a miss: ``"read-write"`` computes and stores, ``"read-only"``
            computes and stores nothing, ``"raise-on-miss"`` raises a `MissError`.
        memory: how many bytes of small results this process remembers, so that the same call again reads nothing
            from the disk; changes by other processes are seen all the same. 0 for none.
        durability: of results whose function does not say otherwise, see `cached`.
        shared: ``"group"`` for a folder in which the members of its group work together: folders get the mode 2770 and
            files are theirs too, whatever the umask says. Default: the folder is one user's, and one that another
            user owns or may write to is refused.
        signing_key: bytes or text, better 32 random bytes: what is stored is signed with it, and what is not signed
            with it for its very place is no hit and is not unpickled. Who has the key is trusted; it does not matter
            then who else can write to the folder. Default: ``CACHEDECO_SIGNING_KEY``, if that is set.
        signing_key_file: path of a file outside the folder that holds the key and that others cannot read. Default:
            ``CACHEDECO_SIGNING_KEY_FILE``. Other processes that get the cache by pickle read the file, or need one of
            the variables.
        allow_pickle: False for a cache in which values are stored and loaded only in formats that run no code: JSON,
            bytes, text, arrays without objects, Arrow and Parquet. What needs pickle is returned, but not stored.
        serializer: of values whose function does not say otherwise, see `cached`.
        compress: the same.
        mmap: the same.
        max_size: bytes that its items may take, as a number or a text like ``"50 GB"``. Who writes beyond it lets go of
            what was used least recently, a little each time; pinned items stay. What was let go can be restored for
            an hour if there is room, a minute otherwise. A cache without it says once that it has grown past 20 GB.
        upstream: caches, or paths of their folders, that calls look up after this one, in their order, and that nothing
            is written to. What a call finds there is copied into this cache, verified as by `import_`, and a hit. They
            are trusted as this one is: a value that is stored by pickle may run code.

    Attributes:
        path: absolute path of the folder.
        mode: as given.
        memory: as given.
        durability: as given.
        upstream: the caches that are looked up after this one, with mode ``"read-only"``.

    Raises:
        OptionError: both paths are given, or one has a wrong type; or an option has a value that it cannot have.
        RegistryError: the folder cannot be made.
        UntrustedCacheError: another user owns the folder or may write to it.

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
        self,
        path: str | os.PathLike[str] | None = None,
        pkg: str | None = None,
        *,
        mode: str = "read-write",
        memory: int = MEMORY_LIMIT,
        durability: str = "process",
        shared: str | None = None,
        signing_key: bytes | str | None = None,
        signing_key_file: str | os.PathLike[str] | None = None,
        allow_pickle: bool = True,
        serializer: str | Serializer = "auto",
        compress: str | None = None,
        mmap: bool = True,
        max_size: int | str | None = None,
        upstream: Iterable[Cache | str | os.PathLike[str]] = (),
    ) -> None:
        if mode not in MODES:
            raise OptionError(f"Cache(mode={mode!r}): it is one of {', '.join(map(repr, MODES))}")
        self.path = folder_of(path, pkg)
        self.mode = mode
        self.memory = _checked_memory(memory)
        self.durability = one_of("durability", durability, DURABILITIES)
        guard = None
        if not allow_pickle or any(each is not None for each in (signing_key, signing_key_file)) or signs():
            from cachedeco.guard import guard_of

            guard = guard_of(
                self.path,
                signing_key=signing_key,
                signing_key_file=signing_key_file,
                allow_pickle=allow_pickle,
            )
        self.upstream: tuple[Cache, ...] = _looked_up(upstream, self.path)
        self.store = Store(
            self.path,
            mode,
            memory,
            durability=durability,
            shared=shared,
            guard=guard,
            serializer=serializer_of(serializer) or "auto",
            compress=compression_of(compress) or "none",
            mmap=bool(mmap),
            max_size=None if max_size is None else _limit(max_size),
            on_growth=_look_at_size if mode == "read-write" else None,
            upstream=tuple(each.store for each in self.upstream),
            bring=_bringing(self.upstream),
        )

    def __repr__(self) -> str:
        return f"Cache({self.path!r})"

    def _repr_html_(self) -> str:
        from cachedeco.tables import of_cache

        return of_cache(self.path, self.stats())

    def __len__(self) -> int:
        """Number of all records, whatever their status."""
        return len(self.store.items)

    def __bool__(self) -> bool:
        """A cache is true, also an empty one."""
        return True

    def __reduce__(self) -> tuple[Callable[..., Cache], tuple[Any, ...]]:
        return _opened, _options(self, self.mode)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections to the registry. Using the cache again opens new ones."""
        self.store.close()

    def rebuild(self) -> int:
        """Make the registry anew, from the manifests beside the values and what can be read of the old one.

        A registry that is lost, or that SQLite calls damaged, is rebuilt by itself. This is for one that is worse than
        SQLite can see. The old one is set aside inside the cache folder and not deleted. What others are computing
        goes on.

        Returns:
            How many items the new registry has.

        Raises:
            RegistryError: it belongs to another program or to a newer version, or there is no place for a new one.
            OptionError: the cache has ``mode="read-only"``.
        """
        self._check_writable("rebuild")
        self.close()
        return self.store.pool.database.rebuild()

    def subscribe(self, listener: Callable[[Event], object], *kinds: str) -> Subscription:
        """Be told what happens in this cache by calls and verbs of this process, whichever `Cache` object they use.

        Args:
            listener: called with each `Event`, in the thread in which it happens, before the call returns; it should be
                quick. What it raises is said once as a warning, and costs nobody a result.
            *kinds: of the events: ``"hit"``, ``"miss"``, ``"claim"``, ``"wait"``, ``"commit"``, ``"fail"``,
                ``"evict"``. Default: all.

        Returns:
            The subscription; its ``cancel()`` ends it, or a ``with`` around it.

        Raises:
            OptionError: there is no such kind, or the listener cannot be called.

        Examples:
            >>> import tempfile
            >>> from cachedeco import Cache, cached
            >>> with tempfile.TemporaryDirectory() as folder, Cache(folder) as cache:
            ...     @cached(cache=cache)
            ...     def double(x):
            ...         return 2 * x
            ...     with cache.subscribe(lambda event: print(event.kind, event.version)):
            ...         double(1) + double(1)
            miss None
            claim 1
            commit 1
            hit 1
            4
        """
        from cachedeco.events import Subscription

        return Subscription(listener, kinds, self.path)

    def why(self, item: CacheItem) -> Why:
        """Why an item was computed although there were others, or why it failed; prints as a sentence and details."""
        from cachedeco.why import explain_item

        return explain_item(self.store, item._record)  # noqa: SLF001 - an item is its record

    def failed(self, where: Callable[[CacheItem], object] | None = None) -> list[CacheItem]:
        """The items that failed and that no later version has made up for, the oldest first.

        Args:
            where: a function of the item; only those for which it returns something true.
        """
        from cachedeco.retry import failed

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
        from cachedeco.retry import retry_failed

        return retry_failed(self.store, where)


def _options(cache: Cache, mode: str) -> tuple[Any, ...]:
    store = cache.store
    values = (table.portable(store.serializer), store.compress, store.mmap, store.growth.limit)
    return cache.path, mode, cache.memory, cache.durability, store.shared, store.guard, values, cache.upstream


def _opened(
    path: str,
    mode: str,
    memory: int,
    durability: str,
    shared: str | None,
    guard: Guard | None,
    values: tuple[str | Serializer, str, bool, int | None],
    upstream: tuple[Cache, ...] = (),
) -> Cache:
    cache = Cache.__new__(Cache)
    cache.upstream = upstream
    cache.path, cache.mode, cache.memory, cache.durability = path, mode, memory, durability
    serializer, compress, mmap, max_size = values
    cache.store = Store(
        path,
        mode,
        memory,
        durability=durability,
        shared=shared,
        guard=guard,
        serializer=serializer_of(serializer) or "auto",
        compress=compress,
        mmap=mmap,
        max_size=max_size,
        on_growth=_look_at_size if mode == "read-write" else None,
        upstream=tuple(each.store for each in upstream),
        bring=_bringing(upstream),
    )
    return cache


def _looked_up(upstream: Iterable[Cache | str | os.PathLike[str]], path: str) -> tuple[Cache, ...]:
    """The caches that are looked up, for reading only; those of others' behind them, and none twice."""
    if isinstance(upstream, (str, bytes, os.PathLike, Cache)):
        raise OptionError(
            f"Cache(upstream={upstream!r}): it is a list of caches or paths, also of a single one"
        )
    found: dict[str, Cache] = {}
    for each in upstream:
        if not isinstance(each, (Cache, str, os.PathLike)):
            raise OptionError(f"Cache(upstream=...): {each!r} is neither a cache nor a path")
        if not isinstance(each, Cache) and not os.path.isdir(os.path.expanduser(each)):
            raise OptionError(f"Cache(upstream=...): there is no folder {os.fspath(each)}")
        cache = each if isinstance(each, Cache) else Cache(each, mode="read-only")
        for one in (cache, *cache.upstream):
            if one.path == path:
                raise OptionError(f"Cache(upstream=...): {path} is the folder of the cache itself")
            found.setdefault(
                one.path, one if one.mode == "read-only" else _opened(*_options(one, "read-only"))
            )
    return tuple(found.values())


def _bringing(upstream: tuple[Cache, ...]) -> Callable[[Store, Store, int], bool] | None:
    if not upstream:
        return None
    # Now: a fork in the midst of an import by some call would leave a child that waits for it for ever.
    from cachedeco.bringing import bring

    return bring


def _limit(max_size: int | str) -> int:
    from cachedeco.units import bytes_of

    return bytes_of("Cache(max_size=...)", max_size)


def _look_at_size(store: Store) -> None:
    from cachedeco.upkeep.budget import keep

    keep(store)


def _checked_memory(memory: int) -> int:
    if isinstance(memory, bool) or not isinstance(memory, int) or memory < 0:
        raise OptionError(f"Cache(memory={memory!r}): it is a number of bytes, 0 for none")
    return memory


_default: dict[str, Cache] = {}


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
    return _default.get("cache") or _default.setdefault("cache", Cache())

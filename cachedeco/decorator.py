"""`cached`: the decorator, its options, and the plain function that it makes."""

from __future__ import annotations

import functools

from cachedeco import verbs
from cachedeco.cache import Cache, default_cache
from cachedeco.calls.options import Options
from cachedeco.calls.plan import Plan
from cachedeco.errors import OptionError
from cachedeco.item import CacheItem
from cachedeco.wrappers import innermost, kind_of, wrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime
    import os
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, ParamSpec, TypeVar, overload

    from cachedeco.protocol import CachedFunction
    from cachedeco.values.contract import Serializer

    P = ParamSpec("P")
    R = TypeVar("R")
else:

    def overload(function: object) -> object:
        """Nothing, at run time: overloads are for type checkers, and typing costs 10 ms to import."""
        return function


@overload
def cached(function: Callable[P, R], /) -> CachedFunction[P, R]: ...
@overload
def cached(
    *,
    uri: str | Callable[[Mapping[str, Any]], str] | None = None,
    params: Iterable[str] | Mapping[str, Any] | Callable[[dict[str, Any]], Mapping[str, Any]] | None = None,
    ignore: Iterable[str] = (),
    cache: Cache | str | os.PathLike[str] | None = None,
    output: str | Mapping[str, str] | None = None,
    attrs: Mapping[str, Any] | Callable[[Any, Mapping[str, Any]], Mapping[str, Any]] | None = None,
    label: str | None = None,
    code_version: str | None = None,
    on_code_change: str = "recompute",
    expires: datetime.timedelta | None = None,
    validate: Callable[[CacheItem], object] | None = None,
    best: str | Callable[[list[CacheItem]], CacheItem | None] = "latest",
    retry: Any = 1,
    on_error: str = "raise",
    cooldown: float | datetime.timedelta | None = None,
    wait: float | datetime.timedelta | None = None,
    on_store_error: str = "warn",
    store_args: bool = False,
    env: Iterable[str] = (),
    durability: str | None = None,
    verify: str = "size",
    serializer: str | Serializer | None = None,
    compress: str | None = None,
    mmap: bool | None = None,
) -> Callable[[Callable[P, R]], CachedFunction[P, R]]: ...


def cached(
    function: Callable[..., Any] | None = None,
    /,
    *,
    uri: str | Callable[[Mapping[str, Any]], str] | None = None,
    params: Iterable[str] | Mapping[str, Any] | Callable[[dict[str, Any]], Mapping[str, Any]] | None = None,
    ignore: Iterable[str] = (),
    cache: Cache | str | os.PathLike[str] | None = None,
    output: str | Mapping[str, str] | None = None,
    attrs: Mapping[str, Any] | Callable[[Any, Mapping[str, Any]], Mapping[str, Any]] | None = None,
    label: str | None = None,
    code_version: str | None = None,
    on_code_change: str = "recompute",
    expires: datetime.timedelta | None = None,
    validate: Callable[[CacheItem], object] | None = None,
    best: str | Callable[[list[CacheItem]], CacheItem | None] = "latest",
    retry: Any = 1,
    on_error: str = "raise",
    cooldown: float | datetime.timedelta | None = None,
    wait: float | datetime.timedelta | None = None,
    on_store_error: str = "warn",
    store_args: bool = False,
    env: Iterable[str] = (),
    durability: str | None = None,
    verify: str = "size",
    serializer: str | Serializer | None = None,
    compress: str | None = None,
    mmap: bool | None = None,
) -> Any:
    """Keep the results of a function on disk: compute each once, load it ever after.

    Used bare or with options. What it makes is a plain function with some verbs on it, see `CachedFunction`.
    A call whose result is stored loads it. Otherwise it claims the key, so that of all threads and processes
    that ask for it one computes, and the others wait. An exception is recorded and raised; the next call
    computes again. A change of the function's code, or of what it uses, is a miss; results of other code
    stay.

    Args:
        function: the function, when used bare.
        uri: names the family of results: a template over argument names
            (``"https://example.org/{year}.csv"``) or a function of the arguments. Default
            ``py://module/function``.
        params: which arguments make the key: names; or a mapping that is added to the arguments; or a
            function of the arguments that returns the mapping to use. Default: all.
        ignore: names of arguments that do not count.
        cache: a `Cache` or a path. Default: the default cache.
        output: the function writes a file of this name, a template over argument names, to the path that it
            gets as its parameter ``output: Path = OUTPUT``; callers get the path. A name that ends in ``/``
            is a folder; a mapping of names to file names makes `output` a dict of paths; ``"return"`` moves
            in the file or folder whose path the function returns.
        attrs: attributes of the items, to find them by; or a function of value and arguments that returns
            them.
        label: free text on the items.
        code_version: stands for the function's code: results are reused until you change it. Values in the
            function's closure still count.
        on_code_change: what a stored result of other code is: a miss (``"recompute"``), a hit with a warning,
            if there is none of the same code (``"warn"``), a `CodeChangedError` (``"raise"``), or a hit
            (``"ignore"``).
        expires: how long a result is a hit, from its commit on. Default: for ever.
        validate: a function of the item; one for which it returns something false is no hit.
        best: ``"latest"``, or a function that chooses: it gets the fresh READY items that pass `validate`, the
            newest first, and returns one of them, or None for a miss.
        retry: attempts within one call, or a ``tenacity.Retrying`` object.
        on_error: ``"stale"`` returns the last READY result, expired or not, when the function raises.
        cooldown: for so long after a failure, a call raises `PreviousFailureError` and does not try again.
        wait: seconds to wait for another call that computes this; then `WaitTimeoutError`. Default: as long
            as it lives.
        on_store_error: ``"raise"`` raises `StoreError` when the result cannot be stored; by default it is
            returned with a warning.
        store_args: keep the arguments of each call, so that `Cache.retry_failed` can make it again.
        env: names of environment variables whose values are part of the key.
        durability: ``"full"`` waits until the result is on the disk, so that a power cut does not lose it;
            ``"process"`` survives the end of the process. After a power cut results may be missing, never wrong.
            Default: that of the cache.
        verify: when the digest of a stored file is checked: with ``"size"`` if its size, times or inode have changed or
            the machine has started anew, with ``"digest"`` at every hit.
        serializer: how results are stored: ``"auto"`` as pickles with large buffers beside them, or by what was
            registered for their type; else a name, such as ``"parquet"``, or an object that has what
            `cachedeco.values.contract.Serializer` says. What it cannot give back exactly is not stored, with a warning.
            Default: that of the cache.
        compress: ``"zstd"``, ``"lz4"``, ``"gzip"`` or ``"none"``: how results are compressed that are too large for the
            registry. They are read into memory then, not mapped. Default: that of the cache.
        mmap: whether large buffers come back as private maps of the file, which cost memory only where they are
            used; with False they are read. Default: that of the cache.

    Raises:
        OptionError: an option names what does not exist, or contradicts another one.
        RegistryError: the cache folder cannot be made.

    Examples:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> @cached(cache=folder.name)
        ... def square(x):
        ...     print("computing")
        ...     return x * x
        >>> square(3)
        computing
        9
        >>> square(x=3)
        9
        >>> folder.cleanup()
    """
    options = Options(
        uri=uri,
        params=params,
        ignore=ignore,
        output=output,
        attrs=attrs,
        label=label,
        code_version=code_version,
        on_code_change=on_code_change,
        expires=expires,
        validate=validate,
        best=best,
        retry=retry,
        on_error=on_error,
        cooldown=cooldown,
        wait=wait,
        on_store_error=on_store_error,
        store_args=store_args,
        env=env,
        durability=durability,
        verify=verify,
        serializer=serializer,
        compress=compress,
        mmap=mmap,
    )
    home = cache if cache is None or isinstance(cache, Cache) else Cache(cache)

    def decorate(function: Callable[..., Any]) -> Any:
        _check(function)
        kind = kind_of(function)
        wrapper = wrap(function, kind)
        wrapper.__dict__["__cachedeco__"] = Plan(function, options, home, default_cache, CacheItem, kind)
        for verb in verbs.VERBS:
            bound = functools.partial(verb, wrapper)
            bound.__doc__ = verb.__doc__
            wrapper.__dict__[verb.__name__] = bound
        return wrapper

    return decorate if function is None else decorate(function)


def _check(function: object) -> None:
    """Refuse what cannot be cached by a plain wrapper, with the way out."""
    name = getattr(function, "__qualname__", None) or repr(function)
    if isinstance(function, (classmethod, staticmethod)):
        kind = type(function).__name__
        raise OptionError(f"@cached stands above @{kind} on {name}; put @{kind} above @cached")
    if isinstance(function, property):
        raise OptionError("@cached stands above @property; put @property above @cached")
    if isinstance(function, type):
        raise OptionError(f"{name} is a class; cache a function that makes instances of it")
    if not callable(function):
        raise OptionError(
            f"@cached is for functions, not for {name}; options go in by name: @cached(cache=...)"
        )
    if hasattr(function, "registry") and hasattr(function, "dispatch"):
        raise OptionError(
            f"@cached stands above @singledispatch on {name}; cache the functions that are registered with it"
        )
    if getattr(innermost(function), "__code__", None) is None:
        raise OptionError(f"{name} is not a function written in Python; cache a function that calls it")

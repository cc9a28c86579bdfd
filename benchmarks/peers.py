"""The competitors: one small function, cached by each of them as its own documentation does it."""

from __future__ import annotations

import functools

TYPE_CHECKING = False  # typing would be a part of each first hit
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Function = Callable[[int], object]

PERSISTENT = ("cachedeco", "diskcache", "joblib", "checkpointer", "cachier", "exca")
"""All that find a result again in another process."""

LIMIT = "lru_cache"
"""Forgets everything with the process, and cannot be beaten before that."""


def work(x: int, y: int = 2) -> tuple[int, int]:
    """The function that is cached: as cheap as a function can be."""
    return x, y


def present(names: Iterable[str]) -> list[str]:
    """Those of some peers that can be imported here."""
    from importlib.util import find_spec

    return [name for name in names if name == LIMIT or find_spec(name) is not None]


def decorated(peer: str, folder: str, *, remembers: bool = True) -> Function:
    """The function, cached by one of the peers in a folder of its own.

    Args:
        peer: its name.
        folder: where it stores.
        remembers: whether it may keep results in memory too, where it can do so.
    """
    return _MAKERS[peer](folder, remembers)


def _cachedeco(folder: str, remembers: bool) -> Function:
    from cachedeco import Cache, cached

    # With a uri, and so one key in all processes, whatever their main module is called.
    return cached(uri="benchmark://work", cache=Cache(folder, **({} if remembers else {"memory": 0})))(work)


def _diskcache(folder: str, _remembers: bool) -> Function:
    from diskcache import Cache

    return Cache(folder).memoize(name="work")(work)


def _joblib(folder: str, _remembers: bool) -> Function:
    from joblib import Memory

    return Memory(folder, verbose=0).cache(work)


def _checkpointer(folder: str, _remembers: bool) -> Function:
    from checkpointer import Checkpointer

    return Checkpointer(directory=folder, verbosity=0)(work)


def _cachier(folder: str, _remembers: bool) -> Function:
    from cachier import cachier

    return cachier(cache_dir=folder, separate_files=True)(work)


def _exca(folder: str, remembers: bool) -> Function:
    from collections.abc import Iterable, Iterator

    import exca
    import pydantic

    # It caches methods of configurations, which compute the results for many items at once. It reads their
    # annotations, and reads no text.
    def process(self, items):  # noqa: ARG001 - the name is asked for
        for item in items:
            yield work(item)

    process.__annotations__ = {"items": Iterable[int], "return": Iterator[tuple[int, int]]}
    infra = exca.MapInfra()
    body = {
        "__module__": __name__,
        "__annotations__": {"infra": exca.MapInfra},
        "infra": infra,
        "process": infra.apply(item_uid=str)(process),
    }
    made = type("Work", (pydantic.BaseModel,), body)(infra={"folder": folder, "keep_in_ram": remembers})
    return lambda x: next(iter(made.process([x])))


def _lru_cache(_folder: str, _remembers: bool) -> Function:
    return functools.lru_cache(maxsize=None)(work)


_MAKERS: dict[str, Callable[[str, bool], Function]] = {
    "cachedeco": _cachedeco,
    "diskcache": _diskcache,
    "joblib": _joblib,
    "checkpointer": _checkpointer,
    "cachier": _cachier,
    "exca": _exca,
    LIMIT: _lru_cache,
}

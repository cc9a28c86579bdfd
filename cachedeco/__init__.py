"""A persistent memoizer for pipelines and notebooks.

`cached` turns a function into one whose results are kept on disk: computed once per key, versioned,
searchable. `Cache` and `CacheItem` are the cache manager below it.
"""

from __future__ import annotations

from cachedeco.cache import Cache
from cachedeco.decorator import cached
from cachedeco.errors import (
    ArchiveError,
    CachedecoError,
    CodeChangedError,
    FetchError,
    InputChangedError,
    KeyingError,
    MapError,
    MissError,
    MissingOutputError,
    OptionError,
    PreviousFailureError,
    QueryError,
    RegistryError,
    RegistryUnavailableError,
    RetryError,
    StatusError,
    StoreError,
    StoreWarning,
    WaitCycleError,
    WaitTimeoutError,
)
from cachedeco.item import CacheItem
from cachedeco.keys.fingerprint import fingerprint, register_hasher
from cachedeco.record import OUTPUT
from cachedeco.settings import disabled
from cachedeco.status import Status
from cachedeco.values.contract import MissingSerializerError
from cachedeco.values.table import register as register_serializer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cachedeco.fetching import metadata_from_item
    from cachedeco.files.download import get_remote_headers
    from cachedeco.files.validators import check_freshness
    from cachedeco.keys.markers import ContentKey, KeyBy, NoKey, Secret, Since
    from cachedeco.protocol import CachedFunction

__all__ = [
    "OUTPUT",
    "ArchiveError",
    "Cache",
    "CacheItem",
    "CachedFunction",
    "CachedecoError",
    "CodeChangedError",
    "ContentKey",
    "FetchError",
    "InputChangedError",
    "KeyBy",
    "KeyingError",
    "MapError",
    "MissError",
    "MissingOutputError",
    "MissingSerializerError",
    "NoKey",
    "OptionError",
    "PreviousFailureError",
    "QueryError",
    "RegistryError",
    "RegistryUnavailableError",
    "RetryError",
    "Secret",
    "Since",
    "Status",
    "StatusError",
    "StoreError",
    "StoreWarning",
    "WaitCycleError",
    "WaitTimeoutError",
    "cached",
    "check_freshness",
    "disabled",
    "fingerprint",
    "get_remote_headers",
    "metadata_from_item",
    "register_hasher",
    "register_serializer",
]


# What most hits do without, until somebody asks: the protocol alone would load typing.
_LATE = {
    "CachedFunction": "protocol",
    "check_freshness": "files.validators",
    "get_remote_headers": "files.download",
    "metadata_from_item": "fetching",
    **dict.fromkeys(("ContentKey", "KeyBy", "NoKey", "Secret", "Since"), "keys.markers"),
}


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> object:
    if name in _LATE:
        from importlib import import_module

        return getattr(import_module(f"cachedeco.{_LATE[name]}"), name)
    if name == "__version__":
        from importlib.metadata import version

        return version("cachedeco")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Errors and warnings. Each has two parents: `CachedecoError` and the built-in error that it is a case of."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def _rebuild(
    cls: Callable[..., CachedecoError], args: tuple[object, ...], facts: dict[str, object]
) -> CachedecoError:
    return cls(*args, **facts)


class CachedecoError(Exception):
    """Root of all errors of this library.

    An error is a sentence plus facts: keyword arguments of the constructor that become attributes. Both
    survive pickling, so an error raised in a worker process arrives whole.
    """

    def __init__(self, message: str = "", **facts: object) -> None:
        super().__init__(message or (type(self).__doc__ or "").partition("\n")[0])
        self.__dict__.update(facts)

    def __reduce__(self) -> tuple[Callable[..., CachedecoError], tuple[object, ...]]:
        return _rebuild, (type(self), self.args, self.__dict__.copy())


class KeyingError(CachedecoError, TypeError):
    """A value cannot be part of a key.

    Attributes:
        path: where the value sits, from the argument's name on (``rows[3].logger``).
    """

    path: str = ""


class OptionError(CachedecoError, ValueError):
    """An option names something that does not exist, or contradicts another one."""


class QueryError(OptionError):
    """A condition cannot be understood.

    Attributes:
        text: the condition.
        at: which of its characters is the first that does not fit.
    """

    text: str = ""
    at: int = 0


class StatusError(CachedecoError, ValueError):
    """An item cannot move from its status to the one asked for."""


class PreviousFailureError(CachedecoError, RuntimeError):
    """The computation that this call waited for has failed.

    Attributes:
        traceback: the stored traceback of that failure, as text.
    """

    traceback: str = ""


class RetryError(CachedecoError, LookupError):
    """A failed call cannot be made again: its arguments were not stored, or its function is gone."""


class MapError(CachedecoError, RuntimeError):
    """Some calls of a map failed; the others are stored.

    Attributes:
        failures: position -> exception.
        results: of all calls in their order, with the exceptions in the places of the failed ones.
    """

    failures: dict[int, Exception]
    results: list[object]


class MissError(CachedecoError, LookupError):
    """There is no stored result, and the cache has the mode in which nothing is computed."""


class WaitTimeoutError(CachedecoError, TimeoutError):
    """Another caller's computation did not end within the time that this call waits."""


class WaitCycleError(CachedecoError, RuntimeError):
    """Cached calls wait for each other in a circle."""


class CodeChangedError(CachedecoError, RuntimeError):
    """The function's code is not the code that made the stored result."""


class RegistryError(CachedecoError, OSError):
    """The registry cannot be used: it is not ours, is newer than this library, or is damaged.

    Attributes:
        path: the registry or the folder concerned.
    """

    path: str = ""

    # OSError builds its message from errno and filename; ours is always the sentence.
    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class RegistryUnavailableError(RegistryError):
    """The registry cannot be opened, read or written just now: disk full, no permission, damaged, locked."""


class RegistryDamagedError(RegistryUnavailableError):
    """What is in the registry file is not what was written there, and it could not be rebuilt.

    Attributes:
        file: device and inode of that file.
    """

    file: tuple[int, int] | None = None


class StoreError(CachedecoError, OSError):
    """A computed value could not be stored.

    Attributes:
        value: what was computed; of a generator, what it returned.
        function: name of the function.
    """

    value: object = None
    function: str = ""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class UntrustedCacheError(CachedecoError, PermissionError):
    """Somebody else may write to the cache folder, so nothing in it may be unpickled."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class MissingOutputError(CachedecoError, FileNotFoundError):
    """A function returned without having written its output file.

    Attributes:
        filename: the name of the file.
    """

    filename: str = ""  # in the place of that of OSError, which would not be pickled

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class InputChangedError(CachedecoError, OSError):
    """A file that was keyed by its content changed while the function used it: the result fits no key."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class ArchiveError(CachedecoError, ValueError):
    """A file is no archive that `Cache.export` has made, or it is damaged."""


class FetchError(CachedecoError, OSError):
    """A file could not be downloaded, or is not what was expected.

    Attributes:
        url: without credentials.
        status: of HTTP, where a server has answered.
    """

    url: str = ""
    status: int | None = None

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class StoreWarning(UserWarning):
    """A value was computed and returned, but could not be kept or read back."""

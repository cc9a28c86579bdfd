"""The options of `cached`, checked: each by itself here, against the function in `plan`."""

from __future__ import annotations

from cachedeco.errors import OptionError
from cachedeco.values import table

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

CODE_POLICIES = ("recompute", "warn", "raise", "ignore")
"""What a result of other code is: a miss, a hit with a warning, an error, a hit."""

DURABILITIES = ("process", "full")
"""What stored results survive: the end of a process, or a power cut too."""


COMPRESSIONS = ("none", "zstd", "lz4", "gzip")
"""How the files of values are compressed."""


class Options:
    """The options of `cached`; see there for their meaning.

    Attributes:
        expires: microseconds from the commit; None for never.
        serializer: a name; None for that of the cache.
        compress: the same.
        mmap: the same.
        picks: whether a hit needs more than to be the newest READY item: an expiry, a check or a choice.

    Raises:
        OptionError: an option has a value that it cannot have.
    """

    __slots__ = (
        "attrs",
        "best",
        "code_version",
        "compress",
        "cooldown",
        "durability",
        "env",
        "expires",
        "ignore",
        "label",
        "mmap",
        "on_code_change",
        "on_error",
        "on_store_error",
        "output",
        "params",
        "picks",
        "retry",
        "serializer",
        "store_args",
        "uri",
        "validate",
        "verify",
        "wait",
    )

    def __init__(
        self,
        *,
        uri: str | Callable[[Mapping[str, Any]], str] | None,
        params: Iterable[str] | Mapping[str, Any] | Callable[[dict[str, Any]], Mapping[str, Any]] | None,
        ignore: Iterable[str],
        output: str | Mapping[str, str] | None,
        attrs: Mapping[str, Any] | Callable[[Any, Mapping[str, Any]], Mapping[str, Any]] | None,
        label: str | None,
        code_version: str | None,
        on_code_change: str,
        expires: datetime.timedelta | None,
        validate: Callable[[Any], object] | None,
        best: str | Callable[[list[Any]], Any],
        retry: Any,
        on_error: str,
        cooldown: float | datetime.timedelta | None,
        wait: float | datetime.timedelta | None,
        on_store_error: str,
        store_args: bool,
        env: Iterable[str],
        durability: str | None,
        verify: str,
        serializer: Any = None,
        compress: str | None = None,
        mmap: bool | None = None,
    ) -> None:
        self.uri = uri
        self.params = params
        self.ignore = ignore
        self.output = output
        self.attrs = attrs
        self.label = _text("label", label)
        self.code_version = _text("code_version", code_version)
        self.on_code_change = one_of("on_code_change", on_code_change, CODE_POLICIES)
        seconds = _seconds("expires", expires)
        self.expires = None if seconds is None else round(seconds * 1e6)
        self.validate = _function("validate", validate)
        if best != "latest" and not callable(best):
            raise OptionError(f"best={best!r}: it is 'latest' or a function that chooses an item")
        self.best = None if isinstance(best, str) else best
        self.retry = _retry(retry)
        self.on_error = one_of("on_error", on_error, ("raise", "stale"))
        self.cooldown = _seconds("cooldown", cooldown)
        self.wait = _seconds("wait", wait)
        self.on_store_error = one_of("on_store_error", on_store_error, ("warn", "raise"))
        self.store_args = bool(store_args)
        self.env = _names("env", env)
        self.durability = None if durability is None else one_of("durability", durability, DURABILITIES)
        self.verify = one_of("verify", verify, ("size", "digest"))
        self.serializer = serializer_of(serializer)
        self.compress = compression_of(compress)
        self.mmap = mmap if mmap is None else bool(mmap)
        self.picks = not (self.expires is None and self.validate is None and self.best is None)

    def __getstate__(self) -> dict[str, Any]:
        state = {name: getattr(self, name) for name in self.__slots__}
        return {**state, "serializer": table.portable(self.serializer)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
        self.serializer = serializer_of(self.serializer)


def one_of(option: str, given: str, choices: tuple[str, ...]) -> str:
    """Refuse what is none of the choices."""
    if given not in choices:
        raise OptionError(f"{option}={given!r}: it is one of {', '.join(map(repr, choices))}")
    return given


def serializer_of(given: Any) -> str | None:
    """The name of a serializer that was given by name or itself; None and ``"auto"`` stay what they are.

    Raises:
        OptionError: there is no such serializer.
    """
    if given is None or given == "auto":
        return given  # type: ignore[no-any-return]  # which of the two is told by the comparison
    return table.known(given)


def compression_of(given: str | None) -> str | None:
    """The name of a compression, ``"none"`` for none; None stays None."""
    return None if given is None else one_of("compress", given, COMPRESSIONS)


def _text(option: str, given: str | None) -> str | None:
    if given is not None and not isinstance(given, str):
        raise OptionError(f"{option}={given!r}: it is a str, such as {str(given)!r}")
    return given


def _function(option: str, given: Any) -> Any:
    if given is not None and not callable(given):
        raise OptionError(f"{option}={given!r}: it is a function")
    return given


def _seconds(option: str, given: Any) -> float | None:
    if given is None:
        return None
    if hasattr(given, "total_seconds"):
        given = given.total_seconds()
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not 0 <= given < float("inf"):
        raise OptionError(f"{option}={given!r}: it is a timedelta or a number of seconds, not below 0")
    return float(given)


def _retry(given: Any) -> Any:
    if isinstance(given, int) and not isinstance(given, bool):
        if given < 1:
            raise OptionError(f"retry={given}: it is the number of attempts within one call, at least 1")
        return given
    # What tenacity.Retrying and its relatives have; tenacity itself need not be there to tell.
    if callable(given) and hasattr(given, "copy") and hasattr(given, "stop"):
        return given
    raise OptionError(f"retry={given!r}: it is a number of attempts or a tenacity.Retrying object")


def _names(option: str, given: Iterable[str]) -> tuple[str, ...]:
    listed = hasattr(given, "__iter__") and not isinstance(given, str)
    names = tuple(given) if listed else ()
    if not listed or not all(isinstance(name, str) and name for name in names):
        raise OptionError(f"{option}={given!r}: it is a tuple of names, such as ('HOME',)")
    return names

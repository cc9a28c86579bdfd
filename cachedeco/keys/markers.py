"""Markers of parameters, written in their annotations: ``Annotated[Path, ContentKey]`` and its like."""

from __future__ import annotations

from cachedeco.errors import OptionError
from cachedeco.keys.signature import name_of
from cachedeco.record import MISSING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from cachedeco.keys.content import Memory
    from cachedeco.record import Missing


class ContentKey:
    """Marks a path: the content of the file or folder counts, its name does not.

    ``data: Annotated[Path, ContentKey]``; lists, tuples and dicts of paths, and None, are understood too.
    """


class NoKey:
    """Marks a parameter that does not count: ``log: Annotated[Logger, NoKey]``."""


class Secret:
    """Marks a parameter that counts, but only its digest is written down: ``Annotated[str, Secret]``.

    The digest is no encryption: who can guess the value can check the guess against it.
    """


class KeyBy:
    """Marks a parameter for which something else counts: ``Annotated[Engine, KeyBy(lambda e: str(e.url))]``.

    The function's code counts too, so that two different ones never share a key.

    Args:
        function: takes the argument and returns a value that can be part of a key.
    """

    __slots__ = ("_digest", "function")

    def __init__(self, function: Callable[[Any], object]) -> None:
        if not callable(function):
            raise OptionError(
                f"KeyBy({function!r}): write a function of the argument, KeyBy(lambda value: ...)"
            )
        self.function = function
        self._digest: bytes | None = None

    def __repr__(self) -> str:
        return f"KeyBy({name_of(self.function)})"

    def stand_in(self, value: object) -> KeyedBy:
        """Return what stands for an argument in the key.

        Args:
            value: the argument.

        Raises:
            KeyingError: the function itself cannot be part of a key, say for what it closes over.
        """
        if self._digest is None:
            from cachedeco.keys import fingerprint

            self._digest = fingerprint.digest(self.function, repr(self))
        return KeyedBy(self._digest, self.function(value))


class Since:
    """Marks a parameter that was added later: it does not count while it has this value.

    ``def f(x, scale: Annotated[int, Since(1)] = 1)`` finds what ``def f(x)`` has stored.

    Args:
        value: what the function did before it had the parameter. True is not 1, and 1.0 is not 1.
    """

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"Since({self.value!r})"


class KeyedBy:
    """Stands in a key for an argument that is marked with `KeyBy`.

    Args:
        function: digest of the function that was applied.
        value: what it returned.
    """

    __slots__ = ("function", "value")

    def __init__(self, function: bytes, value: object) -> None:
        self.function, self.value = function, value

    def __repr__(self) -> str:
        return f"KeyedBy({self.value!r})"

    def __cachedeco_key__(self) -> object:
        return (self.function, self.value)


class Marks:
    """The markers of one parameter.

    Attributes:
        content: the content of files counts.
        ignored: the parameter does not count.
        secret: only its digest is written down.
        key_by: what is applied to it; None: nothing.
        since: the value at which it does not count; MISSING: there is none.
        optional: the markers do not concern None (``Annotated[...] | None``).
    """

    __slots__ = ("content", "ignored", "key_by", "optional", "secret", "since")

    def __init__(self) -> None:
        self.content = self.ignored = self.secret = self.optional = False
        self.key_by: KeyBy | None = None
        self.since: object | Missing = MISSING

    def __str__(self) -> str:
        parts = [
            "ContentKey" * self.content,
            "NoKey" * self.ignored,
            "Secret" * self.secret,
            "KeyBy" * (self.key_by is not None),
            "Since" * (self.since is not MISSING),
        ]
        return ", ".join(filter(None, parts))

    @property
    def replaces(self) -> bool:
        """Whether something else stands for the argument in the key, or it may be left out."""
        return self.content or self.key_by is not None or self.since is not MISSING

    def add(self, marker: object) -> None:
        """Take in one marker.

        Args:
            marker: metadata of an ``Annotated``; what is not ours is left alone.

        Raises:
            OptionError: it is incomplete, is there twice, or contradicts another one.
        """
        before = str(self)
        if marker is ContentKey or isinstance(marker, ContentKey):
            kind, self.content = "ContentKey", True
        elif marker is NoKey or isinstance(marker, NoKey):
            kind, self.ignored = "NoKey", True
        elif marker is Secret or isinstance(marker, Secret):
            kind, self.secret = "Secret", True
        elif isinstance(marker, KeyBy):
            kind, self.key_by = "KeyBy", marker
        elif isinstance(marker, Since):
            kind, self.since = "Since", marker.value
        elif marker is KeyBy or marker is Since:
            raise OptionError(f"{marker.__name__} needs an argument: {marker.__name__}(...)")
        else:
            return
        if kind in before.split(", "):
            raise OptionError(f"{kind} is there twice")
        if (self.ignored and self.replaces) or (self.content and self.key_by is not None):
            raise OptionError(f"{before} and {kind} contradict each other; keep one of them")

    def stand_in(self, value: object, name: str, memory: Memory | None, *, each: bool) -> object | Missing:
        """Return what stands for an argument in the key, MISSING when it does not count.

        Args:
            value: the argument.
            name: of the parameter.
            memory: remembers the content of files.
            each: the parameter is ``*args`` or ``**kwargs``, of which each element is marked.
        """
        if self.content and each:
            from cachedeco.keys import content

            return content.of(value, name, memory)
        if each and isinstance(value, tuple):
            return tuple(self._stand_in(part, f"{name}[{place}]", memory) for place, part in enumerate(value))
        if each and isinstance(value, dict):
            return {key: self._stand_in(part, f"{name}[{key!r}]", memory) for key, part in value.items()}
        if self.since is not MISSING and _same(value, self.since, name):
            return MISSING
        return self._stand_in(value, name, memory)

    def _stand_in(self, value: object, name: str, memory: Memory | None) -> object:
        if self.optional and value is None:
            return None
        if self.content:
            from cachedeco.keys import content

            return content.of(value, name, memory)
        if self.key_by is not None:
            return self.key_by.stand_in(value)
        return value


def _same(value: object, other: object, name: str) -> bool:
    """Say whether two values have one digest; ``==`` would take True for 1, also deep inside of tuples."""
    if value is other:
        return True
    if type(value) is not type(other):
        return False
    from cachedeco.keys import fingerprint

    return fingerprint.digest(value, name) == fingerprint.digest(other, name)

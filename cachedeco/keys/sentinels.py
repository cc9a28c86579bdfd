"""Defaults that have no content to make a key of, as ``object()``: that a parameter was left at its own is enough."""

from __future__ import annotations

from cachedeco.errors import KeyingError
from cachedeco.keys import fingerprint
from cachedeco.keys.plain import PLAIN
from cachedeco.record import MISSING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class LeftAtDefault:
    """Stands in a key for a default that has no content, say ``object()``: that the parameter was left at it.

    Args:
        value: the default.
    """

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"LeftAtDefault({self.value!r})"

    def __cachedeco_key__(self) -> object:
        return ()


class Sentinels:
    """Those of a function's defaults that have no content.

    Args:
        defaults: by parameter; MISSING where there is none.
    """

    __slots__ = ("_contentless", "_defaults")

    def __init__(self, defaults: Mapping[str, object]) -> None:
        self._defaults = [
            (name, default)
            for name, default in defaults.items()
            if default is not MISSING and type(default) not in PLAIN
        ]
        self._contentless: dict[str, bool] = {}

    def replaced(self, params: dict[str, object]) -> dict[str, object]:
        """Return params in which a stand-in replaces each default without content.

        Args:
            params: of a call. Not changed; returned itself when there is nothing to replace.
        """
        for name, default in self._defaults:
            if params.get(name, MISSING) is default and self._is_contentless(name, default):
                params = {**params, name: LeftAtDefault(default)}
        return params

    def _is_contentless(self, name: str, default: object) -> bool:
        # Asked at the first call that leaves it there: decorating a function must not cost what digests do.
        if name not in self._contentless:
            try:
                fingerprint.digest(default, name)
            except KeyingError:
                self._contentless[name] = True
            else:
                self._contentless[name] = False
        return self._contentless[name]

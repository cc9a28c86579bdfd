"""Which hasher takes which type apart.

A type's own ``__cachedeco_key__`` goes first, then a registered hasher, then what this package knows, then
whatever `pickle` would make of it. Libraries are recognised by the module of a class; none is ever imported
that the value has not brought along.
"""

from __future__ import annotations

import sys
from importlib import import_module
from weakref import WeakKeyDictionary

from cachedeco.errors import OptionError
from cachedeco.keys.node import Node, UnkeyableError, class_tag, header
from cachedeco.keys.plain import PLAIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Hasher = Callable[[Any], Node]

METHOD = "__cachedeco_key__"

_HASHERS = "cachedeco.keys.hashers."
_FAMILIES = {
    "array": "builtin",
    "builtins": "builtin",
    "collections": "containers",
    "datetime": "temporal",
    "decimal": "scalars",
    "enum": "scalars",
    "fractions": "scalars",
    "functools": "callables",
    "numpy": "numpy_arrays",
    "pandas": "pandas_frames",
    "pathlib": "scalars",
    "polars": "polars_frames",
    "pyarrow": "arrow",
    "re": "scalars",
    "scipy": "scipy_sparse",
    "torch": "torch_tensors",
    "uuid": "scalars",
    "xarray": "xarrays",
    "zoneinfo": "temporal",
}
"""By the top-level module of a class or of one of its bases: the module with the hashers for its types."""

_registered: dict[type, Callable[[Any], object]] = {}
_found: WeakKeyDictionary[type, Hasher] = WeakKeyDictionary()


def register(kind: type, function: Callable[[Any], object]) -> None:
    """Register a hasher, see `cachedeco.keys.fingerprint.register_hasher`."""
    if not isinstance(kind, type):
        raise OptionError(f"register_hasher takes a type, not {kind!r}; pass the class of the values")
    if kind in PLAIN or kind is object:
        raise OptionError(
            f"{kind.__name__} cannot have a hasher of its own: plain values are keyed by their content; "
            "annotate the parameter with Annotated[..., KeyBy(function)] instead"
        )
    if not callable(function):
        raise OptionError(f"the hasher of {kind.__name__} must be a function of one value, not {function!r}")
    _registered[kind] = function
    _found.clear()


def find_hasher(kind: type) -> Hasher:
    """Return what takes values of a type apart. It may be kept for one walk, not for longer."""
    # Asked each time, because the method may be added to a class that has been seen before.
    if kind not in PLAIN and hasattr(kind, METHOD):
        return _apart_by_method
    hasher = _found.get(kind)
    if hasher is None:
        hasher = _found[kind] = _search(kind)
    if hasher is _by_state:
        bound: Hasher = import_module(_HASHERS + "objects").for_class(kind)
        return bound
    return hasher


def _search(kind: type) -> Hasher:
    bases = kind.__mro__
    for base in bases:
        if base in _registered:
            return _by_registered(_registered[base])
    for base in bases:
        family = _FAMILIES.get(str(base.__module__).partition(".")[0])
        if family is not None:
            hasher: Hasher | None = import_module(_HASHERS + family).find(kind)
            if hasher is not None:
                return hasher
    return _by_state


def _by_state(value: Any) -> Node:
    apart: Node = import_module(_HASHERS + "objects").take_apart(value)
    return apart


def _apart_by_method(value: Any) -> Node:
    return _stand_in("__cachedeco_key__", value, getattr(type(value), METHOD)(value))


def _by_registered(function: Callable[[Any], object]) -> Hasher:
    return lambda value: _stand_in("register_hasher", value, function(value))


def _stand_in(how: str, value: object, key: object) -> Node:
    if key is value:
        raise UnkeyableError(f"its {how} returned the value itself; it must return something simpler")
    return Node(header(how, class_tag(type(value))), (key,), label=lambda _: "")


def loaded(module: str, name: str) -> type | None:
    """Return a class of a module if that module has been imported, else None."""
    found = getattr(sys.modules.get(module), name, None)
    return found if isinstance(found, type) else None

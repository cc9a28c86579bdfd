"""Functions, methods and classes as values: by their code, and by what they carry."""

from __future__ import annotations

import functools
import threading
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType

from cachedeco.keys import closure, code_origin
from cachedeco.keys.code_watch import EMPTY, contents
from cachedeco.keys.names import is_static
from cachedeco.keys.node import Node, class_digest, class_tag, header, names_label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_LruCacheWrapper: type = type(functools.lru_cache(len))


class _Active(threading.local):
    """The functions and classes that this thread is digesting, outermost first.

    A function may close over a value in which it is found again: each time a walk of its own begins there.
    """

    def __init__(self) -> None:
        self.values: list[object] = []


_active = _Active()


def _by_code(tag: str, value: Any, digest_code: Callable[[Any], bytes], bound: dict[str, Any]) -> Node:
    active = _active.values
    for distance, outer in enumerate(reversed(active)):
        if outer is value:
            return Node(header(f"{tag} within itself", distance))
    active.append(value)
    try:
        head = header(tag, bytes(digest_code(value)))
        return Node(head, list(bound.values()), label=names_label(list(bound)))
    finally:
        active.pop()


def _function(value: FunctionType) -> Node:
    from cachedeco.keys.code import function_digest

    return _by_code("function", value, function_digest, _bound(value))


def _bound(function: FunctionType) -> dict[str, Any]:
    """Return what a function has been given besides its code, of which all has to have content.

    The digest of its code covers it as far as there is content. That is enough for the globals of code, and for
    what a library's decorators keep; here a connection could be exchanged for another one.
    """
    bound = {name: contents(cell) for name, cell in closure.cells_of(function)}
    defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
    bound |= {f"__defaults__[{index}]": default for index, default in enumerate(defaults)}
    if "__wrapped__" not in function.__dict__:  # else they are a decorator's own, which its code accounts for
        bound |= {f".{name}": each for name, each in function.__dict__.items() if not name.startswith("__")}
    if not bound or code_origin.of_function(function)[0] != "user":
        return {}
    from cachedeco.keys.code_graph import active

    if getattr(active, "graph", None) is not None:
        return {}
    return {
        name: value
        for name, value in bound.items()
        if value is not EMPTY and value is not function and type(value) is not object and not _is_code(value)
    }


def _is_code(value: object) -> bool:
    return closure.is_code(value) and not isinstance(value, FunctionType)


def _class(value: type) -> Node:
    if is_static(value):
        return Node(header("class by name", class_tag(value)))
    return _by_code("class", value, class_digest, {})


def _builtin_function(value: Any) -> Node:
    owner = value.__self__
    if owner is None or isinstance(owner, ModuleType):
        return Node(header("built-in function", str(value.__module__), str(value.__qualname__)))
    return Node(header("built-in method", str(value.__name__)), (owner,), label=lambda _: ".__self__")


def _method(value: MethodType) -> Node:
    return Node(
        header("method"), (value.__func__, value.__self__), label=names_label(("__func__", "__self__"))
    )


def _partial(value: functools.partial[Any]) -> Node:
    names = ("func", "args", "keywords", "__dict__")
    return Node(header("partial"), [getattr(value, name) for name in names], label=names_label(names))


def _lru_cache(value: Any) -> Node:
    return Node(header("lru_cache"), (value.__wrapped__,), label=names_label(("__wrapped__",)))


def _wrapper(value: Any) -> Node:
    return Node(header(type(value).__name__), (value.__func__,), label=names_label(("__func__",)))


def _property(value: property) -> Node:
    names = ("fget", "fset", "fdel", "__doc__")
    return Node(header("property"), [getattr(value, name) for name in names], label=names_label(names))


_HASHERS: dict[type, Callable[[Any], Node]] = {
    FunctionType: _function,
    BuiltinFunctionType: _builtin_function,
    MethodType: _method,
    functools.partial: _partial,
    _LruCacheWrapper: _lru_cache,
    staticmethod: _wrapper,
    classmethod: _wrapper,
    property: _property,
}


def find(kind: type) -> Callable[[Any], Node] | None:
    """Return what takes functions, methods and classes apart."""
    if issubclass(kind, type):
        return _class
    return _HASHERS.get(kind)

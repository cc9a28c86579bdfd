"""What a function has bound: closure cells and partial arguments, told apart into code and values.

The values belong to the key, whatever the policy on code; the code belongs to the code digest.
"""

from __future__ import annotations

import functools
from types import BuiltinFunctionType, CellType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from weakref import WeakKeyDictionary

from cachedeco.keys.code_watch import EMPTY, contents

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_CODE = (FunctionType, ModuleType, type, staticmethod, classmethod, property, functools.cached_property)
_slots: WeakKeyDictionary[type, list[tuple[str, MemberDescriptorType]]] = WeakKeyDictionary()
_HOLDERS = (functools.partial, MethodType)


def is_code(value: object) -> bool:
    """Tell whether a bound object is code, not a value."""
    if isinstance(value, _CODE):
        return True
    if isinstance(value, BuiltinFunctionType):
        return value.__self__ is None or isinstance(value.__self__, ModuleType)
    return callable(value) and isinstance(vars_of(value).get("__wrapped__"), FunctionType)


def is_code_holder(value: object) -> bool:
    """Tell whether a bound object is code that comes with values: a partial or a bound method."""
    return isinstance(value, _HOLDERS)


def vars_of(value: object) -> dict[str, object]:
    """Return an instance's own attributes, empty where it has no dictionary."""
    try:
        attributes = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return attributes if isinstance(attributes, dict) else {}


def attributes_of(value: object) -> list[tuple[str, object]]:
    """Return what an instance has in its dictionary and its slots."""
    found = list(vars_of(value).items())
    kind = type(value)
    members = _slots.get(kind)
    if members is None:
        members = _slots[kind] = [
            (name, member)
            for base in kind.__mro__[:-1]
            for name, member in vars(base).items()
            if isinstance(member, MemberDescriptorType)
        ]
    for name, member in members:
        try:
            found.append((name, member.__get__(value, kind)))
        except AttributeError:
            continue
    return found


def cells_of(function: FunctionType) -> list[tuple[str, CellType]]:
    """Return the function's free variables with their cells."""
    return list(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))


def values_of(function: object) -> dict[str, object]:
    """Return the values that a callable has bound, by name.

    A partial's arguments are named `args[0]` and `kwargs[name]`, a bound method's object `__self__`: names
    that no parameter has. What a function in a cell has bound in turn is named after the cell, as in
    `scale.factor`.
    """
    return dict(_bound(function, "", set()))


def underlying(function: object) -> object:
    """Return the function inside partials and bound methods."""
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif isinstance(function, MethodType):
            function = function.__func__
        else:
            return function


def _bound(function: object, prefix: str, seen: set[int]) -> Iterator[tuple[str, object]]:
    if id(function) in seen:
        return
    seen.add(id(function))
    if isinstance(function, functools.partial):
        for index, value in enumerate(function.args):
            yield from _sorted_out(f"{prefix}args[{index}]", value, seen)
        for name, value in sorted(function.keywords.items()):
            yield from _sorted_out(f"{prefix}kwargs[{name}]", value, seen)
        yield from _bound(function.func, prefix, seen)
    elif isinstance(function, MethodType):
        yield from _sorted_out(f"{prefix}__self__", function.__self__, seen)
        yield from _bound(function.__func__, prefix, seen)
    elif isinstance(function, FunctionType):
        for name, cell in cells_of(function):
            value = contents(cell)
            if value is not EMPTY:
                yield from _sorted_out(prefix + name, value, seen)


def _sorted_out(path: str, value: object, seen: set[int]) -> Iterator[tuple[str, object]]:
    if isinstance(value, FunctionType) or is_code_holder(value):
        yield from _bound(value, path + ".", seen)
    elif not is_code(value):
        yield path, value

"""All other objects: by the state that `pickle` would store."""

from __future__ import annotations

import copyreg
from types import BuiltinFunctionType, FunctionType, ModuleType

from cachedeco.keys.names import find_by_name, full_name, module_name
from cachedeco.keys.node import Node, UnkeyableError, class_tag, header, names_label
from cachedeco.keys.plain import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

_PROTOCOL = 4  # the newest without out-of-band buffers
_LARGE = 1 << 10  # of a header: worth remembering that the object was seen
_NEW_OBJECT = copyreg.__newobj__  # type: ignore[attr-defined]
_only_strings = frozenset({str}).issuperset
_LENGTHS = range(2, 7)  # of what __reduce__ may return

# The values of classes of these modules are complete without the attributes that a subclass may have added, and
# so is their reduction: those attributes have to be looked for.
_VALUE_CLASSES = frozenset(
    "_decimal _random array builtins collections datetime decimal fractions ipaddress pathlib random zoneinfo".split()
)

# Attributes that are no state: a hash that differs from process to process, and fills when it is asked for.
_NO_STATE = frozenset({"_attrs_cached_hash"})


class _Parts:
    """Collects what a reduction consists of."""

    def __init__(self) -> None:
        self.facts: list[Any] = []
        self.values: list[Any] = []
        self.labels: list[str] = []

    def add(self, label: str, value: object) -> None:
        """Add a part that is digested by itself."""
        self.values.append(value)
        self.labels.append(label)

    def add_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Add attributes in the order of their names."""
        names = sorted(attributes)
        values = [attributes[name] for name in names]
        self.facts.append(tuple(names))
        # Attributes are usually plain, and then need no parts of their own.
        encoded = encode(values)
        self.facts.append(encoded)
        if encoded is None:
            for name, value in zip(names, values, strict=True):
                self.add(f".{name}", value)


def for_class(kind: type) -> Callable[[Any], Node]:
    """Return what takes many objects of a class apart, the name of which takes some looking for."""
    tag = class_tag(kind)
    return lambda value: take_apart(value, tag)


def take_apart(value: Any, tag: tuple[Any, ...] | None = None) -> Node:
    """Take an object apart by its reduction.

    Args:
        value: the object.
        tag: the tag of its class, if it is known.
    """
    kind = type(value)
    if tag is None:
        tag = class_tag(kind)
    if kind.__module__ == "itertools":
        raise UnkeyableError("it is an iterator that is used up by reading it; pass a list instead")
    reduction = _reduce(value, kind)
    if isinstance(reduction, str):
        return _global(value, tag, reduction)
    if _is_mere_instance(reduction, kind):
        return _mere_instance(tag, reduction[2])
    maker, arguments, *rest = reduction
    state, items, pairs, setter, *_ = (*rest, None, None, None, None)
    parts = _Parts()
    _add_maker(parts, kind, maker, arguments, value)
    if _is_silent(kind):
        own = object.__getstate__(value)
        if state is None:
            state = own
        elif not _are_attributes(state):
            parts.add(".__dict__", own)
    _add_state(parts, state)
    if items is not None:
        parts.add("", list(items))
    if pairs is not None:
        unordered = isinstance(value, dict) and not _keeps_order(kind)
        parts.add("", dict(pairs) if unordered else [tuple(pair) for pair in pairs])
    parts.facts += (items is not None, pairs is not None, None if setter is None else _function_name(setter))
    fields = getattr(kind, "_fields", None) if issubclass(kind, tuple) else None
    parts.facts.append(tuple(map(str, fields)) if isinstance(fields, tuple) else None)
    labels = parts.labels
    head = header("object", tag, *parts.facts)
    return Node(head, parts.values, label=lambda index: labels[index], costly=len(head) > _LARGE)


def _is_mere_instance(reduction: tuple[Any, ...], kind: type) -> bool:
    """Tell whether an object is nothing but its class and its attributes, as most are."""
    maker, arguments, *rest = reduction
    if maker is not _NEW_OBJECT or len(arguments) != 1 or arguments[0] is not kind:
        return False
    return bool(rest) and _are_attributes(rest[0]) and not any(part is not None for part in rest[1:])


def _mere_instance(tag: tuple[Any, ...], state: dict[str, Any]) -> Node:
    attributes = state if _NO_STATE.isdisjoint(state) else _without_hashes(state)
    names = sorted(attributes)
    values = [attributes[name] for name in names]
    encoded = encode(values)
    head = header("instance", tag, tuple(names), encoded)
    if encoded is None:
        return Node(head, values, label=names_label(names))
    return Node(head, costly=len(head) > _LARGE)


def _global(value: object, tag: tuple[Any, ...], name: str) -> Node:
    """Take apart what its reduction says to be found under a name: that has to be true."""
    from pickle import whichmodule  # type: ignore[attr-defined]

    module = getattr(value, "__module__", None)
    if find_by_name(whichmodule(value, name), name) is not value:
        raise UnkeyableError(f"it says that it is found under the name {name!r}, where something else is")
    return Node(header("global", tag, None if module is None else module_name(value), name))


def _reduce(value: Any, kind: type) -> str | tuple[Any, ...]:
    if issubclass(kind, (set, frozenset)) and _reducer(kind) in (set, frozenset):
        base = (
            set if issubclass(kind, set) else frozenset
        )  # their own reduction lists the elements in any order
        return base, (frozenset(value),), object.__getstate__(value)
    try:
        reducer = copyreg.dispatch_table.get(kind)
        reduction: Any = value.__reduce_ex__(_PROTOCOL) if reducer is None else reducer(value)
    except RecursionError:
        raise
    except Exception as error:
        raise UnkeyableError(f"it has no state to make a key of ({error})") from error
    if isinstance(reduction, str):
        return str(reduction)
    if isinstance(reduction, tuple) and len(reduction) in _LENGTHS:
        return reduction
    raise UnkeyableError(
        f"its __reduce_ex__ returned {type(reduction).__name__} instead of a tuple of 2 to 6"
    )


def _reducer(kind: type) -> type:
    """Return the class that defines how a class is reduced."""
    for base in kind.__mro__:
        if "__reduce_ex__" in vars(base) or "__reduce__" in vars(base):
            return base
    return object


def _is_silent(kind: type) -> bool:
    base = _root(_reducer(kind))
    return base in _VALUE_CLASSES and base != _root(kind) and _reducer(kind) is not object


def _root(kind: type) -> str:
    return str(kind.__module__).partition(".")[0]


def _keeps_order(kind: type) -> bool:
    from collections import OrderedDict

    return issubclass(kind, OrderedDict)


def _add_maker(parts: _Parts, kind: type, maker: Any, arguments: Any, value: object) -> None:
    """Add the function that would make the object, and its arguments.

    The object's own class may be among them: it is named in the tag, and its code counts as code.
    """
    if not isinstance(arguments, tuple):
        raise UnkeyableError(f"the arguments in its reduction are a {type(arguments).__name__}, not a tuple")
    name = _function_name(maker)
    parts.facts.append(name)
    if name is None:
        parts.add(".__reduce_ex__()[0]", maker)
    parts.facts.append(tuple(argument is kind for argument in arguments))
    others = [argument for argument in arguments if argument is not kind]
    encoded = encode(others)
    parts.facts.append(encoded)
    if encoded is not None:
        return
    if any(argument is value for argument in others):
        raise UnkeyableError("its reduction consists of the value itself")
    for index, argument in enumerate(others):
        parts.add(f".__reduce_ex__()[1][{index}]", argument)


def _function_name(function: Any) -> tuple[str, str] | None:
    """Return the name of a function or class, or None if the name does not say all."""
    if isinstance(function, type):
        name = full_name(function)
        return None if "<" in name[1] else name
    if isinstance(function, BuiltinFunctionType) and not isinstance(function.__self__, ModuleType | None):
        return None
    if not isinstance(function, FunctionType | BuiltinFunctionType):
        return None
    found = find_by_name(str(function.__module__), str(function.__qualname__))
    return full_name(function) if found is function else None


def _add_state(parts: _Parts, state: Any) -> None:
    slots = None
    match state:
        case (attributes, dict() as slotted) if type(state) is tuple and _are_attributes(slotted):
            state, slots = attributes, slotted
    if state is not None and not _are_attributes(state):
        parts.facts.append("state")
        parts.add(".__getstate__()", state)
    else:
        parts.facts.append("attributes")
        parts.add_attributes(_without_hashes(state))
    parts.facts.append(slots is not None)
    if slots is not None:
        parts.add_attributes(_without_hashes(slots))


def _are_attributes(state: Any) -> bool:
    return type(state) is dict and _only_strings(map(type, state))


def _without_hashes(attributes: dict[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (attributes or {}).items() if name not in _NO_STATE}

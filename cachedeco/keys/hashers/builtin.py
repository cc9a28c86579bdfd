"""Built-in containers and buffers, where they are not plain."""

from __future__ import annotations

import gc
import re
from array import array
from types import MappingProxyType

from cachedeco.keys.hashers import callables
from cachedeco.keys.node import (
    BAG,
    MAPPING,
    Node,
    UnkeyableError,
    content_digest,
    header,
    keys_label,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def _sequence(value: list[Any] | tuple[Any, ...]) -> Node:
    # A copy, so that another thread which changes the list cannot make the walk stumble.
    return Node(header("list" if type(value) is list else "tuple", len(value)), tuple(value))


def _bag(value: set[Any] | frozenset[Any]) -> Node:
    return Node(header(type(value).__name__, len(value)), tuple(value), BAG, lambda _: ".element")


def mapping_node(head: bytes, pairs: dict[Any, Any]) -> Node:
    """Take a dict apart whose order does not count."""
    parts = [part for pair in pairs.items() for part in pair]
    return Node(head, parts, MAPPING, keys_label(list(pairs)))


def _mapping(value: dict[Any, Any]) -> Node:
    return mapping_node(header("dict", len(value)), value)


def _proxy(value: MappingProxyType[Any, Any]) -> Node:
    # What is behind a proxy need not be a dict, and nothing else gives it away.
    return Node(header("mappingproxy"), gc.get_referents(value), label=lambda _: "")


def _keys_view(value: Any) -> Node:
    return Node(header("dict_keys", len(value)), tuple(value), BAG)


def _items_view(value: Any) -> Node:
    return mapping_node(header("dict_items", len(value)), dict(value))


def _values_view(value: Any) -> Node:
    return Node(header("dict_values", len(value)), tuple(value))


def _large_leaf(value: str | bytes) -> Node:
    # Only strings of 2 GiB and more come here: marshal has no room for them.
    content = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    return Node(header(f"large {type(value).__name__}", len(content), content_digest(content)), costly=True)


def _bytearray(value: bytearray) -> Node:
    return Node(header("bytearray", len(value), content_digest(value)), costly=True)


def _memoryview(value: memoryview) -> Node:
    if _ADDRESSES.intersection(re.sub(":[^:]*:", "", value.format)):
        raise UnkeyableError("it shows the addresses of objects, which say nothing of their content")
    content = value if value.c_contiguous else value.tobytes()
    shape = None if value.shape is None else tuple(value.shape)
    return Node(
        header("memoryview", value.format, value.itemsize, shape, content_digest(content)), costly=True
    )


def _array(value: array[Any]) -> Node:
    # A type code's width depends on the machine, so both are written.
    return Node(
        header("array", value.typecode, value.itemsize, len(value), content_digest(value)), costly=True
    )


def _slice(value: slice) -> Node:
    return Node(header("slice"), (value.start, value.stop, value.step), label=lambda index: _SLICE[index])


def _range(value: range) -> Node:
    # Ranges are equal if they yield the same numbers: an end or a step that makes no difference is left out.
    # Not len(value), which cannot be larger than a machine word.
    length = max(0, (value.stop - value.start + value.step - (1 if value.step > 0 else -1)) // value.step)
    facts = (value.start if length else None, value.step if length > 1 else None)
    return Node(header("range", length, *facts))


def _bare_object(_value: object) -> Node:
    raise UnkeyableError("object() has nothing but its identity, which ends with the process")


_ADDRESSES = frozenset("OPX&")  # in the format of a view, outside of names
_SLICE = (".start", ".stop", ".step")
_HASHERS: dict[type, Callable[[Any], Node]] = {
    list: _sequence,
    tuple: _sequence,
    set: _bag,
    frozenset: _bag,
    dict: _mapping,
    MappingProxyType: _proxy,
    type({}.keys()): _keys_view,
    type({}.items()): _items_view,
    type({}.values()): _values_view,
    str: _large_leaf,
    bytes: _large_leaf,
    bytearray: _bytearray,
    memoryview: _memoryview,
    array: _array,
    slice: _slice,
    range: _range,
    object: _bare_object,
}


def find(kind: type) -> Callable[[Any], Node] | None:
    """Return what takes values of a built-in class apart."""
    return _HASHERS.get(kind) or callables.find(kind)

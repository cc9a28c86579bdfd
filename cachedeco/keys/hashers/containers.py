"""The containers of `collections`."""

from __future__ import annotations

from collections import ChainMap, Counter, OrderedDict, defaultdict, deque

from cachedeco.keys.hashers.builtin import mapping_node
from cachedeco.keys.node import Node, header, keys_label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def _deque(value: deque[Any]) -> Node:
    return Node(header("deque", len(value), value.maxlen), tuple(value))


def _ordered(value: OrderedDict[Any, Any]) -> Node:
    if vars(value):
        return _with_attributes("OrderedDict", OrderedDict(value), vars(value))
    parts = [part for pair in value.items() for part in pair]
    return Node(header("OrderedDict", len(value)), parts, label=keys_label(list(value)))


def _default(value: defaultdict[Any, Any]) -> Node:
    labels = (".default_factory", "")
    return Node(
        header("defaultdict"), (value.default_factory, dict(value)), label=lambda index: labels[index]
    )


def _counter(value: Counter[Any]) -> Node:
    if vars(value):
        return _with_attributes("Counter", Counter(value), vars(value))
    return mapping_node(header("Counter", len(value)), value)


def _chain(value: ChainMap[Any, Any]) -> Node:
    if len(vars(value)) > 1:
        attributes = {name: part for name, part in vars(value).items() if name != "maps"}
        return _with_attributes("ChainMap", ChainMap(*value.maps), attributes)
    return Node(header("ChainMap", len(value.maps)), tuple(value.maps), label=lambda index: f".maps[{index}]")


def _with_attributes(tag: str, bare: object, attributes: dict[str, Any]) -> Node:
    """Take a container apart that somebody has given attributes, as these classes allow."""
    labels = ("", ".__dict__")
    return Node(header(f"{tag} with attributes"), (bare, dict(attributes)), label=lambda index: labels[index])


_HASHERS: dict[type, Callable[[Any], Node]] = {
    deque: _deque,
    OrderedDict: _ordered,
    defaultdict: _default,
    Counter: _counter,
    ChainMap: _chain,
}


def find(kind: type) -> Callable[[Any], Node] | None:
    """Return what takes values of one of these classes apart; a subclass is taken apart by its state."""
    return _HASHERS.get(kind)

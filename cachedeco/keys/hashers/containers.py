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
    parts = [part for pair in value.items() for part in pair]
    return Node(header("OrderedDict", len(value)), parts, label=keys_label(list(value)))


def _default(value: defaultdict[Any, Any]) -> Node:
    labels = (".default_factory", "")
    return Node(
        header("defaultdict"), (value.default_factory, dict(value)), label=lambda index: labels[index]
    )


def _counter(value: Counter[Any]) -> Node:
    return mapping_node(header("Counter", len(value)), value)


def _chain(value: ChainMap[Any, Any]) -> Node:
    return Node(header("ChainMap", len(value.maps)), tuple(value.maps), label=lambda index: f".maps[{index}]")


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

"""What annotations refer to, where they run: in classes that are made of them, and where code reads them."""

from __future__ import annotations

import sys
from types import FunctionType

from cachedeco.keys import closure, code_tree
from cachedeco.keys.code_describe import BY_CLASS, describe, of_class, of_value
from cachedeco.keys.code_functions import add_global
from cachedeco.scripts import MAIN, script_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cachedeco.keys.code_graph import Graph, Node, Pieces

_TYPING = frozenset(("types", "typing", "typing_extensions"))


def add_annotations(graph: Graph, value: object, node: Node, *, texts: bool = True) -> None:
    """Add the annotations of a class or a function, and the code that they refer to.

    Args:
        graph: that grows.
        value: the class or function.
        node: its own.
        texts: look up the names in annotations that are text. A worker that got a class of a script by value
            lacks them, so this is for what evaluates them.
    """
    reader = _Reader(graph, node, _namespace_of(value) if texts else None)
    for index, (name, annotation) in enumerate(annotations_of(value).items()):
        node.lines.append((f"annotation {index} {name}", reader.pieces(annotation)))
    fields = vars(value).get("__pydantic_fields__") if isinstance(value, type) else None
    for field in fields.values() if isinstance(fields, dict) else ():
        # Names local to a function are resolved here; when, is pydantic's affair, so the text is not taken.
        reader.pieces(getattr(field, "annotation", None))


def annotations_of(value: object) -> dict[str, object]:
    """Return the annotations as they are, without evaluating what is text; empty where they cannot be had."""
    if isinstance(value, type) and "__annotations__" in vars(value):
        found = vars(value)["__annotations__"]
    elif isinstance(value, FunctionType) or "__annotate_func__" in vars(value):
        try:
            found = getattr(value, "__annotations__", {})
        except Exception:  # noqa: BLE001  annotations that are evaluated late may name what does not exist
            found = {}
    else:
        found = {}
    return dict(found) if isinstance(found, dict) else {}


def _namespace_of(value: object) -> dict[str, Any]:
    """Return the globals themselves, no copy: they are watched."""
    if isinstance(value, FunctionType):
        return value.__globals__
    name = getattr(value, "__module__", None)
    found = script_of(value) if name in MAIN else getattr(sys.modules.get(str(name)), "__dict__", None)
    return found if isinstance(found, dict) else {}


class _Reader:
    """Describes annotations, those within others too, without evaluating or importing anything."""

    def __init__(self, graph: Graph, node: Node, namespace: dict[str, Any] | None) -> None:
        self._graph = graph
        self._node = node
        self._namespace = namespace
        self._inside: set[int] = set()

    def pieces(self, annotation: object) -> Pieces:
        """Return what an annotation is; the code that it refers to joins the graph."""
        if annotation is None or isinstance(annotation, str):
            return [self._read_text(annotation) if annotation else repr(annotation)]
        if type(annotation).__module__ in _TYPING:
            return self._once(annotation)
        if isinstance(annotation, type):
            return of_class(self._graph, annotation)
        if isinstance(annotation, (list, tuple)):
            return self._listed(annotation)
        return self._metadata(annotation)

    def _once(self, annotation: object) -> Pieces:
        if id(annotation) in self._inside:
            return ["itself"]
        self._inside.add(id(annotation))
        try:
            return self._special(annotation)
        finally:
            self._inside.discard(id(annotation))

    def _special(self, annotation: Any) -> Pieces:
        kind = type(annotation).__name__
        if kind == "ForwardRef":
            return [self._read_text(annotation.__forward_arg__)]
        if kind == "NewType":
            return [f"{annotation.__name__} of ", *self.pieces(annotation.__supertype__)]
        if kind == "TypeVar":
            bounds = (annotation.__bound__, *annotation.__constraints__)
            return [repr(annotation), *self._listed(bounds)]
        if kind == "TypeAliasType":
            return [f"{annotation.__name__} for ", *self._late(annotation)]
        return self._with_arguments(annotation, kind)

    def _late(self, alias: Any) -> Pieces:
        try:
            value = alias.__value__
        except Exception:  # noqa: BLE001  it is evaluated now, and may name what does not exist
            return ["undefined"]
        return self.pieces(value)

    def _with_arguments(self, annotation: Any, kind: str) -> Pieces:
        arguments = getattr(annotation, "__args__", None)
        origin = getattr(annotation, "__origin__", None)
        if not isinstance(arguments, tuple) or repr(origin) == "typing.Literal":
            return [_text_of(annotation)]
        head = self.pieces(origin) if isinstance(origin, type) else [repr(origin or kind)]
        return [*head, *self._listed(arguments), *self._listed(getattr(annotation, "__metadata__", ()))]

    def _metadata(self, value: object) -> Pieces:
        if closure.is_code(value) or closure.is_code_holder(value):
            return describe(self._graph, value, "annotation")
        pieces = of_value(self._graph, value, "annotation")
        # What has no content to key (constraints written in C) still has a text.
        return [*pieces, " ", _text_of(value)] if pieces[-1] == BY_CLASS else pieces

    def _listed(self, items: Any) -> Pieces:
        found: Pieces = ["["]
        for item in items:
            found += [*self.pieces(item), ", "]
        return [*found, "]"]

    def _read_text(self, text: str) -> str:
        if self._namespace is not None:
            for chain in code_tree.names_in_text(text):
                add_global(self._graph, self._namespace, chain, self._node)
        return text


def _text_of(value: object) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001  a foreign object; its class is known already
        return ""
    # The address of an object without a text of its own differs in every process.
    return text.partition(" at 0x")[0]

"""What counts only because other code reads it: found when all code is known, so the order does not matter.

Docstrings, annotations and subclasses are nobody's affair until somebody asks for them. Of a module that is
passed on, the values that may change count if they are read under their name.
"""

from __future__ import annotations

from types import FunctionType, ModuleType

from cachedeco.keys import code_origin
from cachedeco.keys.code_modules import add_read_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from cachedeco.keys.code_graph import Graph, Node

_DOCSTRING_READERS = frozenset(("__doc__", "getdoc"))
_ANNOTATION_READERS = frozenset(("__annotations__", "get_annotations", "get_type_hints"))
# Names that much else may have count only as the functions of `inspect`.
_SIGNATURE_READERS = frozenset(
    f"{module}{name}" for module in ("", "inspect.") for name in ("signature", "getfullargspec")
)


def add_late(graph: Graph) -> bool:
    """Add what is read of the parts so far. Tell whether anything was added."""
    attributes = frozenset(graph.attributes)
    # A module's own docstring has the plain name, and is a global like others.
    names = attributes | (graph.dotted - {"__doc__", "__annotations__"})
    docstrings = not names.isdisjoint(_DOCSTRING_READERS)
    annotations = not (names.isdisjoint(_ANNOTATION_READERS) and graph.dotted.isdisjoint(_SIGNATURE_READERS))
    subclasses = "__subclasses__" in attributes
    added = False
    for value, node, seen in tuple(graph.live):
        wanted: AbstractSet[str]
        if isinstance(value, ModuleType):
            wanted = attributes - seen
            add_read_names(graph, value, node, wanted)
        else:
            asked = {"docstring": docstrings, "annotations": annotations, "subclasses": subclasses}
            wanted = {name for name, is_asked in asked.items() if is_asked} - seen
            _add_asked(graph, value, node, wanted)
        seen.update(wanted)
        added = added or bool(wanted)
    return added


def _add_asked(graph: Graph, value: object, node: Node, wanted: AbstractSet[str]) -> None:
    if "docstring" in wanted:
        _add_docstring(graph, value, node)
    if "annotations" in wanted:
        from cachedeco.keys.code_annotations import add_annotations

        add_annotations(graph, value, node)
    if "subclasses" in wanted and isinstance(value, type):
        _add_subclasses(graph, value, node)


def _add_docstring(graph: Graph, value: object, node: Node) -> None:
    text = vars(value).get("__doc__") if isinstance(value, type) else getattr(value, "__doc__", None)
    node.lines.append(("__doc__", [repr(text)]))
    if isinstance(value, FunctionType):
        graph.watch.value(lambda: value.__doc__ is text, True)


def _add_subclasses(graph: Graph, cls: type, node: Node) -> None:
    found: list[type] = type.__subclasses__(cls)
    graph.watch.value(lambda: type.__subclasses__(cls) == found, True)
    for subclass in found:
        if code_origin.of_class(subclass)[0] == "user":
            node.lines.append((f"subclass {code_origin.class_title(subclass)}", [graph.class_node(subclass)]))

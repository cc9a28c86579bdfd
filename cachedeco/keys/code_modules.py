"""What a function reads from modules: attribute by attribute, and by import statements of its own."""

from __future__ import annotations

import importlib
import sys
from types import FunctionType, ModuleType

from cachedeco.keys import code_origin
from cachedeco.keys.code_describe import describe, named
from cachedeco.keys.code_graph import ABSENT, CACHED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cachedeco.keys.code_graph import Graph, Node
    from cachedeco.keys.code_names import Chain, Import, References


def is_planted(value: object) -> bool:
    """Tell whether something found where only foreign code is expected is the user's code after all."""
    if isinstance(value, type):
        return code_origin.of_class(value)[0] == "user"
    return isinstance(value, FunctionType) and code_origin.of_function(value)[0] == "user"


def add_attributes(graph: Graph, value: object, chain: Chain, node: Node, references: References) -> None:
    """Follow the attributes that are read from a module or a function; `chain[0]` is the value's own name."""
    position = 1
    while isinstance(value, ModuleType):
        if code_origin.of_module(value)[0] != "user":
            _add_planted(graph, value, chain, position, node)
            return
        label = ".".join(chain[:position])
        if position == len(chain):
            add_used_names(graph, value, label, node, references)
            return
        name = chain[position]
        inner = _attribute_of(graph, value, name)
        label = f"{label}.{name}"
        if inner is ABSENT:
            node.lines.append((label, ["undefined"]))
            return
        in_place = vars(value).get(name, ABSENT) is inner
        node.lines.append(
            (label, named(graph, vars(value), name) if in_place else describe(graph, inner, label))
        )
        value, position = inner, position + 1
    if isinstance(value, FunctionType) and position < len(chain) and CACHED not in value.__dict__:
        _add_function_attribute(graph, value, chain, position, node)


def _attribute_of(graph: Graph, module: ModuleType, name: str) -> object:
    space = vars(module)
    if name in space:
        return space[name]
    graph.watch.absent(space, name)
    # A module may make its attributes when they are asked for.
    return getattr(module, name, ABSENT) if "__getattr__" in space else ABSENT


def _add_planted(graph: Graph, module: ModuleType, chain: Chain, position: int, node: Node) -> None:
    """Look for the user's functions and classes that were put into a foreign module."""
    value: object = module
    for index in range(position, len(chain)):
        if not isinstance(value, ModuleType):
            return
        space = vars(value)
        value = space.get(chain[index])
        if is_planted(value):
            graph.watch.binding(space, chain[index], value)
            node.lines.append((".".join(chain[: index + 1]), describe(graph, value, chain[index])))


def _add_function_attribute(
    graph: Graph, function: FunctionType, chain: Chain, position: int, node: Node
) -> None:
    name = chain[position]
    label = ".".join(chain[: position + 1])
    attributes = function.__dict__
    if name in attributes:
        graph.watch.binding(attributes, name, attributes[name])
        node.lines.append((label, describe(graph, attributes[name], label)))
        return
    graph.watch.absent(attributes, name)
    if name in {"__doc__", "__annotations__"}:
        value = getattr(function, name)
        graph.watch.value(lambda: getattr(function, name) is value, True)
        node.lines.append((label, [repr(value)]))


def add_used_names(graph: Graph, module: ModuleType, label: str, node: Node, references: References) -> None:
    """Add all names of a user's module that the function reads as an attribute of anything.

    For a module that is used by itself (passed on, bound to another name, imported in the function) nothing
    tells which attributes are read from it and which from other objects.
    """
    seen: set[int] = set()
    waiting = [(module, label)]
    while waiting:
        current, path = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        space = vars(current)
        for name in sorted(references.attributes):
            inner_label = f"{path}.{name}"
            if name not in space:
                graph.watch.absent(space, name)
                continue
            node.lines.append((inner_label, named(graph, space, name)))
            inner = space[name]
            if isinstance(inner, ModuleType) and code_origin.of_module(inner)[0] == "user":
                waiting.append((inner, inner_label))


def add_import(
    graph: Graph, namespace: dict[str, object], imported: Import, node: Node, references: References
) -> None:
    """Add what an import statement within the function brings.

    A module of the user's that is not loaded yet is loaded: its code is what the call will run, and a digest
    that changed with the first call would find no result of an earlier process.
    """
    module_name, level, names = imported
    full_name = _absolute(namespace, module_name, level)
    label = f"import {full_name}"
    top = full_name.partition(".")[0]
    module = sys.modules.get(full_name)
    if module is None:
        origin = _origin_of_unloaded(top)
        if origin[0] == "package":
            node.lines.append((label, [graph.package_node(origin)]))
        if origin[0] != "user":
            return
        module = _load(full_name)
    if module is None:
        graph.watch.absent(sys.modules, full_name)
        node.lines.append((label, ["not importable"]))
        return
    graph.watch.binding(sys.modules, full_name, module)
    node.lines.append((label, describe(graph, module, label)))
    for name in names:
        if not hasattr(module, name):
            _load(f"{full_name}.{name}")
        add_attributes(graph, module, (label, name), node, references)
    if not names:
        _add_plain_import(graph, full_name, node, references)


def _add_plain_import(graph: Graph, full_name: str, node: Node, references: References) -> None:
    """`import a.b` binds `a`, so names of all the modules on the way may be read."""
    path = full_name.split(".")
    for length in range(1, len(path) + 1):
        name = ".".join(path[:length])
        module = sys.modules.get(name)
        if isinstance(module, ModuleType) and code_origin.of_module(module)[0] == "user":
            add_used_names(graph, module, f"import {name}", node, references)


def _absolute(namespace: dict[str, object], name: str, level: int) -> str:
    if not level:
        return name
    package = namespace.get("__package__") or str(namespace.get("__name__", "")).rpartition(".")[0]
    base = str(package).rsplit(".", level - 1)[0]
    return f"{base}.{name}" if name else base


def _origin_of_unloaded(top: str) -> code_origin.Origin:
    loaded = sys.modules.get(top)
    if loaded is not None:
        return code_origin.of_module(loaded)
    from importlib.util import find_spec

    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        return code_origin.STANDARD if top in sys.stdlib_module_names else code_origin.USER
    if spec.origin in {"built-in", "frozen"}:
        return code_origin.STANDARD
    for place in (spec.origin, *(spec.submodule_search_locations or ())):
        if place is not None:
            return code_origin.of_file(place)
    return code_origin.USER


def _load(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except Exception:  # noqa: BLE001  the function may well guard this import; it counts as not importable
        return None

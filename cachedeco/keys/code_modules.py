"""What a function reads from modules: attribute by attribute, and by import statements of its own."""

from __future__ import annotations

import sys
from types import FunctionType, ModuleType

from cachedeco.keys import closure, code_origin, code_values
from cachedeco.keys.code_describe import describe, module_by_name, named
from cachedeco.keys.code_graph import ABSENT, CACHED
from cachedeco.scripts import MAIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from cachedeco.keys.code_graph import Graph, Node, Pieces
    from cachedeco.keys.code_names import Chain, Import, References


# What the import machinery writes into a module, and the interpreter when it warns.
_NO_CONTENT = frozenset(
    "__annotate__ __annotations__ __builtins__ __cached__ __conditional_annotations__ __doc__ __file__ "
    "__loader__ __name__ __package__ __path__ __spec__ __warningregistry__".split()
)


def is_planted(value: object) -> bool:
    """Tell whether something found where only foreign code is expected is the user's code after all."""
    if isinstance(value, type):
        return code_origin.of_class(value)[0] == "user"
    return isinstance(value, FunctionType) and code_origin.of_function(value)[0] == "user"


def expand(graph: Graph, module: ModuleType, node: Node) -> None:
    """Fill the part of a module that is passed on: with its functions, classes and immutable values.

    Other values may be what the module keeps for itself, and which submodules it has is a matter of what was
    imported before; they count if the code reads an attribute of their name of anything, see `add_read_names`.
    """
    space = vars(module)
    for name, value in tuple(space.items()):
        if name not in _NO_CONTENT and _is_content(space, name, value):
            node.lines.append((name, named(graph, space, name)))


def _is_content(space: Mapping[str, object], name: str, value: object) -> bool:
    if isinstance(value, ModuleType):
        return False
    if closure.is_code(value) or closure.is_code_holder(value):
        return True
    # A notebook keeps what was typed and what came out under such names.
    is_record = name.startswith("_") and space.get("__name__") in MAIN
    return code_values.is_immutable(value) and not is_record


def add_read_names(graph: Graph, module: ModuleType, node: Node, names: AbstractSet[str]) -> None:
    """Add the values and submodules of a module that is passed on if code reads attributes of their names."""
    space = vars(module)
    for name in sorted(names - _NO_CONTENT):
        if name not in space:
            graph.watch.absent(space, name)
        elif not _is_content(space, name, value := space[name]):
            graph.watch.binding(space, name, value)
            is_module = isinstance(value, ModuleType)
            node.lines.append(
                (name, describe(graph, value, name) if is_module else named(graph, space, name))
            )


def add_attributes(graph: Graph, value: object, chain: Chain, node: Node) -> None:
    """Follow the attributes that are read from a module or a function; `chain[0]` is the value's own name."""
    position = 1
    while isinstance(value, ModuleType):
        if code_origin.of_module(value)[0] != "user":
            _add_planted(graph, value, chain, position, node)
            return
        label = ".".join(chain[:position])
        if position == len(chain):
            node.lines.append((f"{label} as a whole", describe(graph, value, label)))
            return
        name = chain[position]
        inner = _attribute_of(graph, value, name)
        label = f"{label}.{name}"
        if inner is ABSENT:
            node.lines.append((label, ["undefined"]))
            return
        in_place = vars(value).get(name, ABSENT) is inner
        node.lines.append(
            (label, named(graph, vars(value), name) if in_place else _made(graph, inner, label))
        )
        value, position = inner, position + 1
    if isinstance(value, FunctionType) and position < len(chain) and CACHED not in value.__dict__:
        _add_function_attribute(graph, value, chain, position, node)


def _made(graph: Graph, value: object, label: str) -> Pieces:
    return module_by_name(graph, value) if isinstance(value, ModuleType) else describe(graph, value, label)


def _attribute_of(graph: Graph, module: ModuleType, name: str) -> object:
    space = vars(module)
    if name in space:
        return space[name]
    if "__getattr__" in space:
        # A module may make its attributes when they are asked for, and then leave them in their place.
        try:
            made: object = getattr(module, name)
        except Exception:  # noqa: BLE001  whatever it raises, the call may raise again or never come there
            made = ABSENT
        if name in space:
            return space[name]
        graph.watch.absent(space, name)
        return made
    graph.watch.absent(space, name)
    return ABSENT


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


def add_import(
    graph: Graph, namespace: dict[str, object], imported: Import, node: Node, references: References
) -> None:
    """Add what an import statement within the function brings.

    A module of the user's that is not loaded yet is loaded: its code is what the call will run, and a digest
    that changed with the first call would find no result of an earlier process.
    """
    full_name = _absolute(namespace, imported.module, imported.level)
    label = f"import {full_name}"
    module = sys.modules.get(full_name)
    if module is None:
        origin = _origin_of_unloaded(full_name.partition(".")[0])
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
    node.lines.append((label, module_by_name(graph, module)))
    member = imported.member
    if member and _attribute_of(graph, module, member) is ABSENT:
        _load(f"{full_name}.{member}")
    if imported.binds_top:
        full_name = full_name.partition(".")[0]
        module = sys.modules[full_name]
    start = (f"import {full_name}", member) if member else (f"import {full_name}",)
    for chain in references.of_import(imported):
        add_attributes(graph, module, (*start, *chain[1:]), node)


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
    from importlib import import_module

    try:
        return import_module(name)
    except Exception:  # noqa: BLE001  the function may well guard this import; it counts as not importable
        return None

"""What a function is and uses: its own text, defaults, cells, and every name in it."""

from __future__ import annotations

import builtins
from types import FunctionType, ModuleType

from cachedeco.keys import closure, code_names, code_tree, source
from cachedeco.keys.code_describe import describe, named
from cachedeco.keys.code_graph import ABSENT
from cachedeco.keys.code_modules import add_attributes, add_import, is_planted
from cachedeco.keys.code_watch import EMPTY, contents

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _ast
    from collections.abc import Callable, Mapping
    from types import CodeType

    from cachedeco.keys.code_graph import Graph, Node
    from cachedeco.keys.code_names import Chain, References

_OWN_PACKAGE = "cachedeco"
_BUILTINS = vars(builtins)


def own_text(function: FunctionType) -> tuple[bytes, Callable[[], str], CodeType]:
    """Return a function's text for the digest, one for people, and the code whose names it uses."""
    code = function.__code__
    found = source.find(code, function.__globals__)
    if found is None:
        encoded = code_names.encode(code)
        return b"code " + encoded, lambda: encoded.decode("utf-8", "replace"), code
    node = code_tree.without_decorators(found.node, lambda item: _is_ours(item, function.__globals__))
    return b"tree " + code_tree.encode(node), lambda: code_tree.text(node), found.code


def _is_ours(decorator: _ast.expr, namespace: Mapping[str, object]) -> bool:
    """Tell whether a decorator is one of this library's.

    A name that is gone (deleted, local to another function, not sent to a worker) is taken at its word.
    """
    chain = code_tree.decorator_chain(decorator)
    if not chain:
        return False
    if chain[0] not in namespace:
        return chain[-1] == "cached"
    value = namespace[chain[0]]
    for name in chain[1:]:
        value = vars(value).get(name) if isinstance(value, ModuleType) else None
    value = closure.underlying(value)
    return callable(value) and str(getattr(value, "__module__", "")).partition(".")[0] == _OWN_PACKAGE


def expand(graph: Graph, function: FunctionType, node: Node) -> None:
    """Fill a function's part and add the parts that it uses."""
    graph.watch.function(function)
    node.head, node.source, code = own_text(function)
    references = code_names.References(code)
    _add_defaults(graph, function, node)
    _add_cells(graph, function, node, references)
    for chain in sorted(references.chains):
        _add_global(graph, function.__globals__, chain, node, references)
    for imported in sorted(references.imports):
        add_import(graph, function.__globals__, imported, node, references)
    wrapped = function.__dict__.get("__wrapped__")
    if wrapped is not None:
        graph.watch.binding(function.__dict__, "__wrapped__", wrapped)
        node.lines.append(("__wrapped__", describe(graph, wrapped, "__wrapped__")))


def _add_defaults(graph: Graph, function: FunctionType, node: Node) -> None:
    defaults = function.__defaults__ or ()
    code = function.__code__
    positional = code.co_varnames[: code.co_argcount]
    named = dict(zip(positional[len(positional) - len(defaults) :], defaults, strict=True))
    for name, value in {**named, **(function.__kwdefaults__ or {})}.items():
        title = f"default {name}"
        pieces = describe(graph, value, title)
        if node.title == "body":
            graph.add(("default", name), title, pieces)
        else:
            node.lines.append((title, pieces))


def _add_cells(graph: Graph, function: FunctionType, node: Node, references: References) -> None:
    values_count = graph.bound_values or function is not graph.root
    for name, cell in closure.cells_of(function):
        value = contents(cell)
        label = f"cell {name}"
        if value is EMPTY:
            graph.watch.cell(cell, EMPTY)
            node.lines.append((label, ["empty"]))
        elif values_count or closure.is_code(value):
            graph.watch.cell(cell, value)
            node.lines.append((label, describe(graph, value, name)))
            chains = [chain for chain in references.cell_chains if chain[0] == name]
            for chain in sorted(chains):
                add_attributes(graph, value, chain, node, references)
        else:
            # The key has the value; what a partial or a method runs is still code.
            graph.watch.data_cell(cell, closure.is_code)
            if closure.is_code_holder(value):
                graph.watch.cell(cell, value)
                node.lines.append((label, describe(graph, closure.underlying(value), name)))


def _add_global(
    graph: Graph, namespace: dict[str, object], chain: Chain, node: Node, references: References
) -> None:
    name = chain[0]
    if name in namespace:
        value = namespace[name]
        node.lines.append((name, named(graph, namespace, name)))
        add_attributes(graph, value, chain, node, references)
        return
    graph.watch.absent(namespace, name)
    value = _builtin_of(namespace, name)
    if value is ABSENT:
        graph.watch.absent(_BUILTINS, name)
        node.lines.append((name, ["undefined"]))
    elif is_planted(value):
        graph.watch.binding(_BUILTINS, name, value)
        node.lines.append((name, describe(graph, value, name)))


def _builtin_of(namespace: Mapping[str, object], name: str) -> object:
    space = namespace.get("__builtins__", _BUILTINS)
    if isinstance(space, ModuleType):
        space = vars(space)
    return space.get(name, ABSENT) if isinstance(space, dict) else ABSENT

"""What a function is and uses: its own text, defaults, cells, and every name in it."""

from __future__ import annotations

import builtins
import sys
from types import FunctionType, ModuleType

from cachedeco.keys import closure, code_names, code_tree, source
from cachedeco.keys.code_describe import describe, module_by_name, named
from cachedeco.keys.code_graph import ABSENT
from cachedeco.keys.code_modules import add_attributes, add_import, is_planted
from cachedeco.keys.code_watch import EMPTY, contents

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _ast
    from collections.abc import Callable, Mapping

    from cachedeco.keys.code_graph import Graph, Node
    from cachedeco.keys.code_names import Chain, References

_OWN_PACKAGE = "cachedeco"
_BUILTINS = vars(builtins)


class OwnText:
    """A function's text.

    Attributes:
        head: the text for the digest.
        source: makes the text for people.
        code: the code object whose names the function uses.
        around: the dotted names in what its decorators were given.
        decorators: the dotted names of its decorators.
    """

    __slots__ = ("around", "code", "decorators", "head", "source")

    def __init__(self, function: FunctionType) -> None:
        self.around: list[Chain] = []
        self.decorators: list[Chain] = []
        found = source.find(function.__code__, function.__globals__)
        if found is None:
            self.code = function.__code__
            encoded = code_names.encode(self.code)
            self.head = b"code " + encoded
            self.source: Callable[[], str] = lambda: encoded.decode("utf-8", "replace")
            return
        node = code_tree.without_decorators(found.node, lambda item: _is_ours(item, function.__globals__))
        self.code = found.code
        self.head = b"tree " + code_tree.encode(node)
        self.source = lambda: code_tree.text(node)
        self.around.extend(code_tree.names_around(node))
        self.decorators.extend(map(code_tree.decorator_chain, getattr(node, "decorator_list", ())))


def _is_ours(decorator: _ast.expr, namespace: Mapping[str, object]) -> bool:
    """Tell whether a decorator is one of this library's.

    A name that is gone (deleted, local to another function, not sent to a worker) is taken at its word.
    """
    chain = code_tree.decorator_chain(decorator)
    if not chain:
        return False
    if chain[0] not in namespace:
        return chain[-1] == "cached"
    value = closure.underlying(_found(chain, namespace))
    return callable(value) and str(getattr(value, "__module__", "")).partition(".")[0] == _OWN_PACKAGE


def _found(chain: Chain, namespace: Mapping[str, object]) -> object:
    value = namespace.get(chain[0]) if chain else None
    for name in chain[1:]:
        value = vars(value).get(name) if isinstance(value, ModuleType) else None
    return value


def add_decorators(graph: Graph, function: FunctionType, node: Node) -> None:
    """Add the decorators of a function that a package has wrapped: the wrapper does not show all their options.

    They are in the user's function that calls the package, or in the cells of what the package has returned.
    """
    namespace = function.__globals__
    for chain in OwnText(function).decorators:
        decorator = _found(chain, namespace)
        if not isinstance(decorator, FunctionType):
            continue
        if is_planted(decorator):
            add_global(graph, namespace, chain, node)
            continue
        for name, cell in closure.cells_of(decorator):
            value = contents(cell)
            graph.watch.cell(cell, value)
            if value is not EMPTY:
                label = f"{'.'.join(chain)} with {name}"
                node.lines.append((label, describe(graph, value, label)))


def expand(graph: Graph, function: FunctionType, node: Node) -> None:
    """Fill a function's part and add the parts that it uses."""
    graph.watch.function(function)
    text = OwnText(function)
    node.head, node.source = text.head, text.source
    references = code_names.References(text.code)
    graph.attributes |= references.attributes
    graph.dotted.update(map(".".join, references.chains))
    _add_defaults(graph, function, node)
    _add_cells(graph, function, node, references)
    for chain in sorted(references.chains):
        add_global(graph, function.__globals__, chain, node)
    for chain in sorted(set(text.around)):
        # What is local where the function was made is not known any more.
        if chain[0] in function.__globals__:
            add_global(graph, function.__globals__, chain, node)
        else:
            graph.watch.absent(function.__globals__, chain[0])
    for imported in references.imports:
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
            module = value if isinstance(value, ModuleType) else None
            pieces = describe(graph, value, name) if module is None else module_by_name(graph, module)
            node.lines.append((label, pieces))
            for chain in sorted(chain for chain in references.cell_chains if chain[0] == name):
                add_attributes(graph, value, chain, node)
        else:
            # The key has the value; what a partial or a method runs is still code.
            graph.watch.data_cell(cell, closure.is_code)
            if closure.is_code_holder(value):
                graph.watch.cell(cell, value)
                node.lines.append((label, describe(graph, closure.underlying(value), name)))


def add_global(graph: Graph, namespace: dict[str, object], chain: Chain, node: Node) -> None:
    """Add a global name with the attributes that are read from it."""
    name = chain[0]
    if name in namespace:
        value = namespace[name]
        node.lines.append((name, named(graph, namespace, name)))
        add_attributes(graph, value, chain, node)
        return
    graph.watch.absent(namespace, name)
    value = _builtin_of(namespace, name)
    if value is ABSENT:
        graph.watch.absent(_BUILTINS, name)
        node.lines.append((name, ["undefined"]))
    elif is_planted(value):
        graph.watch.binding(_BUILTINS, name, value)
        node.lines.append((name, describe(graph, value, name)))
    elif value is globals:
        module = sys.modules.get(str(namespace.get("__name__")))
        if module is not None and vars(module) is namespace:
            node.lines.append((name, describe(graph, module, name)))


def _builtin_of(namespace: Mapping[str, object], name: str) -> object:
    space = namespace.get("__builtins__", _BUILTINS)
    if isinstance(space, ModuleType):
        space = vars(space)
    return space.get(name, ABSENT) if isinstance(space, dict) else ABSENT

"""What a live object is to code that uses it: another part, or a value by its fingerprint."""

from __future__ import annotations

import functools
from types import BuiltinFunctionType, FunctionType, MappingProxyType, MethodType, ModuleType

from cachedeco.keys import closure, code_origin, code_values
from cachedeco.keys.code_graph import CACHED
from cachedeco.keys.code_measure import measure, measure_again, measure_parts
from cachedeco.keys.code_watch import EMPTY, contents

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cachedeco.keys.code_graph import Graph, Node, Pieces

BY_CLASS = ", counted by its class only"
_SHOWN_BELOW = 10**18
# Read and write descriptors of C types, and C methods: their class says all about them.
_MEMBER_TYPES = frozenset(
    "classmethod_descriptor getset_descriptor member_descriptor method-wrapper method_descriptor "
    "wrapper_descriptor".split()
)


def describe(graph: Graph, value: object, where: str) -> Pieces:
    """Return what the value is, as text and parts; parts that are new join the graph.

    Args:
        graph: the graph that is being built.
        value: anything that a name can stand for.
        where: the name, for messages about values that cannot be fingerprinted.
    """
    if isinstance(value, FunctionType):
        return _function(graph, value, where)
    if isinstance(value, type):
        return of_class(graph, value)
    if isinstance(value, ModuleType):
        # Whoever has the module itself may take anything from it.
        is_user = code_origin.of_module(value)[0] == "user"
        return [graph.module_node(value)] if is_user else module_by_name(graph, value)
    return _object(graph, value, where)


def module_by_name(graph: Graph, module: ModuleType) -> Pieces:
    """Return what a module is to code that only reads attributes of it, which count by themselves."""
    return _from_origin(
        graph, code_origin.of_module(module), "module", code_origin.module_title(vars(module))
    )


def _object(graph: Graph, value: object, where: str) -> Pieces:
    if isinstance(value, BuiltinFunctionType):
        return _builtin(graph, value, where)
    parts = list(_parts(graph, value))
    if parts:
        pieces: Pieces = [f"{type(value).__name__}("]
        for label, part in parts:
            pieces += [f"{label}=", *describe(graph, part, f"{where}.{label}"), ", "]
        return [*pieces, ")"]
    if type(value).__name__ in _MEMBER_TYPES:
        return [f"{type(value).__name__} {getattr(value, '__qualname__', where)}"]
    return of_value(graph, value, where)


def _function(graph: Graph, function: FunctionType, where: str) -> Pieces:
    code = getattr(function.__dict__.get(CACHED), "code", None)
    if code is not None:
        return _cached(graph, code, where)
    origin = code_origin.of_function(function)
    if origin[0] == "user":
        return [graph.function_node(function)]
    name = f"{function.__globals__.get('__name__')}.{function.__code__.co_qualname}"
    if (
        function.__closure__ is None
        and CACHED not in function.__dict__
        and "__wrapped__" not in function.__dict__
    ):
        return _from_origin(graph, origin, "function", name)
    return [_foreign_wrapper(graph, function, name, where)]


def _cached(graph: Graph, code: object, where: str) -> Pieces:
    """Describe a cached function by its version, or else by its own function; never by the wrapper."""
    if code is graph.own and isinstance(graph.root, FunctionType):
        return [graph.function_node(graph.root)]
    function = getattr(code, "function", None)
    version = getattr(code, "version", None)
    if version is None:
        return ["cached ", *describe(graph, function, where)]
    inner = closure.underlying(function)
    name = getattr(inner, "__qualname__", type(inner).__qualname__)
    title = f"helper {code_origin.module_title(getattr(inner, '__globals__', {}))}.{name}"
    return [graph.add(("version", graph.hold(code)), title, [f"code_version {version!r}"])]


def _foreign_wrapper(graph: Graph, function: FunctionType, name: str, where: str) -> Node:
    """Describe a function that a decorator of a package or of the standard library has made.

    Its own code is the package's; what it wraps and what the user gave it count. Its other state
    (locks, statistics, caches) changes while it works and says nothing about results.
    """
    key = ("wrapper", graph.hold(function))
    if key in graph.nodes:
        return graph.nodes[key]
    node = graph.add(key, f"wrapper {name}", [])
    node.lines[:] = [("", _from_origin(graph, code_origin.of_function(function), "function", name))]
    graph.watch.function(function)
    for cell_name, cell in closure.cells_of(function):
        value = contents(cell)
        if value is EMPTY or value is function:
            continue
        if _is_given(value):
            graph.watch.cell(cell, value)
            node.lines.append((f"cell {cell_name}", describe(graph, value, f"{where}.{cell_name}")))
    attributes = function.__dict__
    wrapped = attributes.get("__wrapped__")
    if isinstance(wrapped, FunctionType):
        from cachedeco.keys.code_functions import add_decorators

        graph.watch.binding(attributes, "__wrapped__", wrapped)
        node.lines.append(("__wrapped__", describe(graph, wrapped, where)))
        add_decorators(graph, wrapped, node)
    registry = attributes.get("registry")
    if isinstance(registry, MappingProxyType):
        graph.watch.members(registry)
        for kind, implementation in registry.items():
            title = code_origin.class_title(kind) if isinstance(kind, type) else repr(kind)
            node.lines.append((f"registered {title}", describe(graph, implementation, where)))
    return node


def _is_given(value: object) -> bool:
    """Tell whether a value in a package's function came from its user: state of the package's own did not."""
    if closure.is_code(value) or closure.is_code_holder(value) or code_values.is_immutable(value):
        return True
    return code_origin.of_class(type(value))[0] == "user"


def of_class(graph: Graph, cls: type) -> Pieces:
    """Return what a class is: a part of its own if the user wrote it."""
    origin = code_origin.of_class(cls)
    if origin[0] == "user":
        return [graph.class_node(cls)]
    return _from_origin(graph, origin, "class", f"{cls.__module__}.{cls.__qualname__}")


def _from_origin(graph: Graph, origin: code_origin.Origin, kind: str, name: str) -> Pieces:
    if origin[0] == "package":
        return [graph.package_node(origin), f" {kind} {name}"]
    return [f"{origin[0]} {kind} {name}"]


def _builtin(graph: Graph, function: BuiltinFunctionType, where: str) -> Pieces:
    owner = function.__self__
    if owner is None or isinstance(owner, ModuleType):
        name = function.__module__ or getattr(owner, "__name__", None)
        return _from_origin(
            graph, code_origin.of_module_name(name), "function", f"{name}.{function.__qualname__}"
        )
    return [f"method {function.__name__} of ", *describe(graph, owner, where)]


def _parts(graph: Graph, value: object) -> Iterator[tuple[str, object]]:
    """Yield the code and the values that an object made of code consists of; nothing for other objects."""
    if isinstance(value, MethodType):
        yield from (("function", value.__func__), ("self", value.__self__))
    elif isinstance(value, (staticmethod, classmethod)):
        yield "function", value.__func__
    elif isinstance(value, property):
        yield from (("get", value.fget), ("set", value.fset), ("delete", value.fdel))
    elif isinstance(value, functools.cached_property):
        yield "function", value.func
    elif isinstance(value, functools.singledispatchmethod):
        yield "dispatcher", value.dispatcher
    elif isinstance(value, (functools.partial, functools.partialmethod)):
        graph.watch.members(value.keywords)
        yield "function", value.func
        yield from ((f"args[{index}]", argument) for index, argument in enumerate(value.args))
        yield from sorted(value.keywords.items())
    elif type(value).__name__ == "TypeAdapter" and type(value).__module__.startswith("pydantic."):
        # What it builds of its type has addresses in it.
        yield from (("type", getattr(value, "_type", None)), ("config", getattr(value, "_config", None)))
    elif callable(value) and code_origin.of_class(type(value))[0] != "user":
        attributes = closure.vars_of(value)
        wrapped = attributes.get("__wrapped__")
        if isinstance(wrapped, FunctionType):
            graph.watch.binding(attributes, "__wrapped__", wrapped)
            yield from (("class", type(value)), ("wrapped", wrapped))


def of_value(graph: Graph, value: object, where: str) -> Pieces:
    """Return a value by its fingerprint; the classes of what it holds join the graph."""
    kind = type(value)
    if (
        value is None
        or kind is bool
        or (kind is int and isinstance(value, int) and abs(value) < _SHOWN_BELOW)
    ):
        return [repr(value)]
    if kind.__module__ == "logging" and kind.__name__ in {"Logger", "RootLogger"}:
        # Nearly every module has one; where it writes is not data.
        return [f"logger {getattr(value, 'name', '')}"]
    for cls in sorted(code_values.classes_in((value,)), key=code_origin.class_title):
        of_class(graph, cls)
    graph.hold(value)
    measured = measure(value, where)
    whole = measured is not None
    if measured is None:
        measured = measure_parts(value, where)
    if measured is None:
        return ["object of ", *of_class(graph, kind), BY_CLASS]
    if not code_values.is_immutable(value):
        graph.watch.value(lambda: measure_again(value, where, whole=whole), measured)
    # Texts are not shown: among a module's globals are passwords.
    shown = repr(value) if kind is float else kind.__qualname__
    compiled = code_origin.compiled_content(getattr(value, "__module__", None)) if callable(value) else ""
    return [f"{shown} ({measured.hex()}){compiled}"]


def named(graph: Graph, namespace: dict[str, object], name: str) -> Pieces:
    """Return what a name of a module stands for: code is a part by itself, a value is one under the name.

    Of a module there is no more than its name: what is read from it is a matter of the attributes that follow.
    """
    value = namespace[name]
    graph.watch.binding(namespace, name, value)
    if isinstance(value, ModuleType):
        return module_by_name(graph, value)
    if closure.is_code(value):
        return describe(graph, value, name)
    key = ("global", id(namespace), name)
    title = f"global {code_origin.module_title(namespace)}.{name}"
    if key not in graph.nodes:
        # The part exists before its value is looked at, which may lead back to it.
        graph.add(key, title, []).lines[:] = [("", describe(graph, value, title.removeprefix("global ")))]
    return [graph.nodes[key]]

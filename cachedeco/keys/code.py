"""The digest of a function's code: of what runs when it is called.

It covers the function's own text and defaults, the helper functions and classes of the user's own code that
it uses, in whatever module and however far, the globals that these read, and name and version of the
installed packages. It does not cover comments and formatting, the standard library, nor docstrings and annotations that
nothing reads: classes may be made of theirs, and code may ask for them.
"""

from __future__ import annotations

import os
import sys
from types import FunctionType, MethodType

import xxhash

from cachedeco.keys import closure, code_values, source
from cachedeco.scripts import MAIN, PROCESS, remember_sent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from cachedeco.keys.code_watch import Watch

_STATES_KEPT = 64
_VALUES_KEPT = 256


class Code:
    """The code of one function.

    Making one is cheap: only the text of the function's file is kept. The digest is computed when it is first
    asked for, and checked, not computed, at each later call.

    Args:
        function: the function as it was given to the decorator.
        version: a version that the user gives. It stands for the code, which is then not looked at.

    Attributes:
        bound: whether there are closure cells or partial arguments.
    """

    __slots__ = ("_states", "_version_digest", "bound", "function", "version")

    def __init__(self, function: Callable[..., object], *, version: str | None = None) -> None:
        self.function = function
        self.version = version
        inner = closure.underlying(function)
        self.bound = inner is not function or getattr(inner, "__closure__", None) is not None
        self._states: dict[frozenset[type], _State] = {}
        self._version_digest: bytes | None = None
        if version is not None:
            self._version_digest = xxhash.xxh3_128_digest(
                b"version " + version.encode("utf-8", "surrogatepass")
            )
        elif isinstance(inner, FunctionType):
            source.capture(inner.__code__, inner.__globals__)

    def digest(self, arguments: Mapping[str, object] | None = None) -> bytes:
        """Return the 16 bytes that stand for the code.

        Args:
            arguments: the values of a call by name. The classes of instances among them count, wherever in
                plain containers or in the attributes of the user's own instances they are: the user's classes
                with their methods and bases, installed ones by their package's version.
        """
        if self._version_digest is not None:
            return self._version_digest
        classes = code_values.NO_CLASSES
        if arguments:
            for value in arguments.values():
                if type(value) not in code_values.PLAIN:
                    classes = code_values.classes_in(arguments.values())
                    break
        state = self._states.get(classes)
        if state is not None and state.watch.holds():
            return state.digest
        return self._compute(classes).digest

    def parts(self, arguments: Mapping[str, object] | None = None) -> dict[str, str]:
        """Return what the digest covers, as text by the part's name.

        The names are `body`, `default x`, `helper module.name`, `class module.Name`, `module name`,
        `global module.NAME`, `package name version`, `wrapper module.name` or `version`. Codes differ
        exactly where their parts do.

        Args:
            arguments: as for `digest`.
        """
        if self.version is not None:
            return {"version": self.version}
        classes = code_values.classes_in(arguments.values()) if arguments else code_values.NO_CLASSES
        state = self._states.get(classes)
        if state is None or not state.watch.holds():
            state = self._compute(classes)
        return dict(state.parts())

    def closure(self) -> dict[str, object]:
        """Return the values in closure cells and partial arguments, which belong to the key."""
        return closure.values_of(self.function) if self.bound else {}

    def _compute(self, classes: frozenset[type]) -> _State:
        if len(self._states) >= _STATES_KEPT:
            self._states.clear()
        state = _State(closure.underlying(self.function), bound_values=False, classes=classes, own=self)
        self._states[classes] = state
        return state

    def __getstate__(self) -> dict[str, object]:
        """Take the texts along that have no file in a worker: the function's own, and those of cells."""
        texts: dict[str, bytes] = {}
        inner = closure.underlying(self.function)
        if isinstance(inner, FunctionType) and self.version is None:
            self.digest()
            used = [function for state in self._states.values() for function in state.watch.functions()]
            functions: list[Any] = [inner, *(function for function in used if _by_value(function))]
            if _by_value(inner):
                functions += _methods_in_cells(inner.__globals__)
            for each in functions:
                found = source.captured(each.__code__, each.__globals__)
                if found is not None:
                    texts[found[0]] = found[1]
        return {"function": self.function, "version": self.version, "texts": texts, "process": PROCESS}

    def __setstate__(self, state: dict[str, Any]) -> None:
        inner = closure.underlying(state["function"])
        if isinstance(inner, FunctionType):
            source.receive(inner, state["texts"])
            if _by_value(inner):
                remember_sent(inner, state["process"])
        Code.__init__(self, state["function"], version=state["version"])


def _by_value(function: FunctionType) -> bool:
    return function.__globals__.get("__name__") in MAIN


def _methods_in_cells(namespace: Mapping[str, object]) -> list[FunctionType]:
    """Return a method of each text in which a cell defines classes, whose instances later calls may get."""
    methods: dict[object, FunctionType] = {}
    for cls in tuple(namespace.values()):
        if not isinstance(cls, type) or cls.__module__ not in MAIN:
            continue
        for member in tuple(vars(cls).values()):
            filename = member.__code__.co_filename if isinstance(member, FunctionType) else None
            if filename is not None and not os.path.exists(filename):
                source.capture(member.__code__, member.__globals__)
                methods[member if filename == source.SENT else filename] = member
    return list(methods.values())


class _State:
    """A digest and what it rests on."""

    __slots__ = ("_graph", "_parts", "digest", "watch")

    def __init__(
        self, root: object, *, bound_values: bool, classes: frozenset[type], own: Code | None
    ) -> None:
        from cachedeco.keys.code_graph import Graph

        self._graph: Graph | None = Graph(root, bound_values=bound_values, classes=classes, own=own)
        self._parts: dict[str, str] = {}
        self.watch: Watch = self._graph.watch
        self.digest: bytes = self._graph.digest()
        if sys.flags.optimize:
            self.digest = xxhash.xxh3_128_digest(self.digest + b"optimized %d" % sys.flags.optimize)

    def parts(self) -> dict[str, str]:
        """Return the parts as text, made when they are first asked for."""
        graph = self._graph
        if graph is not None:
            self._parts = {title: node.text() for title, node in sorted(graph.parts().items())}
            if sys.flags.optimize:
                self._parts["interpreter"] = (
                    f"python -{'O' * sys.flags.optimize}"  # its assertions do not run
                )
            self._graph = None
        return self._parts


# A state holds its function, so a table with weak keys would keep every lambda of every call.
_value_states: dict[object, _State] = {}


def function_digest(function: object) -> bytes:
    """Return the digest of a function that is a value: an argument, a part of one, or a global.

    What it has bound counts: closure cells, partial arguments, a bound method's object.
    """
    return _digest_of_value(function)


def class_digest(cls: type) -> bytes:
    """Return the digest of a class that is a value: its methods, attributes, bases and all that these use."""
    return _digest_of_value(cls)


def _digest_of_value(value: object) -> bytes:
    from cachedeco.keys import code_graph

    building = getattr(code_graph.active, "graph", None)
    if building is not None:
        from cachedeco.keys.code_measure import shallow_digest

        building.meet(value)
        return shallow_digest(value)
    lasting = isinstance(value, (FunctionType, type)) and not isinstance(value, MethodType)
    state = _value_states.get(value) if lasting else None
    if state is None or not state.watch.holds():
        state = _State(value, bound_values=True, classes=code_values.NO_CLASSES, own=None)
        if lasting:
            if len(_value_states) >= _VALUES_KEPT:
                _value_states.clear()
            _value_states[value] = state
    return state.digest

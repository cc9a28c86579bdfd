"""The content of values that code uses, measured by fingerprint; those that can change are measured again."""

from __future__ import annotations

from types import FunctionType, ModuleType

from cachedeco.keys import closure, code_origin
from cachedeco.keys.code_graph import active, as_bytes, join_digest
from cachedeco.keys.code_watch import EMPTY, contents

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_UNMEASURED = b"counted by class"


class _Checking:
    """Stands for the graph while values are measured again: what they hold is watched already."""

    def meet(self, value: object) -> None:
        """Do nothing."""


_CHECKING = _Checking()


def measure(value: object, where: str) -> bytes | None:
    """Return the value's fingerprint, None if it cannot have one."""
    from cachedeco.keys import fingerprint

    try:
        return fingerprint.digest(value, where)
    except Exception:  # noqa: BLE001  reducing a foreign object may raise anything, and the call must go on
        return None


def measure_parts(value: object, where: str) -> bytes | None:
    """Return a digest of a value without a fingerprint: of those of its parts that have one.

    The rest (a lock, a connection) counts by its class: many a module has one among its globals, and none of
    them stands for data.

    Returns:
        None if the value has no parts to look at.
    """
    seen: set[int] = set()
    if not isinstance(value, ModuleType) and not any(True for _ in _parts(value)):
        return None
    return _measure_all(value, where, seen)


def measure_again(value: object, where: str, *, whole: bool) -> bytes | None:
    """Measure a value that is in a finished graph, as a whole or by its parts."""
    outer = getattr(active, "graph", None)
    active.graph = _CHECKING
    try:
        return measure(value, where) if whole else measure_parts(value, where)
    finally:
        active.graph = outer


def _measure_all(value: object, where: str, seen: set[int]) -> bytes:
    kind = as_bytes(code_origin.class_title(type(value)))
    if id(value) in seen:
        return join_digest([_UNMEASURED, kind])
    seen.add(id(value))
    if isinstance(value, ModuleType):
        # Its content is a matter of the graph.
        active.graph.meet(value)
        return join_digest([b"module", as_bytes(code_origin.module_title(vars(value)))])
    pieces = [
        join_digest([label, measure(part, where) or _measure_all(part, where, seen)])
        for label, part in _parts(value)
    ]
    return join_digest(
        [_UNMEASURED, kind, *(sorted(pieces) if isinstance(value, (set, frozenset)) else pieces)]
    )


def _parts(value: object) -> Iterator[tuple[bytes, object]]:
    if isinstance(value, dict):
        labelled = [(measure(key, "key") or _UNMEASURED, part) for key, part in dict.items(value)]
        yield from sorted(labelled, key=lambda item: item[0])
    elif isinstance(value, (list, tuple)):
        yield from ((str(index).encode(), part) for index, part in enumerate(value))
    elif isinstance(value, (set, frozenset)):
        yield from ((b"", part) for part in value)
    elif type(value).__module__ == "_struct":
        yield b"format", getattr(value, "format", None)
    if code_origin.of_class(type(value))[0] == "user" or type(value).__name__ == "SimpleNamespace":
        for name, part in sorted(closure.attributes_of(value), key=lambda item: item[0]):
            yield as_bytes(name), part


def shallow_digest(value: object) -> bytes:
    """Return a digest of code met inside a value while that value is measured for a graph.

    What the code uses is a matter of the graph, which has it as a part of its own; here it is told apart
    from its likes: by its name, its own text and what it has bound.
    """
    inner = closure.underlying(value)
    if isinstance(inner, FunctionType):
        title = f"function {code_origin.module_title(inner.__globals__)}.{inner.__code__.co_qualname}"
        facts: Callable[[object], dict[str, object]] = _function_facts
    else:
        title = "class " + code_origin.class_title(inner if isinstance(inner, type) else type(inner))
        facts = _class_facts
    busy: set[int] = active.__dict__.setdefault("busy", set())
    pieces = [as_bytes(title)]
    if id(inner) not in busy:
        busy.add(id(inner))
        try:
            for name, part in sorted({**facts(inner), **closure.values_of(value)}.items()):
                pieces += [as_bytes(name), measure(part, name) or measure_parts(part, name) or _UNMEASURED]
        finally:
            busy.discard(id(inner))
    return join_digest(pieces)


def _function_facts(function: object) -> dict[str, object]:
    from cachedeco.keys.code_functions import OwnText

    assert isinstance(function, FunctionType)  # noqa: S101  chosen by its type
    facts: dict[str, object] = {"text": OwnText(function).head}
    for name, cell in closure.cells_of(function):
        value = contents(cell)
        if value is not EMPTY and closure.is_code(value):
            facts[f"cell {name}"] = value
    for index, default in enumerate(function.__defaults__ or ()):
        facts[f"default {index}"] = default
    facts.update({f"default {name}": item for name, item in (function.__kwdefaults__ or {}).items()})
    return facts


def _class_facts(cls: object) -> dict[str, object]:
    """Tell apart classes made by one function under one name."""
    if not isinstance(cls, type) or "<locals>" not in cls.__qualname__:
        return {}
    return {
        name: value
        for name, value in vars(cls).items()
        if closure.is_code(value)
        or (type(value) in {bool, int, float, str, bytes, tuple} and name != "__module__")
    }

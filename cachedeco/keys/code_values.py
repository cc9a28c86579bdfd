"""Values that code uses: which of them cannot change in place, and whose classes they are instances of."""

from __future__ import annotations

from itertools import chain

from cachedeco.keys import closure, code_origin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

NO_CLASSES: frozenset[type] = frozenset()

PLAIN = frozenset(
    (
        *(type(None), bool, int, float, complex, str, bytes, range, bytearray, memoryview, slice, object),
        *(type(...), type(NotImplemented), type),
    )
)
_IMMUTABLE = PLAIN - {bytearray, memoryview, slice}
_IMMUTABLE_BY_NAME = frozenset(
    "datetime.date datetime.datetime datetime.time datetime.timedelta datetime.timezone decimal.Decimal "
    "fractions.Fraction pathlib.Path pathlib.PosixPath pathlib.PurePosixPath pathlib.PureWindowsPath "
    "pathlib.WindowsPath pathlib._local.PosixPath pathlib._local.PurePosixPath re.Pattern uuid.UUID "
    "zoneinfo.ZoneInfo".split()
)
_CONTAINERS = (list, tuple, set, frozenset, dict)
_KNOWN_TYPES = 4096
_DEPTH_WITHOUT_CYCLES = 8

# What a type means for the search: nothing, has parts, has parts, counts, counts and has parts.
_LEAF, _CONTAINER, _STANDARD_OBJECT, _PACKAGED, _OWN_CODE = range(5)
_kinds: dict[type, int] = dict.fromkeys(PLAIN, _LEAF) | dict.fromkeys(_CONTAINERS, _CONTAINER)


def is_immutable(value: object) -> bool:
    """Tell whether the same object always has the same content."""
    kind = type(value)
    if kind in _IMMUTABLE:
        return True
    if kind in {tuple, frozenset}:
        return _all_immutable(value)
    return f"{kind.__module__}.{kind.__qualname__}" in _IMMUTABLE_BY_NAME


def _all_immutable(value: object) -> bool:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if type(item) in {tuple, frozenset}:
            waiting.extend(item)  # type: ignore[arg-type]
        elif not is_immutable(item):
            return False
    return True


def classes_in(values: Iterable[object]) -> frozenset[type]:
    """Return the classes of the values, and of what they hold, that are not the standard library's.

    The whole of the plain containers is searched, the attributes of instances, and the elements of arrays and
    frames of objects. Nothing is sampled. What an extension type hides from Python is not found.
    """
    found: set[type] = set()
    seen: set[int] = set()
    waiting: list[tuple[list[object], int]] = [(list(values), 0)]
    while waiting:
        batch, depth = waiting.pop()
        for kind in set(map(type, batch)):
            meaning = _kind(kind)
            if meaning >= _PACKAGED:
                found.add(kind)
            if meaning == _LEAF:
                continue
            group = [value for value in batch if type(value) is kind]
            if depth > _DEPTH_WITHOUT_CYCLES:
                fresh = {id(value): value for value in group if id(value) not in seen}
                seen.update(fresh)
                group = list(fresh.values())
            # A first look, in C, at the types alone saves copying what is all plain.
            waiting.extend(
                (list(inside()), depth + 1)
                for inside in _inside(kind, group)
                if any(map(_kind, set(map(type, inside()))))
            )
    return frozenset(found) if found else NO_CLASSES


def _inside(kind: type, group: list[Any]) -> list[Callable[[], Iterator[object]]]:
    """Return what gives the parts of all values of one type."""
    if kind is dict:
        return [lambda: chain.from_iterable(group), lambda: chain.from_iterable(map(dict.values, group))]
    if kind in _CONTAINERS:
        return [lambda: chain.from_iterable(group)]
    return [lambda: chain.from_iterable(chain.from_iterable(map(_parts, group)))]


def _kind(kind: type) -> int:
    known = _kinds.get(kind)
    if known is None:
        if len(_kinds) > _KNOWN_TYPES:
            # Classes made anew again and again must not be kept alive for ever.
            _kinds.clear()
            _kinds.update(dict.fromkeys(PLAIN, _LEAF) | dict.fromkeys(_CONTAINERS, _CONTAINER))
        known = _kinds[kind] = _judge(kind)
    return known


def _judge(kind: type) -> int:
    origin = code_origin.of_class(kind)[0]
    if origin == "user":
        return _OWN_CODE
    if origin == "package":
        return _PACKAGED
    if origin == "own" or issubclass(kind, type):
        return _LEAF
    if issubclass(kind, _CONTAINERS):
        return _CONTAINER
    is_plain_object = kind.__dictoffset__ != 0 or f"{kind.__module__}.{kind.__qualname__}" in _WITH_PARTS
    return _STANDARD_OBJECT if is_plain_object else _LEAF


_WITH_PARTS = frozenset(
    ("functools.partial", "collections.deque", "builtins.mappingproxy", "builtins.method")
)
_CODE_TYPES = frozenset(("function", "module", "builtin_function_or_method"))


def _parts(item: object) -> Iterable[Iterable[object]]:
    kind = type(item)
    if kind.__name__ in _CODE_TYPES and kind.__module__ == "builtins":
        return
    if isinstance(item, dict):
        yield dict.keys(item)
        yield dict.values(item)
    elif isinstance(item, (list, tuple, set, frozenset)) or kind.__name__ == "deque":
        yield kind.__mro__[-2].__iter__(item)  # type: ignore[attr-defined]
    elif kind.__name__ == "mappingproxy":
        yield item.values()  # type: ignore[attr-defined]
    elif kind.__name__ == "partial":
        yield (item.func, item.args, item.keywords)  # type: ignore[attr-defined]
    elif kind.__name__ == "method":
        yield (item.__self__,)  # type: ignore[attr-defined]
    elif kind.__module__.partition(".")[0] in {"numpy", "pandas"}:
        yield _elements(item)
    yield [value for _, value in closure.attributes_of(item)]


def _elements(item: Any) -> Iterable[object]:
    """The elements of an array, column or frame of objects; nothing where they are no Python objects."""
    name = type(item).__name__
    if name in {"ndarray", "Series", "Index"} and item.dtype == object:
        return item.ravel() if name == "ndarray" else iter(item)  # type: ignore[no-any-return]  # of numpy, untyped here
    if name == "DataFrame":
        return [
            item[name] if item.columns.is_unique else item.iloc[:, place] for place, name in enumerate(item)
        ]
    return ()

"""Values that code uses: which of them cannot change in place, and whose classes they are instances of."""

from __future__ import annotations

from itertools import chain

from cachedeco.keys import closure, code_origin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
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

    The whole of the plain containers is searched, and the attributes of instances of the user's own classes;
    what an instance of an installed class holds is not. Nothing is sampled.
    """
    found: set[type] = set()
    seen: set[int] = set()
    batch = list(values)
    keep: list[object] = []
    while True:
        kinds = {kind: meaning for kind in set(map(type, batch)) if (meaning := _kind(kind))}
        if not kinds:
            break
        found.update(kind for kind, meaning in kinds.items() if meaning >= _PACKAGED)
        # Parts made on the way must live on, or their addresses would be used again and look already seen.
        keep.append(batch)
        batch = [part for kind, meaning in kinds.items() for part in _parts_of_all(kind, meaning, batch, seen)]
    return frozenset(found) if found else NO_CLASSES


def _parts_of_all(kind: type, meaning: int, batch: list[object], seen: set[int]) -> Iterable[object]:
    """Return the parts of all values of one type that have not been seen; in C for the plain containers."""
    if meaning == _PACKAGED:
        return ()
    values: dict[int, Any] = {id(value): value for value in batch if type(value) is kind}
    fresh = [value for place, value in values.items() if place not in seen]
    seen.update(values)
    if kind is dict:
        return chain(chain.from_iterable(fresh), chain.from_iterable(map(dict.values, fresh)))
    if kind in _CONTAINERS:
        return chain.from_iterable(fresh)
    return chain.from_iterable(part for value in fresh for part in _parts(value))


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
    yield [value for _, value in closure.attributes_of(item)]

"""Why a value cannot be pickled or unpickled, said so that its owner knows what to do."""

from __future__ import annotations

try:
    from _pickle import Pickler
except ImportError:
    from pickle import Pickler

from cachedeco.values.contract import DamagedError, UnloadableError, UnstorableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

DEEPEST = 40
MOST_CHILDREN = 10_000
_LONGEST = 200
_SHORT = 40


def unstorable(value: object, error: Exception) -> UnstorableError:
    """The error for a value that pickle has refused, naming the part that is to blame and where it sits."""
    path, culprit, reason = _find(value, error)
    kind = type(culprit)
    type_name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
    where = f" at value{path}" if path else ""
    return UnstorableError(
        f"the value cannot be stored: {_describe(culprit, type_name)}{where} cannot be pickled "
        f"({_one_line(reason)}). {_way_out(culprit)}",
        type_name=type_name,
        path=path,
    )


def raise_unloadable(data: bytes | bytearray | memoryview, error: Exception) -> NoReturn:
    """Raise what the contract says for a failed `loads`, given the bytes and the failure.

    An error that left Python code, not the unpickler, came from an import or from the value's class.
    """
    if isinstance(error, (DamagedError, UnloadableError)):
        raise error
    if isinstance(error, MemoryError) and is_well_formed(data):
        raise error
    if isinstance(error, (ImportError, AttributeError)) or _left_python_code(error):
        raise UnloadableError(
            f"the stored value cannot be rebuilt here: {type(error).__name__}: {_one_line(error)}. Its class "
            "was moved, renamed or changed since, or its package is not installed in this environment"
        ) from error
    raise DamagedError(
        f"the stored bytes ({len(data)}) are not a whole pickle: {type(error).__name__}: {_one_line(error)}"
    ) from error


def is_well_formed(data: bytes | bytearray | memoryview) -> bool:
    """Whether `data` reads as a pickle whose lengths all fit into it; slow, for when memory ran out."""
    from pickletools import genops

    from cachedeco.values.pickle import FIRST_BYTE

    try:
        if data[0] != FIRST_BYTE:
            from cachedeco.values.frame import unframe

            data = unframe(data, given=True)[0]
        return all(
            not isinstance(argument, int) or "PUT" not in operation.name or argument <= len(data)
            for operation, argument, _ in genops(bytes(data))
        )
    except (ValueError, IndexError):  # genops for bad bytes, and DamagedError
        return False


class _Nowhere:
    def write(self, data: bytes) -> None:
        """Forget the data: only whether pickling fails is asked."""


def _failure(value: object) -> Exception | None:
    from cachedeco.values.reducers import dispatch_table

    pickler = Pickler(_Nowhere(), 5, buffer_callback=lambda _: False)
    table = dispatch_table()
    if table is not None:
        pickler.dispatch_table = table
    try:
        pickler.dump(value)
    except Exception as error:  # noqa: BLE001 - any refusal is the answer
        return error
    return None


def _find(value: object, error: Exception) -> tuple[str, object, Exception]:
    """Descend to the innermost part that fails by itself."""
    path = ""
    seen = set()
    for _ in range(DEEPEST):
        if f"'{type(value).__name__}' object" in str(error):  # pickle itself blames this very type
            break
        seen.add(id(value))
        for step, child in _children(value):
            if id(child) in seen:
                continue
            failure = _failure(child)
            if failure is not None:
                path, value, error = path + step, child, failure
                break
        else:
            break
    return path, value, error


def _children(value: object) -> Iterable[tuple[str, object]]:
    """The parts of a value, with how one writes their place."""
    yield from _members(value)
    if isinstance(value, type):
        return
    for name, part in getattr(value, "__dict__", {}).items():
        yield f".{name}", part
    for name in _slots(type(value)):
        if hasattr(value, name):
            yield f".{name}", getattr(value, name)


def _members(value: object) -> Iterable[tuple[str, object]]:
    from itertools import islice

    if isinstance(value, dict):
        for key, part in islice(value.items(), MOST_CHILDREN):
            yield f"[{_short(key)}]", part
            yield f".keys()[{_short(key)}]", key
    elif isinstance(value, (list, tuple)):
        for number, part in enumerate(islice(value, MOST_CHILDREN)):
            yield f"[{number}]", part
    elif isinstance(value, (set, frozenset)):
        for part in islice(value, MOST_CHILDREN):
            yield f"{{{_short(part)}}}", part


def _slots(kind: type) -> Iterable[str]:
    for base in kind.__mro__:
        names = base.__dict__.get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            if not name.startswith("__"):
                yield name


def _describe(culprit: object, type_name: str) -> str:
    qualified = getattr(culprit, "__qualname__", None)
    if isinstance(qualified, str) and type_name in ("function", "type", "builtin_function_or_method"):
        return f"{type_name} {qualified}"
    return f"an object of type {type_name}"


def _way_out(culprit: object) -> str:
    qualified = getattr(culprit, "__qualname__", "")
    if isinstance(qualified, str) and ("<lambda>" in qualified or "<locals>" in qualified):
        return "Define it at the top level of a module, or return what it computes instead"
    if "<locals>" in type(culprit).__qualname__:
        return "Define its class at the top level of a module"
    if isinstance(culprit, RecursionError):
        return "Nest it less deeply"
    return "Return plain data instead, or leave it out of the value (a class does so in __getstate__)"


def _left_python_code(error: Exception) -> bool:
    traceback = error.__traceback__
    return traceback is not None and traceback.tb_next is not None


def _short(value: object) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a class may fail to describe itself in any way
        text = object.__repr__(value)
    return text if len(text) <= _SHORT else text[: _SHORT - 3] + "..."


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."

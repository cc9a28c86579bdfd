"""The table of names: which serializer an item was stored with, and which one a value gets."""

from __future__ import annotations

from cachedeco.errors import OptionError
from cachedeco.values.contract import DamagedError, MissingSerializerError
from cachedeco.values.pickle import PickleSerializer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cachedeco.values.contract import Serializer

ENTRY_POINTS = "cachedeco.serializers"

# name -> module, class and what makes it; a module is imported when its name is first asked for
_BUILT_IN: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "arrow": ("arrow", "ArrowSerializer", ()),
    "bytes": ("bytes", "BytesSerializer", ()),
    "joblib": ("joblib", "JoblibSerializer", ()),
    "json": ("json", "JsonSerializer", ()),
    "numpy": ("numpy", "NumpySerializer", ()),
    "parquet": ("parquet", "ParquetSerializer", ()),
    "text": ("text", "TextSerializer", ()),
}
_BUILT_IN |= {
    f"joblib-{compressor}": ("joblib", "JoblibSerializer", (compressor,))
    for compressor in ("bz2", "gzip", "lz4", "lzma", "xz", "zlib")
}
_SIGNS = "-_.+"
_PICKLE = PickleSerializer()
_ready: dict[str, Serializer] = {"pickle": _PICKLE}
_claiming: list[Serializer] = []
_own: dict[str, Serializer] = {}  # those that this process was given


def get(name: str) -> Serializer:
    """The serializer of that name.

    Args:
        name: a built-in name, one that was registered, or one that an installed package offers.

    Raises:
        OptionError: no serializer has that name.
        MissingSerializerError: the library that it needs is not installed.

    Example:
        >>> get("pickle").ext
        '.pickle'
    """
    serializer = _ready.get(name)
    if serializer is None:
        serializer = _ready[name] = _built_in(name) if name in _BUILT_IN else _offered(name)
    return serializer


def stored(name: str | None) -> Serializer:
    """The serializer that an item was stored with.

    Raises:
        DamagedError: this is no name that a serializer can have.
        MissingSerializerError: it, or the library that it needs, is not installed.
    """
    try:
        return get(name or "")
    except OptionError as error:
        if not _can_be_name(name):
            raise DamagedError(f"the record names {name!r} as the serializer of the value") from error
        raise MissingSerializerError(
            f"the value was stored by the serializer {name!r}, which is not there: install the package that offers it "
            f"under the entry point group {ENTRY_POINTS!r}, or call cachedeco.register_serializer before",
            serializer=name,
        ) from error


def known(given: object) -> str:
    """The name of a serializer that was asked for by name, or that is given itself and from now on has that name.

    The library of a built-in one is not loaded yet.

    Raises:
        OptionError: no serializer has that name, or something that a serializer needs is missing.
        MissingSerializerError: the package that offers it cannot be imported.
    """
    if isinstance(given, str):
        if given not in _BUILT_IN:
            get(given)
        return given
    _check(given, f"serializer={given!r}:")
    serializer: Any = given
    if _ready.get(serializer.name) is not serializer:
        _add(serializer, claiming=False)
    name: str = serializer.name
    return name


def portable(name: str | None) -> str | Serializer | None:
    """What `known` makes the same name of in another process: the name, or the serializer that only this one knows."""
    return None if name is None else _own.get(name, name)


def choose(value: object) -> Serializer:
    """The serializer that ``serializer="auto"`` takes for a value: one that gives it back exactly.

    A registered serializer that claims the value comes first, the latest registered before the others; else
    it is pickle.

    Example:
        >>> choose(1.5).name
        'pickle'
    """
    for serializer in _claiming:
        if serializer.claims(value):  # type: ignore[attr-defined]  # only those that have it are in the list
            return serializer
    return _PICKLE


def runs_code(serializer: Serializer) -> bool:
    """Whether loading with a serializer may run code that the stored bytes name, as pickle does.

    Example:
        >>> runs_code(get("json")), runs_code(get("pickle"))
        (False, True)
    """
    return getattr(serializer, "runs_code", True) is not False


def choose_without_code(value: object) -> Serializer:
    """The same as `choose`, among those that run no code when they load.

    The one that is chosen may still refuse the value: when it is packed.

    Example:
        >>> choose_without_code([1, 2]).name
        'json'
    """
    for serializer in _claiming:
        if not runs_code(serializer) and serializer.claims(value):  # type: ignore[attr-defined]  # as above
            return serializer
    kind = type(value)
    if kind is bytes or kind is str:
        return get("bytes" if kind is bytes else "text")
    library = kind.__module__.partition(".")[0]
    return get(
        {"numpy": "numpy", "pandas": "arrow", "polars": "arrow", "pyarrow": "arrow"}.get(library, "json")
    )


def register(serializer: Serializer) -> None:
    """Make a serializer known under its name, for this process.

    Raises:
        OptionError: the name belongs to a built-in one, or something that a serializer needs is missing.
    """
    _check(serializer, "the registered serializer")
    _add(serializer, claiming=hasattr(serializer, "claims"))


def _add(serializer: Serializer, *, claiming: bool) -> None:
    name = serializer.name
    if name in _BUILT_IN or name == "pickle":
        raise OptionError(f"{name!r} is a built-in serializer; register yours under a name of its own")
    old = _ready.get(name)
    if old in _claiming:
        _claiming.remove(old)
    _ready[name] = _own[name] = serializer
    if claiming:
        _claiming.insert(0, serializer)


def names() -> list[str]:
    """All names that `get` knows without looking at installed packages, sorted.

    Example:
        >>> "json" in names()
        True
    """
    return sorted({*_BUILT_IN, *_ready})


def _built_in(name: str) -> Serializer:
    from importlib import import_module

    module_name, class_name, arguments = _BUILT_IN[name]
    try:
        module = import_module(f"cachedeco.values.{module_name}")
        found: Serializer = getattr(module, class_name)(*arguments)
    except ModuleNotFoundError as error:
        extra = "lz4" if "lz4" in arguments else module_name
        raise MissingSerializerError(
            f"the serializer {name!r} needs {error.name}; install cachedeco[{extra}]",
            serializer=name,
        ) from error
    return found


def _offered(name: str) -> Serializer:
    from importlib.metadata import entry_points

    found = tuple(entry_points(group=ENTRY_POINTS, name=name))
    if not found:
        raise OptionError(
            f"no serializer is named {name!r}; there are {', '.join(names())}, and those that installed "
            f"packages offer under the entry point group {ENTRY_POINTS!r}"
        )
    if len({point.value for point in found}) > 1:
        offers = ", ".join(sorted(point.value for point in found))
        raise OptionError(f"several packages offer a serializer {name!r}: {offers}; keep one of them")
    try:
        offered = found[0].load()
    except ImportError as error:
        raise MissingSerializerError(
            f"the serializer {name!r} ({found[0].value}) cannot be imported: {error}", serializer=name
        ) from error
    serializer: Serializer = offered() if isinstance(offered, type) else offered
    _check(serializer, f"the entry point {found[0].value}")
    if serializer.name != name:
        raise OptionError(
            f"the entry point {name!r} offers a serializer that calls itself {serializer.name!r}"
        )
    return serializer


def _can_be_name(name: object) -> bool:
    return (
        isinstance(name, str)
        and name[:1].isalpha()
        and all(each.isalnum() or each in _SIGNS for each in name)
    )


def _check(serializer: object, what: str) -> None:
    if hasattr(serializer, "name") and not _can_be_name(serializer.name):
        raise OptionError(
            f"{what} calls itself {serializer.name!r}; a name is letters, digits and any of {_SIGNS}"
        )
    missing = [part for part in ("name", "ext", "pack", "unpack", "load") if not hasattr(serializer, part)]
    if missing:
        raise OptionError(f"{what} has no {', '.join(missing)}: see cachedeco.values.contract.Serializer")

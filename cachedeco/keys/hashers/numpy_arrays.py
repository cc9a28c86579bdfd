"""numpy: arrays and scalars by content, generators by state."""

from __future__ import annotations

import sys

from cachedeco.keys.dispatch import loaded
from cachedeco.keys.node import (
    PIECE,
    Node,
    UnkeyableError,
    class_tag,
    content_digest,
    header,
    library_tag,
    names_label,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

_OWN_NUMBERS = 256  # dtype numbers from here on were registered by other libraries
_X87_BYTES, _X87_MANTISSA = 10, 63  # of an 80-bit float; the rest of its 12 or 16 bytes is whatever was there
_MASKED_STATE = frozenset(
    {"_baseclass", "_basedict", "_fill_value", "_hardmask", "_isfield", "_mask", "_sharedmask"}
)


def find(kind: type) -> Callable[[Any], Node] | None:  # noqa: PLR0911 - one kind a line
    """Return what takes values of a numpy class, or of a subclass of array, apart."""
    if sys.modules.get("numpy") is None:
        return None
    np = sys.modules["numpy"]
    if issubclass(kind, np.ma.MaskedArray):
        return _masked
    # Where an array lies does not count, in memory or in a mapped file.
    if kind is np.ndarray or kind is np.memmap:
        return array_node
    if issubclass(kind, np.ndarray):
        return _subclass
    if issubclass(kind, np.generic):
        return _scalar if kind.__module__ == "numpy" else None
    if issubclass(kind, np.dtype):
        return _dtype
    if kind is np.ufunc:
        return _ufunc
    return _find_generator(kind)


def _find_generator(kind: type) -> Callable[[Any], Node] | None:
    for name, hasher in (
        ("Generator", _generator),
        ("BitGenerator", _bit_generator),
        ("SeedSequence", _seed_sequence),
        ("RandomState", _random_state),
    ):
        base = loaded("numpy.random", name)
        if base is not None and issubclass(kind, base):
            return hasher
    return None


def array_node(array: Any) -> Node:
    """Take an array apart: dtype, shape and elements in C order, however they lie in memory."""
    dtype, shape = array.dtype, tuple(map(int, array.shape))
    if dtype.names is not None:
        # Field by field, because the bytes between fields are whatever was there.
        names = dtype.names
        parts = [array[name] for name in names]
        return Node(
            header("ndarray", dtype_facts(dtype), shape), parts, label=lambda index: f"[{names[index]!r}]"
        )
    if dtype.hasobject or dtype.char == "T":
        elements = array.reshape(-1).tolist() if array.ndim else [array.item()]
        parts = [elements, getattr(dtype, "na_object", None)]
        return Node(header("ndarray", dtype_facts(dtype), shape), parts, label=lambda _: "")
    return Node(header("ndarray", dtype_facts(dtype), shape, elements_digest(array)), costly=True)


def elements_digest(array: Any) -> bytes:
    """Return the digest of the elements of an array without objects or fields, in C order."""
    if not array.nbytes:
        return content_digest()
    if _is_padded(array.dtype):
        return content_digest(*map(_without_padding, _pieces(array)))
    return content_digest(*map(_as_bytes, _pieces(array)))


def dtype_facts(dtype: Any) -> tuple[Any, ...]:
    """Return what there is to know of a dtype: byte order, unit, fields with their places."""
    if dtype.names is not None:
        fields = []
        for name in dtype.names:
            field, offset, *title = dtype.fields[name]
            fields.append((str(name), int(offset), str(title[0]) if title else None, dtype_facts(field)))
        return ("struct", int(dtype.itemsize), bool(dtype.isalignedstruct), tuple(fields))
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return ("subarray", dtype_facts(base), tuple(map(int, shape)))
    if dtype.char == "T":
        return ("StringDType", hasattr(dtype, "na_object"), bool(dtype.coerce))
    if dtype.num >= _OWN_NUMBERS:
        return (str(dtype.str), class_tag(dtype.type), str(dtype.name))
    return (str(dtype.str),)


def _pieces(array: Any) -> Iterator[Any]:
    """Yield contiguous arrays that together are the array in C order; only scattered ones are copied."""
    np = sys.modules["numpy"]
    array = np.asarray(array)
    if array.flags.c_contiguous:
        yield array
        return
    rows = max(1, PIECE // max(1, array.nbytes // len(array)))
    for start in range(0, len(array), rows):
        yield np.ascontiguousarray(array[start : start + rows])


def _as_bytes(array: Any) -> Any:
    return array.reshape(-1).view("u1")


def _is_padded(dtype: Any) -> bool:
    np = sys.modules["numpy"]
    return dtype.char in "gG" and np.finfo(np.longdouble).nmant == _X87_MANTISSA


def _without_padding(array: Any) -> Any:
    np = sys.modules["numpy"]
    size = np.dtype(np.longdouble).itemsize
    return np.ascontiguousarray(_as_bytes(array).reshape(-1, size)[:, :_X87_BYTES]).reshape(-1)


def _subclass(value: Any) -> Node:
    np = sys.modules["numpy"]
    names = ("__array__()", "__dict__")
    parts = (value.view(np.ndarray), dict(getattr(value, "__dict__", {})))
    return Node(
        header("ndarray subclass", library_tag(type(value), "numpy")), parts, label=names_label(names)
    )


def _masked(value: Any) -> Node:
    """Take a masked array apart; what the mask hides counts, because it can be uncovered."""
    np = sys.modules["numpy"]
    if value is np.ma.masked:
        return Node(header("numpy.ma.masked"))
    attributes = {name: part for name, part in vars(value).items() if name not in _MASKED_STATE}
    names = ("data", "mask", "fill_value", "__dict__")
    parts = (value.view(np.ndarray), np.ma.getmaskarray(value), np.asarray(value.fill_value), attributes)
    head = header("MaskedArray", library_tag(type(value), "numpy"), bool(value.hardmask))
    return Node(head, parts, label=names_label(names))


def _scalar(value: Any) -> Node:
    dtype = value.dtype
    if dtype.char in "gGV" or dtype.names is not None:
        np = sys.modules["numpy"]
        return Node(header("numpy scalar"), (np.asarray(value),), label=lambda _: "")
    return Node(header("numpy scalar", str(dtype.str), value.tobytes()))


def _dtype(value: Any) -> Node:
    if value.char == "T" and hasattr(value, "na_object"):
        return Node(header("dtype", dtype_facts(value)), (value.na_object,), label=lambda _: ".na_object")
    return Node(header("dtype", dtype_facts(value)))


def _ufunc(value: Any) -> Node:
    name = str(value.__name__)
    for module in ("numpy", "scipy.special"):
        if getattr(sys.modules.get(module), name, None) is value:
            return Node(header("ufunc", module, name))
    raise UnkeyableError("only the ufuncs of numpy and scipy.special are known by their names")


def _generator(value: Any) -> Node:
    return Node(header("numpy Generator", library_tag(type(value), "numpy")), (value.bit_generator,))


def _bit_generator(value: Any) -> Node:
    # The seed sequence counts, because it decides what generators are spawned from this one.
    seeds = getattr(value, "seed_seq", None) or getattr(value, "_seed_seq", None)
    parts = (value.state, seeds)
    return Node(
        header("numpy BitGenerator", library_tag(type(value), "numpy")),
        parts,
        label=names_label(("state", "seed_seq")),
    )


def _seed_sequence(value: Any) -> Node:
    names = ("entropy", "spawn_key", "pool_size", "n_children_spawned")
    parts = [getattr(value, name) for name in names]
    return Node(
        header("numpy SeedSequence", library_tag(type(value), "numpy")), parts, label=names_label(names)
    )


def _random_state(value: Any) -> Node:
    parts = (value.get_state(legacy=False),)
    return Node(
        header("numpy RandomState", library_tag(type(value), "numpy")), parts, label=lambda _: ".get_state()"
    )

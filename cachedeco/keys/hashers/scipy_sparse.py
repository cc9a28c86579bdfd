"""scipy: sparse arrays and matrices by format, shape and stored elements."""

from __future__ import annotations

import sys

from cachedeco.keys.dispatch import loaded
from cachedeco.keys.node import Node, header, library_tag, names_label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def find(kind: type) -> Callable[[Any], Node] | None:
    """Return what takes sparse arrays and matrices apart."""
    for name in ("sparray", "spmatrix"):
        base = loaded("scipy.sparse", name)
        if base is not None and issubclass(kind, base):
            return _sparse
    return None


def _sparse(value: Any) -> Node:
    names, parts = _PARTS[value.format](value)
    head = header(
        "scipy.sparse", library_tag(type(value), "scipy"), str(value.format), tuple(map(int, value.shape))
    )
    return Node(head, parts, label=names_label(names))


def _wide(indices: Any) -> Any:
    # How wide the indices are depends on the operation that made the array.
    return indices.astype("int64", copy=False)


def _compressed(value: Any) -> tuple[tuple[str, ...], list[Any]]:
    if not value.has_sorted_indices:
        value = value.copy()
        value.sort_indices()
    return ("data", "indices", "indptr"), [value.data, _wide(value.indices), _wide(value.indptr)]


def _coordinates(value: Any) -> tuple[tuple[str, ...], list[Any]]:
    value = value.tocoo()
    coordinates = [_wide(along) for along in value.coords]
    order = sys.modules["numpy"].lexsort(coordinates[::-1])
    return ("data", "coords"), [value.data[order], [along[order] for along in coordinates]]


def _diagonals(value: Any) -> tuple[tuple[str, ...], list[Any]]:
    return ("data", "offsets"), [value.data, _wide(value.offsets)]


def _rows(value: Any) -> tuple[tuple[str, ...], list[Any]]:
    lists = [list(row) for row in value.rows], [list(row) for row in value.data]
    return ("dtype", "rows", "data"), [value.dtype, *lists]


_PARTS: dict[str, Callable[[Any], tuple[tuple[str, ...], list[Any]]]] = {
    "bsr": _compressed,
    "coo": _coordinates,
    "csc": _compressed,
    "csr": _compressed,
    "dia": _diagonals,
    "dok": _coordinates,
    "lil": _rows,
}

"""xarray: by dimensions, values, coordinates, names, attributes and encoding."""

from __future__ import annotations

import sys

from cachedeco.keys.node import Node, UnkeyableError, header, library_tag, names_label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def find(kind: type) -> Callable[[Any], Node] | None:
    """Return what takes variables, arrays and datasets of xarray apart."""
    xr = sys.modules.get("xarray")
    if xr is None:
        return None
    for base, hasher in ((xr.Dataset, _dataset), (xr.DataArray, _array), (xr.Variable, _variable)):
        if issubclass(kind, base):
            return hasher
    return None


def _variable(value: Any) -> Node:
    if value.chunks is not None:
        raise UnkeyableError("its values have not been computed; pass value.compute()")
    names = ("dims", "values", "attrs", "encoding")
    parts = (tuple(value.dims), value.values, dict(value.attrs), dict(value.encoding))
    return Node(
        header("xarray.Variable", library_tag(type(value), "xarray")), parts, label=names_label(names)
    )


def _array(value: Any) -> Node:
    names = ("name", "variable", "coords", "indexes")
    coordinates = {name: part.variable for name, part in value.coords.items()}
    parts = (value.name, value.variable, coordinates, _indexes(value))
    return Node(
        header("xarray.DataArray", library_tag(type(value), "xarray")), parts, label=names_label(names)
    )


def _dataset(value: Any) -> Node:
    names = ("variables", "coords", "attrs", "encoding", "indexes")
    parts = (
        dict(value.variables),
        set(value.coords),
        dict(value.attrs),
        dict(value.encoding),
        _indexes(value),
    )
    return Node(header("xarray.Dataset", library_tag(type(value), "xarray")), parts, label=names_label(names))


def _indexes(value: Any) -> dict[Any, Any]:
    """Return the indexes, which know more than the coordinates: the frequency of times, for one."""
    xr = sys.modules["xarray"]
    simple = xr.indexes.PandasIndex
    return {
        name: index.to_pandas_index() if isinstance(index, simple) else index
        for name, index in value.xindexes.items()
    }

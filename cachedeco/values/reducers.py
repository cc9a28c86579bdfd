"""Which types the default serializer pickles in a way of its own, as far as their libraries are loaded."""

from __future__ import annotations

import copyreg
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Table = dict[type, Callable[[Any], str | tuple[Any, ...]]]

_own: Table = {}
_modules_seen = 0


def dispatch_table() -> Table | None:
    """The table for a `Pickler`, `copyreg`'s own included, or None where that one will do.

    Exact types only, and none that pickle knows by itself, so a plain value never pays for it.
    """
    global _modules_seen  # noqa: PLW0603 - no lock: finding the same types twice does no harm
    count = len(sys.modules)
    if count != _modules_seen:
        _own.update(_loaded_types())
        _modules_seen = count
    return {**copyreg.dispatch_table, **_own} if _own else None


def _loaded_types() -> Table:
    found: Table = {}
    modules = sys.modules
    numpy = modules.get("numpy")
    if numpy is not None and hasattr(numpy, "memmap"):
        from cachedeco.values.numpy_reducers import reduce_array, reduce_memmap

        found[numpy.ndarray] = reduce_array
        found[numpy.memmap] = reduce_memmap
    torch = modules.get("torch")
    if torch is not None and hasattr(torch, "UntypedStorage"):
        from cachedeco.values.torch_reducers import reduce_typed, reduce_untyped

        found[torch.UntypedStorage] = reduce_untyped
        found[torch.storage.TypedStorage] = reduce_typed
    pyarrow = modules.get("pyarrow")
    if pyarrow is not None and hasattr(pyarrow, "ipc"):
        from cachedeco.values import arrow_reducers

        found[pyarrow.Table] = found[pyarrow.RecordBatch] = arrow_reducers.reduce_table
        found[pyarrow.ChunkedArray] = arrow_reducers.reduce_array
    for module_name, type_name in _PROCESS_BOUND:
        kind = getattr(modules.get(module_name), type_name, None)
        if isinstance(kind, type):
            found[kind] = _refuse
    return found


# Pickle accepts these, but what comes back names a descriptor or a segment that may be gone, or be another's.
_PROCESS_BOUND = (
    ("multiprocessing.connection", "Connection"),
    ("multiprocessing.connection", "PipeConnection"),
    ("multiprocessing.shared_memory", "SharedMemory"),
    ("multiprocessing.shared_memory", "ShareableList"),
    ("multiprocessing.heap", "Arena"),
)


def _refuse(value: object) -> str | tuple[Any, ...]:
    raise TypeError(f"cannot pickle {type(value).__name__!r} object: it belongs to this process")

"""Names of classes and functions as they appear in keys: the same in every process that knows them."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MAIN = frozenset({"__main__", "__mp_main__"})
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: classes made by a class statement (or an extension that imitates one)


def is_static(kind: type) -> bool:
    """Tell whether a class is compiled into the interpreter or an extension: nobody's code can be in it."""
    return not kind.__flags__ & _HEAP_TYPE


def class_name(kind: type) -> tuple[str, str]:
    """Return module and qualified name of a class.

    A class of the script that runs is named as if the script had been imported, whether this is the process
    that was started or one that it has spawned.
    """
    module, name = str(kind.__module__), str(kind.__qualname__)
    return (_main_module(kind) if module in _MAIN else module), name


def _main_module(kind: type) -> str:
    names = vars(sys.modules["__main__"])
    for member in vars(kind).values():
        # Where a class came by value (cloudpickle), its functions still know the script, the process does not.
        found: dict[str, Any] | None = getattr(member, "__globals__", None)
        if found is not None and found.get("__name__") in _MAIN:
            names = found
            break
    spec, file, package = names.get("__spec__"), names.get("__file__"), names.get("__package__")
    if spec is not None and spec.name not in _MAIN:
        return str(spec.name)
    if not file or package == "_pyrepl":
        return "__main__"
    stem = os.path.splitext(os.path.basename(file))[0]
    return f"{package}.{stem}" if package else stem

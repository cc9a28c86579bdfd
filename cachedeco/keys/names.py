"""Names of classes and functions as they appear in keys: the same in every process that knows them."""

from __future__ import annotations

import os
import sys
from weakref import WeakKeyDictionary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_main_modules: WeakKeyDictionary[type, str] = WeakKeyDictionary()
_MAIN = frozenset({"__main__", "__mp_main__"})
# Flags of CPython's types: what a class statement makes is a heap type, and can be changed.
_IMMUTABLE, _HEAP_TYPE = 1 << 8, 1 << 9


def is_static(kind: type) -> bool:
    """Tell whether a class is compiled into the interpreter or an extension: nobody's code can be in it."""
    return kind.__flags__ & (_HEAP_TYPE | _IMMUTABLE) != _HEAP_TYPE


def full_name(named: Any) -> tuple[str, str]:
    """Return module and qualified name of a class or function.

    What belongs to the script that runs is named as if the script had been imported, whether this is the
    process that was started or one that it has spawned.
    """
    return module_name(named), str(named.__qualname__)


def module_name(named: Any) -> str:
    """Return the module of a class or function, see `full_name`."""
    module = str(named.__module__)
    return _main_module(named) if module in _MAIN else module


def find_by_name(module: str, qualname: str) -> object:
    """Return what an imported module has under a name, or None."""
    found: object = sys.modules.get(module)
    for step in qualname.split("."):
        found = getattr(found, step, None)
    return found


def _main_module(named: Any) -> str:
    if not isinstance(named, type):
        return _find_main_module(named)
    found = _main_modules.get(named)
    if found is None:
        found = _main_modules[named] = _find_main_module(named)
    return found


def _find_main_module(named: Any) -> str:
    names = vars(sys.modules["__main__"])
    for member in (named, *getattr(named, "__dict__", {}).values()):
        # What came by value (cloudpickle) still knows its script, even where the process runs another one.
        found: Any = getattr(member, "__globals__", None)
        if isinstance(found, dict) and found.get("__name__") in _MAIN:
            names = found
            break
    spec, file, package = names.get("__spec__"), names.get("__file__"), names.get("__package__")
    if spec is not None and spec.name not in _MAIN:
        return str(spec.name)
    if not file or package == "_pyrepl":
        return "__main__"
    stem = os.path.splitext(os.path.basename(file))[0]
    return f"{package}.{stem}" if package else stem

"""Names of classes and functions as they appear in keys: the same in every process that knows them."""

from __future__ import annotations

from cachedeco.scripts import find_by_name, module_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["find_by_name", "full_name", "is_static", "module_name"]

# Flags of CPython's types: what a class statement makes is a heap type, and can be changed.
_IMMUTABLE, _HEAP_TYPE = 1 << 8, 1 << 9

GENERATED_CODE = "__create_fn__.<locals>."
"""Begins the qualified names of what dataclasses write for a class."""


def is_static(kind: type) -> bool:
    """Tell whether a class is compiled into the interpreter or an extension: nobody's code can be in it."""
    return kind.__flags__ & (_HEAP_TYPE | _IMMUTABLE) != _HEAP_TYPE


def full_name(named: Any) -> tuple[str, str]:
    """Return module and qualified name of a class or function.

    What belongs to the script that runs is named as if the script had been imported, whether this is the
    process that was started, one that it has spawned, or one that got the class or function by value.
    """
    return module_name(named), str(named.__qualname__)

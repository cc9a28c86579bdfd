"""Values made of a script's classes: stored under the script's name, found again wherever the script is known.

Pickle would write ``__main__``, which in another process is another script, and may have a class of the same
name that means something else.
"""

from __future__ import annotations

import io
import sys
from types import FunctionType

from cachedeco.scripts import MAIN, find, find_by_name, module_name, named

try:
    from _pickle import Pickler, Unpickler
except ImportError:
    from pickle import Pickler, Unpickler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


MOVED = {"pathlib._local": "pathlib"}
"""Where the classes of modules are that only some Pythons have: 3.13 names the one that its paths are defined in."""


class ScriptPickler(Pickler):
    """Writes a script's classes and functions as `cachedeco.scripts.named`."""

    def reducer_override(self, value: Any) -> Any:
        """Name what is the script's own, or came from it by value; leave everything else to pickle."""
        if not isinstance(value, (type, FunctionType)) or value.__module__ not in MAIN:
            return NotImplemented
        script, name = module_name(value), value.__qualname__
        own = find_by_name("__main__", name)
        # A worker may have imported the script, and all the same get its classes by value.
        if "<" in name or (own is not value and find(script, name) not in (None, value)):
            return NotImplemented  # pickle refuses it, and says why
        return named, (script, name)


class ScriptUnpickler(Unpickler):
    """Finds what an importer of a script that is known here has stored, without importing the script anew."""

    def find_class(self, module: str, name: str, /) -> Any:
        """Look into the script that runs, and into what came from a script by value."""
        module = MOVED.get(module, module)
        found = None if module in sys.modules else find(module, name)
        return super().find_class(module, name) if found is None else found


def unpickler(head: bytes | bytearray | memoryview, buffers: Iterable[memoryview]) -> ScriptUnpickler:
    """What rebuilds a value that may be made of a script's classes.

    Args:
        head: the pickle.
        buffers: what it keeps outside of itself.
    """
    return ScriptUnpickler(io.BytesIO(head), buffers=buffers)

"""What a call imports late, and a fork in the midst of that.

Notes:
    A module that another thread is just importing stays locked in a forked child for ever: nobody is there to
    finish it, and the child waits at its own import of it. So a fork waits for such imports, or makes them.
"""

from __future__ import annotations

import contextlib
import sys
import threading

importing_filelock = threading.Lock()
"""Held while the library is imported, and during a fork: the library has things of its own to do at one."""

_LATE = ("fnmatch", "json", "pickle", "shutil", "tempfile", "traceback", "zlib")


def finish_imports() -> None:
    """Import the small modules that calls import late, and wait for other threads that import ours."""
    from importlib import import_module

    ours = [name for name in sys.modules if name.startswith("cachedeco.")]
    for name in (*_LATE, *ours):
        with contextlib.suppress(ImportError):  # whoever needs it will say so
            import_module(name)

"""What a call imports late, and a fork in the midst of that.

Notes:
    A module that another thread is just importing stays locked in a forked child for ever: nobody is there to
    finish it, and the child waits at its own import of it. So a fork waits for such imports, or makes them.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading

importing_filelock = threading.Lock()
"""Held while the library is imported. It cannot be imported by a fork: it has things of its own to do at one."""

_LATE = ("fnmatch", "json", "pickle", "shutil", "tempfile", "traceback", "zlib")


def finish_imports() -> None:
    """Import the small modules that calls import late, and wait for other threads that import ours."""
    from importlib import import_module

    ours = [name for name in sys.modules if name.startswith("cachedeco.")]
    for name in (*_LATE, *ours):
        with contextlib.suppress(ImportError):  # whoever needs it will say so
            import_module(name)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=importing_filelock.acquire,
        after_in_parent=importing_filelock.release,
        after_in_child=importing_filelock.release,
    )

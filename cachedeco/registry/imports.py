"""What a call imports late, and a fork in the midst of that.

Notes:
    A module that another thread is just importing stays locked in a forked child for ever: nobody is there to
    finish it, and the child waits at its own import of it. So a fork waits for such imports, or makes them.

    Python takes its list of what to call before a fork before it calls the first of it. So the hooks that
    ``filelock`` and ``logging`` register while a fork waits for their import are called after the fork only: a child
    would keep the locks of its parent. What they register is collected here therefore, and called from hooks that are
    there from the beginning.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import ModuleType

    Hook = Callable[[], object] | None

_importing = threading.Lock()
"""Held while the libraries are imported that have things of their own to do at a fork, and during a fork."""

_LATE = (
    "encodings.ascii", "fnmatch", "json", "pickle", "pwd", "shutil", "tempfile", "traceback", "zlib",
    *(f"cachedeco.{name}" for name in (
        "calls.miss", "calls.streams", "changes", "contents", "files.intake", "files.listing", "held",
        "keys.code_classes", "keys.code_graph", "keys.code_late", "keys.code_measure", "keys.code_modules",
        "keys.describe", "keys.hashers.builtin", "keys.hashers.containers", "keys.hashers.objects",
        "keys.hashers.scalars", "keys.markers", "keys.walk", "log", "machine", "manifests", "moves", "obstacles",
        "provenance", "registry.by_hand", "registry.changes", "registry.ordering", "search", "values.stream",
    )),
)  # fmt: skip
"""With what these import; a test compares them with what calls import."""

_hooks: list[tuple[Hook, Hook, Hook]] = []
_called: list[tuple[Hook, Hook, Hook]] = []  # before the fork that is under way


def import_filelock() -> ModuleType:
    """The library ``filelock``; a fork comes before its import or after it."""
    with _importing:
        return _import_filelock()


def before_fork(*, finish: bool) -> None:
    """Wait for imports, keep others from beginning, and call what the imported libraries want to be called.

    Args:
        finish: import what calls will import, too.
    """
    _importing.acquire()
    if finish:
        _finish_imports()
    _called[:] = _hooks
    # As Python would: the last registered first, and each of them, whatever another one raises.
    _call(before for before, _, _ in reversed(_called))


def after_fork_in_parent() -> None:
    """Call what the imported libraries want to be called, and let imports begin."""
    try:
        _call(after for _, after, _ in _called)
    finally:
        _importing.release()


def after_fork_in_child() -> None:
    """The same in the child."""
    try:
        _call(after for _, _, after in _called)
    finally:
        _importing.release()


def _import_filelock() -> ModuleType:
    if "filelock" in sys.modules or not hasattr(os, "register_at_fork"):
        import filelock
    else:
        register, os.register_at_fork = os.register_at_fork, _register
        try:
            import filelock
        finally:
            os.register_at_fork = register
    return filelock


def _register(*, before: Hook = None, after_in_parent: Hook = None, after_in_child: Hook = None) -> None:
    _hooks.append((before, after_in_parent, after_in_child))


def _call(hooks: Iterable[Hook]) -> None:
    with contextlib.ExitStack() as stack:
        for hook in reversed([hook for hook in hooks if hook is not None]):
            stack.callback(hook)


def _finish_imports() -> None:
    """Import what calls import late, and wait for other threads that are just doing so."""
    from importlib import import_module

    _import_filelock()
    ours = [name for name in sys.modules if name.startswith("cachedeco.")]
    for name in (*_LATE, *ours):
        with contextlib.suppress(ImportError):  # whoever needs it will say so
            import_module(name)

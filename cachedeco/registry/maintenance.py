"""What only one process may do at a time in a cache folder: making a registry, setting one aside."""

from __future__ import annotations

import contextlib
import os

from cachedeco.registry.imports import import_filelock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager


@contextlib.contextmanager
def maintenance(
    folder: str,
    mode: int = 0o600,
    outside: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
) -> Iterator[None]:
    """Hold the lock of a cache folder for what only one process may do at a time.

    Args:
        folder: the cache folder.
        mode: of the lock file.
        outside: around the wait for it, see `Database.outside`.
    """
    from cachedeco.obstacles import clear_for_file

    path = os.path.join(folder, "maintenance.lock")
    clear_for_file(path)
    with contextlib.ExitStack() as held:
        with outside():
            lock = import_filelock().FileLock(path, mode=mode, thread_local=False, fallback_to_soft=False)
            held.enter_context(lock)
        yield

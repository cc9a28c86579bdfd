"""What stands where a folder or a file of the cache belongs: put out of the way under another name, never deleted.

Most links are left to `cachedeco.trust`, which refuses them: somebody may have meant one, and only he knows what for.
"""

from __future__ import annotations

import contextlib
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def clear_for_folder(path: str, *, links: bool = False) -> bool:
    """Rename what is no folder, a link only if that is said; whether there was something."""
    return _clear(path, stat.S_ISDIR, links=links)


def clear_for_file(path: str) -> bool:
    """Rename what is neither a file nor a link; whether there was something."""
    return _clear(path, stat.S_ISREG, links=False)


def _clear(path: str, belongs: Callable[[int], bool], *, links: bool) -> bool:
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return False
    if belongs(mode) or (stat.S_ISLNK(mode) and not links):
        return False
    # Another process may have been faster: then it is gone, or what belongs there takes the new name for a moment.
    aside = f"{path}.damaged-{os.urandom(4).hex()}"
    with contextlib.suppress(FileNotFoundError):
        os.rename(path, aside)
        if belongs(os.lstat(aside).st_mode):
            os.rename(aside, path)
    return True

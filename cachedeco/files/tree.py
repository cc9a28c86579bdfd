"""Everything in a folder, one entry each: what a signature of a folder covers."""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def entries(place: str, digest: Callable[[str], bytes]) -> Iterator[tuple[str, str, bytes]]:
    """What is at a path and, if it is a folder, in it; links are told, not followed.

    Args:
        place: of a file or folder.
        digest: gives that of a regular file.

    Yields:
        Path inside the place, empty for itself; kind; digest of a file or target of a link.

    Raises:
        OSError: something cannot be read.
    """
    waiting = [""]
    while waiting:
        name = waiting.pop()
        path = os.path.join(place, name) if name else place.rstrip(os.sep)
        mode = os.lstat(path).st_mode
        if stat.S_ISREG(mode):
            yield name, "file", digest(path)
        elif stat.S_ISLNK(mode):
            yield name, "link", os.fsencode(os.readlink(path))
        elif stat.S_ISDIR(mode):
            yield name, "folder", b""
            waiting += [os.path.join(name, each) for each in os.listdir(path)]
        else:
            yield name, "other", b""

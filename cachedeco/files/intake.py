"""Taking a file or folder of the user into the cache: copied or linked beside, then moved into place."""

from __future__ import annotations

import contextlib
import os
from stat import S_ISREG

from cachedeco.files import manifest
from cachedeco.files.staging import DigestingFile, measure, protect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cachedeco.trust import Trust

_CHUNK = 1 << 20


def copy_in(source: str, place: str, trust: Trust, *, how: str = "copy") -> tuple[int, bytes]:
    """Bring a file or folder to a place where there is nothing yet.

    Args:
        source: path of the file or folder.
        place: path that it gets; its folder exists.
        trust: whose the cache folder may be.
        how: ``"copy"``; ``"link"`` for a second name of each file; ``"move"`` for that where it can be, else a copy.
            The source stays in any case: who moves it removes it once nothing can be lost any more.

    Returns:
        Size and digest of what was copied, as they were while it was copied.

    Raises:
        OSError: it cannot be read, or not be written; then nothing is left behind.
    """
    import shutil

    part = place + ".part"
    try:
        if how == "copy" and not os.path.isdir(source):
            size, digest = _copy_file(source, part)
            os.rename(part, place)
        else:
            bring = _WAYS[how]
            if os.path.isdir(source):
                shutil.copytree(source, part, copy_function=bring)
            else:
                bring(source, part)
            os.rename(part, place)
            size, digest = measure(place)
    except BaseException:
        for path in (part, place):
            if os.path.isdir(path):
                shutil.rmtree(path, ignore_errors=True)
            elif os.path.lexists(path):
                os.unlink(path)
        raise
    protect(place, trust)
    return size, digest


def remove_source(source: str) -> None:
    """Remove a file or folder of the user that has been moved.

    Raises:
        OSError: it cannot be removed, or not all of it.
    """
    import shutil

    if os.path.isdir(source) and not os.path.islink(source):
        shutil.rmtree(source)
    else:
        os.unlink(source)


def remove(folder: str) -> None:
    """Delete an item's folder, its manifest, and one that was being written; gone already is as good.

    What a planted link leads to is not ours: a link in the place of the folder goes itself, and below one that stands
    in the place of the folder above there is nothing to delete.
    """
    import shutil

    above = os.path.dirname(folder)
    if os.path.islink(above) or not os.path.isdir(above):
        return
    manifest.remove(folder)
    for path in (folder, folder + ".part"):
        if os.path.islink(path):
            os.unlink(path)
        elif os.path.isdir(path):
            shutil.rmtree(path)


def _copy(source: str, place: str) -> None:
    import shutil

    shutil.copy2(source, place)


def _link(source: str, place: str) -> None:
    os.link(os.path.realpath(source), place)


def _link_or_copy(source: str, place: str) -> None:
    """A second name, unless that would be one of what somebody else may change, or lies elsewhere."""
    status = os.lstat(source)
    if S_ISREG(status.st_mode) and status.st_nlink == 1 and status.st_uid == _user():
        with contextlib.suppress(OSError):  # another disk, or one without second names
            os.link(source, place)
            return
    _copy(source, place)


def _user() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0


def _copy_file(source: str, part: str) -> tuple[int, bytes]:
    with (
        open(source, "rb", buffering=0) as reader,
        DigestingFile(open(part, "xb", buffering=0)) as writer,
    ):
        while chunk := reader.read(_CHUNK):
            writer.write(chunk)
    return writer.size, writer.digest()


_WAYS: dict[str, Callable[[str, str], None]] = {"copy": _copy, "link": _link, "move": _link_or_copy}

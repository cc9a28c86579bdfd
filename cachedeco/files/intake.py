"""Taking a file or folder of the user into the cache: copied beside, then moved into place."""

from __future__ import annotations

import os

from cachedeco.files import manifest
from cachedeco.files.staging import DigestingFile, measure, protect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cachedeco.trust import Trust

_CHUNK = 1 << 20


def copy_in(source: str, place: str, trust: Trust) -> tuple[int, bytes]:
    """Copy a file or folder to a place where there is nothing yet.

    Args:
        source: path of the file or folder.
        place: path that it gets; its folder exists.
        trust: whose the cache folder may be.

    Returns:
        Size and digest of what was copied, as they were while it was copied.

    Raises:
        OSError: it cannot be read, or not be written; then nothing is left behind.
    """
    import shutil

    part = place + ".part"
    try:
        if os.path.isdir(source):
            shutil.copytree(source, part)
            os.rename(part, place)
            size, digest = measure(place)
        else:
            size, digest = _copy_file(source, part)
            os.rename(part, place)
    except BaseException:
        for path in (part, place):
            if os.path.isdir(path):
                shutil.rmtree(path, ignore_errors=True)
            elif os.path.lexists(path):
                os.unlink(path)
        raise
    protect(place, trust)
    return size, digest


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


def _copy_file(source: str, part: str) -> tuple[int, bytes]:
    with (
        open(source, "rb", buffering=0) as reader,
        DigestingFile(open(part, "xb", buffering=0)) as writer,
    ):
        while chunk := reader.read(_CHUNK):
            writer.write(chunk)
    return writer.size, writer.digest()

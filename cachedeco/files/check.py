"""Whether the bytes of an item are what was recorded, without reading them when nothing has touched them.

The signature of a file is its size, both its times, its inode, and the start of the machine: a power cut can
lose what was written and leave all the rest. That of a folder covers every file below it. Where a signature
differs from the recorded one, the digest decides, and the new signature is to be recorded. A signature is
never a reason to distrust bytes, only to read them; so one in another form costs a reading and no more.
"""

from __future__ import annotations

import os
import stat
from struct import Struct

import xxhash

from cachedeco.files.staging import files_in, measure
from cachedeco.machine import boot_id

_PACK = Struct("<QqqQ").pack
_MASK = (1 << 64) - 1


def look(path: str, found: os.stat_result | None = None) -> tuple[int, bytes]:
    """Size and signature of a file, or of the files below a folder.

    Args:
        path: of the file or folder.
        found: what `os.stat` says of it, where that is known.

    Raises:
        OSError: there is none, or it cannot be looked at.
    """
    found = found or os.stat(path)
    if not stat.S_ISDIR(found.st_mode):
        return found.st_size, _signature(found) + boot_id()
    size, total = 0, xxhash.xxh3_128()
    for each in files_in(path):
        found = os.stat(each)
        size += found.st_size
        name = os.fsencode(os.path.relpath(each, path))
        total.update(len(name).to_bytes(8, "little") + name + _signature(found))
    return size, total.digest() + boot_id()


def examine(
    path: str, size: int, digest: bytes | None, signature: bytes | None, *, thorough: bool = False
) -> bytes | None:
    """Whether a file or folder is what was recorded.

    Args:
        path: of the file or folder.
        size: recorded bytes.
        digest: recorded; None when there is none, so that size and signature have to do.
        signature: recorded when the digest was last found right; None when it never was.
        thorough: compute the digest whatever the signature says.

    Returns:
        Its signature, to be recorded when it differs from the one given; None when it is not what was recorded.

    Raises:
        OSError: there is none, or it cannot be read.
    """
    # Looked at before it is read: what changes meanwhile has another signature the next time.
    size_now, now = look(path)
    if size_now != size:
        return None
    if digest is None or (now == signature and not thorough):
        return now
    return now if measure(path) == (size, digest) else None


def _signature(found: os.stat_result) -> bytes:
    return _PACK(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino & _MASK)

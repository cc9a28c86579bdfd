"""Private copy-on-write maps of whole files that hold no descriptor."""

from __future__ import annotations

import mmap
import os
import sys

_LINUX = sys.platform == "linux"
_MAP_FIXED = 0x10
_HUGE_PAGE = 2 * 1024 * 1024  # a file mapped at a multiple of it is read through in half the time
# Linux refuses a private writable map larger than memory and swap together unless told to reserve nothing for
# it. The number is the same on these machines only; on others such a value is read, if it fits.
_NORESERVE_MACHINES = ("x86_64", "aarch64", "riscv64", "s390x", "i686", "armv7l")
_MAP_NORESERVE = 0x4000 if _LINUX and os.uname().machine in _NORESERVE_MACHINES else 0
_lost: list[mmap.mmap] = []


def map_private(descriptor: int, size: int) -> memoryview | None:
    """Map a file so that writing to the map changes neither the file nor any other map of it.

    The map keeps no descriptor (outside Linux it keeps one, up to Python 3.12 and on Windows). It is unmapped
    when the last view of it is gone.

    Args:
        descriptor: of the file, open for reading.
        size: of the file, at least 1.

    Returns:
        The writable memory, or None when the process has no maps, descriptors or address space left.
    """
    try:
        return _map(descriptor, size)
    except (OSError, MemoryError):
        return None


def _map(descriptor: int, size: int) -> memoryview:
    if sys.version_info >= (3, 13) and sys.platform != "win32":
        return memoryview(
            mmap.mmap(
                descriptor,
                size,
                flags=mmap.MAP_PRIVATE | _MAP_NORESERVE,
                prot=mmap.PROT_READ | mmap.PROT_WRITE,
                trackfd=False,
            )
        )
    if _LINUX:
        return _map_over(descriptor, size)
    return memoryview(mmap.mmap(descriptor, size, access=mmap.ACCESS_COPY))


def _map_over(descriptor: int, size: int) -> memoryview:
    """Map the file over an anonymous map: before Python 3.13 a map of a file keeps a descriptor."""
    import ctypes

    owner = mmap.mmap(
        -1,
        size + _HUGE_PAGE,
        flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE,
        prot=mmap.PROT_READ | mmap.PROT_WRITE,
    )
    library = ctypes.CDLL(None, use_errno=True)
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = [
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_long,
    ]
    begin = ctypes.addressof(ctypes.c_char.from_buffer(owner))
    skipped = -begin % _HUGE_PAGE
    protection = mmap.PROT_READ | mmap.PROT_WRITE
    flags = mmap.MAP_PRIVATE | _MAP_FIXED | _MAP_NORESERVE
    if library.mmap(begin + skipped, size, protection, flags, descriptor, 0) != begin + skipped:
        # The kernel may have unmapped the range before it failed, and another thread may have mapped it
        # since. To unmap it now could take that away, so the range is given up.
        _lost.append(owner)
        raise OSError(ctypes.get_errno(), "cannot map the file")
    return memoryview(owner)[skipped : skipped + size]

"""This machine since its last start, as far as the system tells."""

from __future__ import annotations

import os
import sys

_BOOT = "/proc/sys/kernel/random/boot_id"
_known: list[bytes] = []


def boot_id() -> bytes:
    """16 bytes that change when the machine starts anew.

    Where the system tells none, they are those of this process: then each process distrusts what others saw.
    """
    if not _known:
        _known.append(_read_boot_id() or os.urandom(16))
    return _known[0]


def _read_boot_id() -> bytes | None:
    if sys.platform != "linux":
        return None
    try:
        with open(_BOOT, encoding="ascii") as file:
            return bytes.fromhex(file.read().strip().replace("-", ""))
    except (OSError, ValueError):
        return None

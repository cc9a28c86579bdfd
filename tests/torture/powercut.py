"""A disk that a power cut can strike: ext4 in a file, cut off at a moment from all that was not yet on it.

The file system is shut down without its journal being written: what was neither synced nor written back is gone, as
it would be. The cache of the device itself is not modelled: what reaches the device stays.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import struct
import subprocess

_SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN
_NO_LOG_FLUSH = 2
_MEGABYTES = 96


def absence():
    """Why power cannot be cut here; None when it can."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "only root may mount"
    missing = [name for name in ("mkfs.ext4", "mount", "umount") if shutil.which(name) is None]
    return f"{', '.join(missing)} is not installed" if missing else None


class Disk:
    """A disk of its own, mounted for the length of a ``with`` block.

    Args:
        folder: existing; the file that is the disk, and the place where it is mounted, are made in it.

    Attributes:
        top: where it is mounted.

    Raises:
        OSError: this machine does not let it be mounted, or not be cut off.
    """

    def __init__(self, folder):
        self.top = os.path.join(folder, "disk")
        self._file = os.path.join(folder, "image")

    def __enter__(self):
        os.mkdir(self.top)
        with open(self._file, "wb") as file:
            file.truncate(_MEGABYTES << 20)
        _command("mkfs.ext4", "-q", "-F", self._file)
        self._mount()
        return self

    def __exit__(self, *_):
        if os.path.ismount(self.top):
            try:
                _command("umount", self.top)
            except (
                OSError
            ):  # somebody still has a file open there: gone for all others, and at last when that one ends
                _command("umount", "--lazy", self.top)

    def write_back(self, *, everything):
        """Do by chance what the kernel does by the clock: write back the names of files, or their content as well."""
        with self._open() as top:
            if everything:
                os.sync()
                return
            decoy = os.open("decoy", os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=top)
            try:
                os.write(decoy, b"x")
                os.fsync(decoy)
            finally:
                os.close(decoy)

    def cut(self):
        """Cut it off; every later access to it fails or is without consequence."""
        with self._open() as top:
            fcntl.ioctl(top, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))

    def come_back(self):
        """Mount it again, as after the start of the machine. Nobody may have a file open there."""
        _command("umount", self.top)
        self._mount()

    def _mount(self):
        # By the clock nothing is written back: the dice do so.
        _command("mount", "-o", "loop,commit=300", self._file, self.top)

    @contextlib.contextmanager
    def _open(self):
        top = os.open(self.top, os.O_RDONLY)
        try:
            yield top
        finally:
            os.close(top)


def _command(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(words)}: {done.stderr.strip()[:200]}")

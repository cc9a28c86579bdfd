"""Whole files: as bytes, as writable memory, or, from 8 MiB up, as private maps."""

from __future__ import annotations

import errno
import os
from io import FileIO
from os import fstat

from cachedeco.values.contract import DamagedError

MAP_FROM = 8 * 1024 * 1024

# A link in the place of a value is planted.


def open_value(path: str) -> FileIO:
    """Open the file of a value for reading, unbuffered; a link in its place is not followed.

    Raises:
        OSError: it cannot be opened.
    """
    # Opened in one step, so that Ctrl-C cannot leave a descriptor that nobody closes; looked at afterwards.
    file = FileIO(path)
    try:
        if not os.path.samestat(fstat(file.fileno()), os.lstat(path)):
            raise OSError(errno.ELOOP, "a link, and links in a cache folder are not followed", path)
    except BaseException:
        file.close()
        raise
    return file


def read_file(path: str) -> bytes:
    """The whole content of a file."""
    with open_value(path) as file:
        return file.readall()


def read_whole(path: str, *, mmap: bool) -> bytearray | memoryview:
    """The whole content of a file as writable memory that nobody else sees."""
    with open_value(path) as file:
        return read_open(file, mmap=mmap)


def read_open(file: FileIO, *, mmap: bool) -> bytearray | memoryview:
    """As `read_whole`, from an unbuffered file that stands at its beginning; it may be closed afterwards.

    Args:
        file: the file.
        mmap: whether the memory may be a map. A process that has no maps left gets plain memory all the same.
    """
    size = fstat(file.fileno()).st_size
    if mmap and size >= MAP_FROM:
        from cachedeco.values.mapping import map_private

        content = map_private(file.fileno(), size)
        if content is not None:
            return content
    return _read(file, size)


def _read(file: FileIO, size: int) -> bytearray:
    content = bytearray(size)
    filled = 0
    with memoryview(content) as view:
        while filled < size:
            count = file.readinto(view[filled:])
            if not count:
                raise DamagedError(f"the file has {filled} bytes where it had {size} a moment ago")
            filled += count
    return content

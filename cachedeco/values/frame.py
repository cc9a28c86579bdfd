"""The layout of a pickle with out-of-band buffers, version 1. All numbers are 64-bit little-endian.

offset  0  magic, its last byte the version
        8  length of the whole frame
       16  length of the pickle
       24  number of buffers
       32  per buffer: its length, and 1 if it is read-only, else 0
        .  the pickle
        .  each buffer at the next multiple of 64, zeros between
"""

from __future__ import annotations

from struct import Struct

from cachedeco.values.contract import DamagedError, Parts, UnloadableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cachedeco.values.contract import Block

MAGIC = b"\x93CDP5\r\n"
VERSION = 1
STOP = b"."  # the last byte of every pickle
ALIGNMENT = 64  # a cache line, and the widest vector register

_HEADER = Struct("<7sBQQQ")
_ENTRY = Struct("<QQ")


def frame(head: list[bytes], buffers: list[memoryview | Block]) -> Parts:
    """Lay out a pickle, given in pieces, and its buffers, none of which is copied.

    Args:
        head: the pickle's pieces, in order.
        buffers: flat bytes, or blocks that are produced while they are written.
    """
    head_length = sum(map(len, head))
    table = b"".join(_ENTRY.pack(buffer.nbytes, buffer.readonly) for buffer in buffers)
    position = _HEADER.size + len(table) + head_length
    rest: list[bytes | bytearray | memoryview | Block] = []
    for buffer in buffers:
        padding = -position % ALIGNMENT
        if padding:
            rest.append(bytes(padding))
        rest.append(buffer)
        position += padding + buffer.nbytes
    header = _HEADER.pack(MAGIC, VERSION, position, head_length, len(buffers))
    if head_length < ALIGNMENT * ALIGNMENT:
        return Parts([b"".join((header, table, *head)), *rest])
    return Parts([header + table, *head, *rest])


def unframe(data: bytes | bytearray | memoryview, *, given: bool) -> tuple[memoryview, list[memoryview]]:
    """Find the pickle and the buffers of a frame.

    Args:
        data: the whole frame.
        given: whether the value may live in `data`. Otherwise buffers that it could write to are copied.

    Raises:
        UnloadableError: a newer version of this library wrote the frame.
        DamagedError: it is no frame, or not a whole one. Every length is checked before it is used.
    """
    view = memoryview(data)
    position, end, entries = _table(view)
    head = view[position:end]
    if head[-1:] != STOP:
        raise DamagedError("the pickle of the frame does not end where its header says")
    shared = given or type(data) is bytes
    buffers = []
    for length, readonly in entries:
        gap, start = end, end + -end % ALIGNMENT
        end = start + length
        if end > len(view):
            raise DamagedError(f"a buffer would end at byte {end} of {len(view)}")
        if any(view[gap:start]):
            raise DamagedError(f"the frame has data before byte {start}, where there should be zeros")
        buffer = view[start:end]
        if readonly == 1:
            buffers.append(buffer.toreadonly() if shared else memoryview(bytes(buffer)))
        else:
            buffers.append(buffer if given and not buffer.readonly else memoryview(bytearray(buffer)))
    if end != len(view):
        raise DamagedError(f"the frame ends at byte {end} of {len(view)}")
    return head, buffers


def _table(view: memoryview) -> tuple[int, int, list[tuple[int, int]]]:
    """Where the pickle starts and ends, and the buffers' entries."""
    size = len(view)
    if size < _HEADER.size or view[: len(MAGIC)] != MAGIC:
        raise DamagedError("the stored bytes are neither a pickle nor a frame around one")
    _, version, total, head_length, count = _HEADER.unpack_from(view)
    if version != VERSION:
        raise UnloadableError(
            f"the value is stored in version {version} of the frame layout, and this is version {VERSION}: "
            "a newer cachedeco wrote it"
        )
    start = _HEADER.size + _ENTRY.size * count
    if total != size or start + head_length > size:
        raise DamagedError(
            f"the stored bytes are {size}, and their header speaks of {total}: they were cut or overwritten"
        )
    entries = list(_ENTRY.iter_unpack(view[_HEADER.size : start]))
    if any(readonly > 1 for _, readonly in entries):
        raise DamagedError("the table of buffers was overwritten")
    return start, start + head_length, entries

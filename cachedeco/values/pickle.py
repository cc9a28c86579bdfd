"""The default serializer: pickle protocol 5, large buffers out of band.

A value without large buffers is exactly what `pickle.dumps(value, 5)` gives. One with large buffers is a
frame (see `frame`), whose buffers are written from the value's own memory and mapped back copy-on-write.
"""

from __future__ import annotations

from sys import getsizeof, modules

from cachedeco.scripts import last_script, own_name
from cachedeco.values.contract import Parts, Whole
from cachedeco.values.reading import open_value, read_open
from cachedeco.values.reducers import dispatch_table

try:  # the accelerator alone: the module `pickle` loads `re` and more, a third of a cold hit
    from _pickle import Pickler, dumps, loads
except ImportError:
    from pickle import Pickler, dumps, loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from io import FileIO
    from pickle import PickleBuffer
    from typing import Any

    from cachedeco.values.contract import Block, Packed

PROTOCOL = 5
FIRST_BYTE = 0x80  # of every pickle since protocol 2; a frame's magic starts otherwise
OUT_OF_BAND = 64 * 1024  # smaller buffers are cheaper inside the pickle
SHORT = 8
_SHORT_TEXT, _TEXT = 255, b"\x8c%c%s"  # how a pickle has a text of up to so many bytes: SHORT_BINUNICODE
_MAIN = b"_main__"  # ends the names of a running script's module, in its own process and in spawned ones

_SCALARS = frozenset({type(None), bool, int, float, complex, str, bytes})
_FLAT = frozenset({tuple, list, dict})


class _Chunks(list[bytes]):
    """A file for a Pickler: what it writes is kept, large bytes objects by reference and not as copies."""

    write = list.append


class PickleSerializer:
    """Pickle protocol 5 with out-of-band buffers."""

    name = "pickle"
    ext = ".pickle"

    def pack(self, value: object) -> Packed:
        """Pickle the head; large buffers stay where they are until they are written."""
        if type(value) in _SCALARS:
            if getsizeof(value) < OUT_OF_BAND:
                return Whole(dumps(value, PROTOCOL))
        elif _is_small_and_flat(value):
            return Whole(dumps(value, PROTOCOL))
        return _pack_any(value)

    def unpack(self, data: bytes | bytearray | memoryview) -> object:
        """Rebuild a value; a `bytearray` is given away, and the value may live in it."""
        return _unpack(data, given=type(data) is bytearray)

    def load(self, path: str, *, mmap: bool = True) -> object:
        """Rebuild a value from a file; from 8 MiB up its buffers are private maps of it."""
        with open_value(path) as file:
            return self.load_open(file, mmap=mmap)

    def load_open(self, file: FileIO, *, mmap: bool = True) -> object:
        """As `load`, from an unbuffered file that stands at its beginning; it may be closed afterwards."""
        return _unpack(read_open(file, mmap=mmap), given=True)


def _is_small_and_flat(value: object) -> bool:
    """Whether a container plainly has no buffers, nothing large, nothing that pickle refuses; cheap."""
    kind = type(value)
    if kind not in _FLAT or len(value) > SHORT:  # type: ignore[arg-type]  # these have a length
        return False
    parts: list[object] = [*value]  # type: ignore[misc]  # and items
    if kind is dict:
        parts += value.values()  # type: ignore[attr-defined]
    return _SCALARS.issuperset(map(type, parts)) and sum(map(getsizeof, parts)) < OUT_OF_BAND


def _pack_any(value: object) -> Packed:
    chunks = _Chunks()
    buffers: list[memoryview | Block] = []

    def keep_inside(buffer: PickleBuffer) -> bool:
        view = memoryview(buffer)
        if view.nbytes >= OUT_OF_BAND:
            buffers.append(buffer.raw())
        elif hasattr(view.obj, "cachedeco_block"):
            buffers.append(view.obj.cachedeco_block)
        else:
            return True
        return False

    try:
        _dump(Pickler, value, chunks, keep_inside)
        names_script = any(_MAIN in chunk for chunk in chunks if type(chunk) is bytes)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - it may be a class of a script that a worker got by value
        names_script = True
    if names_script:
        from cachedeco.values.scripts import ScriptPickler

        chunks.clear()
        buffers.clear()
        try:
            _dump(ScriptPickler, value, chunks, keep_inside)
        except MemoryError:
            raise
        except Exception as error:
            from cachedeco.values.diagnosis import unstorable

            raise unstorable(value, error) from error
    if buffers:
        from cachedeco.values.frame import frame

        return frame(chunks, buffers)
    return Whole(chunks[0]) if len(chunks) == 1 else Parts([*chunks])


def _dump(
    kind: type[Pickler], value: object, chunks: _Chunks, callback: Callable[[PickleBuffer], bool]
) -> None:
    pickler = kind(chunks, PROTOCOL, buffer_callback=callback)
    table = dispatch_table()
    if table is not None:
        pickler.dispatch_table = table
    pickler.dump(value)


def _unpack(data: bytes | bytearray | memoryview, *, given: bool) -> object:
    main = modules["__main__"]
    if main is not _script[0]:
        _script[:] = main, _as_pickled(own_name())
    try:
        if data[0] == FIRST_BYTE:
            head: bytes | bytearray | memoryview = data
            buffers: Iterable[memoryview] = ()
            text = data if type(data) is not memoryview else bytes(data)
        else:
            from cachedeco.values.frame import unframe

            head, buffers = unframe(data, given=given)
            text = bytes(head)
        if last_script or _script[1] in text:
            from cachedeco.values.scripts import unpickler

            return unpickler(head, buffers).load()
        try:
            # Whose cache this is was settled before.
            return loads(head, buffers=buffers) if buffers else loads(head)  # noqa: S301
        except ModuleNotFoundError as error:
            from cachedeco.values.scripts import MOVED, unpickler

            if error.name not in MOVED:
                raise
            return unpickler(head, buffers).load()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is sorted and raised again
        from cachedeco.values.diagnosis import raise_unloadable

        raise_unloadable(data, error)


def _as_pickled(name: str) -> bytes:
    """A module's name as it is in the pickle of what the module has."""
    text = name.encode("utf-8", "surrogatepass")
    return _TEXT % (len(text), text) if len(text) <= _SHORT_TEXT else text


# The script of this process, and its name as it is in a pickle.
_script: list[Any] = [None, b""]

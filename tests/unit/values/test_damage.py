"""Bytes that are not what was written: two kinds of errors and no others."""

from __future__ import annotations

import pickle
import struct
import sys
from pickletools import genops
from types import ModuleType

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cachedeco.errors import CachedecoError
from cachedeco.values.contract import DamagedError, UnloadableError
from cachedeco.values.frame import MAGIC
from cachedeco.values.pickle import OUT_OF_BAND, PickleSerializer

SERIALIZER = PickleSerializer()
NO_LIMIT = 1 << 40
FRAMED = SERIALIZER.pack({"array": np.arange(OUT_OF_BAND), "frozen": np.arange(OUT_OF_BAND) > 5}).inline(
    NO_LIMIT
)

plain_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)


def is_harmless(data):
    """Whether unpickling `data` would neither import, nor call, nor make room for a far place in its memo."""
    try:
        for operation, argument, _ in genops(data):
            name = operation.name
            if any(word in name for word in ("GLOBAL", "INST", "OBJ", "REDUCE", "BUILD", "EXT", "PERSID")):
                return False
            if "PUT" in name and argument > len(data):
                return False
    except ValueError:
        return True
    return True


def load_or_fail(data):
    """Only the two errors of the contract may come out."""
    try:
        SERIALIZER.unpack(data)
    except (DamagedError, UnloadableError) as error:
        assert isinstance(error, CachedecoError)
        return False
    return True


@settings(max_examples=500)
@given(plain_values, st.data())
def test_changed_pickles_load_or_are_damaged(value, data):
    """Whatever byte of a pickle is changed, only the contract's errors come out."""
    content = bytearray(pickle.dumps(value, 5))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    assume(is_harmless(bytes(content)))
    load_or_fail(bytes(content))


@settings(max_examples=300)
@given(plain_values, st.data())
def test_cut_pickles_are_damaged(value, data):
    """No beginning of a pickle is a value."""
    content = pickle.dumps(value, 5)
    with pytest.raises(DamagedError):
        SERIALIZER.unpack(content[: data.draw(st.integers(0, len(content) - 1))])


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_garbage_is_damaged(content):
    """Bytes that nobody wrote are no value."""
    assume(is_harmless(content))
    assume(not content.startswith(b"\x80"))
    with pytest.raises(DamagedError):
        SERIALIZER.unpack(content)


HEADER = 32 + 2 * 16


@settings(max_examples=500)
@given(st.data())
def test_a_changed_header_of_a_frame_is_noticed(data):
    """No length in a frame's header is believed: every one is checked before it is used."""
    content = bytearray(FRAMED)
    place = data.draw(st.integers(0, HEADER - 1))
    byte = data.draw(st.integers(0, 255))
    assume(content[place] != byte)
    flags = [32 + 16 * number + 8 for number in range(2)]
    assume(place not in flags)
    content[place] = byte
    assert not load_or_fail(bytes(content))


@pytest.mark.parametrize("length", [0, 1, 7, 8, 31, 32, 63, 64, 200, len(FRAMED) - 1])
def test_a_cut_frame_is_damaged(length):
    """No beginning of a frame is a value."""
    with pytest.raises(DamagedError):
        SERIALIZER.unpack(FRAMED[:length])


def test_a_longer_frame_is_damaged():
    """Bytes after a frame do not belong there."""
    with pytest.raises(DamagedError):
        SERIALIZER.unpack(FRAMED + b"\0")


@pytest.mark.parametrize("number", [2**63, 2**64 - 1, 2**40])
@pytest.mark.parametrize("place", [8, 16, 24, 32, 48])
def test_absurd_lengths_are_damage_and_take_no_memory(place, number):
    """A length of exbibytes is compared with the size, not allocated."""
    content = bytearray(FRAMED)
    content[place : place + 8] = struct.pack("<Q", number)
    with pytest.raises(DamagedError):
        SERIALIZER.unpack(bytes(content))


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x05\x8e" + struct.pack("<Q", 2**62) + b"x.",
        b"\x80\x05\x8e" + struct.pack("<Q", 2**64 - 1) + b"x.",
        b"\x80\x05\x96" + struct.pack("<Q", 2**62) + b"x.",
        b"\x80\x05\x8d" + struct.pack("<Q", 2**62) + b"x.",
        b"\x80\xff.",
        b"\x80\x05",
        b"\x80\x05.",
        b"\x80\x05\x97.",
        b"\x80\x05Kxh\xff.",
        b"\x80\x05\x8c\x01\xff.",
    ],
)
def test_absurd_pickles_are_damage(content):
    """Lengths beyond all memory, missing stacks and missing buffers are damage."""
    with pytest.raises(DamagedError):
        SERIALIZER.unpack(content)


def test_a_newer_layout_is_not_damage():
    """A frame of a later version is left for the library that wrote it."""
    content = bytearray(FRAMED)
    content[len(MAGIC)] += 1
    with pytest.raises(UnloadableError, match="newer cachedeco"):
        SERIALIZER.unpack(bytes(content))


@pytest.fixture
def module(monkeypatch):
    """A module that can be taken away."""
    module = ModuleType("a_module_that_goes")

    class Thing:
        """A class of it."""

        def __init__(self, number):
            self.number = number

        def __reduce__(self):
            return type(self), (self.number,)

    Thing.__module__ = module.__name__
    Thing.__qualname__ = "Thing"
    module.Thing = Thing
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def test_a_module_that_is_gone_is_unloadable(module, monkeypatch):
    """A value whose module cannot be imported is not damaged."""
    data = SERIALIZER.pack(module.Thing(1)).inline(NO_LIMIT)
    monkeypatch.delitem(sys.modules, module.__name__)
    with pytest.raises(UnloadableError, match="a_module_that_goes") as caught:
        SERIALIZER.unpack(data)
    assert isinstance(caught.value, ImportError)
    assert isinstance(caught.value.__cause__, ImportError)
    back = pickle.loads(pickle.dumps(caught.value))
    assert str(back) == str(caught.value)


def test_a_class_that_is_gone_is_unloadable(module):
    """A value whose class was renamed is not damaged."""
    data = SERIALIZER.pack([module.Thing(1)]).inline(NO_LIMIT)
    del module.Thing
    with pytest.raises(UnloadableError, match="Thing"):
        SERIALIZER.unpack(data)


@pytest.mark.parametrize("error", [ValueError("old"), KeyError("state"), RuntimeError("no"), EOFError()])
def test_a_class_that_refuses_its_old_state_is_unloadable(error, module):
    """An error raised by the value's class is the class's, not the bytes'."""
    data = SERIALIZER.pack(module.Thing(1)).inline(NO_LIMIT)

    def refuse(self, number):
        raise error

    module.Thing.__init__ = refuse
    with pytest.raises(UnloadableError):
        SERIALIZER.unpack(data)


def test_an_interrupt_while_loading_passes(module):
    """Ctrl-C is nobody's damage."""
    data = SERIALIZER.pack(module.Thing(1)).inline(NO_LIMIT)

    def interrupt(self, number):
        raise KeyboardInterrupt

    module.Thing.__init__ = interrupt
    with pytest.raises(KeyboardInterrupt):
        SERIALIZER.unpack(data)


def test_lack_of_memory_is_not_damage(module):
    """Whole bytes that do not fit into memory today stay: the lack of memory is told as it is."""
    data = SERIALIZER.pack(module.Thing(1)).inline(NO_LIMIT)

    def exhaust(self, number):
        raise MemoryError

    module.Thing.__init__ = exhaust
    with pytest.raises(MemoryError):
        SERIALIZER.unpack(data)


@pytest.mark.parametrize("mmap", [True, False])
def test_an_empty_or_cut_file_is_damaged(mmap, tmp_path):
    """A file is judged as bytes are."""
    path = tmp_path / "value.pickle"
    for content in (b"", FRAMED[:100], FRAMED[:-1]):
        path.write_bytes(content)
        with pytest.raises(DamagedError):
            SERIALIZER.load(str(path), mmap=mmap)


def test_a_file_that_is_not_there_is_an_os_error(tmp_path):
    """A missing file is told as such: nobody said that its bytes are bad."""
    with pytest.raises(FileNotFoundError):
        SERIALIZER.load(str(tmp_path / "nothing"))

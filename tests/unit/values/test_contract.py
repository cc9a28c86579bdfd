"""What all serializers share: parts of an encoding and how they reach a file."""

from __future__ import annotations

import pickle
from io import BytesIO

import pytest

from cachedeco.errors import CachedecoError
from cachedeco.values.contract import (
    DamagedError,
    MissingSerializerError,
    Parts,
    Streamed,
    UnloadableError,
    UnstorableError,
    Whole,
    write_all,
)


class Grudging:
    """A raw file that takes at most three bytes at a time, and nothing once it is full."""

    def __init__(self, room=1000):
        self.content = b""
        self.room = room

    def write(self, data):
        taken = bytes(data[: min(3, self.room - len(self.content))])
        self.content += taken
        return len(taken)


class Pieces:
    """A part that is made while it is written."""

    nbytes = 4
    readonly = True

    def pieces(self):
        yield b"ab"
        yield b"cd"


PACKED = {
    "whole": Whole(b"0123456789"),
    "parts": Parts([b"01", bytearray(b"23"), memoryview(b"456789")]),
    "block": Parts([b"012345", Pieces()]),
}


@pytest.mark.parametrize("which", PACKED)
def test_a_file_that_takes_little_at_a_time_gets_all(which):
    """What a raw file did not take at once is written again, until nothing is left."""
    file = Grudging()
    packed = PACKED[which]
    packed.write(file)
    assert file.content == packed.inline(100)
    assert packed.size == len(file.content) == 10


@pytest.mark.parametrize("which", PACKED)
def test_a_file_that_takes_no_more_is_an_error(which):
    """A short file never passes for a written one."""
    with pytest.raises(OSError, match="and no more"):
        PACKED[which].write(Grudging(room=5))


def test_a_file_that_does_not_count_is_believed():
    """A file whose write returns nothing has taken all."""
    taken = []

    class Silent:
        def write(self, data):
            taken.append(bytes(data))

    write_all(Silent(), b"abc")
    assert taken == [b"abc"]


@pytest.mark.parametrize("which", PACKED)
def test_inline_gives_at_most_the_limit(which):
    """An encoding is inline when it fits, to the byte."""
    assert PACKED[which].inline(10) is not None
    assert PACKED[which].inline(9) is None


def test_a_streamed_encoding_stops_at_the_limit():
    """Looking whether a stream fits does not write all of it."""
    written = []

    def stream(file):
        for number in range(100):
            file.write(b"x" * 10)
            written.append(number)

    packed = Streamed(stream)
    assert packed.size is None
    assert packed.inline(35) is None
    assert len(written) == 3
    assert packed.inline(1000) == b"x" * 1000
    file = BytesIO()
    packed.write(file)
    assert file.getvalue() == b"x" * 1000


def test_an_error_of_a_stream_is_told():
    """What fails while an encoding is produced is not taken for a stream that is too long."""

    def stream(file):
        file.write(b"x")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Streamed(stream).inline(100)


@pytest.mark.parametrize(
    ("kind", "parent"),
    [
        (UnstorableError, TypeError),
        (UnloadableError, ImportError),
        (DamagedError, ValueError),
        (MissingSerializerError, ImportError),
    ],
)
def test_errors_have_two_parents_and_survive_pickling(kind, parent):
    """Each error is one of ours and a built-in one, and arrives whole from another process."""
    error = kind("a sentence", place="here")
    assert isinstance(error, CachedecoError)
    assert isinstance(error, parent)
    back = pickle.loads(pickle.dumps(error))
    assert (type(back), str(back), back.place) == (kind, "a sentence", "here")
    assert str(kind())

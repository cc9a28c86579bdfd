"""Compression by name: what was written comes back, and no more than was recorded."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachedeco.errors import OptionError
from cachedeco.values import compression
from cachedeco.values.contract import DamagedError, MissingSerializerError
from cachedeco.values.pickle import PickleSerializer

LIBRARIES = {
    "gzip": "gzip",
    "lz4": "lz4",
    "zstd": "zstandard" if sys.version_info < (3, 14) else "compression.zstd",
}
INSTALLED = [name for name, library in LIBRARIES.items() if find_spec(library)]


def compressed(name, content):
    file = BytesIO()
    with compression.compressor(name, file) as writing:
        writing.write(content)
    return file.getvalue()


@pytest.mark.parametrize("name", INSTALLED)
@given(content=st.binary(max_size=2000))
def test_content_comes_back(name, content):
    """Whatever goes in comes out."""
    assert compression.decompress(name, compressed(name, content), len(content)) == content


@pytest.mark.parametrize("name", INSTALLED)
@pytest.mark.parametrize("size", [0, 1, compression.PIECE - 1, compression.PIECE, compression.PIECE * 2 + 1])
def test_content_of_every_length_comes_back_from_a_file(name, size, tmp_path):
    """The pieces that are read at a time have no say in what comes out, which is less on disk."""
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    path = tmp_path / "value"
    path.write_bytes(compressed(name, content))
    assert compression.decompress(name, str(path), size) == content
    assert path.stat().st_size < size / 10 + 100


@pytest.mark.parametrize("name", INSTALLED)
def test_a_value_goes_through_a_compressor_and_owns_what_comes_out(name):
    """A serializer writes into the compressor, and the value lives in the memory that decompressing made."""
    value = {"array": np.arange(100_000.0), "text": "a"}
    packed = PickleSerializer().pack(value)
    file = BytesIO()
    with compression.compressor(name, file) as writing:
        packed.write(writing)
    assert not file.closed
    back = PickleSerializer().unpack(compression.decompress(name, file.getvalue(), packed.size))
    np.testing.assert_array_equal(back["array"], value["array"])
    back["array"][0] = -1


@pytest.mark.parametrize("name", INSTALLED)
def test_a_bomb_stops_one_byte_after_the_recorded_size(name):
    """A stream that holds a thousand times more than recorded is not unpacked."""
    bomb = compressed(name, bytes(50_000_000))
    assert len(bomb) < 1_000_000
    read = []

    class Counting(BytesIO):
        def read(self, size=-1):
            piece = super().read(size)
            read.append(len(piece))
            return piece

    file = Counting(bomb)
    opened = compression._library(name)
    with pytest.raises(DamagedError, match="holds more bytes where 1000 were stored"):
        compression._read(name, opened[1], opened[2], file, 1000)
    with pytest.raises(DamagedError, match="more"):
        compression.decompress(name, bomb, 49_999_999)


@pytest.mark.parametrize("name", INSTALLED)
@pytest.mark.parametrize("damage", ["empty", "cut", "tail", "middle", "garbage", "less"])
def test_damaged_streams_are_damage(name, damage):
    """A stream that is cut, changed or none at all is damage."""
    content = np.random.default_rng(0).bytes(100_000)
    data = compressed(name, content)
    changed = bytearray(data)
    changed[len(data) // 2] ^= 255
    size = len(content)
    bad = {
        "empty": b"",
        "cut": data[: len(data) // 2],
        "tail": data[:-12],
        "middle": bytes(changed),
        "garbage": bytes(range(256)),
        "less": compressed(name, content[:-1]),
    }[damage]
    with pytest.raises(DamagedError):
        compression.decompress(name, bad, size)


@pytest.mark.parametrize("name", INSTALLED)
def test_a_missing_file_is_an_os_error(name, tmp_path):
    """A file that is not there is told as such."""
    with pytest.raises(FileNotFoundError):
        compression.decompress(name, str(tmp_path / "nothing"), 5)


def test_gzip_streams_carry_no_time():
    """The same content gives the same stream, so digests can be compared."""
    assert compressed("gzip", b"abc")[4:8] == bytes(4)


@pytest.mark.parametrize(
    ("name", "library"), [("lz4", "lz4.frame"), ("zstd", "zstandard"), ("zstd", "compression.zstd")]
)
def test_a_missing_library_is_named_with_its_extra(name, library, monkeypatch):
    """Without its library a compression says which extra to install."""
    if (library == "compression.zstd") != (sys.version_info >= (3, 14)) and name == "zstd":
        library = LIBRARIES["zstd"]
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingSerializerError, match=rf"install cachedeco\[{name}\]"):
        compression.compressor(name, BytesIO())
    with pytest.raises(MissingSerializerError):
        compression.decompress(name, b"", 0)


def test_an_unknown_name_lists_the_known_ones():
    """A name that is none says which there are."""
    with pytest.raises(OptionError, match=r"'brotli'; there are gzip, lz4, zstd"):
        compression.compressor("brotli", BytesIO())

"""The table of names: who serializes what, and what happens when somebody is missing."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys

import numpy as np
import pytest

from cachedeco.errors import OptionError
from cachedeco.values import table
from cachedeco.values.contract import DamagedError, MissingSerializerError, Whole


class Words:
    """A serializer of somebody else."""

    name = "words"
    ext = ".words"

    def pack(self, value):
        return Whole(" ".join(value).encode())

    def unpack(self, data):
        return bytes(data).decode().split()

    def load(self, path, *, mmap=True):
        with open(path, "rb") as file:
            return self.unpack(file.read())


class Claiming(Words):
    """A serializer that wants some values by itself."""

    name = "claiming"

    def __init__(self, kind):
        self.kind = kind

    def claims(self, value):
        return type(value) is self.kind


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    """Each test has a table of its own."""
    monkeypatch.setattr(table, "_ready", {"pickle": table.get("pickle")})
    monkeypatch.setattr(table, "_claiming", [])


@pytest.mark.parametrize("value", [None, 1, "a", b"b", [1], {"a": 1}, np.zeros(3)])
def test_auto_is_pickle(value):
    """By itself nothing is stored as anything that could change it."""
    assert table.choose(value).name == "pickle"


def test_a_registered_serializer_is_found_by_name():
    """A serializer of somebody else is one like any other, but not taken unasked."""
    words = Words()
    table.register(words)
    assert table.get("words") is words
    assert "words" in table.names()
    assert table.choose(["a"]).name == "pickle"


def test_a_serializer_may_claim_values():
    """What a registered serializer claims is stored by it, the latest coming first."""
    first, second = Claiming(list), Claiming(list)
    second.name = "later"
    table.register(first)
    assert table.choose([1]) is first
    table.register(second)
    assert table.choose([1]) is second
    assert table.choose((1,)).name == "pickle"


def test_registering_a_name_again_replaces_it():
    """A cell that is run again does not leave its old serializer behind."""
    table.register(Claiming(list))
    again = Claiming(tuple)
    table.register(again)
    assert table.get("claiming") is again
    assert table.choose([1]).name == "pickle"
    assert table.choose((1,)) is again


@pytest.mark.parametrize("name", ["pickle", "json", "joblib-xz"])
def test_a_built_in_name_is_taken(name):
    """Nobody can change what a recorded built-in name means."""
    words = Words()
    words.name = name
    with pytest.raises(OptionError, match="built-in"):
        table.register(words)


def test_an_incomplete_serializer_is_refused():
    """What is missing is named."""

    class Half:
        name = "half"

        def pack(self, value):
            return Whole(b"")

    with pytest.raises(OptionError, match="has no ext, unpack, load"):
        table.register(Half())


@pytest.mark.parametrize("name", ["", "../words", "5", "a b", None, 5], ids=repr)
def test_a_name_that_cannot_be_one_is_refused_and_taken_for_damage(name):
    """Nobody could register it, so a record that has it was overwritten."""
    words = Words()
    words.name = name
    with pytest.raises(OptionError, match="calls itself"):
        table.register(words)
    with pytest.raises(DamagedError, match="names"):
        table.stored(name)


def test_an_unknown_name_lists_the_known_ones():
    """A name that is none says which there are, and where others come from."""
    with pytest.raises(OptionError, match=r"'msgpack'.*arrow, bytes.*cachedeco\.serializers"):
        table.get("msgpack")


@pytest.mark.parametrize(
    ("name", "library", "extra"),
    [
        ("parquet", "pyarrow", "parquet"),
        ("arrow", "pyarrow", "arrow"),
        ("joblib", "joblib", "joblib"),
        ("joblib-xz", "joblib", "joblib"),
        ("joblib-lz4", "lz4.frame", "lz4"),
        ("numpy", "numpy", "numpy"),
    ],
)
def test_a_missing_library_is_named_with_its_extra(name, library, extra, monkeypatch):
    """Without its library a serializer says which extra to install."""
    for module in [loaded for loaded in sys.modules if loaded.startswith("cachedeco.values.")]:
        if module not in ("cachedeco.values.contract", "cachedeco.values.reading", "cachedeco.values.table"):
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingSerializerError, match=rf"install cachedeco\[{extra}\]") as caught:
        table.get(name)
    assert caught.value.serializer == name
    assert isinstance(caught.value, ImportError)


def offer(monkeypatch, *values):
    points = [importlib.metadata.EntryPoint("words", value, table.ENTRY_POINTS) for value in values]

    def entry_points(*, group, name):
        assert group == "cachedeco.serializers"
        return [point for point in points if point.name == name]

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)


def test_an_installed_package_offers_a_serializer(monkeypatch):
    """An entry point's class or object is found under its name."""
    monkeypatch.setitem(sys.modules, "a_package", sys.modules[__name__])
    offer(monkeypatch, "a_package:Words")
    serializer = table.get("words")
    assert serializer.unpack(serializer.pack(["a", "b"]).inline(100)) == ["a", "b"]
    assert table.get("words") is serializer


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        (["a_missing_package:Words"], MissingSerializerError, "cannot be imported"),
        (["a_package:Claiming"], OptionError, "has no"),
        (["a_package:Words", "another:Words"], OptionError, "several packages"),
    ],
)
def test_a_broken_offer_is_an_error(values, error, message, monkeypatch):
    """An entry point that leads nowhere, to something else, or twice, is told."""
    module = type(sys)("a_package")
    module.Words = Words
    module.Claiming = lambda: None
    monkeypatch.setitem(sys.modules, "a_package", module)
    offer(monkeypatch, *values)
    with pytest.raises(error, match=message):
        table.get("words")


def test_an_offer_under_another_name_is_an_error(monkeypatch):
    """A recorded name must lead back to the serializer that wrote it."""
    module = type(sys)("a_package")
    module.Words = type("Other", (Words,), {"name": "other"})
    monkeypatch.setitem(sys.modules, "a_package", module)
    offer(monkeypatch, "a_package:Words")
    with pytest.raises(OptionError, match="calls itself 'other'"):
        table.get("words")


def test_a_hit_loads_no_heavy_module():
    """Packing and unpacking a plain value imports none of the slow libraries."""
    program = (
        "import sys\n"
        "import cachedeco\n"
        "before = set(sys.modules)\n"
        "from cachedeco.values.table import choose, get\n"
        "packed = choose([1]).pack([1, {'a': 2}])\n"
        "assert get('pickle').unpack(packed.inline(1000)) == [1, {'a': 2}]\n"
        "print(' '.join(set(sys.modules) - before))\n"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    heavy = {
        "pickle",
        "inspect",
        "dataclasses",
        "typing",
        "logging",
        "numpy",
        "mmap",
        "ctypes",
        "json",
        "joblib",
    }
    assert not heavy & set(loaded.split())

"""What the default serializer refuses, and what it says then."""

from __future__ import annotations

import io
import pickle
import socket
import sys
import threading
from multiprocessing import Pipe, shared_memory
from types import SimpleNamespace

import pytest

from cachedeco.errors import CachedecoError
from cachedeco.values.contract import UnstorableError
from cachedeco.values.pickle import PickleSerializer

SERIALIZER = PickleSerializer()


class Holder:
    """Something with an attribute."""

    def __init__(self, content):
        self.content = content


class Slotted:
    """Something with a slot."""

    __slots__ = ("content", "other")

    def __init__(self, content):
        self.content = content


class Touchy:
    """Fails when it is pickled."""

    def __init__(self, error):
        self.error = error

    def __reduce__(self):
        raise self.error


def refused(value):
    with pytest.raises(UnstorableError) as caught:
        SERIALIZER.pack(value)
    return caught.value


@pytest.fixture
def open_things(tmp_path):
    """One of each thing that is open only in this process."""
    left, right = socket.socketpair()
    sender, receiver = Pipe()
    memory = shared_memory.SharedMemory(create=True, size=16)
    with (
        left,
        right,
        sender,
        receiver,
        open(tmp_path / "file", "w+") as text,
        open(tmp_path / "file", "rb") as raw,
    ):
        yield {
            "file": text,
            "binary file": raw,
            "socket": left,
            "pipe": sender,
            "shared memory": memory,
            "lock": threading.Lock(),
            "event": threading.Event(),
            "thread": threading.current_thread(),
            "generator": (n for n in range(3)),
            "module": sys,
            "frame": sys._getframe(),
        }
    memory.close()
    memory.unlink()


@pytest.mark.parametrize(
    "name",
    [
        "file",
        "binary file",
        "socket",
        "pipe",
        "shared memory",
        "lock",
        "event",
        "thread",
        "generator",
        "module",
        "frame",
    ],
)
def test_what_belongs_to_the_process_is_refused(name, open_things):
    """An open file, a socket, a lock or a generator is refused, also deep inside a value."""
    thing = open_things[name]
    assert refused(thing).path.count("[") == 0
    error = refused([1, {"a": Holder((0, thing))}])
    assert error.path.startswith("[1]['a'].content[1]")
    assert error.type_name in str(error)


def test_the_sentence_names_type_and_place():
    """The message says which type, where, and what to do."""
    error = refused({"model": SimpleNamespace(lock=threading.Lock())})
    assert error.path == "['model'].lock"
    assert error.type_name == "_thread.lock"
    assert "_thread.lock at value['model'].lock" in str(error)
    assert "Return plain data instead" in str(error)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (Slotted(lambda: 1), ".content"),
        ([0, lambda: 1], "[1]"),
        ({(lambda: 1): 0}, ".keys()["),
        ({lambda: 1}, "{"),
        (({"a": [io.StringIO(), (lambda: 1)]},), "[0]['a'][1]"),
    ],
)
def test_the_place_is_found_in_every_container(value, path):
    """Slots, keys, sets and nests of them are looked into."""
    error = refused(value)
    assert error.path.startswith(path)
    assert "<lambda>" in str(error)
    assert "top level of a module" in str(error)


def test_a_local_class_is_refused_with_the_way_out():
    """A class defined inside a function cannot be found again."""

    class Local:
        pass

    error = refused([Local()])
    assert error.path == "[0]"
    assert "Local" in str(error)
    assert "Define its class at the top level" in str(error)


def test_the_error_is_a_type_error_with_a_cause_and_survives_pickling():
    """The refusal has both parents, keeps pickle's own error, and arrives whole from a worker process."""
    error = refused([threading.Lock()])
    assert isinstance(error, CachedecoError)
    assert isinstance(error, TypeError)
    assert isinstance(error.__cause__, TypeError)
    back = pickle.loads(pickle.dumps(error))
    assert (str(back), back.path, back.type_name) == (str(error), error.path, error.type_name)


@pytest.mark.parametrize(
    "error", [RuntimeError("no"), KeyError("x"), OSError("gone"), RecursionError("deep")]
)
def test_a_class_that_fails_while_pickled_is_refused(error):
    """Whatever exception a class's own pickling raises, the value is unstorable because of it."""
    caught = refused([Touchy(error)])
    assert caught.__cause__ is error
    assert caught.path == "[0]"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), GeneratorExit(), MemoryError()])
def test_interrupts_and_lack_of_memory_pass_through(error):
    """What is not the value's fault is not turned into a refusal."""
    with pytest.raises(type(error)) as caught:
        SERIALIZER.pack([Touchy(error)])
    assert caught.value is error


def test_too_deep_a_nest_is_refused():
    """A value nested deeper than pickle can follow is refused, not a crash."""
    value = []
    for _ in range(100_000):
        value = [value]
    assert "cannot be pickled" in str(refused(value))
    while value:
        value = value.pop()


def test_a_cycle_with_a_refused_part_is_described():
    """Looking for the culprit ends also in a value that holds itself."""
    value = [threading.Lock()]
    value.insert(0, value)
    assert refused(value).path == "[1]"


def test_a_part_whose_text_fails_is_described():
    """A culprit under a key that cannot even be shown is still named."""

    class Shy:
        def __repr__(self):
            raise RuntimeError("no text")

    error = refused({Shy(): 1})
    assert "Shy" in str(error)

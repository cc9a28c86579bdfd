"""Values of the classes of scripts: stored under the script's name, never found in another script."""

from __future__ import annotations

import pickle
import sys
import types
import weakref

import pytest

from cachedeco import scripts
from cachedeco.values import table
from cachedeco.values.contract import DamagedError, UnloadableError, UnstorableError

TEXT = """
import dataclasses, enum

class Unit(enum.Enum):
    METRE = "m"

@dataclasses.dataclass
class Shape:
    size: object = None
    unit: Unit = Unit.METRE

    class Inner:
        pass

def function(): ...
"""


def run_script(monkeypatch, name, text=TEXT, module="__main__"):
    """Let this process be a new one that runs a script of that name."""
    monkeypatch.setattr(scripts, "_modules", weakref.WeakKeyDictionary())
    made = types.ModuleType(module)
    made.__file__ = f"/a/{name}.py"
    monkeypatch.setitem(sys.modules, module, made)
    if module == "__mp_main__":
        monkeypatch.setitem(sys.modules, "__main__", made)
    exec(compile(text, made.__file__, "exec"), vars(made))
    return made


def pack(value):
    packed = table.get("pickle").pack(value)
    data = packed.inline(10**9)
    assert data is not None
    return data


def unpack(data):
    return table.get("pickle").unpack(data)


@pytest.mark.parametrize("writer", ["__main__", "__mp_main__"])
@pytest.mark.parametrize("reader", ["__main__", "__mp_main__", "job"])
def test_one_script_under_all_its_names(monkeypatch, writer, reader):
    """Run, spawned or imported: what is stored in one of them is an instance of the other's class."""
    with monkeypatch.context() as running:
        ours = run_script(running, "job", module=writer)
        data = pack([ours.Shape(1), ours.Unit.METRE, ours.Shape.Inner(), ours.function, ours.Shape])
    theirs = run_script(monkeypatch, "job", module=reader)
    shape, unit, inner, function, kind = unpack(data)
    assert shape == theirs.Shape(1)
    assert unit is shape.unit is theirs.Unit.METRE
    assert type(inner) is theirs.Shape.Inner
    assert function is theirs.function
    assert kind is theirs.Shape


def test_what_an_import_has_stored_the_script_finds_without_importing_itself(monkeypatch):
    """Otherwise the script would run twice, and get instances of its double's classes."""
    with monkeypatch.context() as running:
        imported = run_script(running, "job", module="job")
        data = pack(imported.Shape(imported.Unit.METRE))
    ours = run_script(monkeypatch, "job")
    assert "job" not in sys.modules
    assert unpack(data) == ours.Shape(ours.Unit.METRE)
    assert "job" not in sys.modules


def test_another_script_with_a_class_of_the_same_name_gets_nothing(monkeypatch):
    """Plain pickle would make an instance of its class."""
    with monkeypatch.context() as running:
        data = pack(run_script(running, "job").Shape(1))
    run_script(monkeypatch, "other")
    with pytest.raises(UnloadableError, match="Shape of the script job"):
        unpack(data)


def test_a_class_that_was_defined_anew_is_refused(monkeypatch):
    """Its old instances are of a class that nobody can find any more."""
    ours = run_script(monkeypatch, "job")
    old = ours.Shape(1)
    exec(compile(TEXT, ours.__file__, "exec"), vars(ours))
    with pytest.raises(UnstorableError, match="not the same object"):
        pack(old)


def test_large_buffers_stay_outside(monkeypatch):
    """A value of a script's class with an array is stored like any other."""
    np = pytest.importorskip("numpy")
    ours = run_script(monkeypatch, "job")
    array = np.arange(100_000)
    data = pack(ours.Shape(array))
    assert data.count(array.tobytes()) == 1
    again = unpack(data)
    assert type(again) is ours.Shape
    assert (again.size == array).all()


def test_text_that_looks_like_a_scripts_name_is_stored_as_it_is(monkeypatch):
    """The search for names may be wrong about a text, never about the value."""
    run_script(monkeypatch, "job")
    for value in (["__main__", "job"] * 20, {"__mp_main__": {1, 2}}, ["job"]):
        assert unpack(pack(value)) == value


def test_values_without_a_script_are_plain_pickles(monkeypatch):
    """Nothing of this library is in them."""
    run_script(monkeypatch, "job")
    value = [{1, 2}, (3, [4.5, "text"] * 20)]
    assert pack(value) == pickle.dumps(value, 5)


def test_damaged_bytes_with_a_scripts_name_are_damaged(monkeypatch):
    """The longer way to load does not change what is said of them."""
    ours = run_script(monkeypatch, "job")
    data = pack([ours.Shape(1), "text" * 10])
    with pytest.raises(DamagedError):
        unpack(data[:-4])

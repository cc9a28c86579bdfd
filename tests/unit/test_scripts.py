"""What belongs to a script has one name everywhere, and is found again only where it is known."""

from __future__ import annotations

import enum
import sys
import types

import pytest

from cachedeco import scripts
from cachedeco.scripts import find, main_name, module_name, named, remember_sent

TEXT = """
import enum

class Unit(enum.Enum):
    METRE = "m"

class Shape:
    def area(self):
        return 1

class Tools:
    @staticmethod
    def first(): ...

def function():
    return Unit, Shape
"""


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    """Each test begins as a process to which nobody has sent anything."""
    for name in ("_modules", "_sent"):
        monkeypatch.setattr(scripts, name, type(getattr(scripts, name))())
    for name, empty in (("_packages", {}), ("last_script", [])):
        monkeypatch.setattr(scripts, name, empty)


def sent(file="/a/job.py", text=TEXT, process=b"p"):
    """The globals of a function that has come here from a script by value."""
    names = {"__name__": "__main__", "__file__": file}
    exec(compile(text, file, "exec"), names)
    remember_sent(names["function"], process)
    return names


@pytest.fixture
def main(monkeypatch):
    """A script that this process runs."""
    module = types.ModuleType("__main__")
    module.__file__ = "/a/job.py"
    exec(compile(TEXT, "/a/job.py", "exec"), vars(module))
    monkeypatch.setitem(sys.modules, "__main__", module)
    return module


def test_a_script_in_a_package_has_the_packages_name(tmp_path):
    """Run by its path it is what it is when it is imported."""
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    (inner / "__init__.py").touch()
    file = str(inner / "job.py")
    assert main_name({"__file__": file}) == "inner.job"
    scripts._packages.clear()
    (tmp_path / "outer" / "__init__.py").touch()
    assert main_name({"__file__": file}) == "outer.inner.job"
    assert main_name({"__file__": str(tmp_path / "job.py")}) == "job"


def test_what_came_by_value_is_named_after_its_script():
    """A class tells by its functions, of whatever kind; one without any goes by the last function that came."""
    names = sent()
    for kind in ("Shape", "Tools", "Unit", "function"):
        assert module_name(names[kind]) == "job"
    sent("/a/other.py")
    assert [module_name(names[kind]) for kind in ("Shape", "Tools", "Unit")] == ["job"] * 3


def test_what_nobody_has_sent_is_named_after_this_processs_script(main):
    """The script's own classes, with functions or without."""
    assert [module_name(vars(main)[kind]) for kind in ("Shape", "Tools", "Unit", "function")] == ["job"] * 4


def test_the_script_itself_is_found(main):
    """By its own name, never by that of another script."""
    assert named("job", "Shape") is main.Shape
    assert named("job", "Shape.area") is main.Shape.area
    with pytest.raises(
        AttributeError, match=r"Shape of the script other, which this process neither runs nor"
    ):
        named("other", "Shape")


def test_an_imported_script_is_found_and_another_one_not_imported(monkeypatch, tmp_path):
    """Importing a script may run all of it."""
    (tmp_path / "unguarded.py").write_text("raise SystemExit('ran')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(AttributeError, match="unguarded"):
        named("unguarded", "Shape")
    module = types.ModuleType("unguarded")
    module.Shape = object()
    monkeypatch.setitem(sys.modules, "unguarded", module)
    assert named("unguarded", "Shape") is module.Shape


def test_a_notebooks_class_is_no_scripts_class(main):
    """`__main__` as a name is a notebook or a prompt, which a script is not."""
    with pytest.raises(AttributeError, match="a notebook or prompt"):
        named("__main__", "Shape")


def test_what_came_by_value_goes_before_what_a_spawned_worker_has_imported(main):
    """The function that came by value knows other classes than the import of the script."""
    main.__name__ = "__mp_main__"
    names = sent()
    assert find("job", "Shape") is names["Shape"] is not main.Shape
    late = type("Unit", (), {"f": names["function"], "__module__": "__main__"})
    assert module_name(late) == "job"
    del names["Unit"]
    assert find("job", "Unit") is late


def test_the_running_script_goes_before_what_came_by_value(main):
    """Also where a class was defined anew, and the old one has been met and is still alive."""
    names, old = sent(), main.Shape
    assert module_name(old) == module_name(names["Shape"]) == "job"
    exec(TEXT, vars(main))
    assert find("job", "Shape") is main.Shape is not old


def test_the_newest_of_one_sender_counts():
    """A cell that defines a class is run again."""
    old, new = sent("/a/job.py"), sent("/a/job.py")
    assert find("job", "Shape") is new["Shape"] is not old["Shape"]


def test_two_senders_of_one_name_are_not_confused():
    """Two scripts of one name share a worker: neither gets the other's class."""
    one, other = sent(process=b"1"), sent(process=b"2")
    assert one["Shape"] is not other["Shape"]
    assert find("job", "Shape") is None
    del other["Shape"]
    assert find("job", "Shape") is one["Shape"]


def test_a_class_that_no_function_names_is_found_once_it_was_met():
    """It came as an argument, say, and made part of a key."""
    names = sent(text=TEXT + "class Late:\n    def f(self): ...\n")
    late = names.pop("Late")
    assert find("job", "Late") is None
    assert module_name(late) == "job"
    assert find("job", "Late") is late


def test_classes_of_modules_keep_their_modules():
    """Only scripts have two names."""
    assert module_name(enum.Enum) == "enum"

"""`cached`: a plain function with verbs; what it cannot work with is refused where it stands."""

from __future__ import annotations

import functools
import inspect
import pickle
import subprocess
import sys
import types
from pathlib import Path

import cloudpickle
import pytest

from cachedeco import OUTPUT, Cache, MissingOutputError, OptionError, Status, StoreWarning, cached


@cached
def bare(x, y=2, *rest, flag: bool = False, **more):
    """Add two numbers."""
    return x + y


def test_bare_use_takes_the_default_cache():
    """Nothing has to be configured."""
    assert bare(1) == 3
    assert bare.item(1).path is None
    assert Cache().search() == [bare.item(1)]


def test_it_is_a_plain_function():
    """Some engines refuse callable objects."""
    assert type(bare) is types.FunctionType
    assert (bare.__name__, bare.__qualname__, bare.__module__) == ("bare", "bare", __name__)
    assert bare.__doc__ == "Add two numbers."
    assert str(inspect.signature(bare)) == "(x, y=2, *rest, flag: 'bool' = False, **more)"
    assert bare.__wrapped__(1, 5) == 6


def test_its_closure_holds_only_itself():
    """Everything else is read from its ``__dict__``."""
    assert [cell.cell_contents for cell in bare.__closure__] == [bare]


def test_it_pickles_by_reference():
    """As any function of a module."""
    sys.modules.setdefault(__name__, types.SimpleNamespace(bare=bare))
    assert pickle.loads(pickle.dumps(bare)) is bare


def test_a_function_of_a_notebook_travels_by_value(tmp_path):
    """With its cache, and its results are found there."""
    story = (
        "import sys, cloudpickle\nfrom cachedeco import Cache, cached\n"
        "@cached(cache=Cache(sys.argv[1]))\ndef f(x):\n    return x * 7\n"
        "f(6)\nsys.stdout.buffer.write(cloudpickle.dumps(f))\n"
    )
    command = [sys.executable, "-c", story, str(tmp_path / "cache")]
    data = subprocess.run(command, capture_output=True, check=True).stdout
    f = cloudpickle.loads(data)
    assert f(6) == 42
    assert len(Cache(tmp_path / "cache").search()) == 1


@pytest.mark.parametrize("kind", [str, "path", Cache], ids=["str", "Path", "Cache"])
def test_a_cache_or_a_path_will_do(tmp_path, kind):
    """As ``cache=``."""
    place = tmp_path / "here"
    f = cached(cache=place if kind == "path" else kind(place))(lambda: 5)
    f()
    assert len(Cache(place).search()) == 1


def test_the_label_is_on_the_items(cache):
    """To find them by."""
    f = cached(cache=cache, label="reports")(bare.__wrapped__)
    f(1)
    assert cache.search(label="reports") == [f.item(1)]


def test_attributes_are_given_or_made(cache):
    """A mapping, or a function of value and arguments."""
    given = cached(cache=cache, attrs={"kind": "sum"})(bare.__wrapped__)
    made = cached(cache=cache, attrs=attributes, uri="made://{x}")(bare.__wrapped__)
    given(1)
    made(1, y=4)
    assert given.item(1).attrs == {"kind": "sum"}
    assert made.item(1, y=4).attrs == {"result": 5, "x": 1}


def attributes(value, arguments):
    return {"result": value, "x": arguments["x"]}


def test_a_code_version_stands_for_the_code(cache):
    """Results are reused until it changes."""
    old = cached(cache=cache, uri="v://{x}", code_version="1")(lambda x: "old")
    new = cached(cache=cache, uri="v://{x}", code_version="1")(lambda x: "new")
    newer = cached(cache=cache, uri="v://{x}", code_version="2")(lambda x: "newer")
    assert (old(1), new(1), newer(1)) == ("old", "old", "newer")


def test_changed_code_is_a_miss(cache):
    """Results of other code stay."""
    old = cached(cache=cache, uri="v://{x}")(lambda x: "old")
    new = cached(cache=cache, uri="v://{x}")(lambda x: "new")
    assert (old(1), new(1), old(1)) == ("old", "new", "old")
    assert [item.status for item in new.items(1)] == [Status.READY] * 2


# An output file


def write(year, output=OUTPUT):
    output.write_text(f"report of {year}", encoding="utf-8")


def test_an_output_file_is_given_to_the_caller(cache):
    """Its name is rendered, its folder is the item's; the second call does not write."""
    f = cached(cache=cache, output="report_{year}.txt")(write)
    path = f(2013)
    assert path.name == "report_2013.txt"
    assert path.read_text(encoding="utf-8") == "report of 2013"
    assert f(2013) == path == f.item(2013).path == f.item(2013).load()
    assert f.item(2013).size == len("report of 2013")


def test_an_output_file_is_read_only(cache):
    """So that nobody changes it by a slip."""
    path = cached(cache=cache, output="a.txt")(write)(1)
    assert path.stat().st_mode & 0o777 == 0o444


def test_a_refreshed_output_has_a_new_path(cache):
    """Who reads the old one is not disturbed."""
    f = cached(cache=cache, output="a.txt")(write)
    old = f(1)
    new = f.refresh(1)
    assert old != new
    assert old.exists()
    assert f(1) == new


def test_a_vanished_output_is_written_again(cache):
    """As a new version."""
    f = cached(cache=cache, output="a.txt")(write)
    old = f(1)
    old.unlink()
    assert f.status(1) != Status.READY
    new = f(1)
    assert new.read_text(encoding="utf-8") == "report of 1"
    assert f.item(1).version == 2


def forget(year, output=OUTPUT):
    return None


def test_a_function_that_forgets_its_output_is_told(cache):
    """The error names the file and where to write it; it is a failure of the function."""
    f = cached(cache=cache, output="report_{year}.txt")(forget)
    with pytest.raises(
        MissingOutputError, match=r"report_2013\.txt.*write to the path that it gets as `output`"
    ):
        f(2013)
    assert f.status(2013) == Status.FAILED
    assert list(Path(cache.path).glob("items/*/*")) == []


def halfway(year, output=OUTPUT):
    output.write_text("half", encoding="utf-8")
    raise ValueError("no more")


def test_half_an_output_is_none(cache):
    """What a function that raised had written is removed."""
    f = cached(cache=cache, output="a.txt")(halfway)
    with pytest.raises(ValueError, match="no more"):
        f(1)
    assert list(Path(cache.path).glob("items/*/*")) == []


def with_scratch(year, output=OUTPUT):
    output.with_suffix(".scratch").write_text("notes beside it", encoding="utf-8")
    output.write_text("report", encoding="utf-8")


def test_what_lies_beside_an_output_does_not_make_it_a_miss(cache):
    """Some libraries write a second file next to the first."""
    f = cached(cache=cache, output="a.txt")(with_scratch)
    path = f(1)
    assert f(1) == path
    assert len(f.items(1)) == 1


def test_an_output_that_cannot_be_stored_reaches_its_caller(cache, monkeypatch):
    """The file lies where it was written, with one warning."""

    def fail(self, **options):
        raise OSError(28, "No space left on device")

    from cachedeco.files.staging import Staging

    monkeypatch.setattr(Staging, "publish", fail)
    f = cached(cache=cache, output="a.txt")(write)
    with pytest.warns(StoreWarning, match="No space left") as caught:
        path = f(1)
    assert path.read_text(encoding="utf-8") == "report of 1"
    assert len(caught) == 1


def test_without_a_usable_folder_the_output_lies_elsewhere(cache, monkeypatch):
    """The caller still gets a file."""
    from cachedeco.calls.work import Staging
    from cachedeco.files import staging

    def fail(self, final, top, trust):
        raise OSError(30, "Read-only file system")

    assert Staging is staging.Staging
    monkeypatch.setattr(Staging, "__init__", fail)
    f = cached(cache=cache, output="a.txt")(write)
    with pytest.warns(StoreWarning, match="Read-only file system"):
        path = f(1)
    assert path.read_text(encoding="utf-8") == "report of 1"
    assert cache.search(status=Status.WRITE) == []


# What is refused


def generated(cls):
    return cls


REFUSED = {
    "classmethod": (classmethod(generated), "put @classmethod above @cached"),
    "staticmethod": (staticmethod(generated), "put @staticmethod above @cached"),
    "property": (property(generated), "put @property above @cached"),
    "singledispatch": (functools.singledispatch(generated), "cache the functions that are registered"),
    "class": (dict, "is a class"),
    "builtin": (len, "not a function written in Python"),
    "value": (5, "is for functions"),
    "text": ("https://example.org", "options go in by name"),
}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_no_function_is_refused(name):
    """With what to do instead."""
    thing, words = REFUSED[name]
    with pytest.raises(OptionError, match=words):
        cached(thing)


def test_an_option_that_does_not_exist_is_an_error():
    """Never an ignored one."""
    with pytest.raises(TypeError, match="colour"):
        cached(colour="red")


def test_options_go_in_by_name():
    """Only the function goes in by position."""
    with pytest.raises(TypeError):
        cached(generated, "uri")


def two(a, b):
    return a + b


BAD_OPTIONS = {
    "params that do not exist": ({"params": ("a", "z")}, "z"),
    "ignore that does not exist": ({"ignore": ("z",)}, "z"),
    "a name in params and ignore": ({"params": ("a",), "ignore": ("a",)}, "a"),
    "an added name that is a parameter": ({"params": {"a": 1}}, "a"),
    "a template of what does not exist": ({"uri": "u://{z}"}, "z"),
    "an output without its parameter": ({"output": "f.txt"}, "output"),
    "an output of what does not exist": ({"output": "{z}.txt"}, "z|output"),
    "a label that is no text": ({"label": 5}, "label"),
    "a code version that is no text": ({"code_version": 2}, "code_version"),
    "a cache that is no path": ({"cache": 5}, "path"),
    "attributes that cannot be stored": ({"attrs": {"a": object()}}, "attribute 'a'"),
    "attributes that are no mapping": ({"attrs": 5}, "attrs"),
}


@pytest.mark.parametrize("name", sorted(BAD_OPTIONS))
def test_an_option_that_cannot_work_is_refused_at_decoration(name):
    """Not hours later; the message names it."""
    options, words = BAD_OPTIONS[name]
    with pytest.raises(OptionError, match=words):
        cached(**options)(two)


# Methods


class Station:
    """A class with a cached method."""

    def __init__(self, name):
        self.name = name

    def __cachedeco_key__(self):
        return self.name

    @cached
    def readings(self, day):
        """The readings of a day."""
        return [self.name, day]


def test_a_method_is_keyed_by_its_instance():
    """Equal instances share results, others do not."""
    assert Station("a").readings(1) == ["a", 1]
    assert Station("a").readings.__self__.name == "a"
    assert Station("b").readings(1) == ["b", 1]
    assert len(Cache().search()) == 2

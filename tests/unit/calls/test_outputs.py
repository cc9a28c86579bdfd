"""Functions that write files: one, several, a folder, or one that they made elsewhere."""

from __future__ import annotations

import asyncio
import os
import pickle
from pathlib import Path

import pytest

import cachedeco
from cachedeco import OUTPUT, MissingOutputError, OptionError, Status, StoreWarning, cached

CALLS = []


@pytest.fixture(autouse=True)
def no_calls():
    """Forget the calls of the test before."""
    CALLS.clear()


def write(year, text="text", output: Path = OUTPUT):
    CALLS.append(output)
    output.write_text(f"{year} {text}")


def write_two(year, output=OUTPUT):
    CALLS.append(output)
    output["data"].write_text("data")
    output["plot"].write_text("plot")


def write_shards(year, output: Path = OUTPUT):
    CALLS.append(output)
    (output / "deep").mkdir()
    (output / "deep" / "1.txt").write_text("1")
    (output / "2.txt").write_text("22")


def give_back(path):
    CALLS.append(path)
    return path


@pytest.fixture
def make(cache):
    """Makes a function that writes a cached one."""

    def make(function=write, output="report_{year}.csv", **options):
        if function.__name__ == "<lambda>":
            options.setdefault("uri", "demo://made")
        return cached(cache=cache, code_version="1", output=output, **options)(function)

    return make


# One file


def test_the_caller_gets_the_path_of_the_file(make):
    """On a miss and on a hit, the same one."""
    f = make()
    path = f(2013)
    assert (path.name, path.read_text()) == ("report_2013.csv", "2013 text")
    assert f(2013) == path
    assert len(CALLS) == 1


def test_the_function_writes_elsewhere_than_the_caller_reads(make):
    """No reader ever sees half of a file."""
    path = make()(2013)
    assert CALLS[0] != path
    assert not CALLS[0].exists()


def test_the_file_keeps_its_name_inside_the_folder_of_its_version(make):
    """Refresh gives a new path; the old one stays until it is cleaned."""
    f = make()
    old = f(2013)
    new = f.refresh(2013)
    assert old.name == new.name
    assert old.parent != new.parent
    assert old.read_text() == new.read_text()
    assert f(2013) == new


def test_output_is_no_part_of_the_key(make):
    """Neither among the params nor in what differs."""
    f, g = make(), make(output="other_{year}.csv")
    assert f.params(2013) == {"year": 2013, "text": "text"}
    assert f.key(2013) == g.key(2013)


def test_the_caller_never_passes_output(make, tmp_path):
    """Neither by name nor by position."""
    f = make()
    for call in (lambda: f(2013, output=tmp_path / "x"), lambda: f(2013, "text", tmp_path / "x")):
        with pytest.raises(TypeError, match="must not be passed 'output': its path is chosen by the cache"):
            call()
    assert not CALLS


@pytest.mark.parametrize(
    ("function", "output", "options", "words"),
    [
        (write, "a/b.csv", {}, "slash"),
        (write, "../up.csv", {}, "slash"),
        (write, "", {}, "is no file name"),
        (write, "..", {}, "is no file name"),
        (write, "/", {}, "is no file name"),
        (write, "{nobody}.csv", {}, "names 'nobody'"),
        (write, "{year}.csv", {"ignore": ("year",)}, "which is not in the params"),
        (write, "x.csv", {"params": ("output",)}, "takes the output file and never counts"),
        (write, "x.csv", {"ignore": ("output",)}, "takes the output file and never counts"),
        (write, "x.csv", {"params": {"output": 1}}, "takes the output file and never counts"),
        (give_back, "x.csv", {}, "needs a parameter for the file: output: Path = OUTPUT"),
        (lambda x, output: None, "x.csv", {}, "needs a default, as callers never pass it"),
        (lambda x, output=OUTPUT, /: None, "x.csv", {}, "must be one that can be passed by name"),
        (write, 5, {}, "it is a file name, a mapping of names to file names, or 'return'"),
        (write, Path("x.csv"), {}, "it is a file name"),
        (write, {}, {}, "it is a file name"),
        (write, ["x.csv"], {}, "it is a file name"),
        (write, {"data": 5}, {}, "maps names to file names, both text"),
        (write, {"data": "folder/"}, {}, "maps names to file names, both text"),
        (write, {"": "x.csv"}, {}, "maps names to file names, both text"),
        (write, {"data": "x.csv", "plot": "x.csv"}, {}, "two files would have one name"),
    ],
)
def test_an_output_that_cannot_be_is_refused_at_decoration(make, function, output, options, words):
    """With what it can be."""
    with pytest.raises(OptionError, match=words):
        make(function, output, **options)


@pytest.mark.parametrize("year", ["a/b", "..\\x", "line\nbreak", "x" * 300], ids=str)
def test_an_argument_that_cannot_be_in_a_file_name_is_told(make, year):
    """Before the function runs."""
    with pytest.raises(OptionError, match="output"):
        make(output="{year}")(year)
    assert not CALLS


def test_a_function_that_writes_nothing_is_told(make):
    """It is a failure of the function, so it is recorded and the next call runs it again."""
    f = make(lambda year, output=OUTPUT: CALLS.append(1))
    for _ in range(2):
        with pytest.raises(
            MissingOutputError, match=r"returned without writing its output 'report_1\.csv'"
        ) as caught:
            f(1)
    assert caught.value.filename == "report_1.csv"
    assert pickle.loads(pickle.dumps(caught.value)).filename == "report_1.csv"
    assert len(CALLS) == 2
    assert f.status(1) == Status.FAILED


def test_a_folder_in_the_place_of_a_file_is_told(make):
    """And the other way round."""
    with pytest.raises(MissingOutputError):
        make(lambda year, output=OUTPUT: output.mkdir())(1)
    with pytest.raises(MissingOutputError):
        make(lambda year, output=OUTPUT: (output.rmdir(), output.write_text("")), "shards/")(1)


def test_a_link_is_no_output(make, tmp_path):
    """What it points to may change or go."""
    (tmp_path / "target").write_text("x")
    with pytest.raises(MissingOutputError):
        make(lambda year, output=OUTPUT: output.symlink_to(tmp_path / "target"))(1)
    assert (tmp_path / "target").read_text() == "x"


def test_an_empty_file_is_a_file(make):
    """Nothing to say may be the result."""
    f = make(lambda year, output=OUTPUT: CALLS.append(output.touch()))
    assert f(1).read_bytes() == f(1).read_bytes() == b""
    assert len(CALLS) == 1


def test_files_beside_the_output_stay_beside_it(make):
    """Some formats are several files; the call is a hit all the same."""

    def write_shape(output=OUTPUT):
        CALLS.append(1)
        output.write_text("shape")
        output.with_suffix(".dbf").write_text("more")

    f = make(write_shape, "map.shp")
    assert f().with_suffix(".dbf").read_text() == "more"
    assert f().with_suffix(".dbf").read_text() == "more"
    assert len(CALLS) == 1


def test_what_a_failed_attempt_has_written_is_gone_in_the_next(make):
    """Each attempt begins with an empty place."""

    def stumble(output=OUTPUT):
        CALLS.append(os.listdir(output.parent))
        output.with_name("half").write_text("half")
        if len(CALLS) < 3:
            raise ValueError
        output.write_text("whole")

    assert make(stumble, "x.txt", retry=3)().read_text() == "whole"
    assert CALLS == [[], [], []]


def test_a_failure_leaves_no_file(make, cache):
    """Neither half of one nor its folder."""

    def fail(output=OUTPUT):
        output.write_text("half")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        make(fail, "x.txt")()
    assert not [
        path for path in Path(cache.path, "items").rglob("*") if path.is_file() or path.name.endswith(".part")
    ]


def test_a_vanished_file_is_written_again(make):
    """As is one of another size."""
    f = make()
    path = f(1)
    path.unlink()
    again = f(1)
    assert again.read_text() == "1 text"
    again.chmod(0o600)
    again.write_text("longer than before")
    assert f(1).read_text() == "1 text"
    assert len(CALLS) == 3


def test_the_file_is_read_only(make):
    """It is the cache's: who edits it in place would change everybody's result."""
    assert make()(1).stat().st_mode & 0o222 == 0


def test_what_cannot_be_stored_reaches_the_caller(make, cache):
    """The files are theirs from then on."""

    def no(value, arguments):
        raise ZeroDivisionError("slip")

    with pytest.warns(StoreWarning, match="slip"):
        path = make(attrs=no)(1)
    assert path.read_text() == "1 text"


def test_an_item_gives_the_path_too(make):
    """By `load` and by `path`."""
    f = make()
    path = f(1)
    assert f.item(1).load() == f.item(1).path == path
    assert f.item(1).size == 6


# Several files


def test_several_files_are_a_dict_of_paths(make):
    """The function gets the dict, and the caller gets it."""
    f = make(write_two, {"data": "data_{year}.csv", "plot": "plot.png"})
    paths = f(2013)
    assert {name: (path.name, path.read_text()) for name, path in paths.items()} == {
        "data": ("data_2013.csv", "data"),
        "plot": ("plot.png", "plot"),
    }
    assert f(2013) == paths == f.item(2013).load()
    assert len(CALLS) == 1


def test_each_of_several_files_has_to_be_written(make):
    """The one that lacks is named."""

    def half(output=OUTPUT):
        output["data"].write_text("data")

    with pytest.raises(MissingOutputError, match=r"its output 'b\.txt'"):
        make(half, {"data": "a.txt", "plot": "b.txt"})()


def test_each_of_several_files_has_to_be_there_for_a_hit(make):
    """Else all are written again."""
    f = make(write_two, {"data": "a.txt", "plot": "b.txt"})
    f(1)["plot"].unlink()
    assert f(1)["plot"].read_text() == "plot"
    assert len(CALLS) == 2


def test_several_files_that_get_one_name_are_told(make):
    """At the call that makes them meet."""
    f = make(lambda a, b, output=OUTPUT: CALLS.append(1), {"a": "{a}.txt", "b": "{b}.txt"})
    with pytest.raises(OptionError, match="two files would have one name"):
        f("same", "same")
    assert not CALLS


# A folder


def test_a_name_that_ends_in_a_slash_is_a_folder(make):
    """It is there when the function begins."""
    f = make(write_shards, "shards_{year}/")
    folder = f(2013)
    assert folder.name == "shards_2013"
    assert (folder / "deep" / "1.txt").read_text() == "1"
    assert f(2013) == folder == f.item(2013).load()
    assert f.item(2013).size == 3
    assert len(CALLS) == 1


def test_an_empty_folder_is_a_folder(make):
    """Nothing to say may be the result."""
    f = make(lambda year, output=OUTPUT: CALLS.append(1), "shards/")
    assert os.listdir(f(1)) == os.listdir(f(1)) == []
    assert len(CALLS) == 1


@pytest.mark.parametrize(
    "harm",
    [lambda folder: (folder / "2.txt").unlink(), lambda folder: folder.rename(folder.with_name("moved"))],
    ids=["file", "folder"],
)
def test_a_folder_that_lacks_something_is_made_again(make, harm):
    """A file or itself."""
    f = make(write_shards, "shards/")
    harm(f(1))
    assert (f(1) / "2.txt").read_text() == "22"
    assert len(CALLS) == 2


# What the function made elsewhere


def test_a_returned_file_is_moved_in(make, tmp_path):
    """It keeps its name."""
    (tmp_path / "made.txt").write_text("made")
    f = make(lambda folder: give_back(folder / "made.txt"), "return")
    path = f(tmp_path)
    assert (path.name, path.read_text()) == ("made.txt", "made")
    assert not (tmp_path / "made.txt").exists()
    assert f(tmp_path) == path
    assert len(CALLS) == 1


def test_a_file_that_the_caller_passed_is_copied(make, tmp_path):
    """It is the caller's: a function that gives its input back does not take it away."""
    (tmp_path / "raw.csv").write_text("raw")
    path = make(give_back, "return")(tmp_path / "raw.csv")
    assert (path.read_text(), (tmp_path / "raw.csv").read_text()) == ("raw", "raw")


def test_a_returned_folder_is_moved_in(make, tmp_path):
    """As text, too."""
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "1.txt").write_text("1")
    f = make(give_back, "return")
    folder = f(f"{tmp_path}/made/")
    assert (folder / "1.txt").read_text() == "1"
    assert f(f"{tmp_path}/made/") == folder


def test_what_is_no_path_of_a_file_is_told(make, tmp_path):
    """With what it was."""
    (tmp_path / "link").symlink_to(tmp_path)
    f = make(give_back, "return")
    for given in (None, 5, "", b"bytes", "/nowhere/at/all", "/dev/null", str(tmp_path / "link")):
        with pytest.raises(
            MissingOutputError, match=r"has output='return' and returned no path of a file or folder"
        ):
            f(given)
    assert len(CALLS) == 7


def test_a_slip_does_not_carry_off_the_project(make, tmp_path, monkeypatch):
    """Neither the working directory nor the home folder nor what they or the cache lie in is ever moved."""
    project = tmp_path / "project"
    (project / "inside").mkdir(parents=True)
    (project / "precious.txt").write_text("precious")
    monkeypatch.chdir(project / "inside")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    f = make(give_back, "return")
    for given in ("", ".", "..", str(project), str(tmp_path), "/", os.path.expanduser("~")):
        with pytest.raises(MissingOutputError):
            f(given)
    assert (project / "precious.txt").read_text() == "precious"
    assert (project / "inside").is_dir()
    assert (tmp_path / "home").is_dir()


def test_the_output_of_another_cached_function_stays_where_it_is(make):
    """It is copied: the other function's result is not this one's to move."""
    inner = make(write, "inner.txt")
    shards = make(write_shards, "shards/")
    f = make(lambda year: give_back(inner(year)), "return", uri="copy of a file")
    g = make(lambda year: give_back(shards(year)), "return", uri="copy of a folder")
    path, folder = inner(1), shards(1)
    assert f(1).read_text() == path.read_text() == "1 text"
    assert (g(1) / "2.txt").read_text() == (folder / "2.txt").read_text() == "22"
    assert f(1) != path
    assert inner(1) == path
    assert len(CALLS) == 4


# Without the cache, and awaited


def test_disabled_the_file_goes_to_a_temporary_folder(make, tmp_path, monkeypatch):
    """Under its name."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with cachedeco.disabled():
        path = make()(2013)
    assert (path.name, path.read_text()) == ("report_2013.csv", "2013 text")
    assert tmp_path in path.parents


def test_async_functions_write_files_too(make):
    """The same way."""

    async def write_later(year, output: Path = OUTPUT):
        await asyncio.sleep(0)
        write(year, output=output)

    f = make(write_later)

    async def twice():
        return await f(1), await f(1)

    one, two = asyncio.run(twice())
    assert one == two
    assert one.read_text() == "1 text"
    assert len(CALLS) == 1


def test_methods_write_files_too(cache):
    """`output` follows the other arguments."""

    class Station:
        def __init__(self, name):
            self.name = name

        @cached(cache=cache, code_version="1", output="{month}.txt")
        def report(self, month, output: Path = OUTPUT):
            CALLS.append(month)
            output.write_text(f"{self.name} {month}")

    assert Station("A").report(1).read_text() == "A 1"
    assert Station("A").report(month=1).read_text() == "A 1"
    assert Station("B").report(1).read_text() == "B 1"
    assert len(CALLS) == 2


def test_a_generator_has_no_output(cache):
    """Its items are its result."""

    def produce(output=OUTPUT):
        yield 1

    with pytest.raises(OptionError, match="output= is not for generators"):
        cached(cache=cache, output="x.txt")(produce)

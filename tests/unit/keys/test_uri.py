"""Names of results and of output files."""

from __future__ import annotations

import datetime
import decimal
import enum
import functools
import os
import pathlib
import subprocess
import sys
import types
import uuid
from typing import Annotated, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachedeco.errors import OptionError
from cachedeco.keys.arguments import Binder, Selection
from cachedeco.keys.markers import NoKey, Secret
from cachedeco.keys.uri import FileName, Uri, default_uri


def uri_of(function: Any, uri: Any, **options: Any) -> Uri:
    return Uri(function, uri, Selection(Binder(function), **options))


def module_function(): ...


def in_module(names: dict[str, object], module: str = "__main__") -> Any:
    """Return a function whose globals are those of a module run in some way."""
    source = types.FunctionType(module_function.__code__, {"__name__": module} | names)
    source.__module__, source.__qualname__ = module, "f"
    return source


def test_a_function_is_called_by_module_and_qualname():
    """Locals and lambdas keep their marks."""
    assert default_uri(module_function) == f"py://{__name__}/module_function"
    assert default_uri(lambda: 1) == (
        f"py://{__name__}/test_a_function_is_called_by_module_and_qualname.<locals>.<lambda>"
    )
    assert default_uri(pathlib.PurePath.joinpath) == f"py://{pathlib.PurePath.__module__}/PurePath.joinpath"


def test_a_partial_is_called_like_its_function():
    """Nested ones too."""
    partial = functools.partial(functools.partial(module_function, 1), 2)
    assert default_uri(partial) == default_uri(module_function)
    assert default_uri(functools.partial(functools.wraps(module_function)(lambda: 1))) == default_uri(
        module_function
    )


@pytest.mark.parametrize(
    ("names", "module"),
    [
        ({"__file__": "/a/b/step_one.py"}, "step_one"),
        ({"__file__": "/a/b/step_one.py", "__package__": None, "__spec__": None}, "step_one"),
        ({"__spec__": types.SimpleNamespace(name="pkg.mod"), "__file__": "/a/pkg/mod.py"}, "pkg.mod"),
        ({"__spec__": types.SimpleNamespace(name="pkg.__main__"), "__file__": "x"}, "pkg.__main__"),
        ({"__spec__": types.SimpleNamespace(name="__main__"), "__file__": "/a/profiled.py"}, "profiled"),
        ({"__package__": "pkg", "__file__": "/a/pkg/mod.py"}, "pkg.mod"),
        ({}, "__main__"),
        ({"__file__": None}, "__main__"),
        (
            {
                "__package__": "_pyrepl",
                "__spec__": types.SimpleNamespace(name="_pyrepl.__main__"),
                "__file__": "/lib/_pyrepl/__main__.py",
            },
            "__main__",
        ),
    ],
)
@pytest.mark.parametrize("main", ["__main__", "__mp_main__"])
def test_main_becomes_the_name_of_the_script(names, module, main):
    """For scripts, -m, profilers, worker processes, notebooks and the prompt."""
    assert default_uri(in_module(names, main)) == f"py://{module}/f"


def test_a_wrapper_from_elsewhere_does_not_hide_the_script():
    """The globals of the innermost function are the script's."""
    inner = in_module({"__file__": "/a/script.py"})

    @functools.wraps(inner)
    def wrapper(): ...

    assert default_uri(wrapper) == "py://script/f"


_PROGRAM = """
import multiprocessing
from cachedeco.keys.uri import default_uri

def f(): ...

class C:
    def g(self): ...

NAMES = default_uri(f), default_uri(C.g)

def show():
    print(*NAMES, flush=True)

if __name__ == "__main__":
    show()
    process = multiprocessing.get_context("spawn").Process(target=show)
    process.start()
    process.join()
"""


def run_in(folder: pathlib.Path, *arguments: str) -> list[str]:
    command = [sys.executable, *arguments]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=60)
    return run.stdout.splitlines()


@pytest.mark.parametrize("how", ["script", "module", "import"])
def test_one_name_however_a_module_is_started(how, tmp_path):
    """Run as a script, with -m, imported, or in spawned processes."""
    (tmp_path / "steps.py").write_text(_PROGRAM)
    command = {
        "script": ["steps.py"],
        "module": ["-m", "steps"],
        "import": ["-c", "import steps; print(*steps.NAMES)"],
    }[how]
    lines = run_in(tmp_path, *command)
    assert lines == ["py://steps/f py://steps/C.g"] * (1 if how == "import" else 2)


def test_module_in_a_package_run_with_m(tmp_path):
    """The package belongs to the name."""
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").touch()
    (tmp_path / "pkg" / "__main__.py").write_text(_PROGRAM.partition("    process")[0])
    assert run_in(tmp_path, "-m", "pkg") == ["py://pkg.__main__/f py://pkg.__main__/C.g"]


def test_a_constant_uri_is_used_as_it_is():
    """Doubled braces become single ones."""

    def f(x): ...

    assert uri_of(f, "https://example.org/a.csv").render({"x": 1}) == "https://example.org/a.csv"
    assert uri_of(f, "a{{x}}").render({"x": 1}) == "a{x}"


def test_a_template_is_filled_in():
    """With formats where wanted."""

    def f(year, month, name): ...

    uri = uri_of(f, "demo://{year}/{month:02d}/{name}/{year}")
    assert uri.render({"year": 2013, "month": 4, "name": "a b"}) == "demo://2013/04/a b/2013"


class Color(enum.Enum):
    """An enumeration."""

    RED = 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        ("one", "one"),
        (True, "True"),
        (None, "None"),
        (1.5, "1.5"),
        (Color.RED, "Color.RED"),
        (decimal.Decimal("1.0"), "1.0"),
        (datetime.date(2013, 1, 2), "2013-01-02"),
        (pathlib.PurePosixPath("a/b"), "a/b"),
        (uuid.UUID(int=1), str(uuid.UUID(int=1))),
        (np.int64(3), "3"),
    ],
)
def test_scalars_have_a_text(value, text):
    """Each of the types whose text is always the same."""

    def f(x): ...

    assert uri_of(f, "{x}").render({"x": value}) == text


@pytest.mark.parametrize("value", [object(), {"a"}, [1], len, np.arange(3), b"a", {"a": 1}])
def test_what_has_no_fixed_text_is_refused(value):
    """An address or the order of a set would make a new uri in each process."""

    def f(x): ...

    with pytest.raises(OptionError, match=r"'x' is a .* which has no fixed text"):
        uri_of(f, "demo://{x}").render({"x": value})


def test_a_format_that_does_not_fit_names_the_argument():
    """Instead of a bare ValueError."""

    def f(x): ...

    with pytest.raises(OptionError, match="'x', a str, does not fit the format '03d'"):
        uri_of(f, "{x:03d}").render({"x": "a"})


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("{x.real}", r"\{x.real\}"),
        ("{x[0]}", r"\{x\[0\]\}"),
        ("{}", "plain argument names"),
        ("{0}", "plain argument names"),
        ("{ x }", "plain argument names"),
        ("{x!r}", "conversion !r"),
        ("{x:{y}}", "field inside of the format"),
        ("{x", "is no template"),
        ("x}", "is no template"),
        ("{nope}", "names 'nope', but the parameters are: x, y, log, token, rest, output"),
        ("{log}", "'log', which is not in the params"),
        ("{y}", "'y', which is not in the params"),
        ("{output}", "'output', which is not in the params"),
        ("{token}", "marked Secret"),
        ("{rest}", "collects arguments"),
        ("", "is empty"),
    ],
)
def test_bad_templates_are_errors_at_decoration(template, problem):
    """Each says what is wrong with which option of which function."""

    def f(
        x: int,
        y: int,
        log: Annotated[object, NoKey],
        token: Annotated[str, Secret],
        *rest: int,
        output: object = 1,
    ): ...

    with pytest.raises(OptionError, match=problem) as caught:
        uri_of(f, template, ignore=("y",), output="output")
    assert "the uri of" in str(caught.value)


def test_a_template_beside_computed_params_is_refused():
    """Nobody can tell whether the function keeps what the template names."""

    def f(x): ...

    with pytest.raises(OptionError, match="params is a function"):
        uri_of(f, "{x}", params=lambda arguments: {})
    assert uri_of(f, "constant", params=lambda arguments: {}).render({}) == "constant"


def test_a_uri_can_be_computed():
    """The function gets a dict of its own, without the output."""

    def f(x, output=1): ...

    def compute(arguments):
        return f"demo://{arguments.pop('x')}/{len(arguments)}"

    arguments = {"x": 1, "output": 2}
    assert uri_of(f, compute, output="output").render(arguments) == "demo://1/0"
    assert arguments == {"x": 1, "output": 2}


@pytest.mark.parametrize(("result", "problem"), [("", "is empty"), (None, "NoneType"), (b"a", "bytes")])
def test_a_computed_uri_must_be_text(result, problem):
    """Empty or other results are errors."""

    def f(x): ...

    with pytest.raises(OptionError, match=problem):
        uri_of(f, lambda arguments: result).render({"x": 1})


def test_a_template_can_come_out_empty():
    """That is an error, too: nothing would name the results."""

    def f(x): ...

    with pytest.raises(OptionError, match="is empty"):
        uri_of(f, "{x}").render({"x": ""})


def test_uri_of_another_type_is_refused():
    """At decoration."""

    def f(x): ...

    with pytest.raises(OptionError, match="write a str, or a function"):
        uri_of(f, 3)


def report(year, name="a"): ...


def test_file_names_are_filled_in():
    """With formats, as for the uri."""
    file_name = FileName("report_{year:04d}_{name}.csv", Binder(report))
    assert file_name.render({"year": 13, "name": "b"}) == "report_0013_b.csv"


@pytest.mark.parametrize(
    "template",
    ["a/b.csv", "../b.csv", "a\\b", "", ".", "..", "a\0b", "a\nb", "x" * 256, None, 3, "{nope}", "{year!s}"],
)
def test_bad_file_names_are_errors_at_decoration(template):
    """One name, without folders."""
    with pytest.raises(OptionError, match="the output of"):
        FileName(template, Binder(report))


@pytest.mark.parametrize("value", ["a/b", "..\\b", "a\0", "\x1b[1m", "../../etc"])
def test_a_value_that_would_leave_the_folder_is_refused(value):
    """The error names the argument."""
    with pytest.raises(OptionError, match="the argument 'name' is"):
        FileName("{name}.csv", Binder(report)).render({"name": value})


@pytest.mark.parametrize("value", ["", ".", "..", "\u00e9" * 128, "\ud800"])
def test_a_name_that_is_none_is_refused(value):
    """Empty, a folder's own name, longer than 255 bytes, or without an encoding."""
    with pytest.raises(OptionError, match="comes out as"):
        FileName("{name}", Binder(report)).render({"name": value})


@given(st.text(max_size=300))
def test_a_rendered_name_is_one_component(name):
    """Whatever the value is: an error, or a file name of at most 255 bytes right in the folder."""
    try:
        rendered = FileName("{name}", Binder(report)).render({"name": name})
    except OptionError:
        return
    assert os.path.basename(rendered) == rendered
    assert 0 < len(os.fsencode(rendered)) <= 255
    assert os.path.dirname(os.path.normpath(os.path.join("/folder", rendered))) == "/folder"


def test_file_names_use_what_is_in_the_params():
    """An ignored argument would give the name that the first call happened to have."""
    binder = Binder(report)
    with pytest.raises(OptionError, match="not in the params"):
        FileName("{name}", binder, Selection(binder, ignore=("name",)))
    assert FileName("{name}", binder, Selection(binder)).render({"name": "x"}) == "x"

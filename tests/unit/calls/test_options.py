"""The options of `cached` that make the key, and what each of them refuses."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import pytest

from cachedeco import OUTPUT, Cache, CodeChangedError, KeyingError, OptionError, Secret, cached

CALLS = []


@pytest.fixture(autouse=True)
def no_calls():
    """Forget the calls of the test before."""
    CALLS.clear()


def shape(x, y=2, *rest, z=3, logger=None, **more):
    """A function with parameters of every kind."""
    CALLS.append((x, y, rest, z, more))
    return len(CALLS)


@pytest.fixture
def make(cache):
    """Makes `shape` a cached function; its code is fixed, so that the list of calls does not count."""

    def make(function=shape, **options):
        return cached(cache=cache, code_version="1", **options)(function)

    return make


# The key


def test_positions_names_and_defaults_are_one_call(make):
    """However the arguments are written."""
    f = make()
    assert [f(1), f(x=1), f(1, 2), f(1, y=2), f(y=2, x=1), f(1, z=3, y=2)] == [1] * 6


def test_all_arguments_count_by_default(make):
    """Each has its own result."""
    f = make()
    assert [f(1), f(2), f(1, 3), f(1, 2, 4), f(1, z=4), f(1, logger=1), f(1, more=1)] == [1, 2, 3, 4, 5, 6, 7]


def test_star_arguments_are_one_entry_each(make):
    """Under their own names, so that they cannot meet other arguments."""
    f = make()
    assert f.params(1, 2, 3, 4, a=5) == {
        "x": 1,
        "y": 2,
        "rest": (3, 4),
        "z": 3,
        "logger": None,
        "more": {"a": 5},
    }
    assert f.key(1, 2, 3, 4) != f.key(1, 2, (3, 4))


def test_ignored_arguments_do_not_count(make):
    """Not even when they cannot be keyed."""
    f = make(ignore=("logger",))
    assert f(1, logger=print) == f(1, logger=open) == f(1)
    assert "logger" not in f.params(1)
    lock = __import__("threading").Lock()
    assert f(1, logger=lock) == 1


def test_params_selects(make):
    """Only what is named makes the key."""
    f = make(params=("x", "z"))
    assert f.params(1) == {"x": 1, "z": 3}
    assert f(1, 5) == f(1, 6)
    assert f(1) != f(2)


def test_params_adds(make):
    """What a mapping has is part of the key beside the arguments."""
    one, two = make(params={"model": "a"}), make(params={"model": "b"})
    assert one.params(1)["model"] == "a"
    assert one(1) != two(1)
    assert one(1) == one(1)


def test_params_computes(make):
    """A function of the arguments says what makes the key."""
    f = make(params=lambda arguments: {"parity": arguments["x"] % 2})
    assert f.params(3) == {"parity": 1}
    assert f(1) == f(3)
    assert f(1) != f(2)


def test_ignore_removes_after_params_has_selected_or_added(make):
    """In this order."""
    f = make(params={"model": "a"}, ignore=("logger", "more", "rest"))
    assert f.params(1) == {"x": 1, "y": 2, "z": 3, "model": "a"}
    g = make(params=dict, ignore=("y",))
    assert "y" not in g.params(1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"params": ("x", "y"), "ignore": ("y",)}, "'y' is both in params and in ignore"),
        ({"params": {"a": 1}, "ignore": ("a",)}, "'a' is both in params and in ignore"),
        ({"params": {"x": 1}}, "params adds 'x', but the function has a parameter of that name"),
        ({"params": ("nobody",)}, "params names 'nobody', but its parameters are: x, y"),
        ({"ignore": ("nobody",)}, "ignore names 'nobody', but its parameters are: x, y"),
        ({"params": 5}, "params is a int"),
        ({"ignore": "logger"}, r"ignore is the text 'logger'; write a tuple of names: ignore=\('logger',\)"),
        ({"uri": "a/{nobody}"}, "names 'nobody', but the parameters are: x, y"),
        (
            {"uri": "a/{y}", "params": ("x",)},
            "names 'y', which is not in the params, so different calls would meet",
        ),
        ({"uri": "a/{y}", "ignore": ("y",)}, "names 'y', which is not in the params"),
        ({"uri": "a/{x.real}"}, "only plain argument names can be used"),
        ({"uri": "a/{x!r}"}, "conversion"),
        ({"uri": "a/{"}, "is no template"),
        ({"uri": ""}, "is empty"),
        ({"uri": 5}, "write a str, or a function that returns one"),
        ({"attrs": 5}, "attrs must map names to values"),
        ({"label": 5}, "label=5: it is a str, such as '5'"),
        ({"code_version": 2}, "code_version=2: it is a str, such as '2'"),
        (
            {"on_code_change": "never"},
            "on_code_change='never': it is one of 'recompute', 'warn', 'raise', 'ignore'",
        ),
        ({"expires": "1d"}, "expires='1d': it is a timedelta or a number of seconds"),
        ({"expires": datetime.timedelta(days=-1)}, "not below 0"),
        ({"expires": float("nan")}, "expires=nan"),
        ({"expires": True}, "expires=True"),
        ({"validate": 1}, "validate=1: it is a function"),
        ({"best": "oldest"}, "best='oldest': it is 'latest' or a function"),
        ({"best": None}, "best=None: it is 'latest' or a function"),
        ({"retry": 0}, "retry=0: it is the number of attempts within one call, at least 1"),
        ({"retry": -1}, "at least 1"),
        ({"retry": True}, "retry=True: it is a number of attempts or a tenacity.Retrying object"),
        ({"retry": "3"}, "retry='3': it is a number of attempts or a tenacity.Retrying object"),
        ({"on_error": "ignore"}, "on_error='ignore': it is one of 'raise', 'stale'"),
        ({"cooldown": -1}, "cooldown=-1"),
        ({"cooldown": float("inf")}, "cooldown=inf"),
        ({"wait": "long"}, "wait='long': it is a timedelta or a number of seconds"),
        ({"on_store_error": "ignore"}, "on_store_error='ignore': it is one of 'warn', 'raise'"),
        ({"env": "HOME"}, r"env='HOME': it is a tuple of names, such as \('HOME',\)"),
        ({"env": 5}, "env=5: it is a tuple of names"),
        ({"env": None}, "env=None: it is a tuple of names"),
        ({"env": ("",)}, "it is a tuple of names"),
        ({"cache": 5}, "a path is a str or Path"),
    ],
    ids=lambda each: None if isinstance(each, str) else ",".join(f"{k}={v}" for k, v in each.items())[:40],
)
def test_an_option_that_cannot_be_is_refused_at_decoration(cache, options, words):
    """By its name, with what it can be."""
    with pytest.raises(OptionError, match=words):
        cached(**{"cache": cache, "code_version": "1", **options})(shape)
    assert not CALLS


def test_an_option_that_there_is_not_is_an_unknown_argument(cache):
    """Never an ignored one."""
    with pytest.raises(TypeError, match="unexpected keyword argument 'expire'"):
        cached(cache=cache, expire=5)


def test_options_go_in_by_name(cache):
    """A cache in the place of the function is told from one."""
    with pytest.raises(OptionError, match=r"options go in by name: @cached\(cache=\.\.\.\)"):
        cached(cache)


def test_secret_arguments_keep_out_of_names(make):
    """A template would write them down."""

    def login(user, token: Annotated[str, Secret]):
        CALLS.append(user)

    with pytest.raises(OptionError, match="'token', which is marked Secret"):
        make(login, uri="users/{token}")


# The uri


def test_the_default_uri_names_module_and_function(make, cache):
    """So that `Cache.best` finds what a call stored."""
    f = make()
    f(1)
    item = f.item(1)
    assert item.uri == f"py://{__name__}/shape"
    assert cache.best(uri=item.uri, params=f.params(1)) == item


def test_a_uri_is_a_template_over_arguments(make):
    """With formats."""
    f = make(uri="https://example.org/{x}/{y:03d}.csv")
    f(2013)
    assert f.item(2013).uri == "https://example.org/2013/002.csv"


def test_values_with_one_text_are_still_different_calls(make):
    """1 and "1" look alike in a uri, and are told apart by the params."""
    f = make(uri="a/{x}{y}")
    assert f(1, "2") == 1
    assert f("1", 2) == 2
    assert f("", "12") == 3


def test_a_uri_is_computed(make):
    """By a function of the arguments."""
    f = make(uri=lambda arguments: f"a/{arguments['x'] + arguments['y']}")
    f(1)
    assert f.item(1).uri == "a/3"


def test_a_uri_function_that_returns_no_text_is_told(make):
    """At the call, before anything is computed."""
    with pytest.raises(OptionError, match="must return a str"):
        make(uri=lambda arguments: 5)(1)
    assert not CALLS


def test_an_argument_without_a_fixed_text_cannot_be_in_a_uri(make):
    """Its address would be in the key."""
    with pytest.raises(OptionError, match="the argument 'x' is a object, which has no fixed text"):
        make(uri="a/{x}")(object())


def test_functions_of_one_uri_share_results_only_of_the_same_code(cache):
    """Two functions that give a family one name do not take each other's results for theirs."""
    one = cached(cache=cache, uri="family")(lambda x: ("one", x))
    two = cached(cache=cache, uri="family")(lambda x: ("two", x))
    assert one(1) == ("one", 1)
    assert two(1) == ("two", 1)
    assert one.key(1) == two.key(1)
    assert one(1) == ("one", 1)


# What items carry


def test_attrs_and_label_are_on_the_item(make):
    """As given."""
    f = make(attrs={"kind": "report", "run": {"number": 3}}, label="reports")
    f(1)
    assert f.item(1).attrs == {"kind": "report", "run": {"number": 3}}
    assert f.item(1).label == "reports"


def test_attrs_are_computed_from_value_and_arguments(make):
    """After the function has run."""
    f = make(attrs=lambda value, arguments: {"value": value, "y": arguments["y"]})
    f(1)
    assert f.item(1).attrs == {"value": 1, "y": 2}


def test_attrs_that_cannot_be_are_refused(make):
    """At decoration when they are known there."""
    with pytest.raises(OptionError, match="the attribute 'a' cannot be"):
        make(attrs={"a": object()})


# Where


def test_cache_may_be_a_path(tmp_path):
    """Text or a Path, resolved at once."""
    f = cached(cache=tmp_path / "there", code_version="1")(shape)
    f(1)
    assert (tmp_path / "there" / "registry").is_dir()
    assert cached(cache=str(tmp_path / "there"), code_version="1")(shape)(1) == 1


def test_a_relative_path_is_resolved_at_once(tmp_path, monkeypatch):
    """A later change of the working directory changes nothing."""
    monkeypatch.chdir(tmp_path)
    f = cached(cache="there", code_version="1")(shape)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    f(1)
    assert (tmp_path / "there" / "registry").is_dir()
    assert not os.listdir(tmp_path / "elsewhere")


def test_without_a_cache_the_default_one_is_used(tmp_path):
    """It is looked for when the function is called."""
    f = cached(code_version="1")(shape)
    assert not (tmp_path / "default-cache").exists()
    f(1)
    assert (tmp_path / "default-cache" / "registry").is_dir()


# The code


def test_code_version_stands_for_the_code(cache):
    """Results are reused until it changes."""
    one = cached(cache=cache, uri="family", code_version="1")(lambda x: "one")
    two = cached(cache=cache, uri="family", code_version="1")(lambda x: "two")
    three = cached(cache=cache, uri="family", code_version="2")(lambda x: "three")
    assert (one(1), two(1), three(1), one(1)) == ("one", "one", "three", "one")


def test_closure_values_count_beside_a_code_version(make):
    """A version says nothing of them."""

    def scaled(factor):
        def scale(x):
            CALLS.append(x)
            return factor * x

        return make(scale)

    assert (scaled(2)(3), scaled(5)(3), scaled(2)(3)) == (6, 15, 6)
    assert len(CALLS) == 2


def variants(cache, policy):
    return [
        cached(cache=cache, uri="family", on_code_change=policy)(function)
        for function in (lambda x: "old", lambda x: "new")
    ]


def test_recompute_is_the_default_and_keeps_old_results(cache):
    """Going back to the old code hits again."""
    old, new = variants(cache, "recompute")
    assert (old(1), new(1), old(1), new(1)) == ("old", "new", "old", "new")
    assert len(cache.search()) == 2


def test_raise_refuses_results_of_other_code(cache):
    """Only refresh computes a new version."""
    old, new = variants(cache, "raise")
    assert old(1) == "old"
    with pytest.raises(
        CodeChangedError, match=r"version 1 of .* was made by other code.*why\(\.\.\.\).*refresh"
    ) as caught:
        new(1)
    assert caught.value.version == 1
    assert new(2) == "new"
    assert new.refresh(1) == "new"
    assert new(1) == "new"
    assert old(1) == "old"


def test_ignore_takes_any_result(cache):
    """The newest, whatever code made it."""
    old, new = variants(cache, "ignore")
    assert (old(1), new(1)) == ("old", "old")
    new.refresh(1)
    assert old(1) == "new"


def test_warn_takes_any_result_and_says_so_once(cache):
    """One of the same code comes first, without a word."""
    old, new = variants(cache, "warn")
    assert old(1) == "old"
    with pytest.warns(UserWarning, match="version 1 was made by other code and is used all the same"):
        assert new(1) == "old"
    assert new(1) == "old"
    new.refresh(1)
    assert (old(1), new(1)) == ("old", "new")


def test_environment_variables_named_by_env_count(make, monkeypatch):
    """Also whether they are set at all."""
    f = make(env=("CACHEDECO_TEST_REGION",))
    results = []
    for value in ("north", "south", "north", "", None):
        if value is None:
            monkeypatch.delenv("CACHEDECO_TEST_REGION")
        else:
            monkeypatch.setenv("CACHEDECO_TEST_REGION", value)
        results.append(f(1))
    assert results == [1, 2, 1, 3, 4]


# What the decorator makes


def test_what_it_makes_is_a_plain_function_that_looks_like_the_one_given(make):
    """Name, text, signature and the function itself are kept."""
    import inspect
    import types

    f = make()
    assert type(f) is types.FunctionType
    assert (f.__name__, f.__qualname__, f.__module__, f.__doc__) == (
        "shape",
        "shape",
        __name__,
        shape.__doc__,
    )
    assert inspect.signature(f) == inspect.signature(shape)
    assert f.__wrapped__ is shape


def test_bare_and_with_options_make_the_same_thing(tmp_path):
    """Empty parentheses too."""
    assert cached(shape).key(1) == cached()(shape).key(1)


def test_wrong_arguments_are_the_functions_own_error(make):
    """And nothing is computed."""
    f = make()
    with pytest.raises(TypeError, match=r"shape\(\) missing 1 required positional argument: 'x'"):
        f()
    with pytest.raises(TypeError, match=r"shape\(\) got multiple values for argument 'x'"):
        f.item(1, x=1)
    assert not CALLS


def test_what_the_function_does_to_its_arguments_does_not_change_the_key(make):
    """The key is made before the function runs."""

    def drain(rows):
        CALLS.append(len(rows))
        rows.clear()
        return len(CALLS)

    f = make(drain)
    assert (f([1, 2]), f([1, 2]), f([])) == (1, 1, 2)


def test_an_argument_that_cannot_be_keyed_says_what_to_do(make):
    """It names the argument and the ways out."""
    with pytest.raises(KeyingError, match=r"x.*ignore=\('x',\)"):
        make()(each for each in [1])
    assert not CALLS


def test_a_script_and_a_worker_agree_on_the_name_of_a_function(tmp_path):
    """``__main__`` becomes the module's own name: run, run with -m, and imported are one family."""
    Path(tmp_path, "pipeline.py").write_text(
        "from cachedeco import cached\n@cached(cache='cache')\ndef f(x):\n    print('computing')\n"
        "    return x\nf(1)\n",
        encoding="utf-8",
    )
    said = [
        subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        for command in (
            [sys.executable, "pipeline.py"],
            [sys.executable, "-m", "pipeline"],
            [sys.executable, "-c", "import sys; sys.path.insert(0, ''); import pipeline"],
        )
    ]
    assert said == ["computing\n", "", ""]


def test_a_cache_that_cannot_be_made_is_told_at_decoration(tmp_path):
    """With the path."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot make the cache folder"):
        cached(cache=tmp_path / "file" / "cache")


def test_a_parameter_that_waits_for_an_output_needs_the_option(cache):
    """Otherwise the function would get the marker in the place of a path."""

    def report(x, output=OUTPUT):
        CALLS.append(output)

    for options in ({}, {"output": "return"}):
        with pytest.raises(OptionError, match="'output' has the default OUTPUT, but gets no path"):
            cached(cache=cache, **options)(report)

    def misnamed(x, target=OUTPUT):
        CALLS.append(target)

    with pytest.raises(OptionError, match="output: Path = OUTPUT"):
        cached(cache=cache, output="report.txt")(misnamed)


def test_a_cache_object_is_true_when_empty(tmp_path):
    """Else an empty one would be passed over for the default."""
    with Cache(tmp_path / "mine") as mine:
        f = cached(cache=mine, code_version="1")(shape)
        f(1)
        assert len(mine) == 1


@pytest.mark.parametrize(
    "options", [{"code_version": "1"}, {"on_code_change": "ignore"}, {"on_code_change": "warn"}]
)
def test_a_lambda_that_nothing_tells_from_others_is_refused(cache, options):
    """Two lambdas of one module have one name; where the code does not count, one would get the other's results."""
    with pytest.raises(OptionError, match="uri="):
        cached(cache=cache, **options)(lambda x: x)
    assert cached(cache=cache, uri="demo://double", **options)(lambda x: x * 2)(2) == 4

"""Markers in annotations."""

from __future__ import annotations

import dataclasses
import functools
import logging
import re
import threading
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Optional

import pytest

from cachedeco.errors import KeyingError, OptionError
from cachedeco.keys.arguments import Binder, Selection
from cachedeco.keys.content import Content, Contents
from cachedeco.keys.key import make_key
from cachedeco.keys.markers import ContentKey, KeyBy, KeyedBy, NoKey, Secret, Since

if TYPE_CHECKING:
    from nowhere import Elsewhere, UnknownMarker  # type: ignore[import-not-found]

InFile = Annotated[Path, ContentKey]
FLAG = "FLAG"


class aliases:  # noqa: N801
    """Stands for a module of aliases."""

    InFile = InFile


def params(function: Any, *args: object, **options: Any) -> dict[str, object]:
    binder = Binder(function)
    return Selection(binder, **options).params(binder.bind(args, {}))


def key(function: Any, *args: object) -> bytes:
    return make_key("u", params(function, *args))


@pytest.fixture
def data(tmp_path):
    """Return the path of a file."""
    path = tmp_path / "data.txt"
    path.write_text("content")
    return path


def test_nokey_removes():
    """A logger or a lock does not count, and need not be a value that can."""

    def f(x: int, log: Annotated[logging.Logger, NoKey], lock: Annotated[object, NoKey()] = None): ...

    assert params(f, 1, logging.getLogger("a"), threading.Lock()) == {"x": 1}


def test_secret_counts_but_is_known():
    """The value is in the params; the selection tells that it is secret."""

    def f(x: int, token: Annotated[str, Secret]): ...

    selection = Selection(Binder(f))
    arguments = {"x": 1, "token": "abc"}
    assert selection.params(arguments) is arguments
    assert selection.secrets == {"token"}
    assert key(f, 1, "abc") != key(f, 1, "abd")


def test_keyby_counts_what_the_function_returns():
    """Two arguments with one result have one key."""

    def f(x: Annotated[str, KeyBy(str.lower)]): ...

    assert key(f, "A") == key(f, "a") != key(f, "b")


def test_keyby_never_meets_the_plain_value_or_another_function():
    """Adding or changing KeyBy finds nothing of before."""

    def plain(x: int): ...

    def doubled(x: Annotated[int, KeyBy(lambda x: x * 2)]): ...

    def halved(x: Annotated[int, KeyBy(lambda x: x // 2)]): ...

    assert len({key(plain, 4), key(doubled, 2), key(halved, 8)}) == 3


def test_keyby_result_that_cannot_count_is_an_error_of_the_argument():
    """The path begins with the parameter."""

    def f(x: Annotated[object, KeyBy(lambda x: threading.Lock())]): ...

    with pytest.raises(KeyingError) as caught:
        key(f, 1)
    assert caught.value.path.startswith("x")


def test_since_leaves_the_parameter_out_at_its_value():
    """The key of before the parameter was added is found again, at exactly this value."""

    def before(x): ...

    def after(x, scale: Annotated[Any, Since(0)] = 0): ...

    assert key(before, 1) == key(after, 1) == key(after, 1, 0)
    assert len({key(after, 1, value) for value in (0, False, 0.0, -0.0, None, "0")}) == 6


def test_since_looks_inside_of_containers():
    """(True,) equals (1,) but is another value."""

    def f(x: Annotated[Any, Since((1, [2.0]))]): ...

    assert params(f, (1, [2.0])) == {}
    for value in ((True, [2.0]), (1, [2]), (1, (2.0,))):
        assert params(f, value) == {"x": value}


def test_since_another_value_than_the_default():
    """The value is what the function did before; the default may differ."""

    def f(x, scale: Annotated[int, Since(1)] = 2): ...

    assert params(f, 0) == {"x": 0, "scale": 2}
    assert params(f, 0, 1) == {"x": 0}


def test_contentkey_stands_for_the_content(data, tmp_path):
    """A copy under another name has the same key; another content, a path as text and a list do not."""

    def f(x: Annotated[Path, ContentKey]): ...

    def by_name(x: Path): ...

    copy = tmp_path / "copy.txt"
    copy.write_text("content")
    other = tmp_path / "other.txt"
    other.write_text("other")
    assert isinstance(params(f, data)["x"], Content)
    assert key(f, data) == key(f, str(copy))
    assert (
        len({key(f, data), key(f, other), key(f, [data]), key(f, (data,)), key(by_name, data), key(f, None)})
        == 6
    )


def test_contentkey_for_collected_arguments(data):
    """The annotation of *args and **kwargs is about each element."""

    def f(*paths: Annotated[Path, ContentKey], **named: Annotated[Path, ContentKey]): ...

    binder = Binder(f)
    chosen = Selection(binder).params(binder.bind((data,), {"a": data}))
    assert isinstance(chosen["paths"], Contents)
    assert isinstance(chosen["named"], Contents)
    assert isinstance(next(iter(chosen["paths"])), Content)


def test_keyby_for_collected_arguments():
    """The function gets one element at a time."""

    def f(*names: Annotated[str, KeyBy(len)], **more: Annotated[str, KeyBy(len)]): ...

    binder = Binder(f)
    chosen: Any = Selection(binder).params(binder.bind(("ab", "c"), {"k": "abc"}))
    assert [part.value for part in chosen["names"]] == [2, 1]
    assert {name: part.value for name, part in chosen["more"].items()} == {"k": 3}


def test_optional_markers_do_not_concern_none():
    """Annotated[...] | None is as usual for a default of None."""

    def f(
        x: Annotated[str, KeyBy(len)] | None = None,
        y: Optional[Annotated[str, KeyBy(len)]] = None,  # noqa: UP045
        z: Annotated[str | None, KeyBy(repr)] = None,
    ): ...

    chosen: Any = params(f)
    assert (chosen["x"], chosen["y"], chosen["z"].value) == (None, None, "None")
    assert params(f, "abc")["x"].value == 3


def test_aliases_are_followed(data):
    """An annotation that is but a name, or an attribute, may stand for a marked type."""

    def f(a: InFile, b: aliases.InFile, c: InFile | None): ...

    chosen = params(f, data, data, data)
    assert all(isinstance(value, Content) for value in chosen.values())


def test_annotations_may_be_objects(data):
    """Without text, with references inside, and from the signature of a wrapped function."""

    def f(a, b, c, d): ...

    f.__annotations__ = {
        "a": InFile,
        "b": typing.ForwardRef("InFile"),
        "c": Optional["InFile"],
        "d": Annotated["Elsewhere", ContentKey],
    }

    @functools.wraps(f)
    def outer(*args): ...

    assert all(isinstance(value, Content) for value in params(outer, data, data, data, data).values())


def test_types_for_checkers_only_do_not_matter():
    """As long as the marker itself exists at run time."""

    def f(
        x: Elsewhere,
        log: Annotated[Elsewhere, NoKey],
        lock: Annotated[Elsewhere.inner[int] | None, NoKey],
        y: Elsewhere | None = None,
    ): ...

    assert params(f, 1, 2, 3) == {"x": 1, "y": None}


def test_a_marker_that_cannot_be_resolved_is_refused():
    """It must not be passed over in silence; the error names the annotation."""

    def f(x: Annotated[int, UnknownMarker]): ...

    selection = Selection(Binder(f))
    for _ in range(2):
        with pytest.raises(OptionError, match=r"Annotated\[int, UnknownMarker\]' of 'x' cannot be resolved"):
            selection.params({"x": 1})


def test_an_annotation_that_is_no_expression_is_refused_if_it_looks_marked():
    """Other nonsense is left alone."""

    def f(x, y): ...

    f.__annotations__ = {"x": "in metres", "y": "int"}
    assert params(f, 1, 2) == {"x": 1, "y": 2}
    f.__annotations__ = {"x": "Annotated[int NoKey]"}
    with pytest.raises(OptionError, match="cannot be resolved"):
        params(f, 1, 2)


def test_an_alias_defined_below_the_function_is_found():
    """What is missing at decoration is looked up again at the first call."""
    namespace: dict[str, Any] = {}
    exec("def f(x: 'Later', y: 'int'): ...", namespace)
    selection = Selection(Binder(namespace["f"]))
    namespace["Later"] = Annotated[object, NoKey]
    assert selection.params({"x": 1, "y": 2}) == {"y": 2}


def test_text_that_means_text_is_followed():
    """Quoted under the future import, and a variable that holds its own name."""

    def f(x: "Annotated[int, NoKey]", y: FLAG, z: "FLAG"): ...  # type: ignore[valid-type]  # noqa: UP037

    assert params(f, 1, 2, 3) == {"y": 2, "z": 3}


def test_variables_of_the_enclosing_function_are_found():
    """If the function uses them, which is when they are in its closure."""
    marked = Annotated[int, NoKey]

    def f(x: marked, y: int):  # type: ignore[valid-type]
        return marked

    assert params(f, 1, 2) == {"y": 2}


def test_other_metadata_is_left_alone():
    """Annotated is used by other libraries too; literals are no annotations."""

    def f(x: Annotated[int, "metres", FLAG], y: Literal["InFile"], z: typing.Callable[..., int]): ...

    arguments = {"x": 1, "y": 2, "z": 3}
    assert Selection(Binder(f)).params(arguments) is arguments


@pytest.mark.parametrize(
    ("annotation", "problem"),
    [
        (Annotated[int, NoKey, ContentKey], "contradict"),
        (Annotated[int, NoKey, KeyBy(len)], "contradict"),
        (Annotated[int, ContentKey, KeyBy(len)], "contradict"),
        (Annotated[int, NoKey, Since(1)], "contradict"),
        (Annotated[int, NoKey, NoKey()], "NoKey is there twice"),
        (Annotated[int, Since(1), Since(2)], "Since is there twice"),
        (Annotated[int, KeyBy], "KeyBy needs an argument"),
        (Annotated[int, Since], "Since needs an argument"),
        (list[Annotated[Path, ContentKey]], "inside of another type"),
        (list["InFile"], "inside of another type"),
        (dict[str, InFile] | None, "inside of another type"),
        (InFile | str, "inside of another type"),
    ],
    ids=lambda each: re.sub(" at 0x[0-9a-f]+", "", str(each)),
)
def test_markers_that_make_no_sense_are_errors_at_decoration(annotation, problem):
    """The error names the parameter and the function."""

    def f(x): ...

    f.__annotations__ = {"x": annotation}
    with pytest.raises(OptionError, match=problem) as caught:
        Selection(Binder(f))
    assert "f: the annotation of 'x'" in str(caught.value)


def test_markers_against_options():
    """NoKey in params, a key for the output, Since for collected arguments."""

    def f(log: Annotated[int, NoKey], output: InFile = Path("a"), *rest: Annotated[int, Since(1)]): ...

    with pytest.raises(OptionError, match="'log', which is marked NoKey"):
        Selection(Binder(f), params=("log",))
    with pytest.raises(OptionError, match="remove its ContentKey"):
        Selection(Binder(f), output="output")
    with pytest.raises(OptionError, match=r"remove its Since\(\.\.\.\)"):
        Selection(Binder(f))


def test_keyby_needs_a_function():
    """At once, where it is written."""
    with pytest.raises(OptionError, match="write a function"):
        KeyBy(3)  # type: ignore[arg-type]


def test_markers_work_on_computed_params(data):
    """By the parameter's name; what is renamed is the function's own affair."""

    def f(x: InFile, log: Annotated[int, NoKey]): ...

    chosen = params(f, data, 1, params=lambda arguments: arguments | {"other": arguments["x"]})
    assert isinstance(chosen["x"], Content)
    assert chosen["other"] == data
    assert "log" not in chosen


def test_type_aliases_are_followed():
    """`type InFile = ...` is evaluated late; anything of that type name and shape is looked into."""

    @dataclasses.dataclass
    class TypeAliasType:
        __value__: Any

    def f(x): ...

    f.__annotations__ = {"x": TypeAliasType(Annotated[int, KeyBy(str)])}
    assert isinstance(params(f, 1)["x"], KeyedBy)


def test_a_type_alias_that_cannot_be_evaluated_is_refused():
    """Nobody can tell whether it is marked."""

    class TypeAliasType:
        @property
        def __value__(self):
            raise NameError("Elsewhere")

    def f(x): ...

    f.__annotations__ = {"x": TypeAliasType()}
    selection = Selection(Binder(f))
    with pytest.raises(OptionError, match="cannot be resolved"):
        selection.params({"x": 1})


def test_ignored_and_unselected_markers_do_nothing():
    """A file that does not count is not read."""

    def f(x: int, path: InFile): ...

    assert params(f, 1, "/does/not/exist", ignore=("path",)) == {"x": 1}
    assert params(f, 1, "/does/not/exist", params=("x",)) == {"x": 1}

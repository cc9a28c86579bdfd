"""Binding calls to names, and choosing which of them make the key."""

from __future__ import annotations

import functools
import inspect
import types
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachedeco.errors import OptionError
from cachedeco.keys.arguments import Binder, Selection
from cachedeco.record import MISSING


def bind(function: Any, *args: object, **kwargs: object) -> dict[str, object]:
    return Binder(function).bind(args, kwargs)


def select(function: Any, *args: object, **options: Any) -> dict[str, object]:
    binder = Binder(function)
    return Selection(binder, **options).params(binder.bind(args, {}))


def test_spellings_of_one_call_bind_alike():
    """Positions, names and defaults give the same arguments."""

    def f(x, y=2): ...

    expected = {"x": 1, "y": 2}
    assert bind(f, 1) == bind(f, x=1) == bind(f, 1, y=2) == bind(f, y=2, x=1) == bind(f, 1, 2) == expected


def test_arguments_come_in_the_order_of_declaration():
    """The order is that of the def, with *args before what is keyword-only."""

    def f(a, /, b, *rest, c, d=4, **more): ...

    bound = bind(f, 1, 2, 3, c=3, e=5)
    assert list(bound.items()) == [("a", 1), ("b", 2), ("rest", (3,)), ("c", 3), ("d", 4), ("more", {"e": 5})]
    assert Binder(f).names == ("a", "b", "rest", "c", "d", "more")


def test_positional_only_name_again_among_the_keywords():
    """A keyword of the name of a positional-only parameter goes to **kwargs."""

    def f(a, /, **kwargs): ...

    assert bind(f, 1, a=2) == {"a": 1, "kwargs": {"a": 2}}


def test_parameters_called_like_builtins_and_self():
    """Names that the binder might use itself are but names."""

    def f(self, dict, args, kwargs, stub, function): ...  # noqa: A002

    assert bind(f, 1, 2, 3, 4, 5, 6) == {
        "self": 1,
        "dict": 2,
        "args": 3,
        "kwargs": 4,
        "stub": 5,
        "function": 6,
    }


def test_many_parameters():
    """Three hundred parameters with defaults bind as well."""
    names = [f"p{number}" for number in range(300)]
    namespace: dict[str, Any] = {}
    exec(f"def f({', '.join(f'{name}={number}' for number, name in enumerate(names))}): ...", namespace)
    expected = {name: number for number, name in enumerate(names)}
    assert bind(namespace["f"]) == expected
    assert bind(namespace["f"], -1, p299=-2) == expected | {"p0": -1, "p299": -2}


def test_mutable_default_is_the_living_object():
    """A default that the function changes counts with its content of the moment."""

    def f(x, seen=[]):  # noqa: B006
        seen.append(x)

    binder = Binder(f)
    f(1)
    assert binder.bind((2,), {}) == {"x": 2, "seen": [1]}


def test_defaults_changed_later_are_used():
    """New __defaults__ and __kwdefaults__, or a changed one, are noticed."""

    def f(x=1, *, y=2): ...

    binder = Binder(f)
    f.__defaults__ = (10,)
    assert binder.bind((), {}) == {"x": 10, "y": 2}
    f.__kwdefaults__["y"] = 20
    assert binder.bind((), {}) == {"x": 10, "y": 20}
    f.__kwdefaults__ = {"y": 30}
    assert binder.bind((), {}) == {"x": 10, "y": 30}
    f.__defaults__ = None
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        binder.bind((), {})


def test_code_replaced_in_place_is_noticed():
    """Reloaders put new code into a living function; binder and selection follow."""

    def f(x, log=None): ...

    def newer(x, y=2, log=None): ...

    binder = Binder(f)
    selection = Selection(binder, ignore=("log",))
    f.__code__, f.__defaults__ = newer.__code__, newer.__defaults__
    assert selection.params(binder.bind((1,), {})) == {"x": 1, "y": 2}


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((), {}), ((1, 2, 3, 4), {}), ((1,), {"a": 1, "c": 1}), ((1,), {"c": 1, "zz": 1}), ((1,), {})],
)
def test_a_wrong_call_raises_the_error_of_the_call_itself(args, kwargs):
    """Type and message are those of calling the function."""

    class Holder:
        def f(a, b=1, *, c): ...  # noqa: N805

    with pytest.raises(TypeError) as of_call:
        Holder.f(*args, **kwargs)
    with pytest.raises(TypeError) as of_binding:
        Binder(Holder.f).bind(args, kwargs)
    assert str(of_binding.value) == str(of_call.value)


def test_wrapped_functions_are_seen_through():
    """A well-behaved decorator in between does not hide the parameters."""

    def f(x, y=2): ...

    @functools.wraps(f)
    def inner(*args, **kwargs): ...

    @functools.wraps(inner)
    def outer(*args, **kwargs): ...

    assert bind(outer, 1) == {"x": 1, "y": 2}
    assert Binder(outer).function is f


def test_an_explicit_signature_counts():
    """A decorator that changes the parameters says so in __signature__."""

    def f(x, session): ...

    @functools.wraps(f)
    def outer(*args, **kwargs): ...

    parameters = list(inspect.signature(f).parameters.values())
    outer.__signature__ = inspect.Signature([parameters[0], parameters[1].replace(default=7)])
    assert bind(outer, 1) == {"x": 1, "session": 7}
    outer.__signature__ = inspect.Signature([])
    assert bind(outer) == {}


def test_an_explicit_signature_of_every_kind():
    """All kinds of parameters come through a signature object."""

    def f(a, /, b, c=3, *rest, d, e=5, **more): ...

    def outer(*args, **kwargs): ...

    outer.__signature__ = inspect.signature(f)
    assert bind(outer, 1, 2, d=4, z=6) == bind(f, 1, 2, d=4, z=6)
    assert Binder(outer).default("e") == 5


def test_a_wrapped_builtin_lends_its_signature():
    """wraps() around a C function takes its text signature, or else the wrapper's own parameters."""

    @functools.wraps(len)
    def size(*args): ...

    @functools.wraps(max)
    def largest(*args): ...

    assert bind(size, "abc") == {"obj": "abc"}
    assert bind(largest, 1, 2) == {"args": (1, 2)}


def test_a_wrapper_written_in_c_is_seen_through():
    """lru_cache keeps the function as __wrapped__, also below other decorators."""

    @functools.lru_cache
    def f(x, y=2): ...

    @functools.wraps(f)
    def outer(*args): ...

    assert bind(f, 1) == bind(outer, 1) == {"x": 1, "y": 2}


def test_wrapping_in_a_circle_is_an_error():
    """__wrapped__ that leads back is refused instead of followed for ever."""

    def f(): ...

    f.__wrapped__ = f
    with pytest.raises(OptionError, match="wraps itself"):
        Binder(f)


def test_partial_arguments_are_arguments():
    """A partial object is keyed like the call that it makes, also when nested."""

    def f(x, y, z=3): ...

    once = functools.partial(f, 1, z=4)
    twice = functools.partial(once, 2, z=5)
    assert bind(once, 2) == bind(f, 1, 2, 4)
    assert bind(once, 2, z=9) == bind(f, 1, 2, 9)
    assert bind(twice) == bind(f, 1, 2, 5)
    with pytest.raises(TypeError, match="multiple values for argument 'x'"):
        bind(once, x=1)


def test_bound_method_has_its_object_as_argument():
    """The object of a bound method is its first argument."""

    class Holder:
        def f(self, x): ...

    holder = Holder()
    assert bind(holder.f, 1) == {"self": holder, "x": 1}


@pytest.mark.parametrize(
    ("thing", "advice"),
    [
        (len, "not a Python function"),
        (functools.partial(len), "not a Python function"),
        (dict, "it is a class"),
        (classmethod(lambda cls: cls), "below @classmethod"),
        (staticmethod(lambda: 1), "below @staticmethod"),
        (property(lambda self: self), "below @property"),
        (types.SimpleNamespace(), "cannot be called"),
    ],
)
def test_what_is_no_python_function_is_refused(thing, advice):
    """The error says what it is and what to do."""
    with pytest.raises(OptionError, match=advice):
        Binder(thing)


def test_defaults_are_told_by_name():
    """default() knows both kinds, and MISSING."""

    def f(a, b=2, *rest, c, d=None): ...

    binder = Binder(f)
    assert [binder.default(name) for name in binder.names] == [MISSING, 2, MISSING, MISSING, None]


_names = st.lists(st.sampled_from("abcdefgh"), unique=True, min_size=1, max_size=6)


@given(data=st.data(), names=_names)
def test_binding_agrees_with_calling(data, names):
    """For any signature and call, the function sees the same arguments or refuses in the same words."""
    kinds = sorted(data.draw(st.lists(st.sampled_from("pqr"), min_size=len(names), max_size=len(names))))
    first_default = data.draw(st.integers(0, len(names)))
    variadic = data.draw(st.booleans())
    parts: list[str] = []
    for position, (name, kind) in enumerate(zip(names, kinds, strict=True)):
        if kind == "r" and "r" not in kinds[:position]:
            parts.append("*rest" if variadic else "*")
        parts.append(f"{name}={position}" if position >= first_default else name)
        if kind == "p" and "p" not in kinds[position + 1 :]:
            parts.append("/")
    head = ", ".join(parts) + (", **more" if variadic else "")
    namespace: dict[str, Any] = {}
    exec(f"def f({head}): return locals()", namespace)
    function = namespace["f"]
    args = tuple(data.draw(st.lists(st.integers(), max_size=7)))
    kwargs = data.draw(st.dictionaries(st.sampled_from("abcdefghij"), st.integers(), max_size=4))
    try:
        expected = function(*args, **kwargs)
    except TypeError as error:
        with pytest.raises(TypeError) as caught:
            Binder(function).bind(args, kwargs)
        assert str(caught.value) == str(error)
    else:
        assert Binder(function).bind(args, kwargs) == expected
        assert list(Binder(function).names) == list(inspect.signature(function).parameters)


def test_all_arguments_are_handed_on_as_they_are():
    """Without options, the params are the arguments themselves."""

    def f(x, y=2): ...

    binder = Binder(f)
    arguments = binder.bind((1,), {})
    assert Selection(binder).params(arguments) is arguments


def test_params_names_select():
    """Only the names in params count, in the order of declaration."""

    def f(x, y, z): ...

    assert list(select(f, 1, 2, 3, params=("z", "x")).items()) == [("x", 1), ("z", 3)]
    assert select(f, 1, 2, 3, params=()) == {}


def test_params_mapping_adds():
    """A mapping is added to the arguments."""

    def f(x): ...

    assert select(f, 1, params={"release": 7}) == {"x": 1, "release": 7}


def test_params_function_replaces():
    """A function's mapping is used in place of the arguments; it cannot change them."""

    def f(x, y, log=None): ...

    def compute(arguments):
        arguments["y"] = "changed"
        return {"sum": arguments["x"], "log": arguments["log"]}

    binder = Binder(f)
    arguments = binder.bind((1, 2), {})
    selection = Selection(binder, params=compute, ignore=("log",))
    assert selection.params(arguments) == {"sum": 1}
    assert arguments == {"x": 1, "y": 2, "log": None}
    assert selection.names is None


@pytest.mark.parametrize("result", [None, [("x", 1)], {1: 2}, {"<code>": 1}])
def test_params_function_must_return_a_mapping_with_proper_names(result):
    """Anything else is an error that says so."""

    def f(x): ...

    with pytest.raises(OptionError, match=r"params\(arguments\)"):
        select(f, 1, params=lambda arguments: result)


def test_ignore_removes():
    """Ignored arguments do not count, *args and **kwargs included."""

    def f(x, *rest, log=None, **more): ...

    assert select(f, 1, 2, ignore=["log", "rest", "more"]) == {"x": 1}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"params": ("nope",)}, "params names 'nope', but its parameters are: x, y, output"),
        ({"ignore": ("nope",)}, "ignore names 'nope'"),
        ({"params": "year"}, r"params=\('year',\)"),
        ({"ignore": "year"}, r"ignore=\('year',\)"),
        ({"params": b"x"}, "write a tuple of names"),
        ({"ignore": 3}, "write a tuple of names"),
        ({"ignore": {"x": 1}}, "write a tuple of names"),
        ({"params": (1,)}, "contains 1"),
        ({"params": ("x", "y"), "ignore": ("y",)}, "'y' is both in params and in ignore"),
        ({"params": {"z": 1}, "ignore": ("z",)}, "'z' is both in params and in ignore"),
        ({"params": {"x": 1}}, "has a parameter of that name"),
        ({"params": {"<x>": 1}}, "reserved"),
        ({"params": {3: 1}}, "names are str"),
        ({"params": ("output",), "output": "output"}, "takes the output file"),
        ({"ignore": ("output",), "output": "output"}, "takes the output file"),
        ({"output": "target"}, "target: Path = OUTPUT"),
        ({"output": "x"}, "needs a default"),
    ],
)
def test_contradictions_are_errors_at_decoration(options, problem):
    """Each says what is wrong, in which function, and what to do."""

    def f(x, y=2, output="here"): ...

    with pytest.raises(OptionError, match=problem) as caught:
        Selection(Binder(f), **options)
    assert "test_contradictions_are_errors_at_decoration.<locals>.f" in str(caught.value)


def test_output_that_cannot_be_passed_by_name_is_refused():
    """The cache hands the path in by name."""

    def f(x, output=1, /): ...

    def g(*output): ...

    for function in (f, g):
        with pytest.raises(OptionError, match="passed by name"):
            Selection(Binder(function), output="output")


def test_output_never_counts_and_is_never_passed():
    """It is not in the params, and passing it is a TypeError that says so."""

    def f(x, output=Ellipsis): ...

    binder = Binder(f)
    selection = Selection(binder, output="output")
    assert selection.params(binder.bind((1,), {})) == {"x": 1}
    with pytest.raises(TypeError, match="must not be passed 'output'"):
        selection.params(binder.bind((1,), {"output": "mine.csv"}))
    seen: list[object] = []
    computing = Selection(binder, output="output", params=lambda arguments: seen.append(arguments) or {})
    computing.params(binder.bind((1,), {}))
    assert seen == [{"x": 1}]


def test_a_changed_output_default_is_not_taken_for_a_passed_one():
    """New defaults of a living function are followed here too."""

    def f(x, output=1): ...

    binder = Binder(f)
    selection = Selection(binder, output="output")
    f.__defaults__ = (object(),)
    assert selection.params(binder.bind((1,), {})) == {"x": 1}

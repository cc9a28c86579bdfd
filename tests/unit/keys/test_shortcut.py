"""The short road of a call gives the key of the long one, or none."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachedeco.errors import OptionError
from cachedeco.keys import shortcut
from cachedeco.keys.arguments import Binder, Selection
from cachedeco.keys.key import make_key
from cachedeco.keys.markers import KeyBy, NoKey, Since
from cachedeco.keys.shortcut import NO_LAYOUT, Shortcut


class Text(str):
    """Equal to its base, and not the same."""

    __slots__ = ()


LEAVES = st.sampled_from(
    [None, True, False, 0, 1, 1.0, -0.0, 0.0, float("nan"), 1j, "", "1", "\ud800", b"1", b"", ..., 2**70]
)
ANY = (
    LEAVES
    | st.lists(LEAVES, max_size=2)
    | st.dictionaries(st.sampled_from("ab"), LEAVES, max_size=2)
    | st.sampled_from([Text("1"), Decimal(1), np.float64(1), np.int64(1), bytearray(b"1"), range(2)])
)


def both(function: Any, *args: object, **kwargs: object) -> tuple[bytes | None, bytes]:
    """The key by the short road and by the long one."""
    binder = Binder(function)
    selection = Selection(binder)
    key, layout, values = Shortcut(binder, selection, "u").take(args, kwargs)
    arguments = binder.bind(args, kwargs)
    assert layout.arguments(values) == arguments
    params = selection.params(arguments)
    assert list(layout.params(layout.arguments(values))) == list(params)
    return key, make_key("u", params)


@given(ANY, ANY, ANY)
def test_both_roads_give_one_key(x, y, z):
    """A key by the short road is that of the long one; there is none if an argument is not plain."""

    def f(z, /, x, *, y): ...

    key, expected = both(f, z, x=x, y=y)
    plain = all(type(value).__module__ == "builtins" for value in (x, y, z))
    plain = plain and not {bytearray, range} & set(map(type, (x, y, z)))
    assert key == (expected if plain else None)


@given(st.lists(LEAVES, max_size=3), st.dictionaries(st.sampled_from(["a", "b", "c"]), LEAVES, max_size=3))
def test_collected_arguments(rest, more):
    """What ``*args`` and ``**kwargs`` collect takes the short road, too."""

    def f(*rest, **more): ...

    key, expected = both(f, *rest, **more)
    assert key == expected


def test_defaults_and_spellings():
    """Defaults are filled in, and the spelling of a call does not count."""

    def f(b, a=2, *, c=3): ...

    keys = {both(f, 1), both(f, b=1), both(f, 1, 2), both(f, c=3, a=2, b=1)}
    assert len(keys) == 1
    assert len(set(*keys)) == 1


def test_function_without_parameters():
    """It has one key."""

    def f(): ...

    assert len(set(both(f))) == 1


def test_one_parameter():
    """Its value is not taken for the tuple of all of them."""

    def f(x): ...

    assert len({both(f, (1,)), both(f, ((1,),)), both(f, 1)}) == 3
    assert all(key == expected for key, expected in (both(f, x) for x in ((1,), ((1,),), 1)))


def test_parameters_with_names_that_the_shortcut_uses():
    """Names of built-in functions, and of what the compiled expression uses, are but names."""

    def f(type, digest, head, dumps, LEAVES, layout, values, key_of, _, __values): ...  # noqa: A002, N803

    key, expected = both(f, *range(10))
    assert key == expected


def test_arguments_that_do_not_count_may_be_anything():
    """The key is that of the chosen ones; the others are bound, too."""

    def f(x, log, y=2): ...

    binder = Binder(f)
    log = object()
    key, layout, values = Shortcut(binder, Selection(binder, ignore=("log",)), "u").take((1, log), {})
    assert key == make_key("u", {"x": 1, "y": 2})
    assert layout.arguments(values) == {"x": 1, "log": log, "y": 2}
    assert layout.params(layout.arguments(values)) == {"x": 1, "y": 2}
    assert layout.uri == "u"

    def marked(x, log: Annotated[object, NoKey], y=2): ...

    binder = Binder(marked)
    assert Shortcut(binder, Selection(binder), "u").take((1, log), {})[0] == key


def _key_by(x: Annotated[int, KeyBy(str)]): ...


def _since(x: Annotated[int, Since(1)] = 1): ...


def _plain(x): ...


@pytest.mark.parametrize(
    ("function", "options", "uri"),
    [
        (_key_by, {}, "u"),
        (_since, {}, "u"),
        (_plain, {"params": {"added": 1}}, "u"),
        (_plain, {"params": lambda arguments: arguments}, "u"),
        (_plain, {}, None),
    ],
    ids=["KeyBy", "Since", "added", "computed", "uri of each call"],
)
def test_no_short_road_where_something_else_counts(function, options, uri):
    """If the params are not the arguments as they stand, the call goes the long road."""
    binder = Binder(function)
    found = Shortcut(binder, Selection(binder, **options), uri).take((1,), {})
    assert found == (None, NO_LAYOUT, ())


def test_function_that_was_changed_in_place():
    """New code and new defaults, as reloading tools put them in, count at once."""

    def f(x, y=2, *, z=3): ...

    def g(a, y=2, *, z=3): ...

    binder = Binder(f)
    take = Shortcut(binder, Selection(binder), "u").take
    assert take((1,), {})[0] == make_key("u", {"x": 1, "y": 2, "z": 3})
    f.__defaults__ = (4,)
    assert take((1,), {})[0] == make_key("u", {"x": 1, "y": 4, "z": 3})
    f.__kwdefaults__ = {"z": 5}
    assert take((1,), {})[0] == make_key("u", {"x": 1, "y": 4, "z": 5})
    f.__kwdefaults__["z"] = 6
    assert take((1,), {})[0] == make_key("u", {"x": 1, "y": 4, "z": 6})
    f.__code__ = g.__code__
    assert take((1,), {})[0] == make_key("u", {"a": 1, "y": 4, "z": 6})


def test_call_that_does_not_fit():
    """The error is the one of the call itself."""

    def f(x): ...

    binder = Binder(f)
    take = Shortcut(binder, Selection(binder), "u").take
    for args, kwargs in (((), {}), ((1, 2), {}), ((1,), {"x": 1}), ((1,), {"z": 1})):
        with pytest.raises(TypeError) as expected:
            f(*args, **kwargs)
        with pytest.raises(TypeError) as caught:
            take(args, kwargs)
        assert str(caught.value) == str(expected.value)


def test_markers_that_cannot_be_read():
    """They are complained of at each call until they can be."""

    def f(x: "Annotated[int, NotYet]"): ...  # noqa: F821, UP037 - is meant

    binder = Binder(f)
    take = Shortcut(binder, Selection(binder), "u").take
    for _ in range(2):
        with pytest.raises(OptionError, match="NotYet"):
            take((1,), {})
    f.__globals__["NotYet"] = KeyBy(str)
    try:
        assert take((1,), {})[1] is NO_LAYOUT
    finally:
        del f.__globals__["NotYet"]


def test_string_that_marshal_has_no_room_for(monkeypatch):
    """Such a call goes the long road, from its beginning."""

    def no_room(*_):
        raise ValueError("unmarshallable object")

    def f(x): ...

    monkeypatch.setattr(shortcut, "dumps", no_room)
    binder = Binder(f)
    assert Shortcut(binder, Selection(binder), "u").take(("large",), {}) == (None, NO_LAYOUT, ())

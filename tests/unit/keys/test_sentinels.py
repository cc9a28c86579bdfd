"""Parameters left at a default that has no content."""

from __future__ import annotations

import sys
import threading
from typing import Annotated, Any

import pytest

from cachedeco.errors import KeyingError
from cachedeco.keys.arguments import Binder, Selection
from cachedeco.keys.describe import describe
from cachedeco.keys.key import make_key
from cachedeco.keys.markers import Since
from cachedeco.keys.shortcut import Shortcut

LEFT = object()
LOCK = threading.Lock()


class Nothing:
    """A sentinel that refuses to be pickled."""

    def __reduce__(self):
        raise TypeError("there is only one")


def params(function: Any, *args: object, **options: Any) -> dict[str, object]:
    binder = Binder(function)
    return Selection(binder, **options).params(binder.bind(args, {}))


def key(function: Any, *args: object, **options: Any) -> bytes:
    return make_key("u", params(function, *args, **options))


@pytest.mark.parametrize(
    "default", [LEFT, LOCK, sys.stderr, Nothing()], ids=["object", "lock", "file", "own"]
)
def test_parameter_left_at_a_default_without_content(default):
    """It has a key, the same however the default was given, and another one than any value has."""

    def f(x, y=default): ...

    assert key(f, 1) == key(f, 1, default)
    assert len({key(f, 1), key(f, 2), key(f, 1, None), key(f, 1, ())}) == 4
    assert key(f, 1, ignore=("x",)) != key(f, 1)


def test_key_is_the_same_in_each_process():
    """Nothing of the default gets into it."""

    def f(x, y=LEFT): ...

    def g(x, y=LOCK): ...

    assert key(f, 1) == key(g, 1) == key(f, 1, params=lambda arguments: {"y": LEFT, "x": 1})
    assert key(f, 1).hex() == "6c72894336df39bdf0f7309d30bf8e25"


@pytest.mark.parametrize("other", [object(), LOCK, [LEFT]], ids=["object", "lock", "in a list"])
def test_other_values_without_content_are_refused(other):
    """Only the default itself means that the parameter was left."""

    def f(x, y=LEFT): ...

    with pytest.raises(KeyingError, match="'y'"):
        key(f, 1, other)
    with pytest.raises(KeyingError, match="'x'"):
        key(f, LEFT)


def test_default_with_content_is_keyed_by_it():
    """A default that is not plain, but has content, is not replaced."""
    day = range(3)

    def f(x=day): ...

    assert params(f) == {"x": day}
    assert params(f)["x"] is day


def test_no_shortcut_past_a_sentinel():
    """The short road leaves such a call to the long one."""

    def f(x, y=LEFT): ...

    binder = Binder(f)
    assert Shortcut(binder, Selection(binder), "u").take((1,), {})[0] is None
    assert Shortcut(binder, Selection(binder), "u").take((1, 2), {})[0] == key(f, 1, 2)


def test_sentinel_added_since():
    """A parameter that was added with such a default keeps the old keys while it is left."""

    def old(x): ...

    def new(x, y: Annotated[object, Since(LEFT)] = LEFT): ...

    assert key(old, 1) == key(new, 1) != key(new, 1, 2)


def test_description_shows_the_default():
    """People see its type."""

    def f(x, y=LEFT): ...

    assert describe(params(f, 1))["y"]["type"] == "object"
    assert describe(params(f, 1))["y"]["preview"] == "<builtins.object>"

"""The key of a uri and parameters."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachedeco.errors import KeyingError
from cachedeco.keys import fingerprint, plain
from cachedeco.keys.key import make_key, param_digests

_leaves = (
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.text(max_size=3) | st.binary(max_size=3)
)
_values = st.recursive(
    _leaves, lambda inner: st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple), max_leaves=5
)
_params = st.dictionaries(st.text(max_size=3), _values, max_size=4)


class Keyed:
    """Not plain, so that a call with it takes the long road."""

    def __init__(self, value):
        self.value = value

    def __cachedeco_key__(self):
        return self.value


def test_a_key_has_128_bits():
    """16 bytes, whatever the parameters are."""
    assert (
        len(make_key("u", {}))
        == len(make_key("u", {"x": [1] * 1000}))
        == len(make_key("u", {"x": Keyed(1)}))
        == 16
    )


@pytest.mark.parametrize("extra", [{}, {"k": Keyed(1)}])
def test_order_of_parameters_does_not_count(extra):
    """On both roads."""
    assert make_key("u", {"a": 1, "b": 2, **extra}) == make_key("u", {**extra, "b": 2, "a": 1})


@pytest.mark.parametrize("extra", [{}, {"k": Keyed(1)}])
def test_everything_else_counts(extra):
    """Uri, names, values and their types, and where a value sits; on both roads."""
    calls = [
        ("u", {}),
        ("v", {}),
        ("u", {"a": 1}),
        ("u", {"b": 1}),
        ("u", {"a": True}),
        ("u", {"a": 1.0}),
        ("u", {"a": "1"}),
        ("u", {"a": b"1"}),
        ("u", {"a": (1,)}),
        ("u", {"a": [1]}),
        ("u", {"a": None}),
        ("u", {"a": 1, "b": 2}),
        ("u", {"a": 2, "b": 1}),
        ("u", {"a": {"b": 2}}),
        ("u", {"ab": 2}),
        ("ua", {"b": 2}),
    ]
    keys = {make_key(uri, params | extra) for uri, params in calls}
    assert len(keys) == len(calls)


@given(_params, _params)
def test_keys_agree_exactly_when_the_values_do(one, other):
    """The encoding of the parameters as one dict decides."""
    same = plain.encode(one) == plain.encode(other)
    assert (make_key("u", one) == make_key("u", other)) is same


def test_the_roads_cannot_meet():
    """A plain call whose values are the digests of another call has a key of its own."""
    params = {"a": Keyed(1), "b": 2}
    assert make_key("u", params) != make_key("u", dict(param_digests(params)))


def test_digests_are_the_fingerprints():
    """What is stored for people is what `fingerprint` gives."""
    assert param_digests({"a": [1], "b": None}) == {
        "a": fingerprint.digest([1]),
        "b": fingerprint.digest(None),
    }


def test_an_error_names_the_parameter():
    """The path begins with the argument's name."""
    rows = [1, 2, {"lock": __import__("threading").Lock()}]
    with pytest.raises(KeyingError, match="rows") as caught:
        make_key("u", {"a": 1, "rows": rows})
    assert caught.value.path.startswith("rows[2]")


@pytest.mark.parametrize("params", [{1: 2}, {"a": 1, 2: 3}, {None: Keyed(1)}, {"a": 1, None: 2}])
def test_names_must_be_text(params):
    """A dict of other keys is refused, as 1 and "1" would look alike to people."""
    with pytest.raises(KeyingError, match="not a str"):
        make_key("u", params)


def test_the_uri_must_be_text():
    """A path or None is refused, on both roads."""
    for params in ({}, {"k": Keyed(1)}):
        with pytest.raises(KeyingError, match="uri"):
            make_key(None, params)


_SCRIPT = """
from cachedeco.keys.key import make_key
print(make_key("u", {"s": {"a", "b", "c"}, "d": {"x": {1, 2}}, "f": frozenset("xyz")}).hex())
print(make_key("u", {"s": {"a", "b", "c"}, "d": range(3)}).hex())
"""


def test_keys_do_not_depend_on_the_hash_seed():
    """Processes with different seeds agree."""
    outputs = {
        subprocess.run(
            [sys.executable, "-c", _SCRIPT],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(outputs) == 1


def test_the_encoding_has_not_changed():
    """A new encoding needs a new scheme number; then these digests are renewed."""
    assert make_key("py://m/f", {}).hex() == "27cfb12d143f748805c85a10c5e2b67b"
    assert (
        make_key("py://m/f", {"x": 1, "y": "two", "z": [3.0, None]}).hex()
        == "da7ac6afabc9d8cc3b5c7853a55e59c5"
    )
    assert make_key("py://m/f", {"x": range(3), "y": "two"}).hex() == "a33c7e187e7cbc3ba6e76ef34b86dc59"


def _redefined(factor):
    """A class that is called like all others made here, as after a cell of a notebook was run again."""
    names = {"__name__": __name__}
    exec(f"class Model:\n    def apply(self, x):\n        return x * {factor}\n", names)
    return names["Model"]


def test_classes_of_one_name_cannot_change_places():
    """Where two classes of a name meet in a call, their code tells whose instance is where."""
    one, other, same = _redefined(1), _redefined(2), _redefined(1)
    calls = [
        {"a": one(), "b": other()},
        {"a": other(), "b": one()},
        {"a": [one(), other()], "b": 1},
        {"a": [other(), one()], "b": 1},
        {"a": {1: one(), 2: {"x": other()}}, "b": 1},
        {"a": {1: other(), 2: {"x": one()}}, "b": 1},
    ]
    assert len({make_key("u", params) for params in calls}) == len(calls)
    assert make_key("u", {"a": one(), "b": other()}) == make_key("u", {"a": same(), "b": other()})
    assert fingerprint.digest([one(), other()]) != fingerprint.digest([other(), one()])


def test_class_of_which_there_is_one_in_a_call_is_known_by_its_name():
    """Its code counts as code: running a cell again does not change the key."""
    assert make_key("u", {"a": _redefined(1)(), "b": 1}) == make_key("u", {"a": _redefined(2)(), "b": 1})

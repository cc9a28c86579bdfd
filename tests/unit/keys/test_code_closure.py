"""What a function has bound: values for the key, code for the digest."""

from __future__ import annotations

import functools
import math
import threading

import pytest

from cachedeco import cached
from cachedeco.errors import KeyingError
from cachedeco.keys.code import Code


def outer(value):
    """Return a function that has bound the value."""

    def inner(x):
        return (x, value)

    return inner


def test_values_in_cells_are_bound_values():
    """A cell's value is returned by the variable's name and leaves the digest alone."""
    one, two = Code(outer(1)), Code(outer([2]))
    assert one.closure() == {"value": 1}
    assert two.closure() == {"value": [2]}
    assert one.digest() == two.digest()


def test_functions_classes_and_modules_in_cells_are_code():
    """Code in a cell counts in the digest and is no value."""
    codes = [
        Code(outer(bound))
        for bound in (len, max, int, str, math, outer, test_functions_classes_and_modules_in_cells_are_code)
    ]
    assert all(code.closure() == {} for code in codes)
    assert len({code.digest() for code in codes}) == len(codes)


def test_code_behind_a_cell_is_followed():
    """A change in a function that a cell holds changes the digest."""
    digests = {Code(outer(function)).digest() for function in (lambda: 1, lambda: 2)}
    assert len(digests) == 2


def test_cell_that_turns_from_value_to_code_is_seen():
    """Once a cell holds a function, the function counts."""
    value: object = 1

    def inner():
        return value

    code = Code(inner)
    first = code.digest()
    value = len
    assert code.digest() != first
    assert code.closure() == {}


def test_recursive_function_in_its_own_cell_ends():
    """A nested function that calls itself has itself in a cell."""

    def walk(n):
        return walk(n - 1) if n else 0

    assert Code(walk).closure() == {}
    assert len(Code(walk).digest()) == 16


def test_empty_cell_is_neither_value_nor_error():
    """A variable that is not assigned yet is left out, and seen when it is."""

    def inner():
        return later

    code = Code(inner)
    assert code.closure() == {}
    first = code.digest()
    later = len
    assert code.digest() != first


def test_partial_arguments_are_bound_values():
    """A partial's arguments belong to the key, under names that no parameter has."""

    def add(x, y, z):
        return x + y + z

    code = Code(functools.partial(add, 1, z=3))
    assert code.closure() == {"args[0]": 1, "kwargs[z]": 3}
    assert code.digest() == Code(functools.partial(add, 2)).digest() == Code(add).digest()


def test_object_of_a_bound_method_is_a_bound_value():
    """A bound method's object belongs to the key."""

    class Model:
        def fit(self):
            return 1

    model = Model()
    assert Code(model.fit).closure() == {"__self__": model}


def test_values_of_a_function_in_a_cell_are_bound_values():
    """What a bound function has bound in turn is named after the cell."""
    assert Code(outer(outer(5))).closure() == {"value.value": 5}
    assert Code(outer(functools.partial(outer, 6))).closure() == {"value.args[0]": 6}


def test_code_inside_a_bound_partial_counts():
    """The function of a partial in a cell is code, its arguments are values."""
    one, two, three = (
        Code(outer(functools.partial(*bound))) for bound in ((outer, 1), (outer, 2), (make_other, 1))
    )
    assert one.digest() == two.digest() != three.digest()


def make_other(value):
    """Differ from `outer`."""
    return value


def test_plain_function_has_nothing_bound():
    """A function without cells has an empty closure."""
    assert Code(make_other).closure() == {}


def bind_list(lock):
    """Return a function that has bound a lock in a list."""
    held = [lock]
    return lambda x: (x, held)


def bind_method(lock):
    """Return a method of an object that holds a lock."""

    class Guarded:
        def __init__(self) -> None:
            self.lock = lock

        def run(self, x: int) -> int:
            return x

    return Guarded().run


@pytest.mark.parametrize(
    ("bind", "path"),
    [
        (outer, "<value>"),
        (bind_list, "<held>[0]"),
        (lambda lock: functools.partial(lambda one, x: x, lock), "<args[0]>"),
        (bind_method, "<__self__>.lock"),
    ],
    ids=["cell", "part", "partial", "method"],
)
def test_unkeyable_bound_value_is_not_told_to_be_ignored(cache, bind, path):
    """No option names what a function has bound, so the error says what else helps."""
    function = cached(cache=cache, uri="bound://value")(bind(threading.Lock()))
    with pytest.raises(KeyingError) as caught:
        function(1)
    assert caught.value.path == path
    assert "make it a parameter" in str(caught.value)
    assert "ignore=('<" not in str(caught.value)
    assert "argument '<" not in str(caught.value)


def test_ways_out_for_a_bound_value_lead_out(cache):
    """As an ignored parameter and as a global the lock is in nobody's way."""
    lock = threading.Lock()

    @cached(cache=cache, ignore=("guard",))
    def with_parameter(x, guard):
        with guard:
            return x

    assert with_parameter(1, lock) == with_parameter(1, threading.Lock()) == 1
    namespace = {"__name__": "subject", "LOCK": lock}
    exec(compile("def with_global(x):\n    with LOCK:\n        return x\n", "<global>", "exec"), namespace)
    assert cached(cache=cache)(namespace["with_global"])(2) == 2

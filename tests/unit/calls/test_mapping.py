"""Many calls at once: only what is missing is computed, and one that fails does not lose the others."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import pytest
from joblib.externals.loky import get_reusable_executor

from cachedeco import MapError, OptionError, cached


@cached(ignore=("log",))
def square(number, log=None):
    """Squares, notes that it ran, and does not like 13."""
    if log is not None:
        with open(log, "a", encoding="utf-8") as file:
            file.write(f"{number}\n")
    if number == 13:
        raise ValueError("thirteen")
    return number * number


def computed(log):
    """The numbers that were computed, in order."""
    if not os.path.exists(log):
        return []
    with open(log, encoding="utf-8") as file:
        numbers = sorted(map(int, file))
    os.unlink(log)
    return numbers


@pytest.fixture
def log(tmp_path):
    """Where computations are noted."""
    return str(tmp_path / "log")


def test_missing_names_what_is_not_stored_each_once():
    """In the order in which it was asked for."""
    square(2)
    assert square.missing([1, 2, 3, 3, 1]) == [1, 3]


def test_missing_gives_tuples_for_several_iterables(log):
    """As the function would be called."""
    assert square.missing([1, 2], [log, log]) == [(1, log), (2, log)]


def test_results_come_in_the_order_of_the_arguments(log):
    """Stored or computed."""
    square(2, log)
    assert square.map([3, 2, 1], [log] * 3) == [9, 4, 1]
    assert computed(log) == [1, 2, 3]


def test_equal_calls_are_computed_once(log):
    """Each gets the result."""
    assert square.map([5, 5, 5], [log] * 3) == [25, 25, 25]
    assert computed(log) == [5]


def test_what_is_stored_is_not_computed_again(log):
    """A second map is all hits."""
    square.map(range(5), [log] * 5)
    computed(log)
    assert square.map(range(5), [log] * 5) == [0, 1, 4, 9, 16]
    assert computed(log) == []


def test_one_that_fails_does_not_lose_the_others(log):
    """They are computed and stored before the error is raised, which says which one it was."""
    with pytest.raises(MapError, match="thirteen") as caught:
        square.map([12, 13, 14], [log] * 3)
    assert list(caught.value.failures) == [1]
    assert caught.value.results[::2] == [144, 196]
    assert isinstance(caught.value.__cause__, ValueError)
    assert square.missing([12, 13, 14]) == [13]


def test_exceptions_can_be_had_in_the_places_of_results():
    """As `asyncio.gather` does it."""
    first, second = square.map([13, 2], return_exceptions=True)
    assert isinstance(first, ValueError)
    assert second == 4


def test_what_is_stored_comes_first_as_completed():
    """With the position of each."""
    square(3)
    assert list(square.map([1, 2, 3], as_completed=True)) == [(2, 9), (0, 1), (1, 4)]


def test_an_executor_of_threads_computes(log):
    """What is missing, and nothing else."""
    square(1, log)
    with ThreadPoolExecutor(2) as executor:
        assert square.map(range(4), [log] * 4, executor=executor) == [0, 1, 4, 9]
    assert computed(log) == [0, 1, 2, 3]


def test_an_executor_of_processes_stores_for_all(log):
    """What a worker has computed is a hit here."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        assert square.map(range(4), [log] * 4, executor=executor) == [0, 1, 4, 9]
    assert square.missing(range(4)) == []


def test_joblib_computes(log):
    """With as many jobs as asked for."""
    try:
        assert square.map(range(4), [log] * 4, n_jobs=2) == [0, 1, 4, 9]
    finally:
        get_reusable_executor().shutdown(wait=True)
    assert square.missing(range(4)) == []


def test_thousands_of_keys_are_looked_up_in_few_statements(cache, monkeypatch):
    """Not one statement a key."""
    function = cached(cache=cache)(square.__wrapped__)
    function.map(range(10))
    asked = []
    read_all = cache.store.pool.read_all
    monkeypatch.setattr(cache.store.pool, "read_all", lambda *args: asked.append(args) or read_all(*args))
    assert len(function.missing(range(2000))) == 1990
    assert len(asked) == 4


def test_nothing_to_map_is_refused():
    """With what is needed."""
    with pytest.raises(OptionError, match="at least one iterable"):
        square.map()


def test_a_generator_cannot_be_mapped(cache):
    """Its calls have no result of their own."""

    @cached(cache=cache)
    def numbers(count):
        yield from range(count)

    with pytest.raises(OptionError, match="generator"):
        numbers.map([1])

"""Errors: one root, two parents, facts, a sentence; they survive the way between processes."""

from __future__ import annotations

import pickle

import pytest

from cachedeco import errors
from cachedeco.errors import CachedecoError

KINDS = [
    kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, CachedecoError)
]


@pytest.mark.parametrize("kind", KINDS)
def test_it_survives_pickling(kind):
    """Sentence and facts arrive whole."""
    error = kind("what, where, what to do", path="a.b", names=["f", "g"])
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error) == "what, where, what to do"
    assert (again.path, again.names) == ("a.b", ["f", "g"])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not CachedecoError])
def test_it_is_also_a_built_in_error(kind):
    """Who catches the built-in one catches ours, and its name ends in Error."""
    built_in = [base for base in kind.__mro__ if base.__module__ == "builtins"]
    assert built_in[0] not in {Exception, BaseException, object}
    assert issubclass(kind, CachedecoError)
    assert kind.__name__.endswith("Error")


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_sentence_its_meaning_is_one(kind):
    """An error is never silent."""
    assert str(kind()) == kind.__doc__.partition("\n")[0]


def test_a_pickled_error_keeps_its_cause_out():
    """The cause may be anything; its text is in the facts where it matters."""
    error = errors.PreviousFailureError("it failed", traceback="Traceback ...")
    error.__cause__ = ValueError("original")
    assert pickle.loads(pickle.dumps(error)).traceback == "Traceback ..."


def test_the_warning_is_the_users():
    """It can be filtered as such."""
    assert issubclass(errors.StoreWarning, UserWarning)

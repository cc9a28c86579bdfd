"""Changes that hide behind what belongs to others: each of them once gave a stale result."""

from __future__ import annotations

import dataclasses
import enum

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import Pipeline

from cachedeco.keys.code import Code


def transformer(factor):
    """A user's class, as it stands in one edition of his file."""
    names = {"BaseEstimator": BaseEstimator, "TransformerMixin": TransformerMixin, "__name__": "edition"}
    exec(
        f"class Mine(TransformerMixin, BaseEstimator):\n    def transform(self, X): return X * {factor}\n",
        names,
    )
    return names["Mine"]()


def use(held):
    """What the cached function is, in all cases."""
    return held


@pytest.mark.parametrize(
    "hold",
    [
        lambda value: Pipeline([("step", value)]),
        lambda value: np.array([value], dtype=object),
        lambda value: pd.DataFrame({"column": pd.Series([value], dtype=object)}),
        lambda value: pd.Series([value], dtype=object),
    ],
    ids=["pipeline", "array", "frame", "series"],
)
def test_code_of_what_an_installed_object_holds_counts(hold):
    """A pipeline runs its steps, a column of objects their methods."""
    code = Code(use)
    assert code.digest({"held": hold(transformer(2))}) != code.digest({"held": hold(transformer(3))})
    assert code.digest({"held": hold(transformer(2))}) == code.digest({"held": hold(transformer(2))})


def test_fields_of_a_dataclass_made_at_run_time_count():
    """It says that it comes from the standard library, and does not."""

    def made(default):
        return dataclasses.make_dataclass("P", [("x", int, dataclasses.field(default=default))])()

    code = Code(use)
    assert code.digest({"held": made(1)}) != code.digest({"held": made(5)})


def test_private_members_of_an_enumeration_count():
    """Its methods may read them."""

    def made(weight):
        class Size(enum.Enum):
            SMALL = 1

            @property
            def _weight(self):
                return 10 if weight == 10 else 20

        Size._factor = weight
        return Size.SMALL

    code = Code(use)
    assert code.digest({"held": made(10)}) != code.digest({"held": made(20)})

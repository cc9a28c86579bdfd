"""Fingerprints of values of libraries that are optional: polars, xarray, attrs, pydantic."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from cachedeco.keys.fingerprint import fingerprint


def all_differ(values):
    return len(set(map(fingerprint, values))) == len(values)


def polars_columns(pl):
    return {
        "ints": pl.Series([1, None, 3, 4]),
        "floats": pl.Series([1.5, None, float("nan"), -0.0]),
        "bools": pl.Series([True, None, False, True]),
        "texts": pl.Series(["a", None, "", "ü"]),
        "binary": pl.Series([b"a", None, b"", b"b"]),
        "dates": pl.Series([dt.date(2020, 1, 1), None, dt.date(2020, 1, 2), dt.date(2020, 1, 3)]),
        "moments": pl.Series([1, None, 3, 4]).cast(pl.Datetime("us", "UTC")),
        "decimals": pl.Series([Decimal("1.0"), None, Decimal("2.5"), Decimal("3.5")]),
        "categories": pl.Series(["a", None, "b", "c"], dtype=pl.Categorical),
        "enum": pl.Series(["a", None, "b", "c"], dtype=pl.Enum(["c", "b", "a"])),
        "lists": pl.Series([[1], None, [], [2, None]]),
        "arrays": pl.Series([[1, 2], None, [3, 4], [5, None]], dtype=pl.Array(pl.Int64, 2)),
        "structs": pl.Series([{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}, {"a": 4, "b": None}]),
        "wide": pl.Series([1, None, 3, 4], dtype=pl.Int128),
    }


def test_polars():
    """Chunks and slices of polars columns do not count, elements and types do."""
    pl = pytest.importorskip("polars")
    columns = polars_columns(pl)
    for column in columns.values():
        longer = pl.concat([column, column], rechunk=False)
        assert longer.n_chunks() == 2
        assert fingerprint(longer) == fingerprint(longer.rechunk())
        assert fingerprint(longer[4:]) == fingerprint(longer[:4]) == fingerprint(column)
        assert all_differ([column, column[1:], column[:3], column.gather([0, 1, 3, 2]), column.alias("a")])
    frames = [pl.DataFrame({"a": column}) for column in columns.values()]
    assert all_differ([*columns.values(), *frames])
    assert all_differ([pl.Series(text) for text in (["ab", "c"], ["a", "bc"], ["abc", None], [None, "abc"])])
    frame = pl.DataFrame({"a": [1], "b": [2]})
    assert all_differ([frame, frame.select("b", "a"), frame.rename({"a": "c"}), pl.concat([frame, frame])])
    assert fingerprint(frame) == fingerprint(frame.select("b", "a").select("a", "b"))


def test_polars_without_numpy(monkeypatch):
    """The fingerprint does not depend on numpy, which is optional for polars."""
    pl = pytest.importorskip("polars")
    columns = polars_columns(pl).values()
    expected = list(map(fingerprint, columns))
    monkeypatch.setattr("cachedeco.keys.hashers.polars_frames.find_spec", lambda _: None)
    assert list(map(fingerprint, columns)) == expected


def test_xarray():
    """Dimensions, values, coordinates, names, attributes and encoding count."""
    xr = pytest.importorskip("xarray")
    array = xr.DataArray(
        np.arange(4.0).reshape(2, 2),
        dims=("x", "y"),
        coords={"x": [0, 1], "y": ["a", "b"]},
        name="n",
        attrs={"k": 1},
    )
    assert fingerprint(array) == fingerprint(array.copy(deep=True)) == fingerprint(array.T.T)
    encoded = array.copy()
    encoded.encoding["dtype"] = "f4"
    times = [pd.date_range("2020", periods=2, freq="D"), pd.DatetimeIndex(["2020-01-01", "2020-01-02"])]
    values = [
        array,
        array + 1,
        array.T,
        array.rename("m"),
        array.assign_attrs(k=2),
        array.assign_coords(x=[1, 2]),
        array.drop_vars("x"),
        array.rename({"x": "z"}),
        array.astype("f4"),
        array.variable,
        array.to_dataset(),
        array.to_dataset().assign_attrs(k=1),
        array.to_dataset(name="m"),
        encoded,
        *(xr.DataArray([1, 2], dims="t", coords={"t": time}) for time in times),
    ]
    assert all_differ(values)
    stacked = array.stack(z=("x", "y"))  # noqa: PD013 - it is no frame
    assert fingerprint(stacked) == fingerprint(stacked.copy(deep=True))


def test_attrs():
    """Attributes count; a hash that fills when it is asked for does not."""
    attrs = pytest.importorskip("attrs")
    kinds = [
        attrs.make_class(name, ["x", "y"], **options)
        for name, options in {
            "Slotted": {"slots": True},
            "Plain": {"slots": False},
            "Hashed": {"slots": False, "frozen": True, "cache_hash": True},
            "Both": {"slots": True, "frozen": True, "cache_hash": True},
        }.items()
    ]
    for kind in kinds:
        value = kind(1, "a")
        before = fingerprint(value)
        if kind.__name__ in {"Hashed", "Both"}:
            assert hash(value) == hash(kind(1, "a"))
        assert fingerprint(value) == before == fingerprint(kind(1, "a"))
        assert all_differ([kind(1, 2), kind(2, 1), kind(1, (2,)), kind(1.0, 2)])
    assert all_differ([kind(1, 2) for kind in kinds])


def test_pydantic():
    """Fields, extra and private values count, and which fields were given."""
    pydantic = pytest.importorskip("pydantic")

    class Model(pydantic.BaseModel, extra="allow"):
        x: int = 1
        tags: set[str] = set()  # noqa: RUF012 - pydantic copies defaults
        _hidden: int = pydantic.PrivateAttr(0)

    assert fingerprint(Model(x=1, tags={"a", "b"})) == fingerprint(Model(tags={"b", "a"}, x=1))
    hidden = Model(x=1)
    hidden._hidden = 1
    values = [Model(), Model(x=1), Model(x=2), Model(x=1, tags={"a"}), Model(x=1, other=2), hidden]
    assert all_differ(values)

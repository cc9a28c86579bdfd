"""Keys of values beside joblib.hash, in one run: medians of interleaved rounds, and how many times faster.

    python benchmarks/keys.py [--rounds N] [--json]

The last cases are the key of a whole call, with the binding of its arguments, beside joblib's: of a call that
takes the short road, as those of plain values do, and of one that does not. Nothing of a call is remembered for
the next one, so that it makes no difference whether its arguments are new.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import pandas as pd
from joblib.func_inspect import filter_args
from measure import interleaved, machine, shown

from cachedeco.keys.arguments import Binder, Selection
from cachedeco.keys.fingerprint import digest
from cachedeco.keys.key import make_walked_key
from cachedeco.keys.shortcut import Shortcut

if TYPE_CHECKING:
    from collections.abc import Callable

SHORT = 2000  # repetitions of what takes microseconds
SHORT_CALL = "call f(1, 'two', c=3.0)"
LONG_CALL = "call f(1, 'two', c=date)"
BUDGET = {
    "100 MB array of floats": 10,
    "50,000 small dicts": 20,
    "50,000 nested dicts": None,
    "frame of 1,000,000 mixed rows": 4,
    "the same frame, strings as objects": None,
    "10,000 dataclasses with a date": None,
    "(1, 'two', 3.0)": None,
    SHORT_CALL: 40,
    LONG_CALL: None,
}
"""How many times as fast as joblib each case has to be, where that is promised."""


@dataclass
class Event:
    """A record that is not plain."""

    number: int
    day: dt.date


def function(a: int, b: str, c: float = 0.0) -> None:
    """The function that is called in the last case."""


def frame(rows: int) -> pd.DataFrame:
    """A frame of the usual columns: numbers, text, times, categories, booleans."""
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "number": np.arange(rows),
            "amount": random.random(rows),
            "name": [f"name {number % 5000}" for number in range(rows)],
            "time": pd.date_range("2020", periods=rows, freq="s"),
            "kind": pd.Categorical(np.array(["a", "b", "c"])[random.integers(0, 3, rows)]),
            "flag": random.random(rows) < 0.5,
        }
    )


def values() -> dict[str, Any]:
    """The value of each case but the last."""
    mixed = frame(1_000_000)
    day = dt.date(2020, 1, 1)
    return {
        "100 MB array of floats": np.random.default_rng(0).random(12_500_000),
        "50,000 small dicts": [
            {"id": number, "name": f"name {number}", "score": number / 7} for number in range(50_000)
        ],
        "50,000 nested dicts": [
            {"id": number, "tags": ["a", "b"], "at": {"x": number, "y": number / 7}}
            for number in range(50_000)
        ],
        "frame of 1,000,000 mixed rows": mixed,
        "the same frame, strings as objects": mixed.astype({"name": object}),
        "10,000 dataclasses with a date": [Event(number, day) for number in range(10_000)],
        "(1, 'two', 3.0)": (1, "two", 3.0),
    }


def timed(run: Callable[[], object], repeat: int) -> Callable[[], float]:
    """Return one measurement: seconds of one of so many runs."""

    def measure() -> float:
        begun = time.perf_counter()
        for _ in range(repeat):
            run()
        return (time.perf_counter() - begun) / repeat

    return measure


def call_runs(c: object) -> dict[str, Callable[[], float]]:
    """The key of a call: binding, defaults filled in, digest."""
    uri, binder = "py://benchmark/function", Binder(function)
    take = Shortcut(binder, Selection(binder), uri).take

    def ours() -> bytes:
        key, layout, values = take((1, "two"), {"c": c})
        return make_walked_key(uri, layout.arguments(values)) if key is None else key

    def joblibs() -> str:
        return str(joblib.hash(filter_args(function, [], (1, "two"), {"c": c})))

    return {"cachedeco": timed(ours, SHORT), "joblib": timed(joblibs, SHORT)}


def value_runs(value: Any) -> dict[str, Callable[[], float]]:
    """The digest of one value, by us and by joblib."""
    repeat = SHORT if isinstance(value, tuple) else 1
    return {
        "cachedeco": timed(lambda: digest(value), repeat),
        "joblib": timed(lambda: joblib.hash(value), repeat),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print figures as JSON")
    options = parser.parse_args()
    runs = {name: value_runs(value) for name, value in values().items()}
    runs[SHORT_CALL] = call_runs(3.0)
    runs[LONG_CALL] = call_runs(dt.date(2020, 1, 1))
    results = {name: interleaved(pair, options.rounds) for name, pair in runs.items()}
    versions = machine("cachedeco", "xxhash", "joblib", "numpy", "pandas", "pyarrow")
    if options.json:
        print(json.dumps({"machine": versions, "seconds": results}))
        return
    print(versions)
    for name, medians in results.items():
        ratio = medians["joblib"] / medians["cachedeco"]
        promised = "" if BUDGET[name] is None else f" (budget {BUDGET[name]} x)"
        ours, theirs = shown(medians["cachedeco"]), shown(medians["joblib"])
        print(f"{name:36} cachedeco {ours:>8}, joblib {theirs:>8}: {ratio:.1f} x{promised}")


if __name__ == "__main__":
    main()

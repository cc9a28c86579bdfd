"""Calls of a cached function beside joblib.Memory and diskcache, all in one run.

    python benchmarks/run.py [hit] [miss] [cold] [--rounds N] [--json]

The figures are medians of interleaved rounds. A time alone says little on another machine; the ratio does.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from measure import interleaved, machine, shown

if TYPE_CHECKING:
    from collections.abc import Callable

PEERS = ("cachedeco", "diskcache", "joblib")
CALLS = 500


def work(x: int, y: int = 2) -> tuple[int, int]:
    """The function that is cached: as cheap as a function can be."""
    return x, y


def decorated(peer: str, folder: str) -> Callable[..., tuple[int, int]]:
    """The function, cached by one of the peers in a folder of its own."""
    if peer == "cachedeco":
        from cachedeco import Cache, cached

        return cached(cache=Cache(folder))(work)
    if peer == "diskcache":
        from diskcache import Cache as DiskCache

        return DiskCache(folder).memoize()(work)
    from joblib import Memory

    return Memory(folder, verbose=0).cache(work)


def hit(root: Path) -> dict[str, Callable[[], float]]:
    """A small value that is stored: seconds per call."""

    def prepare(peer: str) -> Callable[[], float]:
        function = decorated(peer, str(root / f"hit-{peer}"))
        function(1)

        def run() -> float:
            start = time.perf_counter()
            for _ in range(CALLS):
                function(1)
            return (time.perf_counter() - start) / CALLS

        return run

    return {peer: prepare(peer) for peer in PEERS}


def miss(root: Path) -> dict[str, Callable[[], float]]:
    """A call that is new, of a function that costs nothing: seconds per call."""

    def prepare(peer: str) -> Callable[[], float]:
        function = decorated(peer, str(root / f"miss-{peer}"))
        numbers = iter(range(10**9))

        def run() -> float:
            start = time.perf_counter()
            for _ in range(CALLS):
                function(next(numbers))
            return (time.perf_counter() - start) / CALLS

        return run

    return {peer: prepare(peer) for peer in PEERS}


def cold(root: Path) -> dict[str, Callable[[], float]]:
    """The first hit of a fresh process, with the start of the interpreter and all imports: seconds."""

    def prepare(peer: str) -> Callable[[], float]:
        folder = str(root / f"cold-{peer}")
        command = [sys.executable, __file__, "--one-call", peer, folder]
        subprocess.run(command, check=True)

        def run() -> float:
            start = time.perf_counter()
            subprocess.run(command, check=True)
            return time.perf_counter() - start

        return run

    return {peer: prepare(peer) for peer in PEERS}


SCENARIOS = {"hit": hit, "miss": miss, "cold": cold}


def main() -> None:
    """Run the scenarios asked for and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scenario", nargs="*", help=f"any of: {', '.join(SCENARIOS)}; default all")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true", help="figures in seconds as JSON")
    options = parser.parse_args()
    unknown = set(options.scenario) - set(SCENARIOS)
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    figures = {}
    with tempfile.TemporaryDirectory() as root:
        for name in options.scenario or SCENARIOS:
            figures[name] = interleaved(SCENARIOS[name](Path(root)), options.rounds)
    on = machine(*PEERS)
    if options.json:
        print(json.dumps({"machine": on, "seconds": figures}, indent=2))
        return
    print(on)
    print(f"\n| work | {' | '.join(PEERS)} | of diskcache | of joblib |")
    print("|---|" + "---|" * (len(PEERS) + 2))
    for name, seconds in figures.items():
        times = " | ".join(shown(seconds[peer]) for peer in PEERS)
        ratios = " | ".join(f"{seconds['cachedeco'] / seconds[peer]:.2f} x" for peer in PEERS[1:])
        print(f"| {name} | {times} | {ratios} |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one-call"]:
        decorated(*sys.argv[2:4])(1)
    else:
        main()

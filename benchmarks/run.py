"""Calls of a cached function beside its peers, all in one run.

    python benchmarks/run.py [hit] [again] [miss] [processes] [many] [cold] [--rounds N] [--full] [--json]

hit: a small value that is stored, from the disk. again: the same with what each may keep in memory. miss: a call that
is new, of a function that costs nothing. processes: the same in four processes at once. many: a registry with many
items. cold: the first hit of a fresh process, imports included.

The figures are medians of interleaved rounds. A time alone says little on another machine; the ratio does. Peers that
are not installed are left out and named: pip install "cachedeco[benchmarks]" brings them.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from measure import interleaved, machine, shown
from peers import LIMIT, PERSISTENT, decorated, present

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Runs = dict[str, Callable[[], float]]

SECONDS, CALLS = 0.05, 300
"""A round calls a function until the one has passed or the other is reached; but ten times at least."""

PROCESSES, EACH = 4, 200
SIZES = (1_000, 10_000, 100_000)
NEWEST = 10


def hit(root: Path) -> Runs:
    """A small value that is stored, from the disk: seconds per call."""
    return _hits(root, "hit", PERSISTENT, remembers=False)


def again(root: Path) -> Runs:
    """The same in the process that has had it before: seconds per call."""
    return _hits(root, "again", (*PERSISTENT, LIMIT), remembers=True)


def _hits(root: Path, name: str, peers: tuple[str, ...], *, remembers: bool) -> Runs:
    runs: Runs = {}
    for peer in present(peers):
        function = decorated(peer, str(root / f"{name}-{peer}"), remembers=remembers)
        function(1)
        runs[peer] = _round(function, itertools.repeat(1))
    return runs


def miss(root: Path) -> Runs:
    """A call that is new, of a function that costs nothing: seconds per call."""
    return {
        peer: _round(decorated(peer, str(root / f"miss-{peer}")), itertools.count())
        for peer in present(PERSISTENT)
    }


def processes(root: Path) -> Runs:
    """New calls in four processes at once, from a common start to the end of the last: seconds per call."""
    numbers = itertools.count()

    def prepare(peer: str) -> Callable[[], float]:
        def run() -> float:
            folder = str(root / f"processes-{peer}-{next(numbers)}")
            return _at_once([[peer, folder, str(first * EACH)] for first in range(PROCESSES)])

        return run

    # cachier and exca lock one file for each call, and are made for other work.
    return {peer: prepare(peer) for peer in present(PERSISTENT) if peer not in {"cachier", "exca"}}


def cold(root: Path) -> Runs:
    """The first hit of a fresh process, with the start of the interpreter and all imports: seconds."""
    # Installed packages are compiled; a tree that is worked on becomes so at the first call.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    program = "import sys; from peers import decorated; decorated(*sys.argv[1:])(1)"

    def prepare(peer: str) -> Callable[[], float]:
        command = [sys.executable, "-c", program, peer, str(root / f"cold-{peer}")]
        here = Path(__file__).parent
        subprocess.run(command, check=True, cwd=here, env=environment)

        def run() -> float:
            start = time.perf_counter()
            subprocess.run(command, check=True, cwd=here, env=environment)
            return time.perf_counter() - start

        return run

    return {peer: prepare(peer) for peer in present(PERSISTENT)}


SCENARIOS = {"hit": hit, "again": again, "miss": miss, "processes": processes, "cold": cold}


def many(root: Path, sizes: tuple[int, ...], rounds: int) -> dict[str, dict[str, float]]:
    """Caches of growing size: seconds of a hit of any item, a miss, a search for the newest of those that match."""
    runs: Runs = {}
    for size in sizes:
        runs.update(_filled(str(root / f"many-{size}"), size))
    figures: dict[str, dict[str, float]] = {}
    for name, seconds in interleaved(runs, rounds).items():
        what, _, size = name.rpartition(" ")
        figures.setdefault(size, {})[what] = seconds
    return figures


def _filled(folder: str, size: int) -> Runs:
    from cachedeco import Cache
    from cachedeco.registry.items import Filter
    from cachedeco.registry.ordering import NEWEST_FIRST

    function = decorated("cachedeco", folder, remembers=False)
    for number in range(size):
        if number % (size // 20) == 0:
            Cache(folder).create("benchmark://rare", {"n": number}, {"batch": 7}, label="rare")
        function(number)
    items = Cache(folder).store.items
    anyone = random.Random(size)  # noqa: S311 - the same items in each run
    wanted = {
        "newest of all": {"uri": "benchmark://work"},
        "newest of a uri": {"uri": "benchmark://rare"},
        "newest of a label": {"label": "rare"},
        "newest of an attribute": {"attrs": {"batch": 7}},
    }
    runs = {
        f"hit {size}": _round(function, iter(lambda: anyone.randrange(size), None)),
        f"miss {size}": _round(function, itertools.count(size)),
    }
    for name, conditions in wanted.items():
        look = _round(
            lambda each: items.search(Filter(**each), order=NEWEST_FIRST, limit=NEWEST),
            itertools.repeat(conditions),
        )
        runs[f"{name} {size}"] = look
    return runs


def _round(function: Callable[..., object], arguments: Iterator[object]) -> Callable[[], float]:
    def run() -> float:
        start = time.perf_counter()
        for calls in range(1, CALLS + 1):
            function(next(arguments))
            passed = time.perf_counter() - start
            if passed > SECONDS and calls >= 10:
                break
        return passed / calls

    return run


def _at_once(each: list[list[str]]) -> float:
    """Seconds per call of processes that begin together."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    started = [subprocess.Popen([sys.executable, __file__, "--misses", *one], **pipes) for one in each]
    try:
        for child in started:
            assert child.stdout.readline() == "ready\n"
        start = time.perf_counter()
        for child in started:
            child.stdin.write("go\n")
            child.stdin.flush()
        for child in started:
            assert child.stdout.readline() == "done\n"
        return (time.perf_counter() - start) / (len(each) * EACH)
    finally:
        for child in started:
            child.communicate()


def _misses(peer: str, folder: str, first: str) -> None:
    """What one of several processes does: get ready, wait for the start, call."""
    function = decorated(peer, folder)
    function(-1 - int(first))
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(int(first), int(first) + EACH):
        function(number)
    print("done", flush=True)


def main() -> None:
    """Run the scenarios asked for and print a table."""
    known = [*SCENARIOS, "many"]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scenario", nargs="*", help=f"any of: {', '.join(known)}; default all")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--full", action="store_true", help="many: up to 1,000,000 items; takes minutes")
    parser.add_argument("--json", action="store_true", help="figures in seconds as JSON")
    options = parser.parse_args()
    unknown = set(options.scenario) - set(known)
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    wanted = options.scenario or known
    figures, sizes = {}, {}
    with tempfile.TemporaryDirectory() as root:
        for name in [name for name in wanted if name != "many"]:
            figures[name] = interleaved(SCENARIOS[name](Path(root)), options.rounds)
        if "many" in wanted:
            sizes = many(Path(root), (*SIZES, 1_000_000) if options.full else SIZES, options.rounds)
    on = machine(*PERSISTENT)
    if options.json:
        print(json.dumps({"machine": on, "seconds": figures, "many": sizes}, indent=2))
        return
    print(on)
    if figures:
        _print_peers(figures)
    if sizes:
        _print_many(sizes)


def _print_peers(figures: dict[str, dict[str, float]]) -> None:
    peers = [*PERSISTENT, LIMIT]
    print(f"\n| work | {' | '.join(peers)} | of diskcache | of joblib |")
    print("|---|" + "---|" * (len(peers) + 2))
    for name, seconds in figures.items():
        times = [shown(seconds[peer]) if peer in seconds else "-" for peer in peers]
        ratios = [
            f"{seconds['cachedeco'] / seconds[peer]:.2f} x" if peer in seconds else "-"
            for peer in ("diskcache", "joblib")
        ]
        print(f"| {name} | {' | '.join([*times, *ratios])} |")


def _print_many(sizes: dict[str, dict[str, float]]) -> None:
    first = next(iter(sizes.values()))
    print(f"\n| items | {' | '.join(first)} | hit, of the smallest |")
    print("|---|" + "---|" * (len(first) + 1))
    for size, seconds in sizes.items():
        times = " | ".join(map(shown, seconds.values()))
        print(f"| {int(size):,} | {times} | {seconds['hit'] / first['hit']:.2f} x |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--misses"]:
        _misses(*sys.argv[2:5])
    else:
        main()

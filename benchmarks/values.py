"""Storing and loading values beside joblib, diskcache, checkpointer and plain pickle, all in one run.

    python benchmarks/values.py [array] [frame] [small] [peak] [--rounds N] [--folder PATH] [--json]

The figures are medians of interleaved rounds, and ratios to what the budget speaks of. A folder in memory
(such as /dev/shm) measures the code, one on a disk mostly the disk. Peers that are not installed are left
out.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from measure import interleaved, machine, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    Peer = tuple[Callable[[int], object], Callable[[int], object]]  # store a number's value, load it

ARRAY_BYTES = 200_000_000
FRAME_ROWS = 1_000_000
CALLS = 2000
NUMBERS = count(1)

value: Any = None  # what every function returns: computing it must cost nothing


def produce(number: int) -> Any:
    """The function that is cached; number 0 is for making the folders, and large values follow."""
    return value if number else None


def decorated(function: Callable[[int], Any]) -> Peer:
    """A peer that is a decorator: storing is a miss, loading is a hit."""
    function(0)
    return function, function


def cachedeco_peer(folder: str) -> Peer:
    """The decorator of this library."""
    from cachedeco import Cache, cached

    # With a version of its own, because otherwise the global that `produce` returns is a part of its code and
    # hashed with each call, which no peer does.
    return decorated(cached(cache=Cache(folder), code_version="1")(produce))


def serializer_peer(folder: str) -> Peer:
    """The default serializer alone, writing to a bare file: the rest of the library shows beside it."""
    from cachedeco.values.table import choose, get

    def store(number: int) -> None:
        with open(f"{folder}/{number}", "wb", buffering=0) as file:
            choose(value).pack(value).write(file)

    return store, lambda number: get("pickle").load(f"{folder}/{number}")


def pickle_peer(folder: str) -> Peer:
    """The pickle module, as one would use it by hand."""

    def store(number: int) -> None:
        with open(f"{folder}/{number}", "wb") as file:
            pickle.dump(value, file, 5)

    def load(number: int) -> object:
        with open(f"{folder}/{number}", "rb") as file:
            return pickle.load(file)

    return store, load


def joblib_peer(folder: str) -> Peer:
    """joblib.Memory."""
    from joblib import Memory

    return decorated(Memory(folder, verbose=0).cache(produce))


def joblib_map_peer(folder: str) -> Peer:
    """joblib.Memory with maps that the caller may change."""
    from joblib import Memory

    return decorated(Memory(folder, verbose=0, mmap_mode="c").cache(produce))


def diskcache_peer(folder: str) -> Peer:
    """diskcache, with room for large values."""
    from diskcache import Cache

    return decorated(Cache(folder, size_limit=2**40).memoize()(produce))


def checkpointer_peer(folder: str) -> Peer:
    """Checkpointer."""
    from checkpointer import checkpoint

    return decorated(checkpoint(directory=folder, verbosity=0)(produce))


def write_peer(folder: str) -> Peer:
    """One write of the array's bytes, and one read of them: as little as can be."""

    def store(number: int) -> None:
        with open(f"{folder}/{number}", "wb", buffering=0) as file:
            file.write(value.data.cast("B"))

    def load(number: int) -> np.ndarray[Any, Any]:
        return np.fromfile(f"{folder}/{number}")

    return store, load


PEERS: dict[str, Callable[[str], Peer]] = {
    "one write": write_peer,
    "cachedeco": cachedeco_peer,
    "serializer": serializer_peer,
    "pickle": pickle_peer,
    "joblib": joblib_peer,
    "joblib mmap": joblib_map_peer,
    "diskcache": diskcache_peer,
    "checkpointer": checkpointer_peer,
}
LIBRARIES = {"joblib mmap": "joblib"}


def present(*without: str) -> dict[str, Callable[[str], Peer]]:
    """The peers that are installed."""
    own = ("one write", "serializer")
    return {
        name: peer
        for name, peer in PEERS.items()
        if name not in without and (name in own or find_spec(LIBRARIES.get(name, name)))
    }


def timed(action: Callable[[int], object], number: int) -> float:
    """Seconds of one call, what it returns thrown away."""
    start = time.perf_counter()
    action(number)
    return time.perf_counter() - start


def storing(name: str, folder: str) -> Callable[[], float]:
    """One run of a peer: store the value in a folder of its own, which exists already."""

    def run() -> float:
        own = tempfile.mkdtemp(dir=folder)
        try:
            return timed(PEERS[name](own)[0], next(NUMBERS))
        finally:
            shutil.rmtree(own)

    return run


def loading(name: str, folder: str, use: Callable[[Any], object] | None = None) -> Callable[[], float]:
    """One run of a peer: load the value, which was stored once, and perhaps read through it."""
    own = tempfile.mkdtemp(dir=folder)
    store, load = PEERS[name](own)
    number = next(NUMBERS)
    store(number)
    return lambda: timed((lambda at: use(load(at))) if use else load, number)


def array(folder: str, rounds: int) -> dict[str, dict[str, float]]:
    """A large array: stored, loaded, and loaded and summed."""
    global value  # noqa: PLW0603 - what `produce` returns
    value = np.random.default_rng(0).random(ARRAY_BYTES // 8)
    names = present()
    return {
        "store": interleaved({name: storing(name, folder) for name in names}, rounds),
        "load": interleaved({name: loading(name, folder) for name in names}, rounds),
        "load and sum": interleaved({name: loading(name, folder, np.sum) for name in names}, rounds),
    }


def frame(folder: str, rounds: int) -> dict[str, dict[str, float]]:
    """A frame of a million rows with text: stored, loaded, and loaded and read through."""
    global value  # noqa: PLW0603 - what `produce` returns
    random = np.random.default_rng(0)
    value = pd.DataFrame(
        {
            "number": random.random(FRAME_ROWS),
            "count": random.integers(0, 1000, FRAME_ROWS),
            "name": [f"customer {n % 9973}" for n in range(FRAME_ROWS)],
            "city": pd.Categorical.from_codes(random.integers(0, 3, FRAME_ROWS), ["Rom", "Köln", "Oslo"]),
            "time": pd.date_range("2020", periods=FRAME_ROWS, freq="s"),
        }
    )
    names = present("one write")
    store = interleaved({name: storing(name, folder) for name in names}, rounds)
    load = interleaved({name: loading(name, folder) for name in names}, rounds)

    def read(loaded: pd.DataFrame) -> object:
        return loaded["number"].sum(), loaded["name"].str.len().sum(), loaded["time"].max()

    return {
        "store": store,
        "load": load,
        "in and out": {name: store[name] + load[name] for name in names},
        "load and read": interleaved({name: loading(name, folder, read) for name in names}, rounds),
    }


SMALL = {
    "None": None,
    "int": 12345,
    "text": "a small text",
    "tuple": (1, 2.5, "three"),
    "dict": {"a": 1, "b": [1, 2, 3]},
    "1000 ints": list(range(1000)),
    "small array": np.arange(10),
}


def small(_folder: str, rounds: int) -> dict[str, dict[str, float]]:
    """Small values in memory: the default serializer and the pickle module, seconds per value."""
    from cachedeco.values.table import get

    serializer: Any = get("pickle")

    def repeated(action: Callable[[Any], object], argument: object) -> Callable[[], float]:
        def run() -> float:
            start = time.perf_counter()
            for _ in range(CALLS):
                action(argument)
            return (time.perf_counter() - start) / CALLS

        return run

    found = {}
    for name, sample in SMALL.items():
        data = pickle.dumps(sample, 5)
        found[f"{name}, in"] = interleaved(
            {
                "serializer": repeated(lambda it: serializer.pack(it).inline(65536), sample),
                "pickle": repeated(lambda it: pickle.dumps(it, 5), sample),
            },
            rounds,
        )
        found[f"{name}, out"] = interleaved(
            {"serializer": repeated(serializer.unpack, data), "pickle": repeated(pickle.loads, data)}, rounds
        )
    return found


def peak(folder: str, _rounds: int) -> dict[str, dict[str, float]]:
    """The most memory while an array is stored, value included, as a multiple of the value."""
    found = {}
    for name in present():
        own = tempfile.mkdtemp(dir=folder)
        command = [sys.executable, __file__, "--peak-of", name, own]
        found[name] = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        shutil.rmtree(own)
    return {"peak / value": found}


def resident(field: str) -> int:
    """A field of this process's memory in bytes."""
    with open("/proc/self/status", encoding="ascii") as file:
        line = next(line for line in file if line.startswith(field))
    return int(line.split()[1]) * 1024


def peak_of(name: str, folder: str) -> float:
    """Run in a process of its own: store once, and compare the high-water mark with what there was before."""
    global value  # noqa: PLW0603 - what `produce` returns
    value = np.ones(1000)
    store = PEERS[name](folder)[0]
    store(1)  # imports and connections are not the value's
    value = np.random.default_rng(0).random(ARRAY_BYTES // 8)
    before = resident("VmRSS")
    with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")  # the mark falls back to what is resident now
    store(2)
    return 1 + (resident("VmHWM") - before) / ARRAY_BYTES


PARTS = {"array": array, "frame": frame, "small": small, "peak": peak}
# what each line is compared with: the name of a peer, or the fastest of the others
AGAINST = {("array", "store"): "one write", ("array", "load"): "joblib mmap", ("small", ""): "pickle"}
OWN = ("cachedeco", "serializer")
# what a ratio is to be at most, and whose
TARGETS = {
    ("array", "store"): ("cachedeco", 1.3),
    ("array", "load"): ("cachedeco", 1.0),
    ("frame", "in and out"): ("cachedeco", 1.0),
    ("small", ""): ("serializer", 1.0),
    ("peak", ""): ("cachedeco", 1.1),
}


def report(part: str, line: str, found: dict[str, float]) -> None:
    """One line of the report, with the ratio that the budget speaks of."""
    against = AGAINST.get((part, line)) or AGAINST.get((part, ""))
    if against is None or against not in found:
        against = min(
            (name for name in found if name not in OWN and name != "one write"), key=lambda name: found[name]
        )
    unit = (lambda number: f"{number:.2f}x") if part == "peak" else shown
    figures = ", ".join(f"{name} {unit(taken)}" for name, taken in found.items())
    ratios = ", ".join(f"{name} {found[name] / found[against]:.2f}" for name in OWN if name in found)
    print(f"{part}, {line}: {figures}; ratio to {against}: {ratios}{verdict(part, line, found, against)}")


def verdict(part: str, line: str, found: dict[str, float], against: str) -> str:
    """Whether a ratio is what it is to be; nothing where no target is set."""
    target = TARGETS.get((part, line)) or TARGETS.get((part, ""))
    if target is None or target[0] not in found:
        return ""
    # The peak is itself a multiple of the value.
    ratio = found[target[0]] / (1.0 if part == "peak" else found[against])
    return f"; target {target[1]:g}: {'met' if ratio <= target[1] else 'MISSED'} ({ratio:.2f})"


def main() -> None:
    """Run what was asked for and print it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--peak-of", nargs=2, metavar=("PEER", "FOLDER"))
    options = parser.parse_args()
    if options.peak_of:
        print(peak_of(*options.peak_of))
        return
    results = {}
    folder = tempfile.mkdtemp(dir=options.folder)
    try:
        for part in options.parts or PARTS:
            os.makedirs(f"{folder}/{part}")
            results[part] = PARTS[part](f"{folder}/{part}", options.rounds)
            shutil.rmtree(f"{folder}/{part}")
    finally:
        shutil.rmtree(folder)
    if options.json:
        print(json.dumps(results, indent=2))
        return
    print(machine("joblib", "diskcache", "checkpointer", "numpy", "pandas"))
    for part, lines in results.items():
        for line, found in lines.items():
            report(part, line, found)


if __name__ == "__main__":
    main()

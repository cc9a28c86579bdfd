"""The cache manager with few and with many items.

    python benchmarks/manager.py [--rounds N] [--full] [--json]

The caches have 1,000 and 100,000 items, with --full also 1,000,000; each item has three attributes, of which one is
shared by ten items. The figures are medians of interleaved rounds. What an index leads to costs the same in all of
them; what looks at every item says so.

events: the same hit again in one process with nobody listening, with one listener, and what looking for listeners
takes by itself.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from measure import interleaved, machine, shown

from cachedeco import Cache, cached, events
from cachedeco.keys.describe import describe
from cachedeco.keys.key import make_key
from cachedeco.registry.attributes import encode
from cachedeco.registry.by_hand import next_version
from cachedeco.registry.claims import new_token
from cachedeco.registry.statements import QUERIES
from cachedeco.status import Status

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

SIZES, FULL = (1_000, 100_000), (1_000, 100_000, 1_000_000)
SHARED = 10
SECONDS, CALLS = 0.05, 200
"""A round repeats its work until the one has passed or the other is reached; but three times at least."""


def fill(cache: Cache, size: int) -> None:
    """Put in items as `Cache.create` makes them, but in one transaction."""

    def work(con: sqlite3.Connection) -> None:
        now = time.time_ns() // 1000
        for number in range(size):
            params = {"number": number, "group": number // SHARED}
            key = make_key(_uri(number), params)
            version, uri = next_version(con, key, _uri(number))
            row = (key, version, int(Status.UNINITIALIZED), new_token(), None, now, None, "csv", None, uri)
            id_ = con.execute(QUERIES["insert_item"], (*row, json.dumps(describe(params)))).lastrowid
            for attribute in encode(_attributes(number)):
                con.execute(QUERIES["insert_attribute"], (id_, *attribute))
        con.execute("UPDATE items SET size = id * 7919 % 100003")

    cache.store.pool.write(work)


def _uri(number: int) -> str:
    return f"benchmark://{number % 100}"


def _attributes(number: int) -> dict[str, object]:
    return {
        "group": number // SHARED,
        "share": number % 7 / 7,
        "kind": "rare" if number % 1000 == 0 else "common",
    }


def manager(cache: Cache, size: int) -> dict[str, Callable[[], object]]:
    """What is measured: name -> one time of it."""
    anyone = random.Random(size)  # noqa: S311 - the same items in each run
    fresh = itertools.count(size)

    def number() -> int:
        return anyone.randrange(size)

    def create() -> object:
        new = next(fresh)
        return cache.create(_uri(new), {"number": new, "group": -1}, _attributes(-new))

    def params(wanted: int) -> dict[str, object]:
        return {"number": wanted, "group": wanted // SHARED}

    def best() -> object:
        wanted = number()
        return cache.best(_uri(wanted), params(wanted), status=Status.UNINITIALIZED)

    found = {
        "create": create,
        "best": best,
        "search by uri and params": lambda: cache.search(_uri(wanted := number()), params(wanted)),
        "search 10 by an attribute": lambda: cache.search(attrs={"group": number() // SHARED}),
        "the same, and a range": lambda: cache.search(attrs={"group": number() // SHARED, "share>=": 0.5}),
        "the newest 10": lambda: cache.search(order="-id", limit=10),
        "the newest 10 of a uri": lambda: cache.search(_uri(number()), order="-id", limit=10),
        "the newest 10 of an attribute": lambda: cache.search(attrs={"kind": "rare"}, order="-id", limit=10),
        "a page of 100": lambda: next(itertools.islice(cache.iterate(page=100), 99, None)),
        "a parameter among a uri's": lambda: cache.search(_uri(5), params_like={"number": 5}, limit=1),
        "the largest 10 (looks at every item)": lambda: cache.search(order="-size", limit=10),
    }
    # What finds nothing would be fast for the wrong reason.
    empty = [name for name, work in found.items() if not work()]
    if empty:
        raise RuntimeError(f"with {size} items nothing was found by: {', '.join(empty)}")
    return found


def hits(folder: str) -> dict[str, Callable[[], float]]:
    """The same hit again, with and without somebody who listens."""
    cache = Cache(folder)

    @cached(cache=cache)
    def work(x: int) -> int:
        return x

    def heard() -> float:
        with cache.subscribe(lambda _: None):
            start = time.perf_counter()
            for _ in range(1000):
                work(1)
            return (time.perf_counter() - start) / 1000

    def unheard() -> float:
        start = time.perf_counter()
        for _ in range(1000):
            work(1)
        return (time.perf_counter() - start) / 1000

    def looks() -> float:
        listening, loops = events.listening, range(100_000)
        start = time.perf_counter()
        for _ in loops:
            if listening:
                raise RuntimeError("nobody should listen")
        with_look = time.perf_counter() - start
        start = time.perf_counter()
        for _ in loops:
            pass
        return max(0.0, with_look - (time.perf_counter() - start)) / 100_000

    work(1)
    return {"nobody listens": unheard, "one listener": heard, "looking for listeners": looks}


def _timed(work: Callable[[], object]) -> Callable[[], float]:
    def run() -> float:
        start = time.perf_counter()
        for calls in range(1, CALLS + 1):
            work()
            passed = time.perf_counter() - start
            if passed > SECONDS and calls >= 3:
                break
        return passed / calls

    return run


def main() -> None:
    """Measure, and print tables or JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--full", action="store_true", help="up to 1,000,000 items; takes minutes")
    parser.add_argument("--json", action="store_true", help="figures in seconds as JSON")
    options = parser.parse_args()
    sizes = FULL if options.full else SIZES
    runs: dict[str, Callable[[], float]] = {}
    with tempfile.TemporaryDirectory() as root:
        for size in sizes:
            cache = Cache(Path(root, str(size)))
            fill(cache, size)
            runs |= {f"{name} {size}": _timed(work) for name, work in manager(cache, size).items()}
        seconds = interleaved(runs, options.rounds)
        heard = interleaved(hits(str(Path(root, "events"))), options.rounds)
    figures: dict[str, dict[str, float]] = {}
    for name, value in seconds.items():
        what, _, size = name.rpartition(" ")
        figures.setdefault(what, {})[size] = value
    if options.json:
        print(json.dumps({"machine": machine(), "seconds": figures, "events": heard}, indent=2))
        return
    print(machine())
    print(f"\n| work | {' | '.join(f'{size:,} items' for size in sizes)} | of the fewest |")
    print("|---|" + "---|" * (len(sizes) + 1))
    for what, by_size in figures.items():
        times = " | ".join(map(shown, by_size.values()))
        print(f"| {what} | {times} | {by_size[str(sizes[-1])] / by_size[str(sizes[0])]:.2f} x |")
    print("\n| events | a hit again |\n|---|---|")
    for name, value in heard.items():
        print(f"| {name} | {shown(value)} |")


if __name__ == "__main__":
    main()

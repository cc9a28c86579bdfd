"""What the benchmarks share: interleaved runs, medians, ratios, and the description of the machine."""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def interleaved(runs: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Run competitors in turn, so that a disturbance hits all of them alike; the median seconds of each.

    Args:
        runs: name of a competitor -> one run of it, which returns its seconds.
        rounds: how often each is run. One more round before them is not counted.
    """
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            taken = run()
            if number:
                seconds[name].append(taken)
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def machine(*packages: str) -> str:
    """One line on the machine and the versions that were measured.

    Args:
        packages: names of the packages whose versions matter.
    """
    found = []
    for name in packages:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} absent")
    return (
        f"{platform.system()} {platform.release()}, {platform.machine()}, {os.cpu_count()} CPUs, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {', '.join(found)}"
    )


def shown(seconds: float) -> str:
    """Seconds in a unit that people read."""
    for unit, factor in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= factor:
            return f"{seconds / factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"

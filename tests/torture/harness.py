"""What every form shares: its length, its dice, its temporary folder, what it found and what it measured."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

SHOWN = 10
"""Violations of one form that are printed in full."""


class Stop(Exception):  # noqa: N818 - not an error: enough has been seen
    """One violation was all that was wanted."""


class Run:
    """One form on its way.

    Args:
        name: of the form.
        long: whether the long form is run.
        seed: of the dice.
        first: stop at the first violation.
        minutes: how long a form lasts that can last as long as one likes; None for its own length.

    Attributes:
        dice: where everything random comes from, so that a seed repeats the moments as well as a machine can.
        folder: temporary, removed at the end unless something was violated.
    """

    def __init__(self, name, *, long, seed, first=False, minutes=None):
        self.name = name
        self.long = long
        self.seed = seed
        self.minutes = minutes
        self.dice = random.Random(f"{name} {seed}")  # noqa: S311 - moments, not secrets
        self.folder = tempfile.mkdtemp(prefix=f"torture-{name}-")
        self.violations = []
        self.skipped = []
        self._first = first
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._places = 0

    def size(self, *, short, long):
        """How much of something this length of the form does."""
        return long if self.long else short

    def place(self):
        """A new folder inside the temporary one."""
        with self._lock:
            self._places += 1
            path = os.path.join(self.folder, str(self._places))
        os.mkdir(path)
        return path

    def check(self, found, message):
        """Note a violation if something was not found as it must be; returns whether it was."""
        if not found:
            self.violation(message)
        return bool(found)

    def violation(self, message):
        """Note that a promise was broken."""
        with self._lock:
            self.violations.append(message)
            if len(self.violations) <= SHOWN:
                self.say(f"VIOLATION: {message}")
        if self._first:
            raise Stop

    def skip(self, why):
        """Note that this machine cannot do a part of the form. The long form fails for it."""
        self.skipped.append(why)
        print(f"{self.name}: SKIPPED: {why}", flush=True)

    def say(self, message):
        """Print a line."""
        print(f"{self.name}: {message}", flush=True)

    def figure(self, what, value):
        """Print a figure."""
        self.say(f"{what}: {value}")

    def timing(self, what, seconds):
        """Print median, 99th percentile and maximum of times in milliseconds; returns median and percentile."""
        if not seconds:
            self.violation(f"{what}: nothing was measured")
            return 0.0, 0.0
        middle, late = quantile(seconds, 0.5), quantile(seconds, 0.99)
        shown = ", ".join(
            f"{name} {value * 1e3:.1f} ms"
            for name, value in (("median", middle), ("p99", late), ("max", max(seconds)))
        )
        self.figure(what, f"{shown} ({len(seconds)} measured)")
        return middle, late

    def each(self, work, cases, *, at_once=None):
        """Do something for each of many cases, a few at a time; the results in their order."""
        with ThreadPoolExecutor(at_once or os.cpu_count()) as pool:
            waiting = [pool.submit(work, case) for case in cases]
            try:
                return [future.result() for future in waiting]
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def end(self):
        """Print how it ended; the exit status."""
        seconds = time.monotonic() - self._began
        failed = bool(self.violations) or (self.long and bool(self.skipped))
        length = "long" if self.long else "short"
        verdict = "FAILED" if failed else "passed"
        self.say(
            f"{verdict} ({length}, seed {self.seed}, {seconds:.0f} s, {len(self.violations)} violations)"
        )
        if self.violations:
            self.say(f"what was left: {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
        return int(failed)


def quantile(values, part):
    """The value below which that part of the values lies, without interpolation."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]

"""What is known outside the cache: which value belongs to which arguments, and what was computed.

Children and parent both use it; it knows nothing of the library. The log is one file that everybody appends
to, a line a write, so the kernel keeps lines whole and in order. It is written by ``writev``, which
the library never calls: faults that are injected into its system calls do not strike the log.
"""

from __future__ import annotations

import hashlib
import os


def right(name, x, size):
    """The one right value of a function for an argument: bytes that no other pair has."""
    seed = hashlib.blake2b(f"{name} {x}".encode()).digest()
    return (seed * (size // len(seed) + 1))[:size]


class Log:
    """The log, kept open.

    Args:
        path: of the file; made when missing.
    """

    def __init__(self, path):
        self.path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, *words):
        """Append a line."""
        os.writev(self._descriptor, [(" ".join(map(str, words)) + "\n").encode()])


def lines(path):
    """The lines of a log, each as a list of words."""
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [line.split() for line in file]


def standing(log):
    """The (function, argument) pairs whose value was acknowledged and not given up afterwards.

    Args:
        log: lines with the words ``done`` (the value reached its caller) and ``gone`` (about to be removed).
    """
    found = {}
    for word, *rest in log:
        if word in {"done", "gone"}:
            found[rest[0], int(rest[1])] = word
    return {pair for pair, word in found.items() if word == "done"}


def given_up(log):
    """The (function, argument) pairs that were removed at some time."""
    return {(rest[0], int(rest[1])) for word, *rest in log if word == "gone"}


def computed(log):
    """The (function, argument) pairs that were computed, in order and as often as they were."""
    return [(rest[0], int(rest[1])) for word, *rest in log if word == "run"]

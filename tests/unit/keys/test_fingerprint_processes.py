"""The same value has the same fingerprint in every process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

# A script with everything that hash seeds, start methods and import orders might reach.
SCRIPT = """
import dataclasses
import datetime
import decimal
import enum
import multiprocessing
import sys
from collections import Counter, defaultdict

from cachedeco.keys.fingerprint import fingerprint


@dataclasses.dataclass
class Config:
    name: str
    tags: frozenset


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Names(set):
    pass


class Rebuilt:
    def __init__(self, names):
        self.names = names

    def __reduce__(self):
        return rebuild, (self.names,)


def rebuild(names):
    return Rebuilt(names)


def values():
    words = ["alpha", "beta", "gamma", "delta", "", None, 1, 2.5, b"x", decimal.Decimal(1)]
    ring = Config("ring", frozenset(words))
    ring.members = {Member(word, ring) for word in words}
    return [
        set(words),
        frozenset([frozenset(words), frozenset(words[:3])]),
        {word: index for index, word in enumerate(words)},
        {frozenset(words): {("a", frozenset("abc"))}},
        Config("a", frozenset(words[:4])),
        Color.RED,
        {Color.RED, Color.BLUE},
        Names(words),
        Counter(words[:4]),
        defaultdict(set, a=set(words)),
        Rebuilt(frozenset(words)),
        {datetime.date(2020, 1, day) for day in range(1, 20)},
        ring,
        object.__new__(Config),
    ]


class Member:
    def __init__(self, name, owner):
        self.name = name
        self.owner = owner


def fingerprints(_=None):
    return [fingerprint(value) for value in values()]


if __name__ == "__main__":
    print(*fingerprints())
    for method in sys.argv[1:]:
        with multiprocessing.get_context(method).Pool(1) as pool:
            print(*pool.map(fingerprints, [None])[0])
"""


def run(script, *arguments, seed="0", modules=()):
    environment = {
        **os.environ,
        "PYTHONHASHSEED": seed,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    answer = subprocess.run(
        [sys.executable, *modules, str(script), *arguments] if not modules else [sys.executable, *modules],
        env=environment,
        cwd=script.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.splitlines()


@pytest.fixture
def script(tmp_path):
    """A script of a pipeline."""
    path = tmp_path / "pipeline.py"
    path.write_text(SCRIPT)
    return path


def test_hash_seed_does_not_count(script):
    """Sets and dicts come out in another order with every seed."""
    assert len({tuple(run(script, seed=seed)) for seed in ("0", "1", "2", "random")}) == 1


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_start_method_does_not_count(script, method):
    """A child knows the script's classes under another name, which is not theirs."""
    parent, child = run(script, method)
    assert parent == child


def test_importing_the_script_does_not_count(script):
    """A class of the script is the same class where the script is imported as a module."""
    started = run(script)
    imported = run(script, modules=("-c", "import pipeline; print(*pipeline.fingerprints())"))
    as_module = run(script, modules=("-m", "pipeline"))
    assert started == imported == as_module


def test_plain_values_load_nothing(script):
    """Fingerprints of plain values load neither the walk nor any library."""
    program = (
        "import sys; from cachedeco.keys.fingerprint import fingerprint; fingerprint({'a': [1, {2}]}); "
        "print(*[name for name in sys.modules if name.endswith(('.walk', '.dispatch')) or 'hashers' in name])"
    )
    assert run(script, modules=("-c", program)) == [""]


def test_no_library_is_imported(script):
    """Values of the standard library load no other library."""
    program = (
        "import pipeline, sys; pipeline.fingerprints(); "
        "print(*{'numpy', 'pandas', 'pyarrow', 'torch', 'scipy', 'polars', 'xarray'} & set(sys.modules))"
    )
    assert run(script, modules=("-c", program)) == [""]


def test_arrow_alone_is_enough(script):
    """Columns are digested though nobody has imported the part of pyarrow that computes."""
    program = (
        "import pyarrow as pa; from cachedeco.keys.fingerprint import fingerprint; "
        "print(len({fingerprint(pa.array(values)) for values in (['a'], ['b', None], [[1], None], [1])}))"
    )
    assert run(script, modules=("-c", program)) == ["4"]

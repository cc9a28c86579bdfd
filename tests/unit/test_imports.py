"""What a program pays for: modules that are loaded by the import and by a hit."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

HEAVY = (
    "asyncio",
    "dataclasses",
    "filelock",
    "inspect",
    "joblib",
    "json",
    "logging",
    "numpy",
    "pandas",
    "pathlib",
    "platformdirs",
    "rich",
    "tenacity",
    "typing",
)

PROGRAM = """
import sys

from cachedeco import cached


@cached(cache=sys.argv[1])
def numbers(count):
    print("computing")
    return [*range(count)]


numbers(int(sys.argv[2]))
print(*[name for name in sys.argv[3:] if name in sys.modules])
"""


def run(program, *arguments):
    # Without site: what its path files import would count as loaded by us, or hide that we load it.
    answer = subprocess.run(
        [sys.executable, "-S", program, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.split()


def test_import_loads_nothing_heavy(tmp_path):
    """Importing the package loads none of the modules that cost time."""
    program = tmp_path / "program.py"
    program.write_text(
        "import sys, cachedeco\nprint(*[name for name in sys.argv[1:] if name in sys.modules])\n"
    )
    assert run(program, *HEAVY) == []


@pytest.mark.parametrize("count", [3, 10_000], ids=["in the registry", "in a file"])
def test_hit_in_fresh_process_loads_nothing_heavy(tmp_path, count):
    """A process that only finds a value that another one has stored loads none of them either."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    assert run(program, tmp_path / "cache", str(count))[0] == "computing"
    assert run(program, tmp_path / "cache", str(count), *HEAVY) == []

"""How the tests of the examples run them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="session")
def run_example(tmp_path_factory):
    """A function that runs an example to a good end, warnings as errors, and returns its lines.

    Wherever the example runs, it leaves nothing in the working directory or in the folder of temporary files.
    """

    def run(name: str, *options: str | Path) -> list[str]:
        folder, temporary = tmp_path_factory.mktemp("folder"), tmp_path_factory.mktemp("temporary")
        outer = {key: value for key, value in os.environ.items() if not key.startswith("CACHEDECO_")}
        done = subprocess.run(
            [sys.executable, "-W", "error", EXAMPLES / name, *options],
            cwd=folder,
            env=outer
            | {
                "TMPDIR": str(temporary),
                "CACHEDECO_DIR": str(folder / "unwanted"),
                "MPLCONFIGDIR": str(tmp_path_factory.getbasetemp() / "matplotlib"),
                "OMP_NUM_THREADS": "1",
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert not done.stderr
        assert [*folder.iterdir(), *temporary.iterdir()] == []
        return done.stdout.splitlines()

    return run


@pytest.fixture(scope="session")
def computed():
    """A function that gives what an example printed while it computed: its lines with three dots."""
    return lambda lines: [line.removeprefix("  ... ") for line in lines if line.startswith("  ... ")]

"""A small project with a pipeline, run in processes of its own: by path, with `-m`, or imported."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent / "project"
PATIENCE = 240


class Project:
    """A copy of the project, with a cache and a log of its own.

    Attributes:
        folder: the project.
        log: the file to which its functions append a line when they run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder.parent / "calls.log"
        shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("__pycache__"))

    def run(self, *command, **facts):
        """Run Python here; returns what it prints last, read as JSON.

        Any warning is an error, in workers too, unless the facts say otherwise; one of this library always is.

        Args:
            command: arguments of Python.
            facts: what the script is told, as environment variables in capitals.
        """
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(self.folder), *filter(None, sys.path)]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONWARNINGS": "error",
            "CACHEDECO_DIR": str(self.folder.parent / "cache"),
            "CALLS_LOG": str(self.log),
            **{name.upper(): str(value) for name, value in facts.items()},
        }
        done = subprocess.run(
            [sys.executable, *command],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        unwanted = "Warning" if environment["PYTHONWARNINGS"] == "error" else "StoreWarning"
        assert unwanted not in done.stderr, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def start(self, how, *arguments, module="pipeline.steps", **facts):
        """Run a module of the project as people do: by its path, with -m, or imported by another program."""
        command = {
            "script": [module.replace(".", "/") + ".py"],
            "module": ["-m", module],
            "import": ["-c", f"import {module}; {module}.main()"],
        }[how]
        return self.run(*command, *arguments, **facts)

    def calls(self, what="computed"):
        """The lines of the log that begin with a word, without it."""
        lines = self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []
        return [line.partition(" ")[2] for line in lines if line.partition(" ")[0] == what]

    def computed(self, *steps):
        """What these steps have computed, in order: ``inner-1`` for the step ``inner`` of 1."""
        names = sorted(line.split()[0] for line in self.calls())
        return [name for name in names if name.partition("-")[0] in steps]


@pytest.fixture
def project(tmp_path):
    """A project of this test's own."""
    return Project(tmp_path / "project")


@pytest.fixture(scope="module")
def tell(tmp_path_factory):
    """A function that tells stories in one process, once for all tests of a file; returns them and their project."""

    @functools.cache
    def tell(how, engine, stories):
        project = Project(tmp_path_factory.mktemp("told") / "project")
        return project.start(how, stories, engine), project

    return tell

"""What the command line says of itself is what it does."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from cachedeco import __version__
from cachedeco.cli.parsing import COMMANDS, module_of, parser


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(command, capsys):
    """With its description and its options."""
    with pytest.raises(SystemExit) as ended:
        parser([command]).parse_args([command, "--help"])
    assert ended.value.code == 0
    assert "--cache FOLDER" in capsys.readouterr().out


def test_each_file_is_a_command():
    """And each command is a file."""
    folder = os.path.dirname(module_of("ls").__file__)
    files = {name.removesuffix(".py") for name in os.listdir(folder) if name.endswith(".py")}
    assert {module_of(command).__name__.rpartition(".")[2] for command in COMMANDS} == files - {"__init__"}


def test_the_program_is_installed_under_its_name():
    """Beside the Python that it is installed for."""
    program = os.path.join(os.path.dirname(sys.executable), "cachedeco")
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"cachedeco {__version__}\n"


def test_help_loads_nothing_heavy():
    """It is there at once."""
    code = (
        "import sys; from cachedeco.cli.parsing import parser; parser([]).format_help(); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {
        "rich",
        "numpy",
        "logging",
        "importlib.metadata",
        "cachedeco.cli.commands.ls",
    }


def test_wrong_use_is_exit_code_2(capsys):
    """With a hint at what is right."""
    with pytest.raises(SystemExit) as ended:
        parser(["lsx"]).parse_args(["lsx"])
    assert ended.value.code == 2
    assert "invalid choice: 'lsx'" in capsys.readouterr().err

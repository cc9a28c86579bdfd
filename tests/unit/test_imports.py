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

HIT = {
    "": "cache decorator verbs wrappers errors events settings location status record scripts trust store item "
    # An item counts its uses, a cache its growth.
    "keeping growth maintaining",
    # Cache is made of these classes, and so is there whole; what their methods need comes when they are called.
    "finding making changing exchanging": "",
    # Knows how a registry is filled anew; what it reads for that comes when one is lost.
    "rebuild": "",
    "calls": "call hits notices options outputs plan",
    "files": "folder",
    # The digest of the code is worked out in each process: it needs the syntax tree and what the function uses.
    "keys": "arguments closure code code_describe code_functions code_graph code_late code_measure code_modules "
    "code_names code_origin code_tree code_values code_watch fingerprint key plain sentinels shortcut signature "
    "source uri",
    # A registry may be damaged, old, long of log or on a network: all four are asked before the first look-up.
    "registry": "aside attributes checkpoint claims connection database digests filesystem gate imports "
    "items maintenance memory migrating owner pool slots statements uses",
    "values": "contract pickle reading reducers table",
}
"""The modules of ours that a hit may load, by room. Another one is a decision: it costs 0.1 ms or more."""

STANDARD = set(
    "atexit collections contextlib copyreg datetime enum errno functools gc itertools keyword math mmap opcode "
    "operator reprlib sqlite3 threading types warnings weakref".split()
)
"""The same of the standard library.

datetime, collections: sqlite3 loads them. enum: statuses are integers with names, and public. opcode: bytecode
says what a function uses; importing dis costs more. mmap: tells this process what others change. copyreg: pickle.
"""

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


LISTING = """
import sys
before = set(sys.modules)
from cachedeco import Cache, cached


@cached(cache=sys.argv[1])
def numbers(count):
    return [*range(count)]


numbers(3)
print(*(set(sys.modules) - before))
"""


def ours():
    """The names in `HIT`, whole."""
    names = {"cachedeco"}
    for room, modules in HIT.items():
        top = room.split() if not modules else [f"{room}.{module}".strip(".") for module in modules.split()]
        names.update(f"cachedeco.{name}" for name in top)
        if room and modules:
            names.add(f"cachedeco.{room}")
    return names


def test_hit_in_fresh_process_loads_what_is_listed(tmp_path):
    """Not a module more than a hit needs, nor one in the list that is not needed any longer."""
    program = tmp_path / "program.py"
    program.write_text(LISTING)
    run(program, tmp_path / "cache")
    loaded = {*run(program, tmp_path / "cache")}
    assert {name for name in loaded if name.partition(".")[0] == "cachedeco"} == ours()
    others = {name.partition(".")[0] for name in loaded} - {"cachedeco", "xxhash", "__future__"}
    public = {name for name in others if not name.startswith("_") and name in sys.stdlib_module_names}
    # Newer Pythons load fewer themselves.
    assert public - STANDARD - {"os", "stat", "posixpath", "genericpath", "ntpath"} == set()

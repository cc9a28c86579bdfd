"""One digest in every process: hash seeds, spawned workers, scripts and imports, unpickled functions."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys

import cloudpickle
import pytest

SCRIPT = """
import collections, dataclasses, enum, functools, sys, types
import tenacity

NAMES = frozenset(("a", "b", "c", "d"))
TABLE = {"set": {"x", "y", "z"}, "nested": frozenset((frozenset("ab"), frozenset("cd")))}

class Colour(enum.Enum):
    RED = "r"

@dataclasses.dataclass
class Point:
    x: int = 1

class Model:
    kinds = {"p", "q", "r"}
    def fit(self, x):
        return [v for v in x if v in {"m", "n", "o", 1, None}]

@functools.lru_cache
def helper(x):
    return x in NAMES or TABLE[x]

P = collections.namedtuple("P", "a b")
scale = [lambda x: x + 1, lambda x: x in {"s", "t", "u"}]
exec(compile("def bare(x):\\n    return x in {'f', 'g', 'h', frozenset(('i', 'j'))}\\n", "<string>", "exec"))

tools = types.ModuleType("tools")
tools.names, tools.helper, tools.Point = frozenset(("v", "w")), helper, Point

@tenacity.retry(retry=tenacity.retry_if_result(lambda x: x in NAMES))
def again(x):
    return x

@dataclasses.dataclass
class Outer:
    parts: "list[Point | Model]" = None
    kind: "Colour" = None

class Left(Model):
    'One.'

class Right(Model):
    'Two.'

def everybody(module):
    return [(one.__doc__, one.__annotations__) for one in Model.__subclasses__()], module.helper

def f(x, kind=frozenset(("k", "l", "m"))):
    return (
        helper(x), Model().fit(x), Colour.RED, Point(), P(1, 2), scale[0](x), bare(x),
        everybody(tools), again(x), Outer(),
    )

def digest():
    from cachedeco.keys.code import Code
    return Code(f).digest({"m": Model(), "p": Point()}).hex()
"""
MAIN = """
if __name__ == "__main__":
    import multiprocessing
    if len(sys.argv) > 1:
        with multiprocessing.get_context(sys.argv[1]).Pool(1) as pool:
            print(pool.apply(digest))
    else:
        print(digest())
"""


def run(folder, *arguments, seed="0"):
    """Run Python in the folder and return what it prints."""
    environment = {
        **os.environ,
        "PYTHONHASHSEED": seed,
        "PYTHONPATH": os.pathsep.join([str(folder), *sys.path]),
    }
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    """A folder with the script."""
    folder = tmp_path_factory.mktemp("script")
    (folder / "job.py").write_text(SCRIPT + MAIN, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def expected(script):
    """The digest that the script has when it is run."""
    digest = run(script, "job.py")
    assert len(digest) == 32
    return digest


@pytest.mark.parametrize("seed", ["1", "2", "3"])
def test_hash_seed_does_not_count(script, expected, seed):
    """Sets among constants, globals, defaults and class attributes have one order."""
    assert run(script, "job.py", seed=seed) == expected


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_worker_process_has_the_same_digest(script, expected, method):
    """A worker knows the script under another module name."""
    assert run(script, "job.py", method) == expected


@pytest.mark.parametrize("arguments", [("-c", "import job; print(job.digest())"), ("-m", "job")])
def test_import_has_the_digest_of_the_script(script, expected, arguments):
    """What a script has stored is found by those who import it."""
    assert run(script, *arguments) == expected


def test_an_interpreter_that_skips_assertions_runs_other_code(script, expected):
    """With -O, what an assertion would have stopped goes on."""
    assert run(script, "-O", "job.py") != expected


def test_folder_does_not_count(script, expected, tmp_path):
    """The project can be moved."""
    (tmp_path / "job.py").write_text(SCRIPT + MAIN, encoding="utf-8")
    assert run(tmp_path, str(tmp_path / "job.py")) == expected


def test_function_sent_to_a_worker_by_value_has_the_same_digest(tmp_path):
    """A notebook's function takes its text along to a process that has no such file."""
    (tmp_path / "send.py").write_text(
        "import sys, cloudpickle, linecache\n"
        "from cachedeco.keys.code import Code\n"
        "text = 'def h(x):\\n    return x  # help\\ndef f(x):\\n    # by value\\n    return h(x) + 1\\n'\n"
        "linecache.cache['<cell>'] = (len(text), None, text.splitlines(True), '<cell>')\n"
        "exec(compile(text, '<cell>', 'exec'))\n"
        "code = Code(f)\n"
        "open('code.pickle', 'wb').write(cloudpickle.dumps(code))\n"
        "print(code.digest().hex())\n",
        encoding="utf-8",
    )
    sent = run(tmp_path, "send.py")
    script = (
        "import pickle\n"
        "code = pickle.load(open('code.pickle', 'rb'))\n"
        "print(code.digest().hex(), code.parts())\n"
    )
    received, _, parts = run(tmp_path, "-c", script).partition(" ")
    assert "return h(x) + 1" in parts
    assert "return x" in parts
    assert received == sent


SENDS = """
import sys, cloudpickle, linecache
from cachedeco.keys.code import Code
text = {text!r}
linecache.cache["<cell>"] = (len(text), None, text.splitlines(True), "<cell>")
exec(compile(text, "<cell>", "exec"))
code = Code(f)
open("code.pickle", "wb").write(cloudpickle.dumps(code))
print(code.digest(dict(x=A(1))).hex(), code.digest(dict(x=A(1))).hex())
"""
RECEIVES = """
import pickle, cloudpickle
code = pickle.load(open("code.pickle", "rb"))
again = pickle.loads(cloudpickle.dumps(code))
A = code.function.__globals__["A"]
print(code.digest(dict(x=A(1))).hex(), again.digest(dict(x=again.function.__globals__["A"](1))).hex())
"""


WITH_ATTRS = "import attrs\n@attrs.define\nclass A:\n    x: int\n"
BY_HAND = "class A:\n    __slots__ = ('x',)\n    def __init__(self, x):\n        self.x = x\n"


@pytest.mark.parametrize("definition", [WITH_ATTRS, BY_HAND], ids=["attrs", "class"])
def test_what_a_worker_sends_on_has_the_same_digest(tmp_path, definition):
    """A class of a cell goes on by value as it came, though its code no longer says where it was written."""
    if definition == WITH_ATTRS:
        pytest.importorskip("attrs")
    text = definition + "def f(x):\n    return A(x)  # make\n"
    (tmp_path / "send.py").write_text(SENDS.format(text=text), encoding="utf-8")
    assert run(tmp_path, "send.py") == run(tmp_path, "-c", RECEIVES)


OPTION = """
import tenacity
@tenacity.retry(stop=tenacity.stop_after_attempt({number}))
def helper(x):
    return x
def f(x):
    return helper(A(x))
class A:
    def __init__(self, x):
        self.x = x
"""


def test_a_text_that_came_earlier_is_not_taken_for_that_of_what_comes_now(tmp_path):
    """A cell is edited, run, and taken back while a worker lives: only the option of a decorator tells them apart."""
    for number in (1, 2):
        (tmp_path / "send.py").write_text(SENDS.format(text=OPTION.format(number=number)), encoding="utf-8")
        run(tmp_path, "send.py")
        (tmp_path / "code.pickle").rename(tmp_path / f"{number}.pickle")
    script = (
        "import pickle\n"
        "kept = []\n"
        "for number in (1, 2, 1):\n"
        "    kept.append(pickle.load(open(f'{number}.pickle', 'rb')))\n"
        "    print(kept[-1].digest().hex(), 'attempt(%d)' % number in str(kept[-1].parts()))\n"
        "for code in kept: code._states.clear()\n"
        "print(*(code.digest().hex() for code in kept))\n"
    )
    first, first_is_right, second, second_is_right, third, third_is_right, *later = run(
        tmp_path, "-c", script
    ).split()
    assert first_is_right == second_is_right == third_is_right == "True"
    assert first == third != second
    assert later == [first, second, third]


def test_code_survives_pickling_by_reference():
    """A module's function is pickled by name, with its version."""
    from cachedeco.keys.code import Code

    again = pickle.loads(pickle.dumps(Code(run, version="1")))
    assert again.function is run
    assert again.version == "1"
    assert pickle.loads(pickle.dumps(Code(run))).digest() == Code(run).digest()


def test_function_by_value_without_text_counts_by_its_code_object(tmp_path):
    """A plain cloudpickled function has a digest that tells it from another one."""
    from cachedeco.keys.code import Code

    def made(text):
        namespace = {"__name__": "__main__"}
        exec(compile(text, "<gone>", "exec", dont_inherit=True), namespace)
        return pickle.loads(cloudpickle.dumps(namespace["f"]))

    one, same, other = (made(f"def f(x):\n    return x + {number}\n") for number in (1, 1, 2))
    assert Code(one).digest() == Code(same).digest() != Code(other).digest()

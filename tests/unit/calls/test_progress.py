"""Progress bars: there for somebody who looks, and for nobody else."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from cachedeco.calls import progress

pty = pytest.importorskip("pty", reason="there are no pseudo-terminals here")

STORY = """
import sys
from cachedeco import cached

@cached
def square(x):
    return x * x

progress = {"by default": None, "wanted": True, "unwanted": False}[sys.argv[1]]
assert square.map(range(3), progress=progress) == [0, 1, 4]
assert sorted(square.map(range(4), as_completed=True, progress=progress))[3] == (3, 9)
assert square.map([], progress=progress) == []
print("the result")
"""


def watched(tmp_path, wanted, *, stdout=None):
    """Run the story before a terminal; returns what is seen there."""
    terminal, other_end = pty.openpty()
    environment = os.environ | {"CACHEDECO_DIR": str(tmp_path / "cache"), "TERM": "xterm", "COLUMNS": "80"}
    command = [sys.executable, "-c", STORY, wanted]
    seen = b""
    with subprocess.Popen(command, stdout=stdout or other_end, stderr=other_end, env=environment) as process:
        os.close(other_end)
        while piece := read(terminal):
            seen += piece
    os.close(terminal)
    assert process.returncode == 0, seen.decode()
    return seen.decode()


def read(terminal):
    """What the terminal shows next; nothing when its other end is closed, which Linux calls an error."""
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""


@pytest.mark.parametrize("wanted", ["by default", "wanted"])
def test_a_bar_is_shown_on_a_terminal(tmp_path, wanted):
    """It has the function's name, gets to its end and goes away; the program's own output stays."""
    seen = watched(tmp_path, wanted)
    assert seen.count("100%") >= 2
    assert "square" in seen
    assert seen.rstrip().endswith("the result")


def test_an_unwanted_bar_is_not_shown(tmp_path):
    """Not even on a terminal."""
    assert watched(tmp_path, "unwanted").strip() == "the result"


def test_a_bar_does_not_get_into_the_result(tmp_path):
    """What the program prints goes to a file, the bar to the terminal."""
    with open(tmp_path / "result", "w+b") as result:
        assert "100%" in watched(tmp_path, "by default", stdout=result)
        result.seek(0)
        assert result.read() == b"the result\n"


@pytest.mark.parametrize("wanted", ["by default", "unwanted"])
def test_nothing_is_shown_where_nobody_looks(tmp_path, wanted):
    """Both outputs are piped, as in a job on a cluster."""
    environment = os.environ | {"CACHEDECO_DIR": str(tmp_path / "cache")}
    command = [sys.executable, "-c", STORY, wanted]
    done = subprocess.run(command, capture_output=True, env=environment, check=True)
    assert (done.stdout, done.stderr) == (b"the result\n", b"")


DOWNLOAD = """
import sys
from cachedeco.calls.progress import bytes_bar

wanted = {"by default": None, "wanted": True, "unwanted": False}[sys.argv[1]]
with bytes_bar("data[red].csv", wanted) as report:
    for done in range(0, 5_000_001, 1_000_000):
        report(done, 5_000_000)
print("the result")
"""


@pytest.mark.parametrize("wanted", ["by default", "wanted"])
def test_bytes_are_shown_on_a_terminal(tmp_path, monkeypatch, wanted):
    """How many have come of how many, under the name of the file as it is."""
    monkeypatch.setattr(sys.modules[__name__], "STORY", DOWNLOAD)
    seen = watched(tmp_path, wanted)
    assert "5.0/5.0 MB" in seen
    assert "data[red].csv" in seen
    assert "the result" in seen


def test_no_bytes_are_shown_to_who_does_not_want_it(tmp_path, monkeypatch):
    """Nothing but the program's own output is seen."""
    monkeypatch.setattr(sys.modules[__name__], "STORY", DOWNLOAD)
    assert watched(tmp_path, "unwanted").split() == ["the", "result"]


def test_bytes_without_a_terminal_show_nothing(capsys):
    """Nor where nobody looks."""
    with progress.bytes_bar("data.csv", None) as report:
        report(1, 2)
    assert capsys.readouterr() == ("", "")

"""The commands on a terminal: tables for people, and questions."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import pytest

from cachedeco import Cache

pexpect = pytest.importorskip("pexpect")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")

_CODES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def terminal(folder, *words):
    """A command on a terminal of 100 columns."""
    command = ["-m", "cachedeco", "--cache", str(folder), *words]
    return pexpect.spawn(
        sys.executable,
        command,
        dimensions=(40, 100),
        encoding="utf-8",
        timeout=60,
        # Who was started in the background ignores it, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def said(child):
    """All that it still prints, without colours."""
    child.expect(pexpect.EOF)
    child.close()
    return _CODES.sub("", child.before).replace("\r\n", "\n")


def test_ls_shows_a_table(folder):
    """With headings, sizes and ages for people."""
    lines = said(terminal(folder, "ls")).splitlines()
    assert lines[0].split() == ["id", "status", "version", "size", "took", "created", "call"]
    assert re.match(r" 4 +READY +1 +\d+ B .*(ago|just now) +demo://words\(lang='en'\)", lines[4])
    assert all(len(line) <= 100 for line in lines)


def test_brackets_are_no_markup(folder):
    """A label may hold what rich takes for a colour."""
    Cache(folder).create("demo://[red]x[/red]", filename="x", label="[bold]")
    assert "demo://[red]x[/red]" in said(terminal(folder, "ls"))


@pytest.mark.parametrize(("answer", "left"), [("y", 3), ("n", 4), ("", 4), ("yes", 3)])
def test_rm_asks(folder, answer, left):
    """Only yes is yes."""
    child = terminal(folder, "rm", "4")
    child.expect(r"Move to the trash: 1 item, \d+ B\? \[y/N\] ")
    child.sendline(answer)
    said(child)
    assert child.exitstatus == (0 if left == 3 else 1)
    assert len(Cache(folder).search()) == left


def test_ctrl_c_at_the_question_does_nothing(folder):
    """No traceback, exit code 130."""
    child = terminal(folder, "rm", "4")
    child.expect(r"\[y/N\] ")
    child.sendintr()
    assert "Traceback" not in said(child)
    assert child.exitstatus == 130
    assert len(Cache(folder).search()) == 4


def test_a_closed_pipe_is_no_error(folder):
    """As in `cachedeco ls | head -1`."""
    command = [sys.executable, "-m", "cachedeco", "--cache", str(folder), "ls", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        child.stdout.close()
        assert child.stderr.read() == ""
    assert child.returncode == 0

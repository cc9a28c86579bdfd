"""Processes that were given up while they were still at it, and threads that die with their process."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from cachedeco import Cache, Status
from cachedeco.registry import owner

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")

FILE = """
from pathlib import Path
from cachedeco import OUTPUT
@cached(cache=cache, code_version="1", output="pid.txt")
def f(x, output: Path = OUTPUT):
    note(os.getpid())
    say("computes")
    until_told()
    output.write_text(str(os.getpid()))
say("value", f(1).read_text())
"""
VALUE = """
@cached(cache=cache, code_version="1")
def f(x):
    note(os.getpid())
    say("computes")
    until_told()
    return str(os.getpid()) * VALUE_LENGTH
say("value", f(1)[:len(str(os.getpid()))])
"""
STORIES = {
    "small": VALUE.replace("VALUE_LENGTH", "1"),
    "large": VALUE.replace("VALUE_LENGTH", "20_000"),
    "file": FILE,
}


@pytest.mark.parametrize("kind", STORIES)
def test_the_late_commit_of_a_stopped_process_that_was_given_up(stage, kind):
    """It is not robbed, even without its lock file; once ended by hand, it touches nothing, and has its value."""
    first = stage.start(STORIES[kind])
    first.hear("computes")
    first.signal(signal.SIGSTOP)
    with Cache(stage.folder) as cache:
        pool = cache.store.pool
        (name,) = (path.name for path in (stage.folder / "owners").iterdir())
        os.unlink(stage.folder / "owners" / name)
        ((number,),) = pool.read_all("SELECT id FROM owners")
        assert not cache.store.claims.reap_if_dead(number)
        owner.end(pool, number)
        second = stage.start(STORIES[kind])
        second.hear("computes")
        second.tell()
        heir = str(second.process.pid)
        assert second.hear("value") == heir
        first.signal(signal.SIGCONT)
        first.tell()
        assert first.hear("value") == str(first.process.pid)
        first.finish()
        second.finish()
        assert [item.status for item in cache.search()] == [Status.FAILED, Status.READY]
        (ready,) = cache.search(status=Status.READY)
        assert ready.intact()
        stored = ready.path.read_text() if kind == "file" else ready.load()
        assert stored[: len(heir)] == heir


def test_a_thread_that_dies_with_its_process(stage):
    """A daemon thread is computing when the program ends: whoever waits takes over."""
    story = VALUE.partition('say("value"')[0].replace("VALUE_LENGTH", "1")
    first = stage.start(story + "threading.Thread(target=f, args=(1,), daemon=True).start()\nuntil_gate()\n")
    first.hear("computes")
    second = stage.start(story + "say('value', f(1))\n")
    second.hear("waits")
    stage.open_gate()
    second.hear("computes")
    second.tell()
    assert second.hear("value") == str(second.process.pid)
    second.finish()


def test_both_sides_of_a_fork_return_from_the_function(stage):
    """The parent's value is stored; the child has its own, and the next call of either gets the parent's."""
    story = """
    @cached(cache=cache, code_version="1")
    def f(x):
        note("once")
        return os.fork()
    first = f(1)
    if first == 0:
        try:
            while f.status(1).name == "WRITE":
                time.sleep(0.001)
            assert f(1) == os.getpid(), f(1)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(first, 0)[1]) == 0
    assert f(1) == first
    say("items", *[item.status.name for item in f.items(1)])
    """
    worker = stage.start(story)
    assert worker.hear("items") == "READY"
    worker.finish()
    assert stage.computations() == ["once"]

"""Threads and tasks of several processes that wait for one failure, one lost value, or with other clocks."""

from __future__ import annotations

import sys

import pytest

from cachedeco import Cache

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")

# Of the 20 that wait, five are in the process that computes.
CROWD = """
import asyncio
from cachedeco.calls import flights

def f(x):
    note(os.getpid())
    say("computes")
    until_told()
    return end()

async def g(x):
    return f(x)

options = {"cache": cache, "code_version": "1", "uri": "crowd://f"}
f, g = cached(**options)(f), cached(**options)(g)
ends = []

def end_of(error):
    if isinstance(error, PreviousFailureError):
        return "previous" if "LookupError: no such station" in error.traceback else repr(error)
    return "itself" if isinstance(error, LookupError) else repr(error)

def thread():
    try:
        ends.append(type(f(1)).__name__)
    except Exception as error:
        ends.append(end_of(error))

async def task():
    try:
        ends.append(type(await g(1)).__name__)
    except Exception as error:
        ends.append(end_of(error))

async def tasks():
    await asyncio.gather(*(task() for _ in range(2)))

def run(leads):
    threads = [threading.Thread(target=thread) for _ in range(3 + leads)]
    threads.append(threading.Thread(target=asyncio.run, args=(tasks(),)))
    for each in threads: each.start()
    while len(flights._waiting) < 5:
        time.sleep(0.001)
    say("wait")
    for each in threads: each.join()
    say("ends", *sorted(ends))

road.wait = wait_and_say.__kwdefaults__["wait"]
"""


def test_twenty_that_wait_get_one_failure(stage):
    """Threads and tasks of four processes; nobody runs what has failed once more."""
    story = CROWD + 'def end(): raise LookupError("no such station")\n'
    first = stage.start(story + "run(leads=1)")
    assert {first.hear(), first.hear()} == {"computes", "wait"}
    others = [stage.start(story + "run(leads=0)") for _ in range(3)]
    for other in others:
        other.hear("wait")
    first.tell()
    assert first.hear("ends") == "itself" + " previous" * 5
    for other in others:
        assert other.hear("ends") == "previous " * 4 + "previous"
    for worker in (first, *others):
        worker.finish()
    assert len(stage.computations()) == 1


def test_those_that_wait_for_what_cannot_be_stored_compute_at_the_same_time(stage):
    """In other processes, too; each process says so once."""
    story = (
        CROWD.replace("until_told()", "until_told() if leads else together.wait(30)").replace(
            'say("computes")', 'leads and say("computes")'
        )
        + """
def end(): return threading.Lock()
together = threading.Barrier(3)
async def tasks(): pass
def run():
    threads = [threading.Thread(target=thread) for _ in range(3)]
    for each in threads: each.start()
    while len(flights._waiting) < 3 - leads:
        time.sleep(0.001)
    say("wait")
    for each in threads: each.join()
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    if leads:
        thread()
    else:
        run()
say("ends", *ends)
say("warned", len(seen))
"""
    )
    first = stage.start("leads = True\n" + story)
    first.hear("computes")
    others = [stage.start("leads = False\n" + story) for _ in range(2)]
    for other in others:
        other.hear("wait")
    first.tell()
    assert first.hear("ends") == "lock"
    for worker in others:
        assert worker.hear("ends") == "lock lock lock"
    for worker in (first, *others):
        assert worker.hear("warned") == "1"
        worker.finish()
    assert len(stage.computations()) == 7


@pytest.mark.parametrize("days", [(-1, 0), (1, 0), (0, 1), (0, -1)])
def test_clocks_decide_nothing(stage, days):
    """Of two processes one is a day ahead or behind: it is waited for, taken over from, and versions go on."""
    story = """
    real = time.time_ns
    time.time_ns = lambda: real() + days * 86_400_000_000_000
    @cached(cache=cache, code_version="1")
    def f(x):
        note(os.getpid())
        say("computes")
        until_told()
        time.time_ns = lambda: real() - days * 86_400_000_000_000  # set right, and as far beyond
        return os.getpid()
    say("value", f(1))
    until_told()
    say("value", f.refresh(1), f(1))
    """
    first = stage.start(f"days = {days[0]}\n" + story.replace("\n    ", "\n"))
    first.hear("computes")
    second = stage.start(f"days = {days[1]}\n" + story.replace("\n    ", "\n"))
    second.hear("waits")
    first.tell()
    one, other = str(first.process.pid), str(second.process.pid)
    assert first.hear("value") == one
    assert second.hear("value") == one
    first.tell()
    first.hear("computes")
    second.tell()
    second.hear("waits")
    first.close()
    second.hear("computes")
    second.tell()
    assert second.hear("value") == f"{other} {other}"
    second.finish()
    with Cache(stage.folder) as cache:
        assert [item.version for item in cache.search(status=3)] == [1, 3]

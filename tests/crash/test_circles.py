"""Circles of waits across processes: one of those who close it is refused, and nobody waits for ever."""

from __future__ import annotations

import signal
import sys
import textwrap

import pytest

from cachedeco import Cache

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")

BEGIN = """
import asyncio
from cachedeco import WaitCycleError, WaitTimeoutError
road.wait = wait_and_say.__kwdefaults__["wait"]  # what is heard is how it ends

def named(name, f, **options):
    f.__name__ = f.__qualname__ = name
    return cached(cache=cache, code_version="1", uri=f"circle://{name}", **options)(f)

def end(error):
    if isinstance(error, WaitCycleError):
        return "circle " + "".join(name[-1] for name in error.names)
    if isinstance(error, PreviousFailureError):
        return "previous " + str("in a circle" in error.traceback)
    return repr(error)

def how(f, *args):
    try:
        return f(*args)
    except Exception as error:
        return end(error)
"""

THREADS = """
def node(name):
    @lambda f: named(name, f)
    def f():
        note(name)
        say("computes")
        until_gate()
        return nodes[order[order.index(name) - 1]]()
    return f

nodes = {name: node(name) for name in order}
threads = [threading.Thread(target=lambda name=name: say(how(nodes[name]))) for name in mine]
for each in threads: each.start()
for each in threads: each.join()
"""

TASKS = """
def node(name):
    @lambda f: named(name, f)
    async def f():
        note(name)
        say("computes")
        await asyncio.to_thread(until_gate)
        # Not awaited by itself: the circle leads through a task of its own.
        return (await asyncio.gather(nodes[order[order.index(name) - 1]]()))[0]
    return f

async def run(name):
    try:
        say(await nodes[name]())
    except Exception as error:
        say(end(error))

async def main():
    await asyncio.gather(*map(run, mine))

nodes = {name: node(name) for name in order}
asyncio.run(main())
"""


def pair(stage, story):
    """Two processes with the same story, in which each is what the other one is not."""
    story = textwrap.dedent(story)
    return [
        stage.start(f"{BEGIN}\nmine, other = {mine!r}, {other!r}\n{story}") for mine, other in ("ab", "ba")
    ]


@pytest.mark.parametrize("kind", [THREADS, TASKS], ids=["threads", "tasks"])
@pytest.mark.parametrize("processes", ["a b", "a b c", "ab c", "ac bd", "ab"])
def test_a_circle_is_refused_to_one_and_the_others_get_its_failure(stage, processes, kind):
    """Each of a row of functions waits for the one before it, the first for the last; all of them at once."""
    order = "".join(sorted(processes.replace(" ", "")))
    workers = [
        stage.start(f"{BEGIN}\nmine, order = {mine!r}, {order!r}\n{kind}") for mine in processes.split()
    ]
    for worker, mine in zip(workers, processes.split(), strict=True):
        for _ in mine:
            worker.hear("computes")
    stage.open_gate()
    ends = [worker.hear() for worker, mine in zip(workers, processes.split(), strict=True) for _ in mine]
    for worker in workers:
        worker.finish()
    circles = [line.removeprefix("circle ") for line in ends if line.startswith("circle")]
    backwards = order[::-1] * 2
    assert circles
    assert all(len(circle) == len(order) and circle in backwards for circle in circles), ends
    assert [line for line in ends if not line.startswith("circle")] == ["previous True"] * (
        len(order) - len(circles)
    )
    assert sorted(stage.computations()) == list(order)


def test_a_circle_of_claims_by_hand(stage):
    """Its uris are named, and whoever is refused may go on."""
    story = """
    held = cache.best_or_new(f"circle://{mine}", filename="f")
    say("holds")
    until_gate()
    try:
        other = cache.best_or_new(f"circle://{other}", filename="f")
        say("got", other.path.read_text())
    except WaitCycleError as error:
        say("circle", *error.names)
    held.path.write_text(mine)
    held.ready()
    """
    workers = pair(stage, story)
    for worker in workers:
        worker.hear("holds")
    stage.open_gate()
    ends = sorted(worker.hear() for worker in workers)
    assert ends in (
        ["circle circle://a circle://b", "got b"],
        ["circle circle://b circle://a", "got a"],
    )


def test_a_refused_wait_is_an_error_that_a_function_may_deal_with(stage):
    """Then it goes on, and whoever waits for it gets its value."""
    story = """
    @lambda f: named(mine, f)
    def here():
        say("computes")
        until_gate()
        return how(there)
    @lambda f: named(other, f)
    def there():
        raise AssertionError("the other process does that")
    say(how(here))
    """
    workers = pair(stage, story)
    for worker in workers:
        worker.hear("computes")
    stage.open_gate()
    one, other = (worker.hear() for worker in workers)
    assert one == other
    assert one in {"circle ab", "circle ba"}


def test_whoever_waits_for_so_long_only_is_not_refused(stage):
    """The limit of a wait ends the circle, too."""
    story = """
    @lambda f: named(mine, f)
    def here():
        say("computes")
        until_gate()
        return there()
    @lambda f: named(other, f, wait=0.01)
    def there():
        raise AssertionError("the other process does that")
    say(how(here).split("(")[0])
    """
    workers = pair(stage, story)
    for worker in workers:
        worker.hear("computes")
    stage.open_gate()
    ends = {worker.hear() for worker in workers}
    assert "WaitTimeoutError" in ends
    assert ends <= {"WaitTimeoutError", "previous False"}


def test_a_dead_process_closes_no_circle(stage):
    """What it waited for does not count any more, even if nobody has ended its claims yet."""
    story = """
    from cachedeco.calls.flights import Flight
    from cachedeco.calls.watch import Watch
    @lambda f: named(mine, f)
    def here():
        say("computes")
        until_told()
        if mine == "a":
            theirs = "SELECT key, scope FROM items JOIN uris AS u ON u.id = items.uri WHERE u.uri = 'circle://b'"
            key, scope = cache.store.pool.read(theirs)
            with Watch(cache.store, Flight(cache.store.folder, key, scope, "b")) as watch:
                watch.note()
        return there()
    @lambda f: named(other, f)
    def there():
        return "computed here"
    say(how(here))
    """
    first, second = pair(stage, story)
    first.hear("computes")
    second.hear("computes")
    second.tell()
    waits = "SELECT count(*) FROM waits"
    with Cache(stage.folder) as cache:
        while cache.store.pool.read(waits) != (1,):
            assert second.process.poll() is None
    second.signal(signal.SIGKILL)
    second.process.wait()
    first.tell()
    assert first.hear() == "computed here"
    first.finish()

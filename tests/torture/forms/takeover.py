"""A dead owner is followed at once, a stopped one is waited for, one that lost its claim touches nothing."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import time

from tests.torture import checker
from tests.torture.children import World, crowd

SOON = 0.1
"""Seconds after the death of an owner in which the computation must have begun anew.

The long form asks it of the 99th percentile, on top of that of the baseline. The short form, which runs on busy
machines and has few rounds, asks it of the median.
"""

WHO = """
import time
from cachedeco.calls import miss as road

wait = road.wait
def wait_and_say(*args):
    say("waits")
    return wait(*args)
road.wait = wait_and_say

SIZE = int(os.environ.get("SIZE", "100"))

@subject("who")
def who(x):
    note("run", "who", x, os.getpid(), time.monotonic())
    if os.environ["ROLE"] == "owner":
        say("computes")
        sys.stdin.readline()
    return right(f"who {os.getpid()}", x, SIZE)
"""

OWNER = (
    WHO
    + """
import fcntl
if "PLAIN" in os.environ:
    plain = os.open(os.environ["PLAIN"], os.O_RDWR)
    fcntl.flock(plain, fcntl.LOCK_EX)
x = int(os.environ["X"])
given = who(x)
say("value", "mine" if given == right(f"who {os.getpid()}", x, SIZE) else given.hex())
"""
)

WAITER = (
    WHO
    + """
say("there")
for line in sys.stdin:
    x, pid = map(int, line.split())
    given = who(x)
    say("value", "right" if given == right(f"who {pid or os.getpid()}", x, SIZE) else given.hex())
"""
)

PLAIN = """
import fcntl, time
say("there")
for line in sys.stdin:
    descriptor = os.open(line.strip(), os.O_RDWR)
    say("waits")
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    moment = time.monotonic()
    os.close(descriptor)
    say("woke", moment)
"""


def torture(run):
    """Deaths, then stops, then claims that were taken away."""
    _deaths(run)
    _stops(run)
    _zombies(run)


def _runs(world, x):
    return [words for words in world.lines() if words[:3] == ["run", "who", str(x)]]


def _deaths(run):
    world = World(run.place())
    took, plain = [], []
    lock = os.path.join(world.path, "plain")
    open(lock, "w", encoding="utf-8").close()
    long_life = {"TORTURE_SECONDS": "1000"}
    with crowd() as children:
        waiter = world.start(WAITER, ROLE="waiter", **long_life)
        sleeper = world.start(PLAIN, **long_life)
        children.extend([waiter, sleeper])
        waiter.hear("there")
        sleeper.hear("there")
        for x in range(run.size(short=20, long=500)):
            owner = world.start(OWNER, ROLE="owner", X=str(x), PLAIN=lock)
            children.append(owner)
            owner.hear("computes")
            sleeper.tell(lock)
            sleeper.hear("waits")
            waiter.tell(x, 0)
            waiter.hear("waits")
            time.sleep(run.dice.uniform(0.05, 0.1))  # its pauses have grown to the longest
            killed = time.monotonic()
            owner.signal(signal.SIGKILL)
            woke = float(sleeper.hear("woke"))
            run.check(waiter.hear("value") == "right", f"round {x}: the waiter got a wrong value")
            owner.close()
            children.remove(owner)
            begun = [float(words[4]) for words in _runs(world, x)]
            if run.check(
                len(begun) == 2, f"round {x}: computed {len(begun)} times, not by the dead and its heir"
            ):
                took.append(begun[1] - killed)
                plain.append(woke - killed)
    median, late = run.timing("from SIGKILL to the heir's computation", took)
    _, idle = run.timing("idle baseline: from SIGKILL to who waits in flock() for the same process", plain)
    if run.long:
        run.check(
            late <= SOON + idle, f"takeover took {late * 1e3:.0f} ms (p99), the baseline {idle * 1e3:.0f} ms"
        )
    else:
        run.check(median <= SOON, f"takeover took {median * 1e3:.0f} ms (median)")
    for problem in checker.problems(world.cache):
        run.violation(problem)


def _stops(run):
    world = World(run.place())
    seconds = run.size(short=[1.0], long=[3.0] * 8 + [30.0])
    robbed = 0
    with crowd() as children:
        for x, length in enumerate(seconds):
            owner = world.start(OWNER, ROLE="owner", X=str(x))
            children.append(owner)
            owner.hear("computes")
            waiters = [world.start(WAITER, ROLE="waiter") for _ in range(3)]
            children.extend(waiters)
            for waiter in waiters:
                waiter.hear("there")
                waiter.tell(x, owner.pid)
                waiter.hear("waits")
            owner.signal(signal.SIGSTOP)
            time.sleep(length)
            robbed += len(_runs(world, x)) - 1
            owner.signal(signal.SIGCONT)
            owner.tell("go")
            run.check(owner.hear("value") == "mine", "a stopped owner did not get its own value")
            for waiter in waiters:
                run.check(
                    waiter.hear("value") == "right", "a waiter did not get the value of a stopped owner"
                )
                waiter.finish()
            owner.finish()
    run.figure(
        "SIGSTOPs", f"{len(seconds)}, {sum(seconds):.0f} s together, with 3 waiters each: {robbed} takeovers"
    )
    run.check(robbed == 0, "a stopped owner was robbed")
    for problem in checker.problems(world.cache):
        run.violation(problem)


def _zombies(run):
    rounds = run.size(short=2, long=20)
    world = World(run.place())
    with crowd() as children:
        for x in range(rounds):
            size = {"SIZE": str(30_000 if x % 2 else 100)}
            zombie = world.start(OWNER, ROLE="owner", X=str(x), **size)
            children.append(zombie)
            zombie.hear("computes")
            taken = _take_claim(world, zombie)
            heir = world.start(WAITER, ROLE="waiter", **size)
            children.append(heir)
            heir.hear("there")
            heir.tell(x, 0)
            run.check(heir.hear("value") == "right", f"zombie {x}: the heir got a wrong value")
            before = _rows(world)
            zombie.tell("go")
            run.check(zombie.hear("value") == "mine", f"zombie {x}: its caller did not get its value")
            run.check(zombie.finish() == 0, f"zombie {x}: {zombie.complaints}")
            run.check(_rows(world) == before, f"zombie {x}: it changed the registry")
            run.check(not _places(world, taken), f"zombie {x}: it left {_places(world, taken)}")
            heir.tell(x, heir.pid)
            run.check(heir.hear("value") == "right", f"zombie {x}: its commit replaced the heir's")
            heir.finish()
    run.figure("late commits of zombies", rounds)
    for problem in checker.problems(world.cache):
        run.violation(problem)


def _connected(world):
    path = os.path.join(world.cache, "registry", "registry.db")
    return contextlib.closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True, isolation_level=None))


def _take_claim(world, zombie):
    """End the claim of a process behind its back; the token."""
    with _connected(world) as con:
        row = con.execute(
            "UPDATE items SET status = 2, cause = 'abandoned' WHERE status = 1 AND owner = "
            "(SELECT id FROM owners WHERE pid = ? ORDER BY id DESC LIMIT 1) RETURNING token",
            (zombie.pid,),
        ).fetchall()
    return row[0][0].hex()


def _rows(world):
    with _connected(world) as con:
        tables = ("items", "last_versions", "attributes", "details")
        return {table: con.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in tables}


def _places(world, token):
    return [
        name
        for _, folders, files in os.walk(os.path.join(world.cache, "items"))
        for name in [*folders, *files]
        if token in name
    ]

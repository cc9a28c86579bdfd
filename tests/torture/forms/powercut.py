"""Power cuts: ``durability="full"`` loses nothing acknowledged, ``"process"`` nothing but that, and no value is wrong.

Processes write to a cache on a disk of its own and acknowledge to a log elsewhere. At a random moment the disk is cut
off; what had reached it is mounted again, and a new process asks for everything.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess

from tests.torture import checker, oracle
from tests.torture.children import PATIENCE, WRONG, World, crowd
from tests.torture.powercut import Disk, absence

STORY = """
import random
warnings.simplefilter("ignore")  # the disk goes away under this process
dice = random.Random(os.environ["TORTURE_DICE"])
functions = list(FUNCTIONS.values())
say("there")
while True:
    x, function, deed = dice.randrange(30), dice.choice(functions), dice.random()
    if deed < 0.5:
        ask(function, x)
    elif deed < 0.8:
        again(function, x)
    elif deed < 0.85:
        fail(x)
    elif deed < 0.9:
        by_hand(x)
    elif deed < 0.94:
        drop(function, x)
        for item in _removed(function, x)[:1]:
            item.restore()
    elif deed < 0.98:
        erase(function, x)
    else:
        cache.rebuild()
"""
LIVES = 8
"""Cuts that one cache goes through before a new one takes its place."""


def torture(run):
    """Cuts of both kinds of durability, on disks of their own."""
    why_not = absence() or _refusal(run)
    if why_not:
        run.skip(why_not)
        return
    for durability in ("full", "process"):
        caches = run.size(short=2, long=16)
        cuts = run.each(lambda number, kind=durability: _lives(run, kind, number), range(caches))
        acknowledged, found, rebuilt, count = map(sum, zip(*cuts, strict=True))
        run.figure(f"power cuts with durability={durability!r}", count)
        run.figure(
            "values acknowledged before them, and found again", f"{acknowledged}, {found}; {rebuilt} rebuilds"
        )
        run.check(acknowledged > count, f"with {durability!r} hardly anything was acknowledged")
        if run.long:
            run.check(count >= 100, f"only {count} power cuts with {durability!r}")


def _refusal(run):
    try:
        with Disk(run.place()) as disk:
            disk.cut()
            disk.come_back()
    except OSError as error:
        return f"a file system cannot be mounted and cut off here: {error}"
    return None


def _lives(run, durability, number):
    """The cuts of one cache: values acknowledged and found again, registries rebuilt, cuts."""
    place = run.place()
    acknowledged = found = 0
    with Disk(place) as disk:
        world = World(place, os.path.join(disk.top, "deep", "cache"), TORTURE_DURABILITY=durability)
        for life in range(LIVES):
            where = f"{durability}, cache {number}, cut {life}"
            sure = _live(run, world, disk, where)
            acknowledged += len(sure)
            found += _look(run, world, durability, where, sure)
        registry = os.path.join(world.cache, "registry")
        rebuilt = sum(name.startswith("damaged-") for name in os.listdir(registry))
    return acknowledged, found, rebuilt, LIVES


def _live(run, world, disk, where):
    """Let processes write until the disk is cut off; what was acknowledged before, as the log has it."""
    begun = len(world.lines())
    with crowd() as children:
        for child in range(2):
            dice = f"{run.seed} {where} {child}"
            children.append(world.start(STORY, TORTURE_DICE=dice, TORTURE_SECONDS="0"))
        for child in children:
            child.hear("there")
        _pass_time(run, disk, children[0])
        sure = len(world.lines())
        disk.cut()
        for child in children:
            child.signal(signal.SIGKILL)
        for child in children:
            code = child.process.wait(PATIENCE)
            run.check(code != WRONG, f"{where}: {child.complaints}")
    disk.come_back()
    _take_back(world, begun, sure)
    return oracle.standing(world.lines())


def _take_back(world, begun, sure):
    """Take out of the log what was acknowledged and need not be there.

    By a process whose disk was gone: it had the value, and could not keep it. Or by one that got it while the other
    process, which had announced that, removed it.
    """
    lines = world.lines()
    removed = oracle.given_up(lines[begun:])
    with open(world.log, "w", encoding="utf-8") as file:
        for number, words in enumerate(lines):
            if words[0] == "done" and (
                number >= sure or (number >= begun and (words[1], int(words[2])) in removed)
            ):
                words[0] = "unsure"
            file.write(" ".join(words) + "\n")


def _pass_time(run, disk, child):
    """A random time, in which something is written back now and then."""
    for _ in range(run.dice.randrange(4)):
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.process.wait(run.dice.uniform(0.0, 0.25))
        disk.write_back(everything=run.dice.random() < 0.3)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.process.wait(run.dice.uniform(0.0, 0.25))


def _look(run, world, durability, where, sure):
    """Ask for everything; how many of the acknowledged values were there."""
    before = len(world.lines())
    if durability == "full":
        found = world.settle(run, where)
        problems = checker.problems(world.cache, orphans=True)
    else:
        # What was lost is computed again, and what is READY without its bytes is found when it is asked for.
        world.settle(run, where, only=set())
        found = len(sure - set(oracle.computed(world.lines()[before:])))
        problems = _unsound(world.cache)
    for problem in problems:
        run.violation(f"{where}: {problem}")
    return found


def _unsound(folder):
    path = os.path.join(folder, "registry", "registry.db")
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True)) as con:
        return list(checker.unsound(con))

"""Ctrl-C at random moments: nothing committed is lost, no claim leaks, and an interrupt is no failure of a function."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import time

from tests.torture import checker
from tests.torture.children import PATIENCE, World, crowd

STORY = """
import random, signal, time
import subject as module
warnings.simplefilter("ignore")
sys.unraisablehook = lambda unraisable: None
dice = random.Random(os.environ["TORTURE_DICE"])
wanted = int(os.environ["TORTURE_WANTED"])
armed = False
missed = 0

def interrupt(number, frame):
    # As Python's own handler, but not while the story itself looks what has happened.
    global missed
    if armed:
        raise KeyboardInterrupt
    missed += 1

signal.signal(signal.SIGINT, interrupt)

computed = {}
def count_and_note(word, name, x, *more):
    if word == "run":
        computed[name, x] = computed.get((name, x), 0) + 1
    note(word, name, x, *more)
module.note = count_and_note

def deed(kind, function, x):
    if kind == "again":
        function.refresh(x)
    elif kind == "hand":
        by_hand(x)
    else:
        content_of(function, function(x))

struck = deeds = 0
ask(small, 0)
say("there")
while struck < wanted:
    deeds += 1
    x = deeds if dice.random() < 0.5 else dice.randrange(max(1, deeds - 5), deeds + 1)
    function = dice.choice(list(FUNCTIONS.values()))
    kind = dice.choices(["call", "again", "hand"], [6, 3, 1])[0]
    before = [item for item in function.items(x) if item.status == 3]
    hit = False
    try:
        armed = True
        deed(kind, function, x)
        armed = False
    except KeyboardInterrupt:
        armed = False
        hit = True
    if not hit:
        continue
    struck += 1
    ready = [item for item in function.items(x) if item.status == 3]
    if not {item.version for item in before} <= {item.version for item in ready}:
        complain(f"{function.__name__}({x}): what was READY before the interrupt is so no more")
    if not all(item.intact() for item in ready):
        complain(f"{function.__name__}({x}): READY without its bytes after an interrupt")
    so_far = computed.get((function.__name__, x), 0)
    began = time.monotonic()
    ask(function, x)
    if kind == "hand":
        by_hand(x)
    if time.monotonic() - began > 2:
        complain(f"{function.__name__}({x}): the call after an interrupt took {time.monotonic() - began:.1f} s")
    if ready and computed.get((function.__name__, x), 0) > so_far:
        complain(f"{function.__name__}({x}): computed again although it was READY")
signal.signal(signal.SIGINT, signal.SIG_IGN)
ask(small, -3)
say("struck", struck, deeds, missed)
"""


def torture(run):
    """A few processes on one folder, each interrupted until it has been struck often enough."""
    processes = 2
    wanted = run.size(short=80, long=1100)
    world = World(run.place())
    struck = deeds = 0
    with crowd() as children:
        for number in range(processes):
            child = world.start(
                STORY,
                TORTURE_DICE=f"{run.seed} {number}",
                TORTURE_WANTED=str(wanted),
                TORTURE_SECONDS=str(run.size(short=100, long=1200)),
            )
            children.append(child)
        for child in children:
            child.hear("there")
        _storm(run, children)
        for child in children:
            run.check(child.process.wait(PATIENCE) == 0, f"an interrupted process: {child.complaints}")
            if child.process.returncode == 0:
                counts = child.hear("struck").split()
                struck, deeds = struck + int(counts[0]), deeds + int(counts[1])
    world.settle(run, "after the interrupts")
    for problem in checker.problems(world.cache):
        run.violation(problem)
    raised = _raised(world)
    run.check(not raised, f"interrupts were recorded as failures of functions: {raised}")
    run.figure("SIGINTs that struck a call", f"{struck}, in {deeds} calls")
    run.check(struck >= processes * wanted, f"only {struck} interrupts struck a call")


def _storm(run, children):
    while any(child.process.poll() is None for child in children):
        time.sleep(run.dice.uniform(0.0, 0.004))
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                child.signal(signal.SIGINT)


def _raised(world):
    """Failures, but for the function that is there to fail."""
    path = os.path.join(world.cache, "registry", "registry.db")
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True)) as con:
        return con.execute(
            "SELECT u.uri, i.cause, count(*) FROM items AS i JOIN uris AS u ON u.id = i.uri "
            "WHERE i.status = 2 AND i.cause != 'abandoned' AND u.uri != 'torture://raising' GROUP BY 1, 2"
        ).fetchall()

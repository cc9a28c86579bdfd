"""Many processes with many threads ask for the same keys at once: each is computed once, and all wake soon."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections import Counter

from tests.torture import checker, oracle
from tests.torture.children import World, crowd

KEYS = 100
WAKE = 0.05
"""Seconds in which the median waiter must wake after the commit."""

STORY = """
import json, random, time

@subject("slow")
def slow(x):
    note("run", "slow", x, os.getpid())
    time.sleep(0.5)  # long enough for everybody to have come to wait
    return right("slow", x, 100)

def go(number, order, woken, problems, barrier):
    try:
        given = slow(number)
        woken.append(time.time())
        if given != right("slow", number, 100):
            problems.append("slow gave a wrong value")
        barrier.wait()
        for k in order:
            x = number * 1000 + k
            function = large if k % 10 == 0 else small
            if function(x) != right(function.__name__, x, SIZES[function.__name__]):
                problems.append(f"{function.__name__}({x}) gave a wrong value")
    except BaseException as error:
        problems.append(repr(error))
        barrier.abort()

threads_wanted, keys, seed = map(int, sys.stdin.readline().split())
say("there")
for line in sys.stdin:
    number = int(line)
    woken, problems = [], []
    barrier = threading.Barrier(threads_wanted + 1)
    threads = []
    for t in range(threads_wanted):
        order = list(range(1, keys))
        random.Random(f"{seed} {os.getpid()} {t}").shuffle(order)
        threads.append(threading.Thread(target=go, args=(number, order, woken, problems, barrier)))
    for thread in threads:
        thread.start()
    while len(woken) < threads_wanted and not problems:
        time.sleep(0.01)
    say("woken", json.dumps({"woken": woken}))
    sys.stdin.readline()  # all go on together
    try:
        barrier.wait()
    except threading.BrokenBarrierError:
        pass
    for thread in threads:
        thread.join()
    say("done", json.dumps(problems))
"""


def torture(run):
    """Rounds of a crowd that asks for the same 100 keys."""
    processes, threads = run.size(short=12, long=64), 8
    rounds = run.size(short=2, long=20)
    world = World(run.place())
    delays = []
    with crowd() as children:
        for _ in range(processes):
            # Who hangs says where, after all rounds.
            children.append(world.start(STORY, TORTURE_SECONDS=str(run.size(short=120, long=1500))))
        for child in children:
            child.tell(threads, KEYS, run.seed)
        for child in children:
            child.hear("there")
        for number in range(1, rounds + 1):
            delays += _round(run, world, children, number)
        for child in children:
            run.check(child.finish() == 0, f"a process did not end well: {child.complaints}")
    for problem in checker.problems(world.cache):
        run.violation(problem)
    run.figure("rounds x processes x threads x keys", f"{rounds} x {processes} x {threads} x {KEYS}")
    run.figure("calls", rounds * processes * threads * KEYS)
    run.figure("computations", len(oracle.computed(world.lines())))
    median, _ = run.timing("from commit to waking, in other processes", delays)
    run.check(median <= WAKE, f"the median waiter woke {median * 1e3:.0f} ms after the commit")


def _round(run, world, children, number):
    before = len(world.lines())
    for child in children:
        child.tell(number)
    woken = {child.pid: json.loads(child.hear("woken", 300))["woken"] for child in children}
    for child in children:
        child.tell("go")
    for child in children:
        for problem in json.loads(child.hear("done", 300)):
            run.violation(f"round {number}: {problem}")
    lines = world.lines()[before:]
    times = Counter(oracle.computed(lines))
    run.check(len(times) == KEYS, f"round {number}: {len(times)} keys were computed instead of {KEYS}")
    more = {pair: count for pair, count in times.items() if count > 1}
    run.check(not more, f"round {number}: computed more than once: {more}")
    owner = next((int(words[3]) for words in lines if words[:2] == ["run", "slow"]), None)
    committed = _committed(world)
    return [at - committed for pid, moments in woken.items() if pid != owner for at in moments]


def _committed(world):
    """When the last slow computation was about to be committed."""
    path = os.path.join(world.cache, "registry", "registry.db")
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True)) as con:
        row = con.execute(
            "SELECT max(i.ended) FROM items AS i JOIN uris AS u ON u.id = i.uri WHERE u.uri = 'torture://slow'"
        ).fetchone()
    return row[0] / 1e6

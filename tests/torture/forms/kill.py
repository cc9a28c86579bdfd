"""SIGKILL at every system call that changes a file, and at random moments: nothing wrong, nothing lost.

A scenario is run once to count its system calls, then once for each of them, from the same beginning. After
every death a new process asks for everything, and the folder is checked.
"""

from __future__ import annotations

import signal
import subprocess
from collections import Counter

from tests.torture import checker, oracle, stracing
from tests.torture.children import WRONG, World, crowd

FILLED = """
for x in range(1, 3):
    for function in FUNCTIONS.values():
        ask(function, x)
by_hand(1)
again(large, 1)
"""

SCENARIOS = {
    # name: what was there before, what is done
    "first use": ("", "ask(small, 1)"),
    "values": (
        FILLED,
        "ask(small, 1); ask(large, 7); ask(small, 7); again(small, 1); again(large, 2); fail(1)",
    ),
    "files": (FILLED, "ask(report, 7); ask(folder, 7); again(report, 1); again(folder, 2)"),
    "generators": (FILLED, "ask(stream, 7); ask(spooled, 7); again(spooled, 1)"),
    "by hand": (FILLED, "by_hand(1); by_hand(7); by_hand_failed(8); by_hand(8)"),
    "removal": (
        FILLED,
        "drop(small, 1); bring(small, 1); drop(folder, 2); bring(folder, 2); drop(report, 2)",
    ),
    "deletion": (FILLED, "erase(large, 1); erase(folder, 1); ask(large, 1); erase(small, 2); ask(small, 2)"),
    "forgetting": (FILLED, "erase(large, 2, keep_record=False); erase(folder, 2, keep_record=False)"),
    "rebuild": (FILLED, "ask(small, 1); cache.rebuild(); ask(small, 7); ask(large, 7)"),
    "migration": (FILLED, "become_newer(); ask(small, 7); ask(large, 1); again(large, 2)"),
}
LEAVES_ORPHANS = {"forgetting"}
"""Where records go before their bytes: a kill in between leaves what `clean` is for."""

RANDOM = """
import random
dice = random.Random(sys.argv[1] if len(sys.argv) > 1 else os.environ["TORTURE_DICE"])
say("there")
while True:
    x = dice.randrange(4)
    function = dice.choice(list(FUNCTIONS.values()))
    deed = dice.random()
    if deed < 0.25:
        ask(function, x)
    elif deed < 0.85:
        try:
            again(function, x)
        except PreviousFailureError:
            complain("nothing raises here")
    elif deed < 0.92:
        fail(x)
    else:
        by_hand(x)
"""


def torture(run):
    """All positions (short: a sample of them), then random moments."""
    kills = _sweep(run) + _random(run)
    run.figure("SIGKILLs that struck", kills)
    if run.long:
        run.check(kills >= 1000, f"only {kills} SIGKILLs struck")


def beginnings(run):
    """The worlds that scenarios start from, made once for each beginning."""
    made = {}
    for before, _ in SCENARIOS.values():
        if before not in made:
            world = made[before] = World(run.place())
            ended = world.run(before)
            if ended.code != 0:
                raise RuntimeError(f"the beginning does not work: {ended.complaints}")
    return made


def positions(run, begun, **options):
    """Where faults can strike: scenario, system call and position of each."""

    def look(scenario):
        before, story = SCENARIOS[scenario]
        found, ended = stracing.census(begun[before].copy(run.place()), story, **options)
        if ended.code != 0:
            raise RuntimeError(f"the scenario {scenario} does not work: {ended.complaints}")
        return [(scenario, call, number) for call, numbers in found.items() for number in numbers]

    return [case for cases in run.each(look, SCENARIOS) for case in cases]


def _sweep(run):
    why_not = stracing.absence()
    if why_not:
        run.skip(f"kills at system calls: {why_not}")
        return 0
    begun = beginnings(run)
    cases = positions(run, begun)
    run.figure(
        "positions", f"{len(cases)} in {len(SCENARIOS)} scenarios, {dict(Counter(c[1] for c in cases))}"
    )
    # Most take and drop SQLite's locks, which changes nothing on the disk: some are enough.
    locks = [case for case in cases if case[1] == "fcntl"]
    cases = [case for case in cases if case[1] != "fcntl"] + run.dice.sample(locks, len(locks) // 8)
    if not run.long:
        cases = run.dice.sample(cases, min(70, len(cases)))

    def strike(case):
        scenario, call, number = case
        before, story = SCENARIOS[scenario]
        world = begun[before].copy(run.place())
        ended, _ = stracing.struck(world, story, call, "signal=KILL", number)
        where = f"{scenario}, killed at {call} number {number}"
        run.check(ended.code in {0, -signal.SIGKILL}, f"{where}: ended with {ended.code}: {ended.complaints}")
        world.settle(run, where)
        for problem in checker.problems(world.cache, orphans=scenario in LEAVES_ORPHANS):
            run.violation(f"{where}: {problem}")
        return ended.code == -signal.SIGKILL

    struck = run.each(strike, cases)
    run.figure("killed at system calls", f"{sum(struck)} of {len(cases)}; the others ended before")
    return sum(struck)


def _random(run):
    at_once, rounds = 4, run.size(short=8, long=130)
    world = World(run.place())
    kills = 0
    for number in range(rounds):
        with crowd() as children:
            for child in range(at_once):
                children.append(world.start(RANDOM, TORTURE_DICE=f"{run.seed} {number} {child}"))
            for child in children:
                child.hear("there")
            for child in children:
                _wait(run.dice, child)
                child.signal(signal.SIGKILL)
            for child in children:
                code = child.process.wait(60)
                run.check(code != WRONG, f"random kills, round {number}: {child.complaints}")
                run.check(code == -signal.SIGKILL, f"random kills: one ended with {code}: {child.complaints}")
                kills += code == -signal.SIGKILL
        world.settle(run, f"random kills, round {number}")
        for problem in checker.problems(world.cache):
            run.violation(f"random kills, round {number}: {problem}")
    run.figure("killed at random moments", kills)
    run.figure("computations meanwhile", len(oracle.computed(world.lines())))
    return kills


def _wait(dice, child):
    """A random time, unless it ends before."""
    try:
        child.process.wait(dice.uniform(0.0, 0.06))
    except subprocess.TimeoutExpired:
        return

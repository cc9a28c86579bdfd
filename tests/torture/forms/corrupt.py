"""Damaged bytes, records, registries and locks: right values, no exception, no hang, and hits again afterwards.

What is damaged is drawn, what is done to it too: bits flipped, parts zeroed, noise, truncated, extended, swapped with
another, replaced by a folder, a pipe, a link or nothing. The cases run in children, so that a crash of an
interpreter is seen; a part of them once more with every later call in a new process.
"""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter

from tests.torture.children import World

AT_ONCE = 80
"""Cases of one child."""

FILL = """
from tests.torture.forms import corrupt_child
corrupt_child.fill({path!r}, closed={closed})
"""
BATCH = """
from tests.torture.forms import corrupt_child
corrupt_child.batch({templates!r}, {work!r}, {seed!r}, {begin}, {end})
"""
FRESH = """
from tests.torture.forms import corrupt_child
import random
warnings.simplefilter("ignore")
case = corrupt_child.Case({folder!r}, random.Random({seed!r}))
case.damage()
say(*case.done)
"""
ASK = """
import warnings
warnings.simplefilter("ignore")
for x in (0, 1):
    for function in FUNCTIONS.values():
        ask(function, x)
ask(small, 7)
"""


def torture(run):
    """Cases in children, then a sample in which all that follows is a new process's."""
    templates = _templates(run)
    cases, fresh = run.size(short=320, long=20_000), run.size(short=4, long=250)
    outcomes = Counter()
    batches = [(begin, min(begin + AT_ONCE, cases)) for begin in range(0, cases, AT_ONCE)]
    for found in run.each(lambda limits: _batch(run, templates, *limits), batches):
        outcomes += found
    run.figure("cases", outcomes.total())
    for kind in sorted({kind for kind, _ in outcomes}):
        shown = {outcome: count for (each, outcome), count in sorted(outcomes.items()) if each == kind}
        run.figure(f"  {kind}", shown)
    run.check(outcomes.total() == cases, f"only {outcomes.total()} of {cases} cases came to their end")
    run.each(lambda number: _fresh(run, templates[number % 2], number), range(fresh))
    run.figure("cases with a new process afterwards", fresh)


def _templates(run):
    paths = []
    for closed in (False, True):
        world = World(run.place())
        ended = world.run(FILL.format(path=world.cache, closed=closed))
        if ended.code != 0:
            raise RuntimeError(f"the beginning does not work: {ended.complaints}")
        paths.append(world.cache)
    return paths


def _batch(run, templates, begin, end):
    world = World(run.place())
    work = run.place()
    story = BATCH.format(templates=templates, work=work, seed=run.seed, begin=begin, end=end)
    ended = world.run(story, seconds=1200.0)
    said = [line.split(" ", 1) for line in ended.said]
    for _, wrong in (each for each in said if each[0] == "wrong"):
        run.violation(wrong)
    if ended.code != 0:
        last = [rest for word, rest in said if word == "begun"][-1:]
        run.violation(f"a child ended with {ended.code} at {last}: {ended.complaints}")
    shutil.rmtree(work, ignore_errors=True)
    return Counter(tuple(rest.split(" ")) for word, rest in said if word == "outcome")


def _fresh(run, template, number):
    world = World(run.place())
    shutil.copytree(template, world.cache, symlinks=True)
    seed = random.Random(f"{run.seed} fresh {number}").random()  # noqa: S311 - dice
    struck = world.run(FRESH.format(folder=world.cache, seed=str(seed)))
    where = f"in a new process after {struck.said}"
    for _ in range(2):
        ended = world.run(ASK)
        refused = "UntrustedCacheError" in ended.complaints and ": link" in " ".join(struck.said)
        run.check(ended.code == 0 or refused, f"{where}: ended with {ended.code}: {ended.complaints[-800:]}")
    shutil.rmtree(os.path.dirname(world.log), ignore_errors=True)

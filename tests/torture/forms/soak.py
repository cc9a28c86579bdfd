"""Everything at once, for minutes: calls, removals, clean-ups, rebuilds, forks, kills, stops, two versions of it all.

What a child computes for itself alone is never removed, so it must be found again; what all of them share is removed,
deleted, cleaned and computed again all the time. One child lives through it all and must not grow.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter

from tests.torture import oracle
from tests.torture.children import PATIENCE, WRONG, World, crowd

CHILDREN = 4
OWN = 1000
"""From this number on arguments are one child's own; below they are everybody's."""

DEEDS = """
import contextlib, random
from cachedeco import StatusError
warnings.simplefilter("ignore")
dice = random.Random(os.environ["TORTURE_DICE"])
functions = list(FUNCTIONS.values())
mine = int(os.environ["TORTURE_OWN"])

def deed():
    function, x, chance = dice.choice(functions), dice.randrange(30), dice.random()
    if chance < 0.35:
        ask(function, mine + dice.randrange(200))
    elif chance < 0.6:
        check(function, x, function(x))
    elif chance < 0.7:
        check(function, x, function.refresh(x))
    elif chance < 0.75:
        fail(x)
    elif chance < 0.8:
        function.remove(x)
    elif chance < 0.85:
        for item in function.items(x):
            with contextlib.suppress(StatusError):  # somebody computes it just now
                item.remove(disk=True)
    elif chance < 0.89:
        cache.gc(max_age=0, where="params.x < 1000 and not uri = torture://hand", grace="1h")
    elif chance < 0.92:
        cache.clean(grace="1s")
    elif chance < 0.94:
        cache.verify(full=True, time_limit=0.2)
    elif chance < 0.96:
        cache.search(where="status = ready and size > 1kB and age < 1h")
    elif chance < 0.98:
        fork()
    elif chance < 0.985:
        cache.rebuild()
    else:
        cache.close()

def fork():
    pid = os.fork()
    if not pid:
        for x in range(3):
            check(small, x, small(x))
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3:
        complain("a forked child got a wrong value")
"""
LIVE = (
    DEEDS
    + """
if os.environ.get("TORTURE_NEWER"):
    become_newer()
say("there")
while True:
    deed()
"""
)
ELDER = (
    DEEDS
    + """
import gc, resource
from cachedeco import RegistryError
def state():
    cache.close()
    gc.collect()
    pages = int(open("/proc/self/statm").read().split()[1])
    return len(os.listdir("/proc/self/fd")), threading.active_count(), pages * resource.getpagesize() >> 20
for _ in range(200):
    deed()
say("there", *state())
count = 0
while not os.path.exists(os.environ["TORTURE_LOG"] + ".over"):
    try:
        deed()
    except RegistryError as error:
        if "upgrade cachedeco" not in str(error):
            raise
        become_newer()  # as who does what the message says
    count += 1
say("end", *state(), count)
"""
)
CLEAN = """
cache.clean(grace=0)
cache.autoclean()
cache.gc(grace=0)
cache.clean(grace=0)
left = [name for name, facts in cache.contents().items() if facts["item"] is None]
damaged = [str(each) for each in cache.verify(full=True)]
running = [repr(each) for each in cache.search(status=Status.WRITE) if each._record.owner is not None]
say("left", left, damaged, running, len(cache))
"""


def torture(run):
    """Children live and die for some minutes; then all that they had for themselves is there."""
    minutes = run.minutes or run.size(short=0.2, long=5.0)
    world = World(run.place())
    ends = Counter()
    over = time.monotonic() + minutes * 60
    with crowd() as children:
        elder = _start(run, world, ELDER, 0)
        children.append(elder)
        before = [int(word) for word in elder.hear("there").split()]
        number = 1
        while time.monotonic() < over:
            while len(children) <= CHILDREN:
                newer = {"TORTURE_NEWER": "1"} if time.monotonic() > over - minutes * 30 else {}
                child = _start(run, world, LIVE, number, **newer)
                children.append(child)
                number += 1
            _strike(run, children, ends)
        for child in children[1:]:
            child.signal(signal.SIGKILL)
            child.process.wait(PATIENCE)
        open(world.log + ".over", "w", encoding="utf-8").close()
        after = [int(word) for word in elder.hear("end", PATIENCE).split()]
        run.check(elder.finish() == 0, f"the child that lived through it ended badly: {elder.complaints}")
    run.figure("minutes, children, how they ended", f"{minutes:g}, {number}, {dict(sorted(ends.items()))}")
    names = ("descriptors", "threads", "MB")
    grown = ", ".join(f"{name} {a} -> {b}" for name, a, b in zip(names, before, after[:3], strict=True))
    run.figure(f"a child that lived through {after[3]} deeds", grown)
    run.check(after[0] <= before[0] + 8, f"descriptors were left open: {grown}")
    run.check(after[1] <= before[1], f"threads were left: {grown}")
    run.check(after[2] <= before[2] + 100, f"it has grown: {grown}")
    _look(run, world)


def _start(run, world, story, number, **more):
    own = OWN * (1 + number % (CHILDREN + 1))
    dice = f"{run.seed} soak {number}"
    return world.start(story, TORTURE_DICE=dice, TORTURE_OWN=str(own), TORTURE_SECONDS="0", **more)


def _strike(run, children, ends):
    """Stop one for a moment, or kill one; those that ended by themselves are counted."""
    time.sleep(run.dice.uniform(0.02, 0.4))  # the moment of the strike is what is drawn
    child = run.dice.choice(children[1:])
    if run.dice.random() < 0.4:
        child.signal(signal.SIGSTOP)
        time.sleep(run.dice.uniform(0.01, 0.5))  # as long as it is stopped
        child.signal(signal.SIGCONT)
        return
    child.signal(signal.SIGKILL)
    code = child.process.wait(PATIENCE)
    child.close()
    children.remove(child)
    run.check(code != WRONG, f"a wrong value: {child.complaints}")
    older = "upgrade cachedeco" in child.complaints
    how = "killed" if code == -9 else "told to upgrade" if older else f"status {code}"
    ends[how] += 1
    run.check(code == -9 or older, f"a child ended with {code}: {child.complaints}")


def _look(run, world):
    """All that was acknowledged and never removed is there; after a clean-up there is nothing else."""
    acknowledged = {(name, x) for name, x in oracle.standing(world.lines()) if x >= OWN}
    found = world.settle(run, "after the soak", only=acknowledged)
    run.figure("values acknowledged, and found again", f"{len(acknowledged)}, {found}")
    run.check(len(acknowledged) > 20, "hardly anything was acknowledged")
    newer = "become_newer()\n" if ["newer"] in world.lines() else ""
    ended = world.run(newer + CLEAN)
    said = " ".join(ended.said)
    run.check(
        ended.code == 0 and "left [] [] [] " in said, f"after a clean-up: {said[:500]} {ended.complaints}"
    )
    run.check(os.path.isdir(world.cache), "the folder is gone")

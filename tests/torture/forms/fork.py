"""Forks while other threads write: no commit is lost, no child hangs, the registry stays sound."""

from __future__ import annotations

import json

from tests.torture import checker, oracle
from tests.torture.children import PATIENCE, World, crowd

NEVER = "0"

STORY = """
import json, random, signal, time
warnings.simplefilter("ignore")
dice = random.Random(os.environ["TORTURE_DICE"])
wanted = int(os.environ["TORTURE_WANTED"])
HANG = 20.0
over = threading.Event()
problems, died = [], []
# Not by faulthandler's timer: its thread is missing in a child, which would wait for it at its end.
faulthandler.register(signal.SIGALRM, chain=True)

def write_on(number):
    try:
        n = 0
        while not over.is_set():
            n += 1
            x = 1_000_000 * (number + 1) + n % 200
            (ask if n < 200 else again)(large if x % 5 == 0 else small, x)
    except BaseException as error:
        problems.append(f"a writing thread ended: {error!r}")

def live(kind, x):
    # The child: computes what is new, and loads what the parent has.
    signal.alarm(int(HANG) - 5)  # who hangs says where
    if died and doomed(died[-1]) != right("doomed", died[-1], 100):
        complain("a wrong value after the death of a child")
    ask(small, 0)
    if kind == "nothing":
        os._exit(0)
    ask(large if x % 2 else small, x)
    if kind == "exec":
        os.execv(sys.executable, [sys.executable, "-c", "pass"])
    if kind == "exit":
        sys.exit(0)
    if kind == "crash":
        dying.append(x)
        doomed(os.getppid() * 1000 + x)
    if kind == "threads":
        threads = [threading.Thread(target=ask, args=(small, 10_000 + x * 10 + t)) for t in range(3)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
    if kind == "fork":
        grandchild = os.fork()
        if grandchild == 0:
            ask(small, 5_000_000 + x)
            os._exit(0)
        if os.waitpid(grandchild, 0)[1] != 0:
            os._exit(4)
    os._exit(0)

if "TORTURE_COLD" not in os.environ:
    for function in FUNCTIONS.values():
        ask(function, 0)  # every late import has happened
    fail(0)
writers = [threading.Thread(target=write_on, args=(number,)) for number in range(4)]
for writer in writers:
    writer.start()
if "TORTURE_COLD" in os.environ:
    time.sleep(dice.uniform(0.0, 0.05))
kinds, ends = {}, {"crash": -9}
for x in range(1, wanted + 1):
    kind = dice.choice(["nothing", "exit", "_exit", "exec", "crash", "threads", "fork"])
    kinds[kind] = kinds.get(kind, 0) + 1
    child = os.fork()
    if child == 0:
        live(kind, x)
    deadline = time.monotonic() + HANG
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            died += [os.getpid() * 1000 + x] * (kind == "crash")
            if code != ends.get(kind, 0):
                problems.append(f"child {x} ({kind}) ended with {code}")
            break
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            problems.append(f"child {x} ({kind}) hung")
            break
        time.sleep(0.001)
    if problems:
        break
over.set()
for writer in writers:
    writer.join(30)
say("done", json.dumps({"kinds": kinds, "problems": problems}))
"""


def torture(run):
    """Forks of processes in which four threads write without a pause; then, in the long form, during first calls."""
    forks, problems = _forks(run, processes=2, each=run.size(short=40, long=280))
    for problem in problems:
        run.violation(problem)
    run.figure("forks while threads wrote", f"{sum(forks.values())}, {forks}")
    if run.long:
        run.check(sum(forks.values()) >= 500, f"only {sum(forks.values())} forks")
        # Other threads import for the first time, make the registry and become owners meanwhile.
        forks, problems = _forks(run, processes=20, each=1, TORTURE_COLD="1")
        for problem in problems:
            run.violation(f"during first calls: {problem}")
        run.figure("forks during the first calls of a process", f"{sum(forks.values())}, {forks}")


def _forks(run, *, processes, each, **more):
    world, forks, problems = World(run.place()), {}, []

    def fork(number):
        dice = f"{run.seed} {number} {more}"
        with crowd() as children:
            child = world.start(
                STORY, TORTURE_DICE=dice, TORTURE_WANTED=str(each), TORTURE_SECONDS=NEVER, **more
            )
            children.append(child)
            try:
                told = json.loads(child.hear("done", 60.0 + 2 * each))
            except RuntimeError as error:
                return {"kinds": {}, "problems": [str(error)]}
            if child.process.wait(PATIENCE) != 0 or told["problems"]:
                told["problems"].append(f"complaints: {child.complaints}")
            return told

    for told in run.each(fork, range(processes)):
        problems += told["problems"]
        for kind, count in told["kinds"].items():
            forks[kind] = forks.get(kind, 0) + count
    before = world.lines()
    world.settle(run, "after the forks")
    for problem in checker.problems(world.cache):
        run.violation(problem)
    run.figure("values acknowledged meanwhile, and found again", len(oracle.standing(before)))
    return forks, problems

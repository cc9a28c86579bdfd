"""Errors of the operating system at every call that writes: the right value, one warning, no hang, and no harm."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections import Counter

from tests.torture import checker, oracle, stracing
from tests.torture.children import World
from tests.torture.forms.kill import LEAVES_ORPHANS, SCENARIOS, beginnings, positions

ERRORS = {
    "openat": ("EMFILE", "EACCES", "ENOSPC", "EIO"),
    "mkdir": ("ENOSPC", "EIO", "EACCES"),
    "write": ("ENOSPC", "EIO"),
    "pwrite64": ("ENOSPC", "EIO"),
    "rename": ("ENOSPC", "EIO", "EACCES"),
    "unlink": ("EIO", "EACCES"),
    "unlinkat": ("EIO", "EACCES"),
    "rmdir": ("EIO", "EACCES"),
    "chmod": ("EIO", "EACCES"),
    "fchmod": ("EIO", "EACCES"),
    "fchown": ("EIO", "EACCES"),
    "ftruncate": ("ENOSPC", "EIO"),
    "fsync": ("EIO",),
    "fdatasync": ("EIO", "ENOSPC"),
    "flock": ("EIO",),
}
"""System call -> the errors that it is made to end with.

Not SQLite's locks, taken by ``fcntl``: whatever error that ends with, SQLite takes another process to have the lock,
and waits for it.
"""

SECONDS = 20.0
"""After which a struck process counts as hanging."""

CALLS = {
    # The manager's own verbs may raise what happened to them: who asks for a removal must learn that it failed.
    name: story
    for name, (_, story) in SCENARIOS.items()
    if name in {"first use", "values", "files", "generators"}
}

HEARD = """
with Heard():
    {story}
say("ended")
"""

TOLERANT = """
from cachedeco import CachedecoError
for deed in {deeds!r}:
    try:
        eval(deed)
    except (OSError, CachedecoError) as error:
        say("raised", type(error).__name__)
say("ended")
"""

FULL = """
filler = os.path.join(os.path.dirname(os.environ["TORTURE_CACHE"]), "filler")
with open(filler, "wb") as file:
    file.write(bytes(1_000_000))
with Heard():
    for x in range(1, 40):
        ask(large, x * 10)  # 30 kB each, in 2 MB, and the log of the registry beside them
        ask(small, x * 10)
        ask(report, x)
os.unlink(filler)
ask(large, 7)
ask(large, 7)
if [item.status for item in large.items(7)] != [Status.READY]:
    complain("with room again nothing is stored")
say("ended")
"""


def torture(run):
    """Each error once at each position, and some of them from there on for good (short: a sample); then a full disk."""
    injected = _injections(run)
    run.figure("faults, each in a process of its own", injected)
    if run.long and injected:
        run.check(injected >= 2000, f"only {injected} faults struck")
    _full_disk(run)


def _injections(run):
    why_not = stracing.absence()
    if why_not:
        run.skip(f"errors at system calls: {why_not}")
        return 0
    begun = beginnings(run)
    cases = [
        (scenario, call, error, f"{number}{sticky}")
        for scenario, call, number in positions(run, begun, without_users=True)
        for error in ERRORS.get(call, ())
        for sticky in ("", "+")
        # Where no file can be opened and no folder made, no function could write an output file either.
        if not sticky or call not in {"openat", "mkdir"}
    ]
    run.figure("cases", len(cases))
    cases = run.dice.sample(cases, min(len(cases), run.size(short=80, long=2200)))
    kinds = Counter()

    def strike(case):
        scenario, call, error, when = case
        before, story = SCENARIOS[scenario]
        world = begun[before].copy(run.place())
        known = oracle.standing(world.lines())
        where = f"{scenario}, {error} at {call} number {when}"
        deeds = [deed.strip() for deed in story.split(";")]
        text = HEARD.format(story=story) if scenario in CALLS else TOLERANT.format(deeds=deeds)
        ended, count = stracing.struck(world, text, call, f"error={error}", when, SECONDS)
        if ended.code is None:
            run.violation(f"{where}: hung")
        elif run.check(ended.code == 0, f"{where}: ended with {ended.code}: {ended.complaints[-800:]}"):
            _check_said(run, where, ended.said)
        # What could not be stored may be computed again, what was there before may not.
        world.settle(run, where, only=known)
        for problem in checker.problems(world.cache, orphans=scenario in LEAVES_ORPHANS):
            run.violation(f"{where}: {problem}")
        kinds[error] += count
        return count

    # A sticky error is one fault, however often it struck.
    struck = [(case, count) for case, count in zip(cases, run.each(strike, cases), strict=True) if count]
    run.figure("processes struck", f"{len(struck)} of {len(cases)}; errors by name: {dict(kinds)}")
    return len(struck)


def _check_said(run, where, said):
    """One warning for a function and a cause, and nothing but the library's own kind."""
    warned = [line.split(" ", 2)[1:] for line in said if line.startswith("warned ")]
    run.check(said[-1:] == ["ended"], f"{where}: it did not come to its end: {said}")
    foreign = [words for words in warned if words[0] != "StoreWarning"]
    run.check(not foreign, f"{where}: warned of {foreign}")
    times = Counter(message for _, message in warned)
    run.check(max(times.values(), default=0) <= 1, f"{where}: warned more than once: {times}")


def _full_disk(run):
    if os.geteuid() != 0:
        run.skip("a full disk: only root can mount one")
        return
    place = run.place()
    mounted = os.path.join(place, "disk")
    os.mkdir(mounted)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "none", mounted],  # noqa: S607 - the one of the system
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        run.skip(f"a full disk: {done.stderr.strip()}")
        return
    try:
        world = World(place, cache=os.path.join(mounted, "cache"))
        ended = world.run(FULL)
        if run.check(ended.code == 0, f"a full disk: ended with {ended.code}: {ended.complaints}"):
            _check_said(run, "a full disk", ended.said)
            warned = [line for line in ended.said if line.startswith("warned")]
            run.figure("warnings of one process on a full disk of 2 MB", len(warned))
            run.check(warned, "a full disk: there was no warning; was it full?")
        ended = world.run(
            "for x in range(1, 40):\n    ask(small, x * 10)\n    check(large, x * 10, large(x * 10))\n"
        )
        run.check(ended.code == 0, f"after a full disk: {ended.complaints}")
        for problem in checker.problems(world.cache):
            run.violation(f"a full disk: {problem}")
    finally:
        with contextlib.suppress(OSError):
            subprocess.run(["umount", "-l", mounted], check=False)  # noqa: S607 - as above

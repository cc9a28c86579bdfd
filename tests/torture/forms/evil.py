"""Bad guests: planted pickles, links and names, and what another user has put into a folder that he may write to.

Nothing that was planted may run where values are signed or pickles are not allowed; what another user owns or may
write to is refused; nothing outside the cache folder is read, written or deleted; no name reaches SQL or a path.
That the pickles bite is shown by loading them from a cache without a guard.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter

from tests.torture.children import World

PARTS = 2
"""Children that share the cases of one kind."""

BATCH = """
import warnings
warnings.simplefilter("ignore")
from tests.torture.forms import {module}
{module}.batch({work!r}, {part}, {parts}, {seed!r}, long={long})
"""
LEAST = {"evil_pickles": 100, "evil_links": 50, "evil_names": 50}


def torture(run):
    """Pickles, links and names, in children; then strangers, where we may become one."""
    for module, least in LEAST.items():
        _share(run, module, least)
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        run.skip("only root can act as another user")
        return
    _share(run, "evil_strangers", 1)


def _share(run, module, least):
    parts = run.each(lambda part: _part(run, module, part), range(PARTS))
    outcomes = sum(parts, Counter())
    run.figure(module.replace("evil_", "planted "), f"{outcomes.total()} {dict(sorted(outcomes.items()))}")
    run.check(outcomes.total() >= least, f"{module}: only {outcomes.total()} cases came to their end")


def _part(run, module, part):
    world = World(run.place())
    work = run.place()
    os.chmod(run.folder, 0o755)  # noqa: S103 - strangers have to reach what is below
    os.chmod(work, 0o755)  # noqa: S103 - as above
    story = BATCH.format(
        module=module, work=work, part=part, parts=PARTS, seed=f"{run.seed} {module}", long=run.long
    )
    ended = world.run(story, seconds=1200.0)
    said = [line.split(" ", 1) for line in ended.said]
    for word, rest in said:
        if word == "wrong":
            run.violation(rest)
    if ended.code != 0:
        last = [rest for word, rest in said if word == "begun"][-1:]
        run.violation(f"{module}: a child ended with {ended.code} at {last}: {ended.complaints}")
    shutil.rmtree(work, ignore_errors=True)
    return Counter(rest for word, rest in said if word == "outcome")

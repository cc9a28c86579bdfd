"""SIGKILL at random moments: afterwards every key computes, and what is READY is right."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest

from cachedeco import Cache, Status, cached

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")

KEYS = 12
STORY = """
@cached(cache=cache, code_version="1", uri="kill://f")
def f(x):
    return bytes([x % 251]) * (10 if x % 2 else 30_000)
say("there")
n = 0
while True:
    n += 1
    try:
        f.refresh(n % 12)
    except PreviousFailureError:
        raise SystemExit("nothing raises here")
"""


def right(x):
    return bytes([x % 251]) * (10 if x % 2 else 30_000)


def test_kills_at_random_moments(stage):
    """36 processes are killed while they claim, write and commit the same keys."""
    dice = random.Random(2013)  # noqa: S311 - moments, not secrets
    for _ in range(9):
        workers = [stage.start(STORY) for _ in range(4)]
        for worker in workers:
            worker.hear("there")
        for worker in workers:
            with pytest.raises(subprocess.TimeoutExpired):
                worker.process.wait(dice.uniform(0.0, 0.06))
            worker.process.kill()
        for worker in workers:
            assert worker.process.wait(30) == -9, worker._complaints
    with Cache(stage.folder) as cache:
        f = cached(cache=cache, code_version="1", uri="kill://f")(right)
        ready = cache.search(status=Status.READY)
        assert len(ready) > 20
        for item in ready:
            assert item.intact()
            assert item.load() == right(item.params["x"])
        for key in range(KEYS):
            assert f.refresh(key) == right(key)
            versions = [item.version for item in f.items(key)]
            assert versions == list(range(len(versions), 0, -1))
        assert cache.search(status=Status.WRITE) == []
        assert cache.store.pool.read("PRAGMA integrity_check") == ("ok",)
        known = {item._record.token for item in cache.search(include_removed=True)}
        # Folders, manifests, and what was being written of either.
        names = {path.name for path in (stage.folder / "items").glob("*/*")}
        assert {name.rpartition("-")[2][:32] for name in names} <= known


def test_a_stream_whose_writer_was_killed_is_stored_by_the_next(stage):
    """Also by a process that had claimed something before, and so does not look for dead ones any more."""
    story = """
    @cached(cache=cache, code_version="1", uri="kill://stream")
    def stream(x):
        yield x
    @cached(cache=cache, code_version="1", uri="kill://value")
    def value(x):
        return x
    value(1)
    say("there")
    until_told()
    list(stream(1))
    say("status", stream.status(1).name)
    """
    killed = """
    import signal
    from cachedeco.registry.claims import Claims
    Claims.commit = lambda *args, **options: os.kill(os.getpid(), signal.SIGKILL)
    @cached(cache=cache, code_version="1", uri="kill://stream")
    def stream(x):
        yield x
    list(stream(1))
    """
    survivor = stage.start(story)
    survivor.hear("there")
    assert stage.start(killed).process.wait(30) == -9
    survivor.tell()
    assert survivor.hear("status") == "READY"
    survivor.finish()

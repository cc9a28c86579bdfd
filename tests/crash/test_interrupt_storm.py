"""Signals at random moments, also while an earlier one is being handled."""

from __future__ import annotations

import signal

import pytest

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no timers here")


@pytest.mark.parametrize("size", [10, 30_000])
def test_a_storm_of_interrupts_leaves_a_cache_that_works(stage, size):
    """Every key computes at once afterwards, no claim is left, and nothing that was READY is lost."""
    story = f"""
    import random, signal
    warnings.simplefilter("ignore")
    sys.unraisablehook = lambda unraisable: None
    dice = random.Random(1)
    calls = 0
    @cached(cache=cache, code_version="1")
    def f(x):
        global calls
        calls += 1
        return bytes([x % 251]) * {size}
    def ring(number, frame):
        raise KeyboardInterrupt
    f(-1)
    signal.signal(signal.SIGALRM, ring)
    struck = 0
    for x in range(400):
        try:
            try:
                signal.setitimer(signal.ITIMER_REAL, dice.uniform(0.00005, 0.002), 0.0003)
                f(x)
            finally:
                while signal.setitimer(signal.ITIMER_REAL, 0)[0]:
                    pass
        except KeyboardInterrupt:
            struck += 1
        while True:
            try:
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, signal.SIG_IGN)
                break
            except KeyboardInterrupt:
                continue
        ready = [item.version for item in f.items(x) if item.status == 3]
        before = calls
        assert f(x) == bytes([x % 251]) * {size}
        assert calls == before + (not ready), (x, ready)
        signal.signal(signal.SIGALRM, ring)
    f(-2)
    assert not cache.search(status=1), cache.search(status=1)
    say("struck", struck)
    """
    worker = stage.start(story)
    assert int(worker.hear("struck")) > 5
    worker.finish()

"""Several processes, one key: computed once, taken over from the dead, never from the living."""

from __future__ import annotations

import signal
import sys
import time

import pytest

from cachedeco import Cache, Status

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")

F = """
@cached(cache=cache, code_version="1")
def f(x):
    note(os.getpid())
    say("computes")
    until_told()
    return os.getpid()
"""
ASK = (
    F
    + """
say("value", f(1))
"""
)


def test_a_crowd_of_processes_and_threads_computes_once(stage):
    """8 processes with 4 threads each ask at once: one execution, 32 right answers."""
    story = """
    @cached(cache=cache, code_version="1")
    def slow(x):
        note(os.getpid())
        time.sleep(0.5)
        return ["right", x, os.getpid()]
    got = []
    threads = [threading.Thread(target=lambda: got.append(slow(7))) for _ in range(4)]
    road.wait = wait_and_say.__kwdefaults__["wait"]
    say("there")
    until_gate()
    for t in threads: t.start()
    for t in threads: t.join()
    say("done", got)
    """
    workers = [stage.start(story) for _ in range(8)]
    for worker in workers:
        worker.hear("there")
    opened = stage.open_gate()
    answers = [worker.hear("done") for worker in workers]
    seconds = time.monotonic() - opened
    for worker in workers:
        worker.finish()
    computed = stage.computations()
    assert len(computed) == 1
    assert answers == [str([["right", 7, int(computed[0])]] * 4)] * 8
    print(f"{seconds:.2f} s from the gate to the last answer")
    assert seconds < 10


def test_a_killed_process_is_taken_over_from_promptly(stage):
    """Of those who wait, one computes, soon after the kill, and all get its value."""
    first = stage.start(ASK)
    first.hear("computes")
    waiters = [stage.start(ASK) for _ in range(3)]
    for waiter in waiters:
        waiter.hear("waits")
    first.signal(signal.SIGKILL)
    killed = time.monotonic()
    heard = {}
    while "computes" not in heard:
        for waiter in waiters:
            if not waiter._lines.empty():
                heard[waiter.hear()] = waiter
        assert time.monotonic() - killed < 30
    seconds = time.monotonic() - killed
    heir = heard["computes"]
    heir.tell()
    answers = set()
    for waiter in waiters:
        line = waiter.hear()
        while not line.startswith("value"):
            line = waiter.hear()
        answers.add(line)
    assert answers == {f"value {heir.process.pid}"}
    assert stage.computations() == [str(first.process.pid), str(heir.process.pid)]
    for waiter in waiters:
        waiter.finish()
    print(f"taken over after {seconds * 1000:.0f} ms")
    assert seconds < 5


def test_a_stopped_process_is_waited_for(stage):
    """However often the others look: its claim is its own, and they get its value."""
    first = stage.start(ASK)
    first.hear("computes")
    first.signal(signal.SIGSTOP)
    patient = """
    looks = 0
    def look(self, owner, reap=road_reap):
        global looks
        looks += 1
        dead = reap(self, owner)
        assert not dead
        if looks == 30:
            say("patient")
        return dead
    Claims.reap_if_dead = look
    """
    waiter = stage.start(
        "from cachedeco.registry.claims import Claims\nroad_reap = Claims.reap_if_dead\n"
        + patient.replace("\n    ", "\n")
        + ASK
    )
    waiter.hear("waits")
    waiter.hear("patient")
    assert stage.computations() == [str(first.process.pid)]
    first.signal(signal.SIGCONT)
    first.tell()
    assert first.hear("value") == str(first.process.pid)
    assert waiter.hear("value") == str(first.process.pid)
    assert stage.computations() == [str(first.process.pid)]
    first.finish()
    waiter.finish()


def test_a_child_of_a_killed_process_does_not_keep_its_claim(stage):
    """A fork inherits no lock: the parent's death is seen although the child lives on."""
    story = """
    @cached(cache=cache, code_version="1")
    def f(x):
        note(os.getpid())
        if x == 1 and not os.path.exists(folder + ".forked"):
            open(folder + ".forked", "w").close()
            pid = os.fork()
            if pid == 0:
                say("child", os.getpid())
                until_gate()
                os._exit(0)
            until_told()
        return os.getpid()
    say("value", f(1))
    """
    first = stage.start(story)
    first.hear("child")
    waiter = stage.start(story)
    waiter.hear("waits")
    first.signal(signal.SIGKILL)
    assert waiter.hear("value") == str(waiter.process.pid)
    waiter.finish()
    stage.open_gate()


def test_a_failure_reaches_those_who_wait_in_other_processes(stage):
    """They get its traceback and do not run it themselves; a later call does."""
    story = """
    @cached(cache=cache, code_version="1")
    def f(x):
        note(os.getpid())
        say("computes")
        until_told()
        raise LookupError("station 7 is missing")
    try:
        f(1)
    except PreviousFailureError as error:
        say("previous", "station 7 is missing" in str(error), "LookupError" in error.traceback)
    except LookupError as error:
        say("itself")
    """
    first = stage.start(story)
    first.hear("computes")
    waiters = [stage.start(story) for _ in range(2)]
    for waiter in waiters:
        waiter.hear("waits")
    first.tell()
    first.hear("itself")
    for waiter in waiters:
        assert waiter.hear("previous") == "True True"
        waiter.finish()
    first.finish()
    assert len(stage.computations()) == 1
    later = stage.start(story)
    later.hear("computes")
    later.tell()
    later.hear("itself")
    later.finish()


def test_a_value_that_cannot_be_stored_does_not_hold_up_others(stage):
    """Whoever waited computes for itself, all at once."""
    story = """
    warnings.simplefilter("ignore")
    @cached(cache=cache, code_version="1")
    def f(x):
        note(os.getpid())
        say("computes")
        until_told()
        return threading.Lock()
    say("value", type(f(1)).__name__)
    """
    first = stage.start(story)
    first.hear("computes")
    waiters = [stage.start(story) for _ in range(2)]
    for waiter in waiters:
        waiter.hear("waits")
    first.tell()
    for waiter in waiters:
        waiter.hear("computes")
    for waiter in waiters:
        waiter.tell()
        assert waiter.hear("value") == "lock"
        waiter.finish()
    first.hear("value")
    first.finish()


def test_a_late_commit_of_a_robbed_process_touches_nothing(stage):
    """Its claim was ended behind its back: its caller gets the value, the registry keeps the other one."""
    first = stage.start(ASK)
    first.hear("computes")
    with Cache(stage.folder) as cache:
        cache.store.pool.write(lambda con: con.execute("UPDATE items SET status = 2, cause = 'abandoned'"))
        second = stage.start(ASK)
        second.hear("computes")
        second.tell()
        assert second.hear("value") == str(second.process.pid)
        first.tell()
        assert first.hear("value") == str(first.process.pid)
        first.finish()
        second.finish()
        assert [item.status for item in cache.search()] == [Status.FAILED, Status.READY]
        assert cache.search(status=Status.READY)[0].load() == second.process.pid


def test_two_processes_that_need_a_registry_make_one(stage):
    """However many come first."""
    story = """
    say("there")
    until_gate()
    cache.create("u", {"pid": os.getpid()})
    say("made")
    """
    workers = [stage.start(story) for _ in range(6)]
    for worker in workers:
        worker.hear("there")
    stage.open_gate()
    for worker in workers:
        worker.hear("made")
        worker.finish()
    with Cache(stage.folder) as cache:
        assert len(cache) == 6

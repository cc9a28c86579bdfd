"""A hypothesis state machine: a cache, used through several objects at once, against a dictionary."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings

import hypothesis.strategies as st
from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as seeded
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from cachedeco import Cache, Status, cached
from cachedeco.calls import notices
from tests.torture import checker

HOUR = 3600 * 10**6
KEYS = st.sampled_from([1, True, "1", "long"])
"""Python takes two of them for equal, and prints two others alike."""
CODES = st.sampled_from(["1", "2"])
OPENED = st.integers(0, 2)


current = []
"""The model that is running: not in the closure of its function, where it would be part of the key."""


def plain(x):
    """Each computation gives a value that no other has."""
    model = current[-1]
    if model.failing:
        raise ValueError(x)
    model.computations += 1
    return f"{model.computations} {x!r} ".encode() * (20_000 if x == "long" else 10)


class Version:
    """What the dictionary knows of one version."""

    def __init__(self, code, value, number):
        self.code = code
        self.value = value
        self.number = number
        self.status = Status.READY
        self.expired = False


class Model(RuleBasedStateMachine):
    """Calls and everything that people do between calls; each computation has a value that no other has."""

    steps = 0

    def __init__(self):
        super().__init__()
        self.folder = tempfile.mkdtemp(prefix="torture-model-")
        self.path = os.path.join(self.folder, "cache")
        self.caches = [Cache(self.path) for _ in range(3)]
        self.computations = 0
        self.failing = False
        self.versions = {}
        notices.forget()
        current[:] = [self]

    def teardown(self):
        found = checker.problems(self.path) if os.path.exists(os.path.join(self.path, "registry")) else []
        for cache in self.caches:
            cache.close()
        shutil.rmtree(self.folder)
        assert not found, found

    def function(self, opened, code):
        """The cached function as a process with that code would have it."""
        return cached(cache=self.caches[opened], uri="torture://model", code_version=code, expires=3600)(
            plain
        )

    def known(self, x):
        """Its versions, the oldest first."""
        return self.versions.setdefault((type(x), x), [])

    def expected(self, x, code):
        """The version that a call gets; None if it computes."""
        usable = [
            each
            for each in self.known(x)
            if each.status == Status.READY and each.code == code and not each.expired
        ]
        return usable[-1] if usable else None

    def computed(self, x, code, compute):
        """What a call that computes must do."""
        before = self.computations
        numbers = self.known(x)
        number = numbers[-1].number + 1 if numbers else 1
        version = Version(code, None, number)
        if self.failing:
            version.status = Status.FAILED
            try:
                compute()
            except ValueError:
                numbers.append(version)
                return
            raise AssertionError("an exception was lost")
        version.value = compute()
        assert self.computations == before + 1, "a hit where a computation was due"
        numbers.append(version)

    @rule(opened=OPENED, code=CODES, x=KEYS)
    def call(self, opened, code, x):
        """A call."""
        f = self.function(opened, code)
        wanted = self.expected(x, code)
        if wanted is None:
            self.computed(x, code, lambda: f(x))
            return
        before = self.computations
        assert f(x) == wanted.value, "a wrong value"
        assert self.computations == before, "computed although there was a hit"
        assert f.item(x).version == wanted.number

    @rule(opened=OPENED, code=CODES, x=KEYS)
    def refresh(self, opened, code, x):
        """A new version."""
        f = self.function(opened, code)
        self.computed(x, code, lambda: f.refresh(x))

    @rule(opened=OPENED, code=CODES, x=KEYS)
    def remove(self, opened, code, x):
        """All versions go out of sight."""
        live = [each for each in self.known(x) if each.status in {Status.READY, Status.FAILED}]
        assert self.function(opened, code).remove(x) == len(live)
        for each in live:
            each.former, each.status = each.status, Status.TRASH

    @rule(opened=OPENED, x=KEYS, which=st.integers(0, 5))
    def restore(self, opened, x, which):
        """One version comes back."""
        removed = [each for each in self.known(x) if each.status == Status.TRASH]
        if not removed:
            return
        version = removed[which % len(removed)]
        self.item(opened, x, version).restore()
        version.status = version.former

    @rule(opened=OPENED, x=KEYS, which=st.integers(0, 5), keep=st.booleans())
    def delete(self, opened, x, which, keep):
        """One version goes for good."""
        there = [each for each in self.known(x) if each.status != Status.DELETED]
        if not there:
            return
        version = there[which % len(there)]
        self.item(opened, x, version).remove(disk=True, keep_record=keep)
        version.status = Status.DELETED

    @rule(opened=OPENED, code=CODES, x=KEYS)
    def grow_old(self, opened, code, x):
        """All versions of a key expire; a call finds them so."""
        sql = "UPDATE items SET ended = ended - ? WHERE key = ?"
        key = bytes.fromhex(self.function(0, "1").key(x))
        self.caches[0].store.pool.write(lambda con: con.execute(sql, (2 * HOUR, key)))
        for each in self.known(x):
            each.expired = True
        self.call(opened, code, x)

    @rule()
    def fail_or_not(self):
        """From now on the function fails, or does so no more."""
        self.failing = not self.failing

    @rule(opened=OPENED)
    def reopen(self, opened):
        """As a new process has it."""
        self.caches[opened].close()
        self.caches[opened] = Cache(self.path)

    @precondition(lambda self: self.versions)
    @rule(opened=OPENED, damage=st.sampled_from(["cut", "empty", "delete"]), code=CODES)
    def damage(self, opened, damage, code):
        """The file of a version is damaged: what a call finds so, it sets aside."""
        version = self.expected("long", code)
        if version is None:
            return
        path = self.item(opened, "long", version).path
        path.chmod(0o600)
        if damage == "delete":
            path.unlink()
        else:
            os.truncate(path, 0 if damage == "empty" else path.stat().st_size // 2)
        version.status, version.former = Status.TRASH, Status.DELETED
        f = self.function(opened, code)
        older = self.expected("long", code)
        before = self.computations
        if older is None:
            self.computed("long", code, lambda: f("long"))
        else:
            assert f("long") == older.value, "a wrong value after damage"
            assert self.computations == before
        version.status = Status.DELETED  # its record is in the trash, but it is never to be restored
        self.caches[0].remove(key=f.key("long"), status=Status.TRASH, version=version.number, disk=True)

    def item(self, opened, x, version):
        """The item of a version."""
        key = self.function(opened, version.code).key(x)
        return self.caches[opened].search(key=key, version=version.number, include_removed=True)[0]

    @invariant()
    def no_claim_is_left(self):
        """Nobody computes between two steps."""
        Model.steps += 1
        assert not self.caches[0].search(status=Status.WRITE)


def torture(run):
    """Random sequences of steps; a failure is shrunk by hypothesis to a short one."""
    examples, steps = run.size(short=120, long=2000), run.size(short=30, long=50)
    Model.steps = 0
    phases = [Phase.generate] if run._first else [Phase.generate, Phase.shrink]
    wanted = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run_state_machine_as_test(seeded(run.seed)(Model), settings=wanted)
    except Exception as error:  # noqa: BLE001 - hypothesis raises what the rule raised, with the steps in its notes
        notes = "\n".join(getattr(error, "__notes__", []))
        run.violation(f"{error!r}\n{notes}")
    run.figure("sequences", examples)
    run.figure("steps", Model.steps)

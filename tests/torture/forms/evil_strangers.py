"""Strangers: what another user owns, may write to or has planted is refused, and he can read nothing of ours."""

from __future__ import annotations

import os
import shutil

import subject

from cachedeco import Cache, cached
from cachedeco.errors import UntrustedCacheError

STRANGER = 54_321
KEY = "the key of these tests"


def function(cache):
    """One with a value in a file."""

    @cached(cache=cache, uri="evil://large", code_version="1")
    def large(x):
        return bytes([x]) * 12_000

    return large


def fill(path, **options):
    """A cache of ours."""
    with Cache(path, **options) as cache:
        function(cache)(1)


def _owned(path):
    for parent, folders, names in os.walk(path):
        for name in (*folders, *names):
            os.chown(os.path.join(parent, name), STRANGER, STRANGER)
    os.chown(path, STRANGER, STRANGER)


def _folder_owned(path):
    os.chown(path, STRANGER, STRANGER)


def _folder_open(path):
    os.chmod(path, 0o777)  # noqa: S103 - that is the fault


def _folder_of_group(path):
    os.chown(path, -1, STRANGER)
    os.chmod(path, 0o770)  # noqa: S103 - that is the fault


def _above_open(path):
    os.chmod(os.path.dirname(path), 0o777)  # noqa: S103 - as above


def _above_owned(path):
    os.chown(os.path.dirname(path), STRANGER, STRANGER)


def _above_sticky(path):
    os.chmod(os.path.dirname(path), 0o1777)  # noqa: S103 - as above


def _above_sticky_owned(path):
    os.chmod(os.path.dirname(path), 0o1777)  # noqa: S103 - as above
    os.chown(os.path.dirname(path), STRANGER, STRANGER)


def _part(name, mode=None):
    def plant(path):
        place = os.path.join(path, name)
        if mode is None:
            os.chown(place, STRANGER, STRANGER)
        else:
            os.chmod(place, mode)

    return plant


def _value(mode=None):
    def plant(path):
        for parent, _, names in os.walk(os.path.join(path, "items")):
            for name in names:
                _part(os.path.relpath(os.path.join(parent, name), path), mode)(path)

    return plant


REFUSED, SERVED, COMPUTED = "refused", "served", "computed again"
CASES = {
    "all his": (_owned, {}, {REFUSED}),
    "the folder his": (_folder_owned, {}, {REFUSED}),
    "the folder open": (_folder_open, {}, {REFUSED}),
    "the folder his group's": (_folder_of_group, {}, {REFUSED}),
    "a folder above open": (_above_open, {}, {REFUSED}),
    "a folder above his": (_above_owned, {}, {REFUSED}),
    "a folder above sticky": (_above_sticky, {}, {SERVED}),
    "a folder above sticky and his": (_above_sticky_owned, {}, {REFUSED}),
    "the registry's folder his": (_part("registry"), {}, {REFUSED}),
    "the registry's folder open": (_part("registry", 0o777), {}, {REFUSED}),
    "the registry his": (_part("registry/registry.db"), {}, {REFUSED}),
    "the registry open": (_part("registry/registry.db", 0o666), {}, {REFUSED}),
    "the slots his": (_part("registry/slots"), {}, {REFUSED, SERVED, COMPUTED}),
    "the items his": (_part("items"), {}, {REFUSED, COMPUTED}),
    "the items open": (_part("items", 0o777), {}, {REFUSED, COMPUTED}),
    "the owners his": (_part("owners"), {}, {REFUSED}),
    "values his": (_value(), {}, {REFUSED, COMPUTED}),
    "all his, with a key": (_owned, {"signing_key": KEY}, {SERVED, COMPUTED}),
    "the folder open, with a key": (_folder_open, {"signing_key": KEY}, {SERVED, COMPUTED}),
    "values his, with a key": (_value(), {"signing_key": KEY}, {SERVED, COMPUTED}),
    "nothing": (lambda _: None, {}, {SERVED}),
}
"""Name -> what is planted, options of the cache, how it may end."""


def batch(work, part, parts, seed, *, long):
    """Do a share of the cases; tell the parent what happened to each."""
    for number, (name, (plant, options, right)) in enumerate(CASES.items()):
        if number % parts == part:
            subject.say("begun", name)
            above = os.path.join(work, "above")
            os.mkdir(above, 0o755)
            path = os.path.join(above, "cache")
            fill(path, **options)
            plant(path)
            outcome = use(path, options)
            if outcome not in right:
                subject.say("wrong", "strangers", name, "->", outcome)
            subject.say("outcome", outcome if outcome in {REFUSED, SERVED, COMPUTED} else "wrong")
            shutil.rmtree(above)
    if part == 0:
        _cannot_read(work)
        _key_file(work)


def use(path, options):
    """Ask for what is stored; how that ended."""
    try:
        with Cache(path, **options) as cache:
            large = function(cache)
            was_hit = large.item(1) is not None
            if large(1) != bytes([1]) * 12_000:
                return "a wrong value"
            return SERVED if was_hit and large.item(1).version == 1 else COMPUTED
    except UntrustedCacheError as error:
        return REFUSED if "\n" not in str(error) else f"refused in more than a sentence: {error}"
    except Exception as error:  # noqa: BLE001 - any is a violation
        return f"raised {error!r}"


def _cannot_read(work):
    path = os.path.join(work, "ours")
    fill(path)
    paths = [os.path.join(parent, name) for parent, _, names in os.walk(path) for name in names]
    pid = os.fork()
    if not pid:
        os.setgroups([])
        os.setgid(STRANGER)
        os.setuid(STRANGER)
        os._exit(any(_can(act, each) for act in TRIES for each in paths))
    if os.waitpid(pid, 0)[1]:
        subject.say("wrong", "strangers", "a stranger could read, change or delete something of ours")
    subject.say("outcome", "nothing to be read by him")
    shutil.rmtree(path)


def _can(act, path):
    try:
        act(path)
    except OSError:
        return False
    return True


def _read(path):
    with open(path, "rb") as file:
        file.read(1)


def _write(path):
    with open(path, "r+b"):
        pass


TRIES = (os.listdir, os.stat, _read, _write, os.unlink, os.rmdir, lambda path: os.chmod(path, 0o700))
"""What a stranger tries on everything of ours; the folder itself he may look at."""


def _key_file(work):
    place = os.path.join(work, "key")
    for mode, owner, fits in ((0o600, 0, True), (0o644, 0, False), (0o600, STRANGER, False)):
        with open(place, "w", encoding="utf-8") as file:
            file.write("0123456789abcdef0123456789abcdef")
        os.chmod(place, mode)
        os.chown(place, owner, owner)
        try:
            Cache(os.path.join(work, "keyed"), signing_key_file=place).close()
            taken = True
        except (UntrustedCacheError, OSError, ValueError):
            taken = False
        if taken != fits:
            subject.say(
                "wrong", "strangers", f"a key file of mode {mode:o} and user {owner} was taken: {taken}"
            )
        subject.say("outcome", "key file taken" if taken else "key file refused")
        os.unlink(place)

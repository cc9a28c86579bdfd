"""Planted links: what the children of the form `evil` do. What they lead to is never read, changed or deleted."""

from __future__ import annotations

import os
import random
import shutil
import warnings

import subject

from cachedeco import OUTPUT, Cache, Status, cached
from cachedeco.errors import UntrustedCacheError

SHORT = 70
"""Cases of the short form, of all that there are."""

LARGE = 12_000
OLD = 86_400 * 10**9
"""A time of last reading: who reads the file moves it, if the file system keeps such times."""

OPTIONS = {"private": {}, "signed": {"signing_key": "the key of these tests"}}


def functions(cache):
    """Cached functions: a value in the registry, one in a file, an output file, an output folder."""

    def make(function, **options):
        return cached(cache=cache, uri=f"evil://{function.__name__}", code_version="1", **options)(function)

    def small(x):
        return [x, "small"]

    def large(x):
        return bytes([x]) * LARGE

    def report(x, output=OUTPUT):
        output.write_bytes(bytes([x]) * 100)

    def tables(x, output=OUTPUT):
        (output / "deep").mkdir()
        (output / "deep" / "table").write_bytes(bytes([x]) * 200)

    made = [make(small), make(large), make(report, output="report.bin"), make(tables, output="tables/")]
    return {each.__name__: each for each in made}


def template(path, options):
    """Make the folder into which links are planted, with a log and a registry in use."""
    pid = os.fork()
    if not pid:
        cache = Cache(path, **options)
        made = functions(cache)
        for function in made.values():
            function(1), function(2), function.refresh(1)
        cache.move_in(__file__, uri="evil://moved")
        os._exit(0)  # without putting SQLite's log away
    if os.waitpid(pid, 0)[1]:
        raise RuntimeError("the beginning does not work")


def places(folder):
    """Where a link can be planted: everything that is there, and what might be."""
    found = []
    for parent, folders, names in os.walk(folder):
        found += [os.path.relpath(os.path.join(parent, name), folder) for name in (*folders, *names)]
    absent = ["registry.db-journal", "salvage", "salvage/registry.db", "registry.db.0.new", "slots.0.new"]
    return sorted({*found, *(os.path.join("registry", name) for name in absent)})


class Outside:
    """What lies beside the cache folder: a file and a folder that nobody may touch.

    Args:
        path: where.
    """

    def __init__(self, path):
        self.path = path
        os.mkdir(path)
        for name in (
            "secret",
            "folder/inner",
            "twin",
            "folder/registry.db",
            "folder/table",
            "folder/report.bin",
        ):
            os.makedirs(os.path.dirname(os.path.join(path, name)), exist_ok=True)
            with open(os.path.join(path, name), "w", encoding="utf-8") as file:
                file.write(f"this is somebody's {name}\n" * 20)
        self.times_tell = self._reading_tells()

    def targets(self, replaced):
        """What a link can lead to: a file, a folder, a copy of what it replaces, nothing, itself, upwards, a device."""
        twin = os.path.join(self.path, "twin")
        if os.path.isfile(replaced):
            shutil.copy(replaced, twin)
        return {
            "a file": os.path.join(self.path, "secret"),
            "a folder": os.path.join(self.path, "folder"),
            "a copy": twin,
            "nothing": os.path.join(self.path, "to be made"),
            "upwards": "..",
            "a way": "../../../outside/secret",
            "a device": "/dev/zero",
        }

    def state(self):
        """Everything in it, with what changes when somebody changes or reads it."""
        found = {}
        for parent, folders, names in os.walk(self.path):
            for name in (*folders, *names):
                path = os.path.join(parent, name)
                if not os.path.islink(path) and os.path.isfile(path):
                    os.utime(path, ns=(OLD, os.stat(path).st_mtime_ns)) if not found.get(path) else None
                one = os.lstat(path)
                found[path] = one.st_mode, one.st_size, one.st_mtime_ns, one.st_nlink, one.st_uid
        return found

    def was_read(self):
        """Files that somebody has read since `state` was asked."""
        if not self.times_tell:
            return []
        paths = [os.path.join(parent, name) for parent, _, names in os.walk(self.path) for name in names]
        return [path for path in paths if os.lstat(path).st_atime_ns != OLD]

    def _reading_tells(self):
        path = os.path.join(self.path, "secret")
        os.utime(path, ns=(OLD, os.stat(path).st_mtime_ns))
        with open(path, "rb") as file:
            file.read()
        return os.stat(path).st_atime_ns != OLD


def cases(work, seed, *, long):
    """All that is planted: (options, place, number of the target)."""
    dice = random.Random(seed)  # noqa: S311 - dice
    every = []
    for name, options in OPTIONS.items():
        path = os.path.join(work, name)
        template(path, options)
        every += [(name, place, target) for place in places(path) for target in range(7)]
    dice.shuffle(every)
    if long:
        return every
    # Every kind of place once, whatever its random name.
    first = {(name, _kind(place)): (name, place, target) for name, place, target in every}
    return [*first.values(), *every][: max(SHORT, len(first))]


def _kind(place):
    parts = place.split(os.sep)
    return parts[0], len(parts), os.path.splitext(place)[1], parts[-1] if parts[0] == "registry" else ""


def batch(work, part, parts, seed, *, long):
    """Do a share of the cases; tell the parent what happened to each."""
    every = cases(work, seed if parts == 1 else f"{seed}", long=long)
    outside = Outside(os.path.join(work, "outside"))
    subject.say("told", "reading is noticed" if outside.times_tell else "reading is not noticed here")
    for number, case in enumerate(every):
        if number % parts == part:
            subject.say("begun", *case)
            one(case, work, outside)


def one(case, work, outside):
    """Plant a link, ask for everything, and look at what it leads to."""
    name, place, number = case
    path = os.path.join(work, "case")
    shutil.copytree(os.path.join(work, name), path, symlinks=True)
    replaced = os.path.join(path, place)
    kind, target = list(outside.targets(replaced).items())[number]
    os.makedirs(os.path.dirname(replaced), exist_ok=True)
    if os.path.isdir(replaced):
        shutil.rmtree(replaced)
    elif os.path.lexists(replaced):
        os.unlink(replaced)
    os.symlink(target, replaced)
    before = outside.state()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outcome, wrong = use(path, OPTIONS[name])
    wrong += [f"{each} was read" for each in outside.was_read()]
    after = outside.state()
    wrong += [f"{each} was changed" for each in {*before, *after} if before.get(each) != after.get(each)]
    shutil.rmtree(path)
    for each in wrong:
        subject.say("wrong", "links", name, place, f"to {kind}", "->", each.replace("\n", " ")[:600])
    subject.say("outcome", outcome)


def use(path, options):
    """Everything that can be done with a cache; how it ended, and what was wrong."""
    wrong = []
    try:
        with Cache(path, **options) as cache:
            ask(cache, wrong)
            made = functions(cache)
            for function in made.values():
                function.refresh(2)
            cache.rebuild()
            for item in cache.search(status=list(Status)):
                item.intact(), str(item.path), str(item.size), str(item.attrs)
                item.update(label="seen")
            made["report"].remove(2)
            for item in cache.search(status=Status.TRASH):
                item.restore()
            ask(cache, wrong)
            for item in cache.search():
                item.remove(disk=True)
            ask(cache, wrong)
    except UntrustedCacheError:
        return "refused", wrong
    except Exception as error:  # noqa: BLE001 - any is a violation
        return "raised", [*wrong, f"raised {error!r}"]
    return "done without it", wrong


def ask(cache, wrong):
    """Call everything and look at what it gives."""
    made = functions(cache)
    for x in (1, 2):
        given = {
            "small": made["small"](x) == [x, "small"],
            "large": made["large"](x) == bytes([x]) * LARGE,
            "report": made["report"](x).read_bytes() == bytes([x]) * 100,
            "tables": (made["tables"](x) / "deep" / "table").read_bytes() == bytes([x]) * 200,
        }
        wrong += [f"{name}({x}) gave a wrong value" for name, right in given.items() if not right]

"""What the children of the form `corrupt` do: damage a copy of a cache folder, and call everything in it."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import random
import shutil
import sqlite3
import sys
import warnings

import numpy as np
import subject
from oracle import right

from cachedeco import Cache, MissingSerializerError, Status, cached
from cachedeco.errors import UntrustedCacheError

SECONDS = 30.0
"""After which one case counts as hanging."""

XS = (0, 1)
CLAIMED = 7
"""The argument whose claim was left by a process that is dead."""

SIZES = {"array": 24_000}
OPTIONS = {"report": {"output": "report_{x}.bin"}, "folder": {"output": "tables/"}}
LINKED = "link"
REGISTRY = "registry.db"


def array(x):
    """An array, which is mapped where it can be."""
    subject.note("run", "array", x)
    return np.frombuffer(right("array", x, SIZES["array"]), np.int64)


def functions(cache):
    """The cached functions of `subject` and `array`, on another cache."""

    def other(name):
        plain = subject.FUNCTIONS[name].__wrapped__
        return cached(cache=cache, uri=f"torture://{name}", code_version="1", **OPTIONS.get(name, {}))(plain)

    made = {name: other(name) for name in subject.FUNCTIONS}
    made["array"] = cached(cache=cache, uri="torture://array", code_version="1")(array)
    return made


def content(name, given):
    """What a call gave, as bytes."""
    return given.tobytes() if name == "array" else subject.content_of(subject.FUNCTIONS[name], given)


def fill(path, *, closed):
    """Make the folder that is damaged: two versions of everything, and without `closed` a claim whose owner is dead.

    Args:
        path: of the folder.
        closed: end in order, so that SQLite puts its log away; else as in a crash.
    """
    cache = Cache(path)
    for name, function in functions(cache).items():
        for x in XS:
            content(name, function(x))
            content(name, function.refresh(x))
    cache.close()
    if not closed:
        subject.note = lambda *_: os._exit(0)
        functions(cache)["small"](CLAIMED)


class Case:
    """One folder, one damage.

    Args:
        folder: a fresh copy.
        dice: of the case.
    """

    def __init__(self, folder, dice):
        self.folder = folder
        self.dice = dice
        self.done = []
        self.lost_registry = False

    def damage(self):
        """Damage something; what and how is noted in `done`."""
        kinds = self.files()
        kind = self.dice.choices(("rows", *kinds), [4, *(WEIGHTS[each] for each in kinds)])[0]
        if kind == "rows":
            self.rows()
            return
        self.file(kind, self.dice.choice(kinds[kind]), kinds)
        if kind == "manifest" and self.dice.random() < 0.7:
            self.forget()

    def files(self):
        """What can be damaged, by kind."""
        found = {}
        for parent, folders, names in os.walk(self.folder):
            for name in sorted(names) + sorted(folders):
                path = os.path.join(parent, name)
                found.setdefault(_kind(os.path.relpath(path, self.folder), os.path.isdir(path)), []).append(
                    path
                )
        return {kind: sorted(paths) for kind, paths in sorted(found.items())}

    def file(self, kind, path, kinds):
        """Damage a file or folder."""
        whole = os.path.isdir(path)
        choices = ("delete", "pipe", "empty file", LINKED, "swap") if whole else (*BYTES, *WHOLE)
        how = self.dice.choice(choices)
        self.done.append(f"{kind} {os.path.relpath(path, self.folder)}: {how}")
        self.lost_registry = os.path.basename(path) == REGISTRY and how in {
            "delete",
            "empty file",
            "folder",
            "pipe",
            "zero",
            "noise",
        }
        if how in BYTES:
            os.chmod(path, 0o600)
            with open(path, "rb") as file:
                before = file.read()
            with open(path, "wb") as file:
                file.write(BYTES[how](bytearray(before), self.dice))
        elif how == "swap":
            self.swap(path, self.dice.choice(kinds[kind]))
        else:
            self.replace(path, how)

    def replace(self, path, how):
        """Put something else in the place of a file or folder."""
        delete(path)
        if how == "folder":
            os.mkdir(path)
        elif how == "pipe":
            os.mkfifo(path)
        elif how == "empty file":
            open(path, "x").close()
        elif how == LINKED:
            targets = [os.path.join(self.folder, "CACHEDIR.TAG"), "/nowhere", self.folder, path]
            os.symlink(self.dice.choice(targets), path)

    @staticmethod
    def swap(path, other):
        """Exchange two files or folders."""
        if (
            other != path
            and not (other + os.sep).startswith(path + os.sep)
            and not path.startswith(other + os.sep)
        ):
            os.rename(path, path + ".swap")
            os.rename(other, path)
            os.rename(path + ".swap", other)

    def forget(self):
        """Lose the registry."""
        self.done.append("and the registry deleted")
        for name in os.listdir(os.path.join(self.folder, "registry")):
            delete(os.path.join(self.folder, "registry", name))

    def rows(self):
        """Damage what the registry says, as SQLite writes it."""
        path = os.path.join(self.folder, "registry", REGISTRY)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as con:
            con.create_function("damage", 1, self._value)
            while not self.done:
                statement = self.dice.choice(ROWS) if self.dice.random() < 0.4 else self.any_column(con)
                inline = " AND data IS NOT NULL" if "data" in statement else ""
                ids = [row[0] for row in con.execute(f"SELECT id FROM items WHERE status = 3{inline}")]
                one, two = self.dice.choice(ids), self.dice.choice(ids)
                with contextlib.suppress(sqlite3.IntegrityError):  # the column takes no such value: once more
                    con.execute(statement, {"one": one, "two": two})
                    self.done.append(f"rows: {statement} {one} {two}")

    def any_column(self, con):
        """A statement that changes one column of one table, of one item if it is theirs."""
        tables = {row[0] for row in con.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        table = self.dice.choice(["items", "items", *sorted(tables)])
        column = self.dice.choice([row[1] for row in con.execute(f"PRAGMA table_info({table})")])
        where = " WHERE id = :one" if table == "items" else ""
        return f"UPDATE OR IGNORE {table} SET {column} = damage({column}){where}"

    def _value(self, value):
        if value is None or self.dice.random() < 0.3:
            return self.dice.choice(OTHERS)
        if isinstance(value, int):
            return self.dice.choice([value + 1, 0, -1, 2**62, "text"])
        raw = bytearray(value.encode() if isinstance(value, str) else value)
        damaged = bytes(BYTES[self.dice.choice(list(BYTES))](raw, self.dice))
        return damaged.decode("latin-1") if isinstance(value, str) else damaged


def _flip(data, dice):
    for _ in range(dice.choice([1, 1, 1, 8, 64])):
        if data:
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    return data


def _part(data, dice):
    begin = dice.randrange(len(data) + 1)
    length = dice.choice([16, 512, 4096])
    data[begin : begin + length] = bytes(len(data[begin : begin + length]))
    return data


BYTES = {
    "flip": _flip,
    "zero a part": _part,
    "zero": lambda data, dice: bytes(len(data)),
    "noise": lambda data, dice: dice.randbytes(len(data)),
    "truncate": lambda data, dice: data[: dice.randrange(len(data) + 1)],
    "truncate by a page": lambda data, dice: data[:-4096],
    "extend": lambda data, dice: data + dice.randbytes(dice.choice([1, 100, 4096])),
    "empty": lambda data, dice: b"",
}
WHOLE = ("delete", "folder", "pipe", "empty file", LINKED, "swap")

OTHERS = ("", "text", "[]", '{"x": {}}', "../../../../nowhere", "a\0b", b"", b"\xff", 0, -1, 7, 2**62, 1.5)
"""What stands in the place of a value, whatever its type was."""

ROWS = (
    "UPDATE items SET data = damage(data) WHERE id = :one",
    "UPDATE items SET data = (SELECT data FROM items WHERE id = :two) WHERE id = :one",
    "UPDATE items SET data = CAST(data AS TEXT) WHERE id = :one",
    "UPDATE items SET data = NULL WHERE id = :one",
    "UPDATE items SET digest = damage(digest) WHERE id = :one",
    "UPDATE items SET size = damage(size) WHERE id = :one",
    "UPDATE items SET filename = damage(filename) WHERE id = :one",
    "UPDATE items SET serializer = damage(serializer) WHERE id = :one",
    "UPDATE items SET token = damage(token) WHERE id = :one",
    "UPDATE items SET (token, digest) = (SELECT token, digest FROM items WHERE id = :two) WHERE id = :one",
)

WEIGHTS = {"registry": 9, "bytes": 9, "manifest": 6, "owner": 2, "folder": 2, "other": 1}


def _kind(path, is_folder):
    first = path.split(os.sep)[0]
    if is_folder:
        return "folder"
    if first == "items":
        return "manifest" if path.endswith(".json") and path.count(os.sep) == 2 else "bytes"
    return {"registry": "registry", "owners": "owner"}.get(first, "other")


def delete(path):
    """Delete a file, a link or a folder."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def examine(case, notes):
    """Call everything twice; what became of the damage, and what was wrong."""
    wrong = []

    def ask(cache):
        notes.clear()
        for name, function in functions(cache).items():
            for x in (*XS, CLAIMED) if name == "small" else XS:
                given = content(name, function(x))
                if given != right(name, x, (subject.SIZES | SIZES)[name]):
                    wrong.append(f"{name}({x}) gave a wrong value")
        return list(notes)

    subject.note = lambda word, name, x, *_: notes.append((name, x))
    step = "a call"
    linked = case.done[0].endswith(": " + LINKED)
    try:
        with Cache(case.folder) as cache:
            first = [each for each in ask(cache) if each != ("small", CLAIMED)]
        with Cache(case.folder) as cache:
            again = ask(cache)
            if again:  # some damage shows late, and a rebuild loses small values: but once
                again = ask(cache)
            step = "search"
            removed = len(look_at(cache))
    except UntrustedCacheError as error:
        return "refused", [] if linked else [f"{step} raised {error!r}"]
    except MissingSerializerError as error:
        # A name that nobody knows may be that of somebody else's serializer, which is not installed here.
        renamed = "serializer = damage(serializer)" in case.done[0] or case.done[0].startswith("registry")
        return "refused", [] if renamed else [f"{step} raised {error!r}"]
    except Exception as error:  # noqa: BLE001 - any is a violation
        return "raised", [f"{step} raised {error!r}"]
    if again and not (linked and case.done[0].startswith("folder items")):
        wrong.append(f"the second time computed again: {again}")
    if case.lost_registry and any(name not in {"small", "stream"} for name, _ in first):
        wrong.append(f"the registry was lost, and intact files were computed again: {first}")
    return ("computed again" if first else "an older version" if removed else "harmless"), wrong


def look_at(cache):
    """Look at all that is known of every item; those in the trash."""
    for item in cache.search(status=list(Status)):
        for name in ("params", "attrs", "created", "committed", "seconds", "size", "error"):
            getattr(item, name)
        repr(item), item.intact()
    for name in subject.FUNCTIONS:
        cache.best(f"torture://{name}", {"x": 0})
    cache.contents()
    return cache.search(status=Status.TRASH)


def batch(templates, work, seed, begin, end):
    """Do cases of these numbers; tell the parent what happened to each."""
    warnings.simplefilter("ignore")
    faulthandler.cancel_dump_traceback_later()
    notes = []
    for number in range(begin, end):
        dice = random.Random(f"{seed} {number}")  # noqa: S311 - dice
        folder = os.path.join(work, str(number))
        shutil.copytree(templates[number % len(templates)], folder, symlinks=True)
        case = Case(folder, dice)
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        case.damage()
        subject.say("begun", number, *case.done)
        outcome, wrong = examine(case, notes)
        for each in wrong:
            subject.say("wrong", number, *case.done, "->", each.replace("\n", " ")[:600])
        subject.say("outcome", case.done[0].split()[0].rstrip(":"), outcome.replace(" ", "-"))
        delete(folder)
        if os.path.exists("/nowhere"):
            subject.complain("a link was followed, and /nowhere made")
    faulthandler.cancel_dump_traceback_later()
    sys.stdout.flush()

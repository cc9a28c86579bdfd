"""Planted pickles: what the children of the form `evil` do. A pickle that ran has made the folder that it names."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import pickle
import random
import shutil
import sqlite3
import struct

import joblib
import numpy as np
import subject
from xxhash import xxh3_128_digest

from cachedeco import OUTPUT, Cache, CachedecoError, Status, cached
from cachedeco.files import manifest
from cachedeco.files.folder import item_name

SHORT = 130
"""Cases of the short form, of all that there are."""

KEY = "the key of these tests"
GUARDS = {"signed": {"signing_key": KEY}, "plain": {"allow_pickle": False}}
GUARDS["both"] = GUARDS["signed"] | GUARDS["plain"]
LARGE = 12_000


def functions(cache):
    """Cached functions whose results are kept in all ways, with or without pickles."""

    def make(function, **options):
        return cached(cache=cache, uri=f"evil://{function.__name__}", code_version="1", **options)(function)

    def small(x):
        return [x, "small"]

    def large(x):
        return bytes([x]) * LARGE

    def array(x):
        return np.full(9_000, x)

    def few(x):
        yield from range(x)

    def report(x, output=OUTPUT):
        output.write_bytes(bytes([x]) * 100)

    def fails(x):
        raise ValueError(x)

    made = [make(each) for each in (small, large, array, few)]
    made += [make(report, output="report.bin"), make(fails, store_args=True)]
    return {each.__name__: each for each in made}


def template(path, options):
    """Make the folder into which all is planted; two versions of everything."""
    with Cache(path, **options) as cache:
        made = functions(cache)
        for x in (1, 2):
            for name in ("small", "large", "array", "report"):
                made[name](x), made[name].refresh(x)
        for function in (made["few"], made["few"].refresh):
            list(function(3))
        with contextlib.suppress(ValueError):
            made["fails"](1)


def payloads(evidence):
    """Pickles that make a folder when they are loaded, in the ways in which a pickle can."""

    class Reduced:
        def __init__(self, how, *given):
            self.how = how
            self.given = given

        def __reduce__(self):
            return self.how, self.given

    class Built(Reduced):
        def __reduce__(self):
            return dict, (), None, None, iter([(Reduced(os.mkdir, evidence), 1)])

    code = f"__import__('os').mkdir({evidence!r})"
    name = evidence.encode()
    return {
        "reduce": pickle.dumps(Reduced(os.mkdir, evidence), 5),
        "by name": b"\x80\x02cposix\nmkdir\n(S'" + name + b"'\ntR.",
        "instance": b"\x80\x02(S'" + name + b"'\niposix\nmkdir\n.",
        "object": b"\x80\x02(cposix\nmkdir\nS'" + name + b"'\no.",
        "eval": pickle.dumps(Reduced(eval, code), 2),
        "exec": pickle.dumps(Reduced(exec, code), 4),
        "in a list": pickle.dumps([1, "small", {"deep": (Reduced(os.mkdir, evidence),)}], 5),
        "in items of a dict": pickle.dumps(Built(None), 5),
        "system": pickle.dumps(Reduced(os.system, f"mkdir '{evidence}'"), 3),
    }


class Folder:
    """A copy of the template, and what can be planted in it.

    Args:
        path: of the copy.
        payload: a pickle.
        dice: of the case.
    """

    def __init__(self, path, payload, dice):
        self.path = path
        self.payload = payload
        self.dice = dice
        self.is_guarded = True
        self.con = sqlite3.connect(os.path.join(path, "registry", "registry.db"), isolation_level=None)
        self.con.row_factory = sqlite3.Row

    def rows(self, condition):
        """The rows of READY items."""
        return self.con.execute(f"SELECT * FROM items WHERE status = 3 AND {condition}").fetchall()

    def inline(self, data, serializer="pickle", condition="form = 'value' AND data IS NOT NULL"):
        """Put something in the place of values in the registry, with the digest that fits it."""
        changed = self.con.execute(
            f"UPDATE items SET data = ?, digest = ?, size = ?, serializer = ? WHERE {condition}",
            (data, xxh3_128_digest(data), len(data), serializer),
        )
        return changed.rowcount

    def files(self, data, serializer="pickle", condition="form = 'value'"):
        """The same for values in files."""
        rows = self.rows(f"{condition} AND filename IS NOT NULL")
        for row in rows:
            path = os.path.join(self.place(row), row["filename"])
            os.unlink(path)
            with open(path, "wb") as file:
                file.write(data)
            self.con.execute(
                "UPDATE items SET digest = ?, size = ?, serializer = ?, signature = NULL WHERE id = ?",
                (xxh3_128_digest(data), len(data), serializer, row["id"]),
            )
        return len(rows)

    def place(self, row):
        """An item's own folder."""
        return os.path.join(self.path, item_name(row["key"].hex(), row["version"], row["token"].hex()))

    def close(self):
        """Let go of the registry."""
        self.con.close()


def _value(folder):
    return folder.inline(folder.payload)


def _file(folder):
    return folder.files(folder.payload)


def _frame(folder):
    data, table = folder.payload, struct.pack("<QQ", 8, 1)
    length = 32 + len(table) + len(data)
    end = -length % 64
    whole = struct.pack("<7sBQQQ", b"\x93CDP5\r\n", 1, length + end + 8, len(data), 1) + table + data
    return folder.files(whole + bytes(end) + b"8 bytes.")


def _stream(folder):
    item = b"i" + len(folder.payload).to_bytes(8, "little") + folder.payload
    whole = b"\x93CDST\r\n\x01" + item + item.replace(b"i", b"r", 1)
    if not folder.rows("form = 'stream'"):  # a cache without pickles has none
        folder.con.execute("UPDATE items SET form = 'stream' WHERE form = 'value' AND data IS NOT NULL")
        key = folder.con.execute("SELECT key FROM items WHERE function LIKE '%few'").fetchone()
        if key is not None:
            folder.con.execute("UPDATE OR IGNORE items SET key = ? WHERE form = 'stream'", tuple(key))
    return folder.inline(whole, "stream", "form = 'stream'")


def _arguments(folder):
    heads = [b"", bytes(33), b"\x01" + folder.dice.randbytes(32)] if folder.is_guarded else [b""]
    head = folder.dice.choice(heads)
    folder.con.execute("INSERT OR IGNORE INTO details (item) SELECT id FROM items WHERE status = 2")
    return folder.con.execute("UPDATE details SET arguments = ?", (head + folder.payload,)).rowcount


def _joblib(folder):
    # What joblib writes is a pickle with arrays in between: a plain one is one of its files too.
    name = folder.dice.choice(["joblib", "joblib-zlib", "joblib-gzip", "joblib-xz"])
    return folder.files(folder.payload, name) + folder.inline(folder.payload, name)


def _packed(folder):
    file = io.BytesIO()
    joblib.dump([1], file, compress=("zlib", 3))
    import zlib

    return folder.files(zlib.compress(folder.payload), "joblib-zlib")


def _objects(folder):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": (1,)})
    data = file.getvalue() + folder.payload
    return folder.files(data, "numpy") + folder.inline(data, "numpy")


def _other_formats(folder):
    name = folder.dice.choice(["json", "text", "bytes", "arrow", "parquet", "numpy", "no such thing", ""])
    return folder.files(folder.payload, name) + folder.inline(folder.payload, name)


def _attributes(folder):
    folder.con.execute("INSERT OR IGNORE INTO attributes SELECT id, '', 'planted', 'json', '1' FROM items")
    kind = folder.dice.choice(["json", "pickle", "bytes", "datetime", "long", "str"])
    return folder.con.execute("UPDATE attributes SET kind = ?, value = ?", (kind, folder.payload)).rowcount


def _texts(folder):
    column = folder.dice.choice(
        ["params", "label", "function", "ext", "cause", "code", "scope", "compression"]
    )
    folder.con.execute("UPDATE codes SET parts = ?", (folder.payload,))
    return folder.con.execute(f"UPDATE items SET {column} = ?", (folder.payload,)).rowcount


def _beside(folder):
    for row in folder.rows("filename IS NOT NULL"):
        for name in (
            "value.pickle",
            "value.pickle.0",
            "__init__.py",
            "sitecustomize.py",
            "x.pth",
            "report.bin.pickle",
        ):
            with (
                contextlib.suppress(FileExistsError),
                open(os.path.join(folder.place(row), name), "xb") as file,
            ):
                file.write(folder.payload)
    for name in (
        "cachedeco.pickle",
        "conftest.py",
        "owners/x.lock",
        "registry/registry.db.pickle",
        "json.py",
    ):
        with open(os.path.join(folder.path, name), "wb") as file:
            file.write(folder.payload)
    return 1


def _manifests(folder):
    """Items that only manifests know, and a registry that has to be rebuilt."""
    _file(folder)
    rows = folder.rows("form = 'value' AND filename IS NOT NULL")
    for row in rows:
        path = folder.place(row) + manifest.EXT
        facts = dict(row) | {"uri": "evil://large", "attributes": [], "version": row["version"] + 10}
        made = manifest.Manifest(**{name: facts[name] for name in manifest.Manifest.FIELDS})
        final = os.path.join(os.path.dirname(path), made.name)
        shutil.copytree(folder.place(row), final)
        manifest.write(final, made)
    folder.close()
    if folder.dice.random() < 0.5:
        shutil.rmtree(os.path.join(folder.path, "registry"))
    else:
        os.truncate(os.path.join(folder.path, "registry", "registry.db"), 5_000)
    return len(rows)


def _salvage(folder):
    """A registry that looks as if it had been set aside and not been read out."""
    count = folder.inline(folder.payload)
    folder.close()
    inner = os.path.join(folder.path, "registry")
    os.mkdir(os.path.join(inner, "salvage"))
    os.rename(os.path.join(inner, "registry.db"), os.path.join(inner, "salvage", "registry.db"))
    return count


def _function(folder):
    """The name of a function that has to be imported to be called again."""
    return folder.con.execute("UPDATE items SET function = 'planted_module.run' WHERE status = 2").rowcount


PLACES = {
    "values in the registry": _value,
    "files of values": _file,
    "heads of frames": _frame,
    "items of streams": _stream,
    "stored arguments": _arguments,
    "joblib": _joblib,
    "packed joblib": _packed,
    "arrays of objects": _objects,
    "other formats": _other_formats,
    "attributes": _attributes,
    "texts": _texts,
    "beside the values": _beside,
    "manifests": _manifests,
    "a registry set aside": _salvage,
    "names of functions": _function,
}
BITING = {
    "values in the registry",
    "files of values",
    "heads of frames",
    "items of streams",
    "stored arguments",
}
BITING |= {"packed joblib", "manifests", "a registry set aside", "names of functions"}
"""Where a pickle runs when nothing guards against it."""


def forge(folder, how):
    """Signatures that somebody without the key can make."""
    macs = [row["mac"] for row in folder.rows("mac IS NOT NULL")] or [bytes(33)]
    made = {
        "none": None,
        "noise": b"\x01" + folder.dice.randbytes(32),
        "zeros": bytes(33),
        "text": "signature",
        "short": macs[0][:5],
        "of another item": folder.dice.choice(macs),
        "as it was": ...,
    }[how]
    if made is not ...:
        folder.con.execute("UPDATE items SET mac = ?", (made,))


MACS = ("none", "noise", "zeros", "text", "short", "of another item", "as it was")
REPLAYS = {
    "values of another argument": """UPDATE items SET (data, digest, size, mac) = (
        SELECT o.data, o.digest, o.size, o.mac FROM items AS o WHERE o.uri = items.uri AND o.form = items.form
        AND o.key <> items.key LIMIT 1) WHERE data IS NOT NULL AND form = 'value' AND status = 3""",
    "keys exchanged": """UPDATE items SET key = coalesce((SELECT o.key FROM items AS o
        WHERE o.uri = items.uri AND o.key <> items.key LIMIT 1), key), version = version + 10 + id
        WHERE status = 3 AND form = 'value'""",
    "versions raised": "UPDATE items SET version = version + 10 WHERE status = 3",
    "forms exchanged": "UPDATE items SET form = 'value', serializer = 'bytes' WHERE status = 3",
    "names exchanged": "UPDATE items SET filename = 'report.bin' WHERE status = 3 AND form = 'value'",
}
"""What is signed with the key, put where it does not belong."""


def cases(seed, *, long):
    """All that is planted: (guard, place, payload, signature)."""
    dice = random.Random(seed)  # noqa: S311 - dice
    kinds = list(payloads("/"))
    every = [*itertools.product(GUARDS, PLACES, kinds)]
    dice.shuffle(every)
    if not long:
        first = {(guard, place): kind for guard, place, kind in every}
        chosen = [(*each, kind) for each, kind in first.items()]
        every = chosen + [each for each in every if each not in chosen][: SHORT - len(chosen)]
    planted = [(*each, dice.choice(MACS)) for each in every]
    planted += [
        ("signed", place, "reduce", mac)
        for place in ("values in the registry", "files of values")
        for mac in MACS
    ]
    replays = [(guard, replay, "", "as it was") for guard in ("signed", "both") for replay in REPLAYS]
    bites = [
        ("none", place, kind, "none") for place in sorted(BITING) for kind in (kinds if long else kinds[:2])
    ]
    return planted + replays + bites


def batch(work, part, parts, seed, *, long):
    """Do a share of the cases; tell the parent what happened to each."""
    made = {}
    for guard, options in (GUARDS | {"none": {}}).items():
        made[guard] = os.path.join(work, guard)
        template(made[guard], options)
    evidence = os.path.join(work, "evidence")
    modules = os.path.join(work, "modules")
    os.mkdir(modules)
    with open(os.path.join(modules, "planted_module.py"), "w", encoding="utf-8") as file:
        file.write(f"import os\nos.mkdir({evidence!r})\n")
    for number, case in enumerate(cases(seed, long=long)):
        if number % parts == part:
            subject.say("begun", *case)
            one(case, made[case[0]], os.path.join(work, "case"), evidence, modules, f"{seed} {number}")


def one(case, source, path, evidence, modules, seed):
    """Plant, ask for everything, and see whether something ran."""
    import sys

    guard, place, kind, mac = case
    shutil.copytree(source, path, symlinks=True)
    folder = Folder(path, payloads(evidence).get(kind, b""), random.Random(seed))  # noqa: S311 - dice
    folder.is_guarded = guard != "none"
    if folder.is_guarded:
        forge(folder, mac)
    count = folder.con.execute(REPLAYS[place]).rowcount if place in REPLAYS else PLACES[place](folder)
    folder.close()
    sys.path.insert(0, modules)
    try:
        with Cache(path, **GUARDS.get(guard, {})) as cache:
            wrong = ask(cache)
    except Exception as error:  # noqa: BLE001 - any is a violation
        wrong = [f"raised {error!r}"]
    finally:
        sys.path.remove(modules)
        sys.modules.pop("planted_module", None)
    if guard == "plain":
        # Nothing is signed there: who writes to the folder can put other values in, but no code.
        wrong = [each for each in wrong if "a wrong value" not in each]
    ran = os.path.isdir(evidence)
    if ran:
        os.rmdir(evidence)
    shutil.rmtree(path)
    if not count:
        wrong.append("nothing was planted")
    if guard == "none":
        wrong = [] if ran else ["it did not run where nothing guards against it: this case proves nothing"]
    elif ran:
        wrong.append("it ran")
    for each in wrong:
        subject.say("wrong", "pickles", *case, "->", each.replace("\n", " ")[:600])
    subject.say("outcome", "bites" if guard == "none" else f"harmless ({guard})")


def ask(cache):
    """Everything that may be asked of a cache; what was wrong."""
    wrong, made = [], functions(cache)
    for x in (1, 2):
        right = {"small": [x, "small"], "large": bytes([x]) * LARGE}
        for name, value in right.items():
            if made[name](x) != value:
                wrong.append(f"{name}({x}) gave a wrong value")
        if not np.array_equal(made["array"](x), np.full(9_000, x)):
            wrong.append(f"array({x}) gave a wrong value")
        if made["report"](x).read_bytes() != bytes([x]) * 100:
            wrong.append(f"report({x}) gave a wrong value")
    if list(made["few"](3)) != [0, 1, 2]:
        wrong.append("few(3) gave wrong items")
    cache.retry_failed()
    for item in cache.search(status=list(Status)):
        str(item.params), str(item.attrs), item.intact()
        with contextlib.suppress(CachedecoError, OSError, ValueError):
            loaded = item.load()
            if item.uri == "evil://few":
                list(loaded)
    for function in made.values():
        str(function.why(1)), str(function.why(9))
    json.dumps(sorted(cache.contents()))
    return wrong

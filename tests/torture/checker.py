"""The invariants of a cache folder at rest, asked of the files themselves: without the library.

I1  what is READY has its bytes, in the recorded size and with the recorded digest
I2  at most one claim per key and scope, no version twice, none beyond the counter of its key
I3  a claim has an owner that lives; asked after another process has claimed or waited
I4  no bytes without a record
and the registry is sound in SQLite's own eyes.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3

import xxhash

WRITE, READY = 1, 3


def problems(folder, *, orphans=False):
    """What is wrong with a cache folder that nobody uses, a sentence each.

    Args:
        folder: the cache folder.
        orphans: do not count bytes without a record: a process was killed while it deleted records.
    """
    path = os.path.join(folder, "registry", "registry.db")
    if not os.path.exists(path):
        return [f"{folder} has no registry"]
    # Bytes first, then records: what is written meanwhile has its record before its bytes.
    places = _places(folder)
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True)) as con:
        try:
            found = [
                *unsound(con),
                *_twice(con),
                *_incomplete(con, folder),
                *_abandoned(con, folder),
            ]
            if not orphans:
                found += _orphans(con, places)
        except sqlite3.DatabaseError as error:
            found = [f"the registry cannot be read: {error}"]
    return found


def unsound(con):
    """What SQLite itself finds wrong with an open registry."""
    answers = [row[0] for row in con.execute("PRAGMA integrity_check")]
    if answers != ["ok"]:
        yield f"the registry is corrupt: {answers[:3]}"
    broken = con.execute("PRAGMA foreign_key_check").fetchall()
    if broken:
        yield f"rows refer to rows that are gone: {broken[:3]}"


def _twice(con):
    claims = "SELECT count(*) FROM items WHERE status = 1 AND owner IS NOT NULL GROUP BY key, scope HAVING count(*) > 1"
    if con.execute(claims).fetchone():
        yield "a key has two claims"
    if con.execute("SELECT 1 FROM items GROUP BY key, version HAVING count(*) > 1").fetchone():
        yield "a key has a version twice"
    lost = "SELECT key FROM items GROUP BY key HAVING min(version) > 1 AND key NOT IN (SELECT key FROM last_versions)"
    if con.execute(lost).fetchone():
        yield "versions are gone without a trace"


def _incomplete(con, folder):
    rows = con.execute(
        "SELECT id, key, version, token, form, size, digest, filename, data FROM items "
        "WHERE status = ? AND form IS NOT NULL",
        (READY,),
    )
    for id_, key, version, token, form, size, digest, filename, data in rows:
        if filename is None:
            found = None if data is None else (len(data), xxhash.xxh3_128_digest(data))
        else:
            name = f"{key.hex()}-{version}-{token.hex()}"
            place = os.path.join(folder, "items", key.hex()[:2], name)
            found = measured(place if form == "files" else os.path.join(place, filename))
        if found is None:
            yield f"item {id_} is READY, its bytes are gone"
        elif found != (size, digest):
            yield f"item {id_} is READY, its bytes are not those that were recorded"


def measured(place):
    """Size and digest of a file or of a folder, as a registry records them; None when there is none."""
    if os.path.isfile(place):
        with open(place, "rb") as file:
            content = file.read()
        return len(content), xxhash.xxh3_128_digest(content)
    if not os.path.isdir(place):
        return None
    files = {}
    for parent, _, names in os.walk(place):
        for name in names:
            path = os.path.join(parent, name)
            files[os.path.relpath(path, place)] = measured(path)
    total = xxhash.xxh3_128()
    for name, (_, digest) in sorted(files.items(), key=lambda pair: os.path.join(place, pair[0])):
        encoded = os.fsencode(name)
        total.update(len(encoded).to_bytes(8, "little") + encoded + digest)
    sizes = sum(size for size, _ in files.values())
    if len(files) == 1 and os.sep not in next(iter(files)):
        return sizes, next(iter(files.values()))[1]
    return sizes, total.digest()


def _abandoned(con, folder):
    rows = con.execute(
        "SELECT DISTINCT i.id, o.name FROM items AS i LEFT JOIN owners AS o ON o.id = i.owner "
        "WHERE i.status = ? AND i.owner IS NOT NULL",
        (WRITE,),
    )
    for id_, name in rows:
        if name is None or not is_held(os.path.join(folder, "owners", f"{name}.lock")):
            yield f"item {id_} is claimed by an owner that is dead"


def is_held(path):
    """Whether a process holds a lock file."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _places(folder):
    found = []
    for parent in sorted(_entries(os.path.join(folder, "items"))):
        found += sorted(_entries(parent))
    return found


def _entries(folder):
    try:
        return [os.path.join(folder, name) for name in os.listdir(folder)]
    except OSError:
        return []


def _orphans(con, places):
    known = {
        f"{key.hex()}-{version}-{token.hex()}"
        for key, version, token in con.execute("SELECT key, version, token FROM items")
    }
    for place in places:
        # An item's folder, the same while it is being written, its manifest, the same while that is replaced.
        if os.path.basename(place).partition(".")[0] not in known:
            yield f"{place} has no record"

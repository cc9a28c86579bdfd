"""Hostile names: what the children of the form `evil` do. A name is kept as it is, or refused in one sentence."""

from __future__ import annotations

import itertools
import os
import shutil
import sqlite3
from contextlib import closing

import subject

from cachedeco import Cache, CachedecoError, Status, cached

NAMES = {
    "quote": "x'; DROP TABLE items; --",
    "double quote": 'x"; DELETE FROM items; --',
    "condition": "' OR '1'='1",
    "union": "x') UNION SELECT * FROM owners --",
    "comment": "x/* */--",
    "place": "?1 :key @x $y",
    "like": "%",
    "one sign": "_",
    "glob": "*[a-z]?",
    "upwards": "../../../../outside/secret",
    "upwards on windows": "..\\..\\outside\\secret",
    "absolute": "/etc/passwd",
    "drive": "C:\\Windows\\x",
    "home": "~/x",
    "variable": "$HOME/${PATH}",
    "one dot": ".",
    "two dots": "..",
    "nothing": "",
    "space": " ",
    "end of line": "a\nb",
    "no byte": "a\0b",
    "escape": "\x1b[2J\x1b]0;title\x07",
    "backwards": "txt.\u202eexe",
    "invisible": "a\u200bb\ufeff",
    "composed": "e\u0301\u00e9",
    "half a pair": "a\ud800b",
    "beyond": "\U0001f4a9",
    "long": "x" * 300,
    "very long": "y" * 100_000,
    "device": "CON",
    "stream": "a.txt:hidden",
    "template": "{x} {0} {__class__} %s %(x)s",
    "format": "{x.__class__.__mro__}",
    "url": "file:///etc/passwd?mode=memory&cache=shared#x",
    "json": '{"a": 1}',
    "path in json": '$."a".value',
    "registry": "registry/registry.db",
    "part": "f.part",
    "manifest": "ab.json",
    "number": "1",
}


def _keep(cache, item):
    if item.path is not None:
        item.path.write_bytes(b"kept")
    item.ready()
    return cache.store.items.get(item.id)


def _uri(cache, name):
    item = cache.create(name, filename="f")
    _keep(cache, item)
    return [each.id for each in cache.search(uri=name)] == [item.id] and cache.best(name).uri == name


def _param_name(cache, name):
    item = cache.create("evil://x", params={name: 1}, filename="f")
    _keep(cache, item)
    return [each.id for each in cache.search(uri="evil://x", params={name: 1})] == [
        item.id
    ] and name in item.params


def _param_value(cache, name):
    item = cache.create("evil://x", params={"p": name}, filename="f")
    _keep(cache, item)
    return cache.best("evil://x", {"p": name}).id == item.id


def _label(cache, name):
    item = cache.create("evil://x", filename="f", label=name)
    _keep(cache, item)
    return [each.label for each in cache.search(label=name)] == [name]


def _ext(cache, name):
    item = cache.create("evil://x", ext=name)
    _keep(cache, item)
    return item.path is None or str(item.path).startswith(cache.path + os.sep)


def _filename(cache, name):
    item = cache.create("evil://x", filename=name)
    place = str(item.path)
    _keep(cache, item)
    inside = os.path.realpath(place).startswith(os.path.realpath(cache.path) + os.sep + "items")
    return inside and os.path.basename(place) == name and cache.search(filename=name)[0].intact()


def _moved(cache, name):
    return _filename_of(cache.move_in(__file__, filename=name), cache)


def _filename_of(item, cache):
    return os.path.realpath(item.path).startswith(os.path.realpath(cache.path) + os.sep + "items")


def _attribute(cache, name):
    item = cache.create("evil://x", attrs={name: "v"}, filename="f")
    return item.attrs == {name: "v"} and len(cache.search(attrs={name: "v"})) == 1


def _namespace(cache, name):
    item = cache.create("evil://x", attrs={name: {"inner": "v"}}, filename="f")
    return item.attrs == {name: {"inner": "v"}} and len(cache.search(attrs={name: {"inner": "v"}})) == 1


def _attribute_value(cache, name):
    item = cache.create("evil://x", attrs={"a": name}, filename="f")
    return item.attrs == {"a": name} and [each.id for each in cache.search(attrs={"a": name})] == [item.id]


def _operator(cache, name):
    found = cache.search(attrs={"a": (name, 1)})
    return found == []


def _key(cache, name):
    return cache.search(key=name) == [] and cache.by_key(name) is None


def _where(cache, name):
    found = cache.search(where=name)
    return len(found) <= 1


def _where_value(cache, name):
    quoted = name.replace("'", "''")
    item = cache.create("evil://x", filename="f", label=name or None)
    if not name:
        return cache.search(where="label = ''") == []
    return [each.id for each in cache.search(where=f"label = '{quoted}'")] == [item.id]


def _function(cache, name):
    @cached(cache=cache, uri=lambda arguments: name)
    def function(x):
        return x

    return function(3) == 3 and function.item(3) is not None and function.item(3).uri == name


def _template(cache, name):
    @cached(cache=cache, uri="evil://{x}/", code_version=name or None)
    def function(x):
        return "value"

    return function(name) == "value" and function(name) == "value"


def _output(cache, name):
    @cached(cache=cache, output=name)
    def function(output=None):
        output.write_bytes(b"kept")

    return _filename_of(function.item() if function() else None, cache)


def _error(cache, name):
    item = cache.create("evil://x", filename="f")
    item.failed(name or "x")
    return item.error == (name or "x")


def _update(cache, name):
    cache.create("evil://x", filename="f").ready()
    cache.update("evil://x", update={"label": name, "attrs": {name: name}})
    return cache.search()[-1].label == name


PLACES = {
    each.__name__.strip("_"): each
    for each in (
        _uri, _param_name, _param_value, _label, _ext, _filename, _moved, _attribute, _namespace, _attribute_value,
        _operator, _key, _where, _where_value, _function, _template, _output, _error, _update,
    )
}  # fmt: skip


def batch(work, part, parts, seed, *, long):
    """Do a share of the cases; tell the parent what happened to each."""
    outside = os.path.join(work, "outside")
    os.makedirs(outside)
    with open(os.path.join(outside, "secret"), "w", encoding="utf-8") as file:
        file.write("this is somebody's")
    for number, case in enumerate(itertools.product(PLACES, NAMES)):
        if number % parts == part:
            subject.say("begun", *case)
            one(*case, work, os.path.join(work, "cache"))


def one(place, name, work, path):
    """Give a name to one place, and look whether all is well afterwards."""
    before = _listing(work, path)
    wrong, outcome = [], "kept"
    with Cache(path) as cache:
        other = cache.create("evil://other", params={"n": 1}, filename="f", label="other", attrs={"a": 1.5})
        _keep(cache, other)
        try:
            if not PLACES[place](cache, NAMES[name]):
                wrong.append("it was neither kept as it is nor refused")
        except (CachedecoError, OSError) as error:
            outcome = f"refused ({type(error).__name__})"
            if (
                isinstance(error, OSError)
                and not isinstance(error, CachedecoError)
                and error.filename is None
            ):
                wrong.append(f"an error without a place: {error!r}")
        except Exception as error:  # noqa: BLE001 - any other is a violation
            outcome = "raised"
            wrong.append(f"raised {error!r}")
        found = cache.search(label="other", status=list(Status))
        if [each.id for each in found] != [other.id] or not other.intact():
            wrong.append("another item was touched")
        for each in cache.search(status=list(Status)):
            repr(each), str(each.params), str(each.attrs), each.path
    with closing(sqlite3.connect(os.path.join(path, "registry", "registry.db"))) as con:
        if con.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            wrong.append("the registry is damaged")
    if _listing(work, path) != before:
        wrong.append("something outside the cache was touched")
    shutil.rmtree(path)
    for each in wrong:
        subject.say("wrong", "names", place, name, "->", each.replace("\n", " ")[:600])
    subject.say("outcome", outcome)


def _listing(work, path):
    found = {}
    for parent, folders, names in os.walk(work):
        if parent == work and os.path.basename(path) in folders:
            folders.remove(os.path.basename(path))
        for name in names:
            one_file = os.lstat(os.path.join(parent, name))
            found[os.path.join(parent, name)] = one_file.st_size, one_file.st_mtime_ns
    return found

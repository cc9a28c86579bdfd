"""Steps that are a script, a module and a program in one: run by path, with -m, or imported."""

from __future__ import annotations

import dataclasses
import enum
import json
import sys
from typing import NamedTuple

from cachedeco import Cache, cached
from pipeline.engines import note, outcome, through, wait_for_workers

SCALE = 10


class Unit(enum.Enum):
    """An argument whose class has no function of its own."""

    METRE = "m"


class Size(NamedTuple):
    """An argument with functions that are not the script's."""

    width: int
    height: int = 2


@dataclasses.dataclass(frozen=True)
class Shape:
    """An argument, and a value, of a class of the script."""

    size: Size
    unit: Unit = Unit.METRE
    names: list[str] = dataclasses.field(default_factory=list)

    def area(self):
        """The code of the method counts."""
        return self.size.width * self.size.height * SCALE


def helper(x):
    """Used by a cached function: its code counts."""
    return x + SCALE


@cached(ignore=("log",))
def inner(x, log):
    """A step of a step."""
    note("computed", f"inner-{x}")
    return helper(x)


@cached(ignore=("log",))
def outer(x, shape, log):
    """A step that calls another, with an argument of the script's class, and one that does not count."""
    note("computed", f"outer-{x}")
    return inner(x, log) + shape.area()


@cached
def grown(x, shape):
    """A step whose value is of the script's class."""
    note("computed", f"grown-{x}")
    return Shape(Size(shape.size.width + x), shape.unit, ["grown"])


@cached
def awaited(x, workers):
    """A step that ends only when all workers ask for it."""
    note("computed", f"awaited-{x}")
    wait_for_workers("asked", str(x), workers)
    return x * SCALE


@cached(cooldown=3600)
def failing(x):
    """A step that fails, and is not tried again."""
    note("computed", f"failing-{x}")
    raise ValueError(f"no {x} today")


def facts(x):
    """What the key of a call is made of, here."""
    arguments = (x, Shape(Size(x)), "a log")
    item = outer.item(*arguments)
    return {
        "key": outer.key(*arguments),
        "uri": None if item is None else item.uri,
        "version": None if item is None else item.version_id,
        "status": outer.status(*arguments).name,
        "code": outer.__cachedeco__.code.parts(outer.params(*arguments)),
    }


def work(x):
    """A task: call a cached function, and tell what its key is made of there."""
    return outer(x, Shape(Size(x)), f"log of task {x}"), facts(x)


def ask(x, workers):
    """A task: say that it asks, then ask."""
    note("asked", x)
    return awaited(x, workers)


def look(cache, x):
    """A task: find by hand, in a cache that came as an argument, what a cached function has stored."""
    item = cache.best(outer.item(x, Shape(Size(x)), None).uri, params={"x": x, "shape": Shape(Size(x))})
    return cache.path, item.load(), item


def unkeyable(x):
    """A task: a cached function gets what no key can be made of."""
    return outer(x, {"parts": [(part for part in "abc")]}, None)


def shared(engine):
    """Calls in workers, then the same ones here."""
    xs = [1, 2, 3] * 3
    there = through(engine, work, xs)
    direct = through(engine, outer, xs, [Shape(Size(x)) for x in xs], [None] * len(xs))
    keys = through(engine, outer.key, xs, [Shape(Size(x)) for x in xs], ["a log"] * len(xs))
    here = [work(x) for x in xs]
    return {"there": there, "here": here, "direct": direct, "keys": keys}


def at_once(engine):
    """One call from all workers at the same time."""
    values = through(engine, ask, [7] * 6, [3] * 6)
    return {"values": values, "after": awaited(7, 3), "items": len(awaited.items(7, 3))}


def errors(engine):
    """Failures in workers, as they arrive here."""
    return {
        "raised": outcome(through, engine, failing, [1]),
        "previous": outcome(through, engine, failing, [1]),
        "here": outcome(failing, 1),
        "unkeyable": outcome(through, engine, unkeyable, [1]),
    }


def objects(engine):
    """A cache, an item and values of the script's classes, through workers and back."""
    work(2)
    cache = Cache()
    path, value, item = through(engine, look, [cache], [2])[0]
    shapes = through(engine, grown, [1, 1], [Shape(Size(4))] * 2)
    return {
        "path": path == cache.path,
        "value": value == outer(2, Shape(Size(2)), None) == item.load(),
        "same": item == outer.item(2, Shape(Size(2)), None),
        "classes": [type(each) is Shape for each in (*shapes, grown(1, Shape(Size(4))))],
        "shapes": [each == Shape(Size(5), names=["grown"]) for each in shapes],
    }


def local(engine):
    """Functions that only cloudpickle can send: nested, with a closure, and a lambda."""
    factor = 3

    @cached
    def nested(x):
        note("computed", f"nested-{x}")
        return x * factor

    square = cached(uri="demo://square/{x}")(lambda x: note("computed", f"square-{x}") or x * x)
    here = {"nested": nested.key(2), "square": square.key(2)}
    return {
        "nested": through(engine, nested, [2, 2]),
        "square": through(engine, square, [2, 2]),
        "keys": {
            "nested": through(engine, nested.key, [2])[0],
            "square": through(engine, square.key, [2])[0],
        }
        == here,
        "after": [nested(2), square(2), nested.item(2).version, square.item(2).version],
    }


def main():
    """Tell one of the stories above, or several with commas between their names."""
    names, engine = sys.argv[1:] if len(sys.argv) > 1 else ("shared", "plain")
    stories = {each.__name__: each for each in (shared, at_once, errors, objects, local)}
    told = {name: stories[name](engine) for name in names.split(",")}
    print(json.dumps(told if len(told) > 1 else told[names]))


if __name__ == "__main__":
    main()

"""The cached functions that children call. Copied, with `oracle`, into the temporary folder of a form."""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import warnings

from oracle import Log, right

from cachedeco import OUTPUT, Cache, PreviousFailureError, Status, cached

seconds = float(os.environ.get("TORTURE_SECONDS", "50"))
if seconds:
    faulthandler.dump_traceback_later(seconds, exit=True)  # who hangs says where

cache = Cache(os.environ["TORTURE_CACHE"], durability=os.environ.get("TORTURE_DURABILITY", "process"))
log = Log(os.environ["TORTURE_LOG"])
note = log.note

SIZES = {"small": 100, "large": 30_000, "report": 5_000, "folder": 6_000, "stream": 20, "spooled": 9_000}


def subject(name, **options):
    """Decorate a function of one argument: its name is its uri, and its code never changes."""
    return cached(cache=cache, uri=f"torture://{name}", code_version="1", **options)


@subject("small")
def small(x):
    """A value that is kept in the registry."""
    note("run", "small", x, os.getpid())
    return right("small", x, SIZES["small"])


@subject("large")
def large(x):
    """A value that becomes a file."""
    note("run", "large", x, os.getpid())
    return right("large", x, SIZES["large"])


@subject("report", output="report_{x}.bin")
def report(x, output=OUTPUT):
    """A file."""
    note("run", "report", x, os.getpid())
    _write(os.open(output, os.O_WRONLY | os.O_CREAT), right("report", x, SIZES["report"]))


@subject("folder", output="tables/")
def folder(x, output=OUTPUT):
    """A folder of two files, one of them in a folder of its own."""
    note("run", "folder", x, os.getpid())
    content = right("folder", x, SIZES["folder"])
    place = os.open(output, os.O_RDONLY)
    os.mkdir("deep", dir_fd=place)
    _write(os.open("one", os.O_WRONLY | os.O_CREAT, dir_fd=place), content[:1000])
    _write(os.open("deep/two", os.O_WRONLY | os.O_CREAT, dir_fd=place), content[1000:])
    os.close(place)


@subject("stream")
def stream(x):
    """A generator whose items are kept in the registry."""
    note("run", "stream", x, os.getpid())
    yield from right("stream", x, SIZES["stream"])


@subject("spooled")
def spooled(x):
    """A generator whose items become a file."""
    note("run", "spooled", x, os.getpid())
    content = right("spooled", x, SIZES["spooled"])
    for start in range(0, len(content), 1000):
        yield content[start : start + 1000]


@subject("raising")
def raising(x):
    """A function that fails."""
    note("run", "raising", x, os.getpid())
    raise ValueError(x)


dying = []


@subject("doomed")
def doomed(x):
    """A function in which a process dies that wants to."""
    if dying:
        os.kill(os.getpid(), 9)
    return right("doomed", x, 100)


FUNCTIONS = {each.__name__: each for each in (small, large, report, folder, stream, spooled)}


def _write(descriptor, content):
    # By a system call that the library does not use, so that the user's function never fails.
    os.writev(descriptor, [content])
    os.close(descriptor)


def _hook(kind, error, traceback):
    # As Python's own, by the system call that faults do not strike.
    import traceback as module

    os.writev(2, ["".join(module.format_exception(kind, error, traceback)).encode()])


sys.excepthook = _hook


def content_of(function, given):
    """What a call gave, as bytes."""
    name = function.__name__
    if name == "report":
        return given.read_bytes()
    if name == "folder":
        return (given / "one").read_bytes() + (given / "deep" / "two").read_bytes()
    if name == "stream":
        return bytes(given)
    return b"".join(given) if name == "spooled" else given


def check(function, x, given):
    """Whoever gets a wrong value ends with a message and the status 3."""
    name = function.__name__
    if content_of(function, given) != right(name, x, SIZES[name]):
        complain(f"{name}({x}) gave a wrong value")


def ask(function, x):
    """Call, check, and acknowledge."""
    check(function, x, function(x))
    note("done", function.__name__, x)


def again(function, x):
    """Compute a new version, check and acknowledge it."""
    check(function, x, function.refresh(x))
    note("done", function.__name__, x)


def fail(x):
    """Call what raises."""
    try:
        raising(x)
    except (ValueError, PreviousFailureError):
        note("failed", "raising", x)
    else:
        complain("an exception was lost")


def drop(function, x):
    """Remove all versions."""
    note("gone", function.__name__, x)
    function.remove(x)


def bring(function, x):
    """Bring the newest version back from the trash."""
    removed = _removed(function, x)
    if not removed:
        raise FileNotFoundError(f"{function.__name__}({x}) is not in the trash")
    item = max(removed, key=lambda each: each.version)
    item.restore()
    if item.status != Status.READY:
        complain(f"{function.__name__}({x}) was restored as {item.status.name}")
    note("done", function.__name__, x)


def _removed(function, x):
    return cache.search(key=function.key(x), status=Status.TRASH)


def erase(function, x, **options):
    """Delete all versions from the disk."""
    note("gone", function.__name__, x)
    for item in function.items(x):
        item.remove(disk=True, **options)


def become_newer():
    """Be the next version of the library, whose registry has one column more."""
    from cachedeco.registry import database

    note("newer")
    change = "ALTER TABLE items ADD COLUMN colour TEXT; UPDATE items SET colour = 'red';"
    steps = [*database.migrations(), change]
    database.migrations = lambda: steps


def by_hand(x):
    """Write an item by hand, unless there is one."""
    item = cache.best_or_new("torture://hand", {"x": x}, filename="hand.bin")
    wanted = right("hand", x, 3_000)
    if item.status != Status.READY:
        note("run", "hand", x, os.getpid())
        _write(os.open(item.path, os.O_WRONLY | os.O_CREAT), wanted)
        item.ready()
    if item.path.read_bytes() != wanted:
        complain(f"the item {x} made by hand has wrong bytes")
    note("done", "hand", x)


def by_hand_failed(x):
    """Begin to write an item by hand, and give it up."""
    cache.best_or_new("torture://hand", {"x": x}, filename="hand.bin").failed("given up")


def ask_by_name(name, x):
    """Ask for what a log names."""
    if name == "hand":
        by_hand(x)
    elif name == "raising":
        fail(x)
    else:
        ask(FUNCTIONS[name], x)


_said = threading.Lock()


def say(*words):
    """Tell the parent."""
    with _said:
        os.writev(1, [(" ".join(map(str, words)) + "\n").encode()])


def complain(message):
    """End at once, with a message."""
    os.writev(2, [f"COMPLAINT: {message}\n".encode()])
    os._exit(3)


class Heard:
    """Collects the warnings of the process; says them at the end."""

    def __enter__(self):
        self._catcher = warnings.catch_warnings(record=True)
        self._seen = self._catcher.__enter__()
        warnings.simplefilter("always")

    def __exit__(self, *_):
        for each in self._seen:
            say("warned", each.category.__name__, each.message)
        self._catcher.__exit__()

"""The road of a call: hit, wait, compute; what fails, what cannot be stored, what vanished."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time

import pytest

from cachedeco import (
    Cache,
    KeyingError,
    MissingSerializerError,
    PreviousFailureError,
    RegistryError,
    RegistryUnavailableError,
    Status,
    StoreWarning,
    WaitCycleError,
    cached,
)
from cachedeco.calls import notices
from cachedeco.registry import owner as owners

LARGE = b"x" * 100_000


class Counted:
    """A function that counts its calls, and can be told when to go on."""

    def __init__(self, result=None):
        self.calls = 0
        self.result = result
        self.entered = threading.Event()
        self.go = threading.Event()
        self.go.set()
        self._lock = threading.Lock()

    def __call__(self, *args):
        with self._lock:
            self.calls += 1
        self.entered.set()
        assert self.go.wait(30)
        result = self.result(*args) if callable(self.result) else self.result
        if isinstance(result, BaseException):
            raise result
        return result

    def hold(self):
        self.go.clear()
        self.entered.clear()


COUNTED = Counted()


@pytest.fixture
def work():
    """What the cached function of a test does; a global of this module, so its state is not part of the code."""
    COUNTED.__init__()
    return COUNTED


def make(cache, **options):
    @cached(cache=cache, code_version="1", **options)
    def function(x=0):
        return COUNTED(x)

    return function


@pytest.fixture
def function(cache, work):
    return make(cache)


def in_threads(count, call):
    """Call from so many threads at once; what each got, or the exception."""
    barrier = threading.Barrier(count)
    got = []

    def run():
        barrier.wait()
        try:
            got.append(call())
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test looks at it
            got.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads), "a call hangs"
    return got


def waiting_for(function, count):
    """Wait until so many threads wait for a flight."""
    from cachedeco.calls import flights

    deadline = time.monotonic() + 30
    while len(flights._waiting) < count:
        assert time.monotonic() < deadline
        time.sleep(0.001)


# Hits


def test_a_result_is_computed_once(function, work):
    """The second call loads it."""
    work.result = {"a": [1, 2]}
    assert function(1) == {"a": [1, 2]}
    assert function(1) == {"a": [1, 2]}
    assert work.calls == 1


def test_none_is_a_value(function, work):
    """It is stored and loaded like any other."""
    assert function(1) is None
    assert function(1) is None
    assert work.calls == 1
    assert function.status(1) == Status.READY


@pytest.mark.parametrize(
    "value",
    [b"", "", 0, False, (), 4096 * b"x", 4000 * b"x", LARGE],
    ids=["b", "s", "0", "F", "t", "4096", "4000", "large"],
)
def test_any_size_comes_back(function, work, value):
    """Inside the registry or in a file of its own."""
    work.result = value
    function(1)
    again = function(1)
    assert (type(again), again) == (type(value), value)
    assert work.calls == 1


def test_a_hit_is_the_callers_own(function, work):
    """What a caller does to its value is not seen by the next."""
    work.result = lambda x: {"list": [1]}
    function(1)
    function(1)["list"].append(2)
    assert function(1) == {"list": [1]}


def test_another_process_finds_it(tmp_path):
    """Results are kept on disk."""
    script = tmp_path / "pipeline.py"
    script.write_text(
        "import sys\nfrom cachedeco import cached\n"
        "@cached(cache=sys.argv[1])\ndef f(x):\n    print('computing')\n    return x + 1\n"
        "print(f(1))\n",
        encoding="utf-8",
    )
    command = [sys.executable, str(script), str(tmp_path / "cache")]
    outputs = [
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() for _ in range(2)
    ]
    assert outputs == [["computing", "2"], ["2"]]


def test_different_arguments_are_different_results(function, work):
    """Also those that compare equal."""
    work.result = repr
    assert [function(each) for each in (1, 1.0, True, "1", None)] == ["1", "1.0", "True", "'1'", "None"]
    assert work.calls == 5


def test_an_argument_that_cannot_be_keyed_is_named(function, work):
    """Nothing is computed, so the caller can mend it."""
    with pytest.raises(KeyingError, match="x"):
        function(threading.Lock())
    assert work.calls == 0


def test_arguments_that_do_not_fit_are_an_error_as_ever(function):
    """The message is that of a plain call."""
    with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
        function(z=1)


def test_a_moved_folder_still_has_its_results(tmp_path, work):
    """All paths inside are relative."""
    work.result = lambda x: LARGE if x else b"small"
    with Cache(tmp_path / "one") as cache:
        assert make(cache)(1) == LARGE
        assert make(cache)(0) == b"small"
    os.rename(tmp_path / "one", tmp_path / "two")
    with Cache(tmp_path / "two") as cache:
        assert make(cache)(1) == LARGE
        assert make(cache)(0) == b"small"
    assert work.calls == 2


def test_a_closed_cache_can_be_used_again(cache, function, work):
    """Closing lets connections go, not the cache."""
    function(1)
    cache.close()
    function(1)
    assert work.calls == 1


# What vanished or cannot be read


def stored_file(cache):
    return next(path for path in (cache_folder(cache) / "items").rglob("value*") if path.is_file())


def cache_folder(cache):
    from pathlib import Path

    return Path(cache.path)


def test_a_vanished_file_is_a_miss(cache, function, work):
    """It is computed again, and what is gone is set aside."""
    work.result = LARGE
    function(1)
    stored_file(cache).unlink()
    assert function.status(1) != Status.READY
    assert function(1) == LARGE
    assert work.calls == 2
    assert [item.status for item in cache.search(include_removed=True)] == [Status.TRASH, Status.READY]


@pytest.mark.parametrize("size", [0, 10, len(LARGE) + 500])
def test_a_file_of_another_size_is_a_miss(cache, function, work, size):
    """Truncated or grown: it is not what was stored."""
    work.result = LARGE
    function(1)
    path = stored_file(cache)
    path.chmod(0o600)
    os.truncate(path, size)
    assert function(1) == LARGE
    assert work.calls == 2


def test_damaged_bytes_are_a_miss(cache, function, work):
    """What cannot be a value is computed again."""
    work.result = LARGE
    function(1)
    path = stored_file(cache)
    path.chmod(0o600)
    path.write_bytes(b"\0" * path.stat().st_size)
    assert function(1) == LARGE
    assert work.calls == 2


def test_many_threads_that_find_a_file_gone_compute_it_once(cache, function, work):
    """Whoever waited finds the new version, not the gap where the old one was."""
    work.result = LARGE
    function(1)
    stored_file(cache).unlink()
    assert in_threads(8, lambda: function(1)) == [LARGE] * 8
    assert work.calls == 2


class Fragile:
    """A value that can be stored, but not always loaded."""

    broken = False

    def __setstate__(self, state):
        if Fragile.broken:
            raise ImportError("the library of this value is not installed")
        self.__dict__.update(state)

    def __init__(self):
        self.text = "x" * 10


@pytest.fixture
def fragile():
    Fragile.broken = False
    yield Fragile
    Fragile.broken = False


def test_a_value_that_cannot_be_loaded_here_is_a_miss_with_a_warning(function, work, fragile):
    """It stays: another environment may still read it."""
    work.result = lambda x: Fragile()
    function(1)
    fragile.broken = True
    with pytest.warns(StoreWarning, match="version 1 is stored but cannot be loaded here.*not installed"):
        function(1)
    assert work.calls == 2
    fragile.broken = False
    assert [item.status for item in function.items(1)] == [Status.READY, Status.READY]


@pytest.mark.filterwarnings("ignore::cachedeco.StoreWarning")
def test_threads_that_cannot_load_a_value_do_not_go_round_in_circles(function, work, fragile):
    """They compute one new version and get it."""
    work.result = lambda x: Fragile()
    function(1)
    fragile.broken = True
    work.result = "new"
    assert in_threads(6, lambda: function(1)) == ["new"] * 6
    assert work.calls == 2


@pytest.mark.filterwarnings("ignore::cachedeco.StoreWarning")
def test_an_older_version_that_can_be_loaded_will_do(function, work, fragile):
    """Before anything is computed again."""
    work.result = "old"
    function(1)
    work.result = lambda x: Fragile()
    function.refresh(1)
    fragile.broken = True
    assert function(1) == "old"
    assert work.calls == 2


def test_a_value_stored_by_an_unknown_serializer_is_an_error(cache, function, work):
    """A missing plug-in costs a sentence, not the hours that were spent on what is there; refresh computes it anew."""
    work.result = "value"
    function(1)
    cache.store.pool.write(lambda con: con.execute("UPDATE items SET serializer = 'from-the-future'"))
    with pytest.raises(MissingSerializerError, match=r"'from-the-future'.*install the package") as caught:
        function(1)
    assert caught.value.serializer == "from-the-future"
    assert function.refresh(1) == function(1) == "value"
    assert work.calls == 2


# Failures


def test_a_failure_is_recorded_and_raised(function, work):
    """The caller gets the exception itself; the item keeps the traceback."""
    error = ValueError("no such year")
    work.result = error
    with pytest.raises(ValueError, match="no such year") as caught:
        function(1)
    assert caught.value is error
    item = function.items(1)[0]
    assert (item.status, item.cause) == (Status.FAILED, "raised")
    assert item.error.rstrip().endswith("ValueError: no such year")
    assert "cachedeco/call.py" not in item.error


def test_the_next_call_after_a_failure_computes_again(function, work):
    """A failure is no result."""
    work.result = ValueError("once")
    with pytest.raises(ValueError, match="once"):
        function(1)
    work.result = "fine"
    assert function(1) == "fine"
    assert [item.status for item in function.items(1)] == [Status.READY, Status.FAILED]


@pytest.mark.parametrize("text", ["\udcff.csv", "\0", "ü" * 10_000], ids=["surrogate", "nul", "long"])
def test_any_message_can_be_recorded(function, work, text):
    """The user's exception is never replaced by one of ours."""
    work.result = ValueError(text)
    with pytest.raises(ValueError, match="^" + text[:5]):
        function(1)
    assert function.items(1)[0].cause == "raised"


class UnprintableError(Exception):
    """An exception that cannot even be shown."""

    def __str__(self):
        raise RuntimeError("no text")


def test_an_exception_that_cannot_be_shown_is_raised_all_the_same(function, work):
    """And recorded as well as one can."""
    work.result = UnprintableError()
    with pytest.raises(UnprintableError):
        function(1)
    assert "UnprintableError" in function.items(1)[0].error


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_interruption_is_no_failure_to_remember(function, work, error):
    """The claim is let go as abandoned, and the next call computes."""
    work.result = error()
    with pytest.raises(error):
        function(1)
    assert (function.items(1)[0].status, function.items(1)[0].cause) == (Status.FAILED, "abandoned")
    work.result = "fine"
    assert function(1) == "fine"


def test_those_who_waited_for_a_failure_get_it(function, work):
    """They do not run the function one after another; the original is the cause."""
    error = ValueError("broken")
    work.result = error
    work.hold()
    threads = threading.Thread(target=waiting_for, args=(function, 5))
    got = []

    def first():
        got.extend(in_threads(6, lambda: function(1)))

    runner = threading.Thread(target=first)
    runner.start()
    assert work.entered.wait(30)
    threads.start()
    threads.join()
    work.go.set()
    runner.join()
    assert work.calls == 1
    assert [each for each in got if each is error] == [error]
    others = [each for each in got if each is not error]
    assert [type(each) for each in others] == [PreviousFailureError] * 5
    assert {each.__cause__ for each in others} == {error}
    assert all(
        "ValueError: broken" in str(each) and "ValueError: broken" in each.traceback for each in others
    )


def test_a_failure_stays_in_its_own_thread_afterwards(function, work):
    """A call that began after the end computes for itself."""
    work.result = ValueError("once")
    with pytest.raises(ValueError, match="once"):
        function(1)
    work.result = 5
    assert in_threads(3, lambda: function(1)) == [5] * 3


# Values that cannot be stored


def test_a_value_that_cannot_be_pickled_reaches_its_caller(function, work):
    """With one warning that says what was done."""
    value = threading.Lock()
    work.result = lambda x: value
    with pytest.warns(StoreWarning, match="computed, but could not be stored") as caught:
        assert function(1) is value
    assert len(caught) == 1
    assert (function.items(1)[0].status, function.items(1)[0].cause) == (Status.FAILED, "store")


def test_one_warning_per_function_and_cause(function, work, recwarn):
    """Not one per call; ``recwarn`` collects."""
    work.result = lambda x: threading.Lock()
    for number in range(4):
        function(number)
    assert [type(each.message) for each in recwarn] == [StoreWarning]
    assert work.calls == 4


def test_the_warning_points_at_the_caller(function, work):
    """The line that it names is one of the user's."""
    work.result = lambda x: threading.Lock()
    with pytest.warns(StoreWarning) as caught:
        function(1)
    assert caught[0].filename == __file__


def test_a_value_that_cannot_be_stored_leaves_no_bytes(cache, function, work, recwarn):
    """Neither a half-written file nor a folder."""
    work.result = lambda x: [LARGE, threading.Lock()]
    function(1)
    assert list(cache_folder(cache).glob("items/*/*")) == []


def test_waiters_for_a_value_that_cannot_be_stored_get_one_too(function, work, recwarn):
    """All at once, and with one warning in the process."""
    work.result = lambda x: threading.Lock()
    work.hold()
    got = []
    runner = threading.Thread(target=lambda: got.extend(in_threads(4, lambda: function(1))))
    runner.start()
    assert work.entered.wait(30)
    waiting_for(function, 3)
    work.go.set()
    runner.join()
    assert [type(each) for each in got] == [type(threading.Lock())] * 4
    assert [type(each.message) for each in recwarn] == [StoreWarning]


@pytest.mark.parametrize("errno", [28, 5, 122], ids=["ENOSPC", "EIO", "EDQUOT"])
def test_a_full_or_broken_disk_does_not_cost_the_value(cache, function, work, monkeypatch, errno):
    """What was written is removed, the caller gets the value and one warning."""
    from cachedeco.files import staging

    def fail(self, data):
        raise OSError(errno, os.strerror(errno))

    monkeypatch.setattr(staging.DigestingFile, "write", fail)
    work.result = LARGE
    with pytest.warns(StoreWarning, match=os.strerror(errno)) as caught:
        assert function(1) == LARGE
    assert len(caught) == 1
    assert not list(cache_folder(cache).glob("items/*/*"))
    monkeypatch.undo()
    assert function(1) == LARGE
    assert function.status(1) == Status.READY


def test_a_registry_that_cannot_be_written_does_not_cost_the_value(cache, function, work, monkeypatch):
    """A full disk at the commit: the value arrives, and the claim is let go as soon as that is possible."""
    full = sqlite3.OperationalError("database or disk is full")
    write = cache.store.pool.write

    def fail(work_, **options):
        raise RegistryUnavailableError(f"the registry cannot be used: {full}")

    def result(x):
        monkeypatch.setattr(cache.store.pool, "write", fail)
        return "value"

    work.result = result
    with pytest.warns(StoreWarning, match="disk is full") as caught:
        assert function(1) == "value"
    assert len(caught) == 1
    monkeypatch.setattr(cache.store.pool, "write", write)
    work.result = "again"
    assert function(1) == "again"
    assert [item.status for item in function.items(1)] == [Status.READY, Status.FAILED]


def test_a_registry_that_cannot_be_written_at_all_leaves_plain_calls(cache, function, work, monkeypatch):
    """The function runs without the cache, and says so once."""

    def fail(work_):
        raise RegistryUnavailableError("disk full")

    monkeypatch.setattr(cache.store.pool, "write", fail)
    work.result = lambda x: x
    with pytest.warns(StoreWarning, match="computed without it") as caught:
        assert [function(1), function(2)] == [1, 2]
    assert len(caught) == 1


def test_a_folder_that_may_not_be_written_to_leaves_plain_calls(tmp_path):
    """As another user: the value arrives, with one warning."""
    if os.geteuid() != 0:
        pytest.skip("only the superuser can become somebody else")
    folder = tmp_path / "cache"
    folder.mkdir()
    folder.chmod(0o555)
    for parent in (tmp_path, *tmp_path.parents):
        if parent.stat().st_uid == os.geteuid() and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)
    story = (
        "import os, sys, warnings\nfrom cachedeco import cached\nimport cachedeco.why, filelock, sqlite3\n"
        # What a call imports late is imported now: the other user may not even read the checkout.
        "@cached(cache=sys.argv[2])\ndef warm(x):\n    return x\nwarm(1)\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "@cached(cache=sys.argv[1])\ndef f(x):\n    return x * 2\n"
        "with warnings.catch_warnings(record=True) as seen:\n"
        "    warnings.simplefilter('always')\n    print(f(1), f(2), f(1))\n"
        "print(len(seen), seen[0].category.__name__)\nprint(seen[0].message)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", story, str(folder), str(tmp_path / "warm")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:2] == ["2 4 2", "1 StoreWarning"]
    assert str(folder) in lines[2]


def test_warnings_that_are_errors_still_end_the_claim(function, work):
    """Nobody waits for a claim whose caller was told by an exception."""
    work.result = lambda x: threading.Lock()
    with pytest.raises(StoreWarning):
        function(1)
    assert (function.items(1)[0].status, function.items(1)[0].cause) == (Status.FAILED, "store")


def test_attributes_that_cannot_be_made_do_not_cost_the_value(cache, work):
    """A slip in ``attrs`` after hours of computing is a warning."""

    def attrs(value, arguments):
        raise ZeroDivisionError("slip")

    work.result = "value"
    with pytest.warns(StoreWarning, match="slip"):
        assert make(cache, attrs=attrs)(1) == "value"


# A registry that is not ours


def test_a_foreign_registry_is_a_clear_error(tmp_path, work):
    """A call does not pass over it."""
    folder = tmp_path / "cache" / "registry"
    folder.mkdir(parents=True)
    con = sqlite3.connect(folder / "registry.db")
    con.execute("CREATE TABLE theirs (x)")
    con.close()
    with pytest.raises(RegistryError, match="not a registry of cachedeco"):
        make(tmp_path / "cache")(1)
    assert work.calls == 0


def test_a_newer_registry_is_a_clear_error(cache, function, work):
    """Nor does it write to what it does not understand."""
    cache.store.pool.write(lambda con: con.execute("PRAGMA user_version = 99"))
    cache.close()
    with pytest.raises(RegistryError, match="has schema 99"):
        function(1)
    assert work.calls == 0


def test_a_folder_removed_in_use_is_made_anew(cache, function, work):
    """Results are gone, nothing else is."""
    work.result = LARGE
    function(1)
    shutil.rmtree(cache.path)
    assert function(2) == LARGE
    assert function(1) == LARGE
    calls = work.calls
    assert function(1) == function(2) == LARGE
    assert work.calls == calls
    owners._kept.clear()


def test_a_folder_removed_while_computing_costs_nothing_but_the_entry(cache, function, work):
    """The value reaches its caller, without a trace of the lost claim."""

    def result(x):
        shutil.rmtree(cache.path)
        return LARGE

    work.result = result
    assert function(1) == LARGE
    work.result = LARGE
    assert function(1) == LARGE
    owners._kept.clear()


# Waiting


def test_threads_that_ask_at_once_compute_once(function, work):
    """All get the value."""
    work.result = lambda x: (time.sleep(0.05), "value")[1]
    assert in_threads(16, lambda: function(1)) == ["value"] * 16
    assert work.calls == 1


def test_different_keys_do_not_wait_for_each_other(function, work):
    """A long computation holds up nobody else."""
    work.hold()
    thread = threading.Thread(target=function, args=(1,))
    thread.start()
    assert work.entered.wait(30)
    work.go.set()
    assert function(2) is None
    thread.join()


def test_two_caches_of_one_folder_compute_once(cache, work):
    """Threads meet by the folder, not by the object."""
    one, two = make(Cache(cache.path)), make(Cache(cache.path))
    calls = iter([one, two] * 4)
    lock = threading.Lock()

    def call():
        with lock:
            mine = next(calls)
        return mine(1)

    work.result = lambda x: (time.sleep(0.02), "value")[1]
    assert in_threads(8, call) == ["value"] * 8
    assert work.calls == 1
    one.__cachedeco__.store().pool.close()
    two.__cachedeco__.store().pool.close()


def test_a_function_that_calls_itself_with_other_arguments_works(function, work):
    """Each value is computed once."""
    work.result = lambda n: n if n < 2 else function(n - 1) + function(n - 2)
    assert function(15) == 610
    assert work.calls == 16


def test_a_function_that_needs_its_own_result_is_refused(function, work):
    """Instead of waiting for itself for ever."""
    work.result = function
    with pytest.raises(
        WaitCycleError, match=r"function -> .*function; a call cannot wait for its own result"
    ):
        function(1)
    work.result = 3
    assert function(1) == 3


CROSSING = {}


def ask_right():
    CROSSING["barrier"].wait(30)
    return CROSSING["right"]()


def ask_left():
    CROSSING["barrier"].wait(30)
    return CROSSING["left"]()


def test_two_threads_that_need_each_others_result_are_refused(cache):
    """At least one of them is told; nobody hangs, and the names of both are in the message."""
    left = cached(cache=cache, code_version="1")(ask_right)
    right = cached(cache=cache, code_version="1")(ask_left)
    CROSSING.update(barrier=threading.Barrier(2), left=left, right=right)
    calls = iter([left, right])
    lock = threading.Lock()

    def call():
        with lock:
            mine = next(calls)
        return mine()

    got = in_threads(2, call)
    assert {type(each) for each in got} <= {WaitCycleError, PreviousFailureError}
    cycles = [each for each in got if isinstance(each, WaitCycleError)]
    cycles += [each.__cause__ for each in got if isinstance(each.__cause__, WaitCycleError)]
    assert cycles
    assert "ask_left" in str(cycles[0])
    assert "ask_right" in str(cycles[0])


def test_the_error_of_a_cycle_survives_pickling(function, work):
    """With its names."""
    import pickle

    work.result = function
    with pytest.raises(WaitCycleError) as caught:
        function(1)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.names) == (str(caught.value), caught.value.names)


def test_nothing_but_sqlite_opens_the_registry(tmp_path):
    """Closing any other descriptor of it would drop all of SQLite's locks."""
    story = (
        "import sys\nseen = []\n"
        "sys.addaudithook(lambda event, args: seen.append(str(args[0])) if event in ('open', 'os.open') else None)\n"
        "from cachedeco import cached, Cache\ncache = Cache(sys.argv[1])\n"
        "@cached(cache=cache)\ndef f(x):\n    return bytes(x)\n"
        "f(1); f(9000); f(1); f(9000); f.refresh(1); f.why(2); f.remove(1)\n"
        "cache.search(); cache.create('u'); cache.close(); f(1)\n"
        "print([name for name in seen if 'registry.db' in name])\n"
        "print(len([name for name in seen if sys.argv[1] in name]) > 0)\n"
    )
    command = [sys.executable, "-c", story, str(tmp_path / "cache")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")[:2] == [
        "[]",
        "True",
    ]


def test_a_process_ends_without_a_complaint(tmp_path):
    """No connection, file or lock is left to the interpreter's end to warn about."""
    story = (
        "import sys, threading\nfrom cachedeco import cached, Cache\n"
        "@cached(cache=sys.argv[1])\ndef f(x):\n    return bytes(x)\n"
        "threads = [threading.Thread(target=f, args=(n,)) for n in (1, 9000, 9001)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\n"
        "cache = Cache(sys.argv[1]); cache.search(); del cache\nf(1)\n"
    )
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", story, str(tmp_path / "cache")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_notices_are_per_process_not_per_cache(function, work, recwarn):
    """Forgetting them makes the next one heard."""
    work.result = lambda x: threading.Lock()
    function(1)
    notices.forget()
    function(1)
    assert len(recwarn) == 2


@pytest.mark.filterwarnings("ignore::cachedeco.StoreWarning")
def test_tasks_that_cannot_load_a_value_do_not_go_round_in_circles(cache, work, fragile):
    """As threads: they compute one new version and get it."""
    import asyncio

    @cached(cache=cache, code_version="1")
    async def function(x):
        await asyncio.sleep(0)
        return COUNTED(x)

    async def crowd():
        return await asyncio.wait_for(asyncio.gather(*[function(1) for _ in range(5)]), 30)

    work.result = lambda x: Fragile()
    asyncio.run(crowd())
    fragile.broken = True
    work.result = "new"
    assert asyncio.run(crowd()) == ["new"] * 5
    assert work.calls == 2


def test_a_function_may_call_itself_150_deep(cache):
    """Each level takes few of the 1000 frames that Python allows."""

    @cached(cache=cache, code_version="1")
    def fibonacci(n):
        return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

    got = []
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)
    try:
        # A thread has a stack of its own, without the frames of the test.
        thread = threading.Thread(target=lambda: got.append(fibonacci(150)))
        thread.start()
        thread.join()
    finally:
        sys.setrecursionlimit(before)
    assert got == [9969216677189303386214405760200]

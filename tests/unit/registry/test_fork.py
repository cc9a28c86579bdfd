"""What a fork does to connections, owners and claims; each story runs in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")

BEGIN = """
import os, sys, threading, time
from cachedeco import Cache, cached
cache = Cache(sys.argv[1])
pool = cache.store.pool
def put(key):
    pool.write(lambda con: con.execute("INSERT INTO uris (uri) VALUES (?)", (key,)))
def count():
    return pool.read("SELECT count(*) FROM uris")[0]
def child(work):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return pid
def ended(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""


def run(tmp_path, story):
    """Run a story in a new process; returns what it prints, without the first lines' names."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", BEGIN + textwrap.dedent(story)]
    done = subprocess.run(
        [*command, str(tmp_path / "cache")], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.split()


def test_no_connection_crosses_a_fork(tmp_path):
    """In the child there is no descriptor of the registry."""
    story = """
    put("a")
    def look():
        paths = [f"/proc/self/fd/{n}" for n in os.listdir("/proc/self/fd")]
        names = [os.readlink(path) for path in paths if os.path.exists(path)]
        assert not [name for name in names if "registry" in name], names
        put("b")
    assert ended(child(look)) == 0
    put("c")
    print(count())
    """
    assert run(tmp_path, story) == ["3"]


def test_forking_while_threads_write_loses_no_commit(tmp_path):
    """Parent, threads and children all find every commit, and the registry is whole."""
    story = """
    put("first")  # a library that is imported while a fork is under way confuses its own fork hooks
    stop = threading.Event()
    done = [1, 0, 0]
    def write(n):
        while not stop.is_set():
            put(f"thread-{n}-{done[n]}")
            done[n] += 1
            time.sleep(0)
    threads = [threading.Thread(target=write, args=(n,)) for n in range(3)]
    for t in threads: t.start()
    children = 0
    for round in range(40):
        pid = child(lambda: [put(f"child-{round}-{i}") for i in range(3)])
        assert ended(pid) == 0
        children += 3
    stop.set()
    for t in threads: t.join()
    assert count() == sum(done) + children, (count(), done, children)
    print(pool.read("PRAGMA integrity_check")[0])
    """
    assert run(tmp_path, story) == ["ok"]


def test_two_threads_that_fork_at_once_do_not_hang_a_third(tmp_path):
    """Each fork holds up the others' statements only for its own moment."""
    story = """
    put("first")
    stop = threading.Event()
    written = [0]
    def write():
        while not stop.is_set():
            put(f"w{written[0]}")
            written[0] += 1
    def fork():
        for _ in range(40):
            try:
                pid = child(lambda: None)
            except RuntimeError as error:  # filelock refuses a fork in the midst of another one
                assert "unsafe while filelock" in str(error)
            else:
                assert ended(pid) == 0
    writer = threading.Thread(target=write, daemon=True)
    forkers = [threading.Thread(target=fork) for _ in range(3)]
    writer.start()
    for t in forkers: t.start()
    for t in forkers: t.join()
    stop.set()
    writer.join(20)
    assert not writer.is_alive()
    print("over")
    """
    assert run(tmp_path, story) == ["over"]


def test_a_child_is_an_owner_of_its_own(tmp_path):
    """What it claims is known by its own lock file."""
    story = """
    @cached(cache=cache)
    def f(x):
        return os.getpid()
    f(1)
    assert ended(child(lambda: f(2))) == 0
    rows = pool.read_all("SELECT pid FROM owners ORDER BY id")
    assert rows[0][0] == os.getpid() and rows[1][0] != os.getpid() and f(2) == rows[1][0]
    print(len(rows))
    """
    assert run(tmp_path, story) == ["2"]


def test_a_child_does_not_commit_its_parents_claim(tmp_path):
    """A child that returns through the parent's cached call leaves the claim to the parent."""
    story = """
    parent = os.getpid()
    @cached(cache=cache)
    def f(x):
        pid = os.fork()
        if pid == 0:
            return "child"
        assert ended(pid) == 0
        return "parent"
    value = f(1)
    if os.getpid() != parent:
        assert value == "child"
        os._exit(0 if f.status(1).name == "WRITE" else 1)
    print(value, f(1), len(f.items(1)), f.item(1).load())
    """
    assert run(tmp_path, story) == ["parent", "parent", "1", "parent"]


def test_a_child_that_raises_does_not_fail_its_parents_claim(tmp_path):
    """The failure is the child's alone."""
    story = """
    parent = os.getpid()
    @cached(cache=cache)
    def f(x):
        pid = os.fork()
        if pid == 0:
            raise ValueError("child")
        assert ended(pid) == 0
        return "parent"
    try:
        value = f(1)
    except ValueError:
        os._exit(0 if f.status(1).name == "WRITE" else 1)
    print(value, f.status(1).name, len(f.items(1)))
    """
    assert run(tmp_path, story) == ["parent", "READY", "1"]


def test_a_child_that_returns_an_output_gets_a_path(tmp_path):
    """What the caller gets is of the same kind in the child."""
    story = """
    from pathlib import Path
    from cachedeco import OUTPUT
    parent = os.getpid()
    @cached(cache=cache, output="a.txt")
    def f(x, output: Path = OUTPUT):
        output.write_text("a")
        pid = os.fork()
        if pid:
            assert ended(pid) == 0
    value = f(1)
    assert isinstance(value, Path)
    if os.getpid() != parent:
        os._exit(0)
    print(value.read_text())
    """
    assert run(tmp_path, story) == ["a"]


def test_a_child_waits_for_what_its_parent_computes(tmp_path):
    """Forked while another thread computes a key, the child gets that thread's value."""
    story = """
    entered, go = threading.Event(), threading.Event()
    @cached(cache=cache)
    def f(x):
        entered.set()
        assert go.wait(30)
        return os.getpid()
    thread = threading.Thread(target=f, args=(1,))
    thread.start()
    entered.wait()
    read, write = os.pipe()
    def ask():
        assert f.status(1).name == "WRITE"
        os.write(write, b"x")
        assert f(1) == os.getppid()
    pid = child(ask)
    os.read(read, 1)
    go.set()
    assert ended(pid) == 0
    thread.join()
    print(len(f.items(1)))
    """
    assert run(tmp_path, story) == ["1"]


def test_a_child_may_compute_in_the_midst_of_its_parents_computation(tmp_path):
    """A function that works with forked processes may call other cached functions in them."""
    story = """
    @cached(cache=cache)
    def g(x):
        return x * 10
    @cached(cache=cache)
    def f(x):
        assert ended(child(lambda: g(x))) == 0
        return g(x)
    print(f(1), len(g.items(1)))
    """
    assert run(tmp_path, story) == ["10", "1"]


@pytest.mark.parametrize("is_new", [False, True], ids=["old registry", "new registry"])
@pytest.mark.parametrize("name", ["json", "filelock", "logging"])
def test_a_fork_in_the_midst_of_an_import_leaves_a_child_that_works(tmp_path, name, is_new):
    """A thread of the parent is just importing what the child will need, also while it makes the registry.

    Nobody complains on the way: of the hooks that the imported libraries have for a fork, both halves are called.
    """
    story = f"""
    class Slow:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == {name!r} and threading.current_thread() is thread:
                begun.set()
                forked.wait(0.3)  # if the fork does not wait for this import, it is over by then
    @cached(cache=cache, code_version="1")
    def f(x):
        return x * 10
    import faulthandler, signal, subprocess
    faulthandler.register(signal.SIGALRM, chain=True)
    from cachedeco.registry import gate
    faulthandler.dump_traceback_later(20, exit=True)
    gate.FORK_WAIT = 1000
    if not {is_new}:  # another process makes the registry: this one has loaded nothing for it
        make = "import sys; from cachedeco import Cache; len(Cache(sys.argv[1]))"
        subprocess.run([sys.executable, "-c", make, sys.argv[1]], check=True)
    assert {name!r} not in sys.modules
    begun, forked = threading.Event(), threading.Event()
    sys.meta_path.insert(0, Slow)
    thread = threading.Thread(target=f, args=(1,))
    os.register_at_fork(after_in_parent=forked.set)
    thread.start()
    assert begun.wait(30)
    def work():
        signal.alarm(15)  # the thread of faulthandler's timer is missing here
        assert f(2) == 20
    print(ended(child(work)))
    thread.join()
    print(f(1))
    """
    assert run(tmp_path, story) == ["0", "10"]


def test_calls_import_nothing_that_a_fork_has_not_imported_before(tmp_path):
    """Another thread that begins its first calls in the moment of a fork leaves no module half imported."""
    story = """
    from cachedeco import OUTPUT, PreviousFailureError
    @cached(cache=cache)
    def value(x):
        return bytes(x)
    @cached(cache=cache, output="a.txt")
    def file(x, output=OUTPUT):
        output.write_text("a")
    @cached(cache=cache)
    def generator(x):
        yield bytes(x)
    @cached(cache=cache, cooldown=60)
    def failing(x):
        raise ValueError(x)
    assert ended(child(lambda: None)) == 0
    before = set(sys.modules)
    for x in (10, 10_000):
        for function in (value, generator):
            for call in (function, function, function.refresh):
                list(call(x))
    file(1), file(1)
    for _ in range(2):
        try:
            failing(1)
        except (ValueError, PreviousFailureError):
            pass
    item = cache.best_or_new("test://hand")
    item.path.write_text("a")
    item.ready()
    value.remove(10)
    item.remove()
    item.restore()
    item.remove(disk=True)
    print(*sorted(set(sys.modules) - before))
    """
    assert run(tmp_path, story) == []


def test_forked_workers_of_multiprocessing_use_the_cache(tmp_path):
    """A pool of forked workers computes each key once."""
    story = """
    import multiprocessing
    @cached(cache=cache)
    def f(x):
        with open(sys.argv[1] + ".log", "a") as log:
            log.write("x")
        return x * 2
    with multiprocessing.get_context("fork").Pool(4) as workers:
        assert workers.map(f, [1, 2, 3] * 8) == [2, 4, 6] * 8
        workers.close()
        workers.join()
    print(os.path.getsize(sys.argv[1] + ".log"))
    """
    assert run(tmp_path, story) == ["3"]

"""Claims by hand: of all who ask for one key, one writes and the others wait."""

from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
import threading

import pytest

from cachedeco import (
    OUTPUT,
    Cache,
    MissError,
    MissingOutputError,
    Status,
    StatusError,
    WaitCycleError,
    cached,
    held,
)
from cachedeco.registry.owner import live_tokens

PATIENCE = 60.0

WRITER = """
import os, sys
from cachedeco import Cache, held

with Cache(sys.argv[1]) as cache:
    wait, waited = held.wait, []

    def wait_and_say(*arguments):
        waited or print("waits", flush=True)
        waited.append(True)
        wait(*arguments)

    held.wait = wait_and_say
    item = cache.best_or_new("u", {"x": 1}, filename="f.txt")
    print(item.status.name, item.version, flush=True)
    if item.status.name == "WRITE":
        word = sys.stdin.readline().strip()
        if word == "die":
            os._exit(1)
        if word == "drop":
            del item
            print("dropped", flush=True)
            sys.stdin.readline()
        elif word == "ready":
            item.path.write_text("from a process")
            item.ready()
        else:
            item.failed("it " + word)
"""


class Writer:
    """A process that asks for the item ``u`` and does what it is told."""

    def __init__(self, cache):
        command = [sys.executable, "-W", "error", "-c", WRITER, cache.path]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def says(self):
        return self.process.stdout.readline().strip()

    def tell(self, word):
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def end(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE)
        self.process.stdout.close()


@pytest.fixture
def writer(cache):
    writers = []

    def start():
        writers.append(Writer(cache))
        return writers[-1]

    yield start
    for each in writers:
        each.end()


@pytest.fixture(autouse=True)
def joinable(monkeypatch):
    """Let claims go in threads that the end of a test can wait for."""

    def start(work, arguments):
        threading.Thread(target=work, args=arguments).start()

    monkeypatch.setattr(held, "start_new_thread", start)


def ask(cache):
    return cache.best_or_new("u", {"x": 1}, filename="f.txt")


def write(item, text="text"):
    item.path.write_text(text)
    item.ready()


class Asking(threading.Thread):
    """A thread that asks for the item ``u`` and says when it is about to wait for another thread."""

    def __init__(self, cache, monkeypatch):
        super().__init__()
        self.cache, self.item = cache, None
        self.waits = threading.Event()
        wait = held.Flight.wait

        def say_and_wait(flight, deadline=None):
            self.waits.set()
            return wait(flight, deadline)

        monkeypatch.setattr(held.Flight, "wait", say_and_wait)
        self.start()
        assert self.waits.wait(PATIENCE)

    def run(self):
        self.item = ask(self.cache)

    def answer(self):
        self.join(PATIENCE)
        return self.item


def test_the_first_one_gets_a_new_item(cache):
    """It is being written, by this process."""
    item = ask(cache)
    assert (item.status, item.version, item.filename) == (Status.WRITE, 1, "f.txt")
    assert item._record.owner is not None
    assert item.path.parent.is_dir()


def test_a_ready_item_is_what_everybody_gets(cache):
    """No second version is made."""
    item = ask(cache)
    write(item)
    assert ask(cache) == item
    assert (item.size, len(cache)) == (4, 1)
    assert cache.best("u", {"x": 1}) == item


def test_a_ready_item_has_the_digest_of_its_file(cache):
    """And the file is read-only from then on."""
    item = ask(cache)
    write(item)
    assert len(item._record.digest) == 32
    assert item.path.stat().st_mode & 0o777 == 0o444


def test_another_thread_waits_and_gets_the_version(cache, monkeypatch):
    """D20: it does not make one of its own."""
    item = ask(cache)
    thread = Asking(cache, monkeypatch)
    write(item)
    assert thread.answer() == item
    assert len(cache) == 1


def test_another_thread_takes_over_after_a_failure(cache, monkeypatch):
    """The failure stays recorded."""
    item = ask(cache)
    thread = Asking(cache, monkeypatch)
    item.failed("no network")
    taken = thread.answer()
    assert (taken.status, taken.version) == (Status.WRITE, 2)
    assert (item.cause, item.error) == ("raised", "no network")


def test_another_thread_takes_over_when_the_item_is_garbage(cache, monkeypatch):
    """Nobody could end that claim any more."""
    item = ask(cache)
    number = item.id
    thread = Asking(cache, monkeypatch)
    del item
    gc.collect()
    taken = thread.answer()
    assert (taken.status, taken.version) == (Status.WRITE, 2)
    assert cache.store.items.get(number).cause == "abandoned"


def test_the_same_thread_is_told_that_it_waits_for_itself(cache):
    """An error, not a hang."""
    item = ask(cache)
    with pytest.raises(WaitCycleError, match="wait for each other"):
        ask(cache)
    write(item)
    assert ask(cache) == item


def test_another_process_waits_and_gets_the_version(cache, writer):
    """D20: as long as the owner lives, however long that takes."""
    item = ask(cache)
    other = writer()
    assert other.says() == "waits"
    write(item)
    assert other.says() == "READY 1"


def test_another_process_takes_over_after_a_failure(cache, writer):
    """It gets an item of its own."""
    item = ask(cache)
    other = writer()
    assert other.says() == "waits"
    item.failed()
    assert other.says() == "WRITE 2"
    other.tell("ready")


def test_another_process_takes_over_when_the_item_is_garbage(cache, writer):
    """Although this process lives on and makes no other claim."""
    item = ask(cache)
    other = writer()
    assert other.says() == "waits"
    del item
    gc.collect()
    assert other.says() == "WRITE 2"
    other.tell("ready")


def test_what_another_process_has_made_is_used(cache, writer):
    """This one waits for it."""
    other = writer()
    assert other.says() == "WRITE 1"
    other.tell("ready")
    assert ask(cache).path.read_text() == "from a process"


@pytest.mark.parametrize(
    ("word", "cause"), [("die", "abandoned"), ("broke", "raised"), ("drop", "abandoned")]
)
def test_a_writer_that_does_not_finish_is_followed(cache, writer, word, cause):
    """D20: whether it was killed, has failed or has lost its item."""
    other = writer()
    assert other.says() == "WRITE 1"
    other.tell(word)
    item = ask(cache)
    assert (item.status, item.version) == (Status.WRITE, 2)
    assert cache.by_key(item.key, 1).cause == cause
    if word == "drop":
        assert other.says() == "dropped"
        other.tell("end")


def test_two_writers_of_one_key_are_never_at_work_together(cache, writer):
    """Of several processes one gets the new item; all others get the same READY one."""
    others = [writer() for _ in range(3)]
    item = ask(cache)
    if item.status == Status.WRITE:
        write(item)
    for each in others:
        word = each.says()
        while word == "waits":
            word = each.says()
        if word.startswith("WRITE"):
            each.tell("ready")
        else:
            assert word == "READY 1"
    assert len(cache) == 1


def test_a_claim_without_its_file_is_not_ready(cache):
    """Who waits would get nothing; the claim goes on."""
    item = ask(cache)
    with pytest.raises(MissingOutputError, match=r"f\.txt"):
        item.ready()
    assert item.status == Status.WRITE
    write(item)


def test_only_the_process_that_claims_ends_the_claim(cache, writer):
    """Others see it, and leave it alone."""
    other = writer()
    assert other.says() == "WRITE 1"
    (seen,) = cache.search(status=Status.WRITE)
    for end in (seen.ready, seen.failed, seen.remove):
        with pytest.raises(StatusError, match=r"process|computed"):
            end()
    assert cache.remove(all=True) == 0
    assert cache.remove(status=Status.WRITE, disk=True) == 0
    assert (seen.status, seen.path.parent.is_dir()) == (Status.WRITE, True)
    other.tell("ready")


def test_any_item_of_this_process_can_end_its_claim(cache):
    """They are the same item, wherever it was found."""
    item = ask(cache)
    item.path.write_text("x")
    (found,) = cache.search(status=Status.WRITE)
    found.ready()
    assert item.status == Status.READY
    assert not held.is_ours(item._record)


def test_an_ended_claim_cannot_be_ended_otherwise(cache):
    """A FAILED claim does not become READY: another may have taken over."""
    item = ask(cache)
    item.path.write_text("x")
    item.failed()
    with pytest.raises(StatusError):
        item.ready()
    item.failed()
    assert item.status == Status.FAILED


def test_nothing_stays_held_in_memory(cache):
    """Neither token nor flight, however the claim ended."""
    before = set(live_tokens)
    items = [cache.best_or_new(f"u{number}", filename="f") for number in range(3)]
    assert len(live_tokens - before) == 3
    write(items[0])
    items[1].failed()
    items.clear()
    gc.collect()
    assert live_tokens == before
    assert not held._held


def test_a_refused_name_claims_nothing(cache):
    """Nobody waits for what was never begun."""
    with pytest.raises(ValueError, match="filename"):
        cache.best_or_new("u", {"x": 1}, filename="../f")
    assert len(cache) == 0
    assert ask(cache).version == 1


def test_a_folder_that_cannot_be_made_leaves_no_claim(cache, monkeypatch):
    """The next one gets its turn."""
    write(cache.best_or_new("another", filename="f.txt"))

    def refuse(*arguments, **options):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(cache.store, "make_item_folder", refuse)
        with pytest.raises(OSError, match="No space"):
            ask(cache)
    assert not held._held
    assert ask(cache).version == 2


def test_an_item_that_never_reaches_its_caller_is_let_go(cache, monkeypatch):
    """Ctrl-C may strike between the claim and its item."""

    def interrupt(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(type(cache), "_made", interrupt)
        with pytest.raises(KeyboardInterrupt):
            ask(cache)
    assert not held._held
    assert ask(cache).version == 2


def test_a_claim_that_never_reaches_its_caller_is_let_go(cache, monkeypatch):
    """Ctrl-C may strike when the claim is there, and nobody has heard of it yet."""

    class Interrupting(dict):
        def __setitem__(self, token, flight):
            super().__setitem__(token, flight)
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(held, "_held", Interrupting())
        with pytest.raises(KeyboardInterrupt):
            ask(cache)
        assert not held._held
    assert ask(cache).version == 2


@pytest.mark.parametrize("policy", ["recompute", "warn", "ignore"])
def test_a_cached_function_never_takes_what_was_made_by_hand(cache, policy, capsys):
    """Also with the same uri and params, whatever its policy on code is; nor does it wait for it."""

    @cached(cache=cache, uri="u", on_code_change=policy, code_version="1", output="f.txt")
    def produce(x, output=OUTPUT):
        print("runs")
        output.write_text("produced")
        return output

    claimed = ask(cache)
    assert produce(1).read_text() == "produced"
    write(claimed)
    assert produce(1).read_text() == "produced"
    write(cache.create("u", {"x": 1}, filename="f.txt"))
    assert produce(1).read_text() == "produced"
    assert capsys.readouterr().out == "runs\n"


def test_what_a_cached_function_made_is_the_best_there_is(cache):
    """By hand one finds it, and makes nothing new."""

    @cached(cache=cache, uri="u")
    def compute(x):
        return x

    compute(1)
    assert cache.best_or_new("u", {"x": 1}) == compute.item(1)


def test_a_version_whose_file_is_gone_is_no_hit(cache):
    """D19: there is a new item instead."""
    item = ask(cache)
    write(item)
    item.path.unlink()
    assert cache.best("u", {"x": 1}) is None
    assert ask(cache).version == 2


@pytest.mark.parametrize("text", ["", "te", "text and more"])
def test_a_version_whose_file_has_another_size_is_no_hit(cache, text):
    """D19: emptied, cut off or grown."""
    item = ask(cache)
    write(item)
    item.path.chmod(0o644)
    item.path.write_text(text)
    assert ask(cache).version == 2


def test_a_new_item_can_have_another_status(cache):
    """Then it is one that nobody waits for."""
    one = cache.best_or_new("u", new_status=Status.UNINITIALIZED)
    two = cache.best_or_new("u", new_status=Status.UNINITIALIZED)
    assert [one.status, one.version, two.version] == [Status.UNINITIALIZED, 1, 2]
    assert one._record.owner is None


def test_create_does_not_claim(cache):
    """Neither does it wait for a claim."""
    item = ask(cache)
    made = cache.create("u", {"x": 1}, status=Status.WRITE, filename="f.txt")
    assert (made.version, made._record.owner) == (2, None)
    write(made)
    item.failed()
    assert ask(cache) == made


@pytest.mark.parametrize("mode", ["read-only", "raise-on-miss"])
def test_a_cache_that_takes_nothing_new_says_so(cache, mode):
    """Its hits are given."""
    write(ask(cache))
    with Cache(cache.path, mode=mode) as other:
        assert ask(other).status == Status.READY
        with pytest.raises(MissError, match=mode):
            other.best_or_new("v")


def test_what_was_made_before_a_time_can_be_left_out(cache):
    """Then a new version is made, once."""
    first = ask(cache)
    write(first)
    second = cache.best_or_new("u", {"x": 1}, newer_than=first.created, filename="f.txt")
    assert second.version == 2
    write(second)
    assert cache.best_or_new("u", {"x": 1}, newer_than=first.created) == second


def test_an_item_travels_without_its_claim(cache):
    """D3: its copy elsewhere is the same item; garbage there ends nothing."""
    item = ask(cache)
    copy = pickle.loads(pickle.dumps(item))
    assert copy == item
    assert copy.path == item.path
    del copy
    gc.collect()
    assert item.status == Status.WRITE
    write(item)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_does_not_end_the_claim_of_its_parent(cache):
    """The child's copy of the item may become garbage."""
    item = ask(cache)
    pid = os.fork()
    if pid == 0:
        del item
        gc.collect()
        os._exit(0 if not held._held else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert item.status == Status.WRITE
    write(item)

"""Child processes: a world of one cache folder and one log, and the processes that live in it."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import subprocess
import sys
import textwrap
import threading

from tests.torture import oracle

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PATIENCE = float(os.environ.get("TORTURE_PATIENCE", "60"))
WRONG = 3
"""Exit status of a child that got a wrong value."""

BEGIN = "from subject import *\n"

SETTLE = """
known = []
with open(os.environ["TORTURE_LOG"], encoding="utf-8") as file:
    lines = [line.split() for line in file]
    for word, *rest in lines:
        if word in {"run", "done"} and int(rest[1]) >= 0:
            known.append((rest[0], int(rest[1])))
if ["newer"] in lines:
    become_newer()
small.refresh(-1)  # a new owner, who looks for dead ones
for name, x in dict.fromkeys(known):
    ask_by_name(name, x)
note("settled")
for name, x in dict.fromkeys(known):
    if name in FUNCTIONS:
        again(FUNCTIONS[name], x)  # ends the claims that the dead have left beside a hit
"""
"""What a new process does after an accident: it asks for everything that the log knows of."""


class World:
    """One cache folder, one log, the modules that children import.

    Args:
        path: an existing empty folder.
        cache: where the cache folder is to be, if not inside.
        settings: environment variables of all its children.

    Attributes:
        cache: path of the cache folder.
        log: path of the log.
    """

    def __init__(self, path, cache=None, **settings):
        self.path = path
        self._settings = settings
        self.cache = cache or os.path.join(path, "cache")
        self.log = os.path.join(path, "log")
        self._stories = 0
        for name in ("subject.py", "oracle.py"):
            shutil.copy(os.path.join(HERE, name), path)

    def copy(self, path):
        """The same world once more in another folder. Nobody may live in it."""
        twin = World(path)
        if os.path.exists(self.cache):
            shutil.copytree(self.cache, twin.cache)
        if os.path.exists(self.log):
            shutil.copy(self.log, twin.log)
        return twin

    def command(self, story):
        """What starts a child that runs a story."""
        self._stories += 1
        path = os.path.join(self.path, f"story_{self._stories}.py")
        with open(path, "w", encoding="utf-8") as file:
            file.write(BEGIN + textwrap.dedent(story))
        return [sys.executable, path]

    def environment(self, **more):
        """Of the children: this library, this cache, and nothing that depends on chance."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CACHEDECO_")}
        return inherited | {
            "PYTHONPATH": ROOT,
            "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
            "TORTURE_CACHE": self.cache,
            "TORTURE_LOG": self.log,
            **self._settings,
            **more,
        }

    def start(self, story, **more):
        """Start a child that runs a story and can be talked to."""
        return Child(self.command(story), self.environment(**more))

    def run(self, story, *, prefix=(), seconds=PATIENCE):
        """Run a story to its end, however that comes.

        Args:
            story: of the child.
            prefix: a command to run it under.
            seconds: after which it is killed.
        """
        with subprocess.Popen(
            [*prefix, *self.command(story)],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                out, complaints = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                # Under strace there are two of them.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, 9)
                out, complaints = process.communicate()
                return Ended(None, out, complaints)
        return Ended(process.returncode, out, complaints)

    def lines(self):
        """The log."""
        return oracle.lines(self.log)

    def settle(self, run, where, only=None):
        """Let a new process ask for everything; nothing that was acknowledged may be computed again.

        Returns:
            How many of the acknowledged values were found.

        Args:
            run: the form.
            where: says in a message what happened before.
            only: count as acknowledged these pairs alone; None for all.
        """
        before = self.lines()
        ended = self.run(SETTLE)
        if not run.check(
            ended.code == 0, f"{where}: a later process ended with {ended.code}: {ended.complaints}"
        ):
            return 0
        kept = oracle.standing(before) if only is None else only - oracle.given_up(before)
        after = self.lines()[len(before) :]
        lost = kept & set(oracle.computed(after[: after.index(["settled"])]))
        run.check(not lost, f"{where}: acknowledged, and computed again: {sorted(lost)}")
        return len(kept) - len(lost)


class Ended:
    """How a child ended.

    Attributes:
        code: its exit status, negative for a signal; None if it hung.
        said: its lines.
        complaints: the end of what it wrote to standard error.
    """

    def __init__(self, code, out, complaints):
        self.code = code
        self.said = out.splitlines()
        self.complaints = complaints[-3000:]


class Child:
    """A child that is talked to by lines, both ways.

    Args:
        command: that starts it.
        environment: of the process.

    Attributes:
        process: the running process.
    """

    def __init__(self, command, environment):
        self.process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.pid = self.process.pid
        self._lines = queue.SimpleQueue()
        self._complaints = []
        self._readers = [
            threading.Thread(target=_read, args=(self.process.stdout, self._lines.put), daemon=True),
            threading.Thread(target=_read, args=(self.process.stderr, self._complaints.append), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @property
    def complaints(self):
        """What it wrote to standard error."""
        return "\n".join(line for line in self._complaints if line)[-3000:]

    def hear(self, word, seconds=PATIENCE):
        """The rest of the next line, which must begin with a word.

        Raises:
            RuntimeError: it said something else, or nothing.
        """
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            raise RuntimeError(
                f"a child did not say {word!r} within {seconds} s: {self.complaints}"
            ) from None
        first, _, rest = (line or "").partition(" ")
        if line is None or first != word:
            self.process.poll()
            raise RuntimeError(f"a child said {line!r} instead of {word!r}: {self.complaints}")
        return rest

    def tell(self, *words):
        """Send a line."""
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def signal(self, number):
        """Send a signal."""
        self.process.send_signal(number)

    def finish(self, seconds=PATIENCE):
        """Wait for its end; its exit status, None if it had to be killed."""
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        self.close()
        return code

    def close(self):
        """End it, whatever it does."""
        self.process.kill()
        self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(OSError):
                stream.close()


def _read(stream, take):
    for line in stream:
        take(line.rstrip("\n"))
    take(None)


@contextlib.contextmanager
def crowd():
    """A list for children; they are ended with the block."""
    children = []
    try:
        yield children
    finally:
        for child in children:
            child.close()

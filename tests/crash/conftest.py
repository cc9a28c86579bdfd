"""Processes that use one cache, told apart by what they print, and stopped or killed from outside."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import textwrap
import threading
import time

import pytest

PATIENCE = 60.0

BEGIN = """
import faulthandler, os, sys, threading, time, warnings
faulthandler.dump_traceback_later(50, exit=True)  # who hangs says where
from cachedeco import Cache, PreviousFailureError, cached
from cachedeco.calls import miss as road

folder, log, gate = sys.argv[1], sys.argv[2], int(sys.argv[3])
cache = Cache(folder)

def say(*words):
    sys.stdout.write(" ".join(map(str, words)) + "\\n")
    sys.stdout.flush()

def note(word):
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{word}\\n".encode())
    os.close(descriptor)

def until_told():
    sys.stdin.readline()

def until_gate():
    os.read(gate, 1)

def wait_and_say(*args, wait=road.wait, **kwargs):
    say("waits")
    return wait(*args, **kwargs)

road.wait = wait_and_say
"""


class Worker:
    """A process that runs a story.

    Attributes:
        process: the running process.
    """

    def __init__(self, story, folder, log, gate):
        command = [sys.executable, "-c", BEGIN + textwrap.dedent(story), str(folder), str(log), str(gate)]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=[gate],
        )
        self._lines = queue.Queue()
        self._complaints = []
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stdout, self._lines.put)),
            threading.Thread(target=self._read, args=(self.process.stderr, self._complaints.append)),
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream, take):
        for line in stream:
            take(line.rstrip("\n"))
        take(None)

    def hear(self, word=None):
        """Wait for the next line; it must begin with the word. Returns the rest of it."""
        line = self._lines.get(timeout=PATIENCE)
        assert line is not None, f"it ended before it said {word!r}: {self._complaints}"
        if word is None:
            return line
        first, _, rest = line.partition(" ")
        assert first == word, f"it said {line!r} instead of {word!r}: {self._complaints}"
        return rest

    def tell(self):
        """Let it go on from where it waits to be told."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def signal(self, number):
        """Send a signal."""
        self.process.send_signal(number)

    def finish(self):
        """Wait for its regular end."""
        code = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        assert code == 0, self._complaints
        assert [line for line in self._complaints if line] == []

    def close(self):
        """End it, whatever it does."""
        self.process.kill()
        self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is self.process.stdin:
                try:
                    stream.close()
                except BrokenPipeError:
                    continue
            else:
                stream.close()


class Stage:
    """One cache folder, a log of computations, and the processes around them.

    Attributes:
        folder: of the cache.
    """

    def __init__(self, path):
        self.folder = path / "cache"
        self._log = path / "computations"
        self._workers = []
        self._gate, self._opener = os.pipe()

    def start(self, story):
        """Start a process."""
        worker = Worker(story, self.folder, self._log, self._gate)
        self._workers.append(worker)
        return worker

    def open_gate(self):
        """Let all go on at once that wait at the gate; returns the moment."""
        os.close(self._opener)
        self._opener = None
        return time.monotonic()

    def computations(self):
        """What was noted, in order."""
        return self._log.read_text(encoding="utf-8").split() if self._log.exists() else []

    def close(self):
        """End all processes."""
        for worker in self._workers:
            worker.close()
        for descriptor in (self._gate, self._opener):
            if descriptor is not None:
                os.close(descriptor)


@pytest.fixture
def stage(tmp_path):
    """A cache folder with processes."""
    made = Stage(tmp_path)
    yield made
    made.close()

"""Faults at chosen system calls: how often a story makes each call, and running it with one of them struck."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter

from tests.torture.children import PATIENCE

MUTATING = (
    "write", "pwrite64", "rename", "unlink", "rmdir", "mkdir", "chmod", "fchmod", "fchown", "ftruncate", "fallocate",
    "fsync", "fdatasync", "flock", "fcntl", "openat", "unlinkat", "link", "symlink", "sendfile", "copy_file_range",
)  # fmt: skip
"""What changes files, and what takes locks on them. Other spellings of these calls the library does not use."""


OF_THE_USER = ("/report_", '"one"', "deep", "hand.bin", "/tables", "tables>")
"""In a traced call: it opens what the cached function itself opens."""


def absence():
    """Why faults cannot be injected here; None when they can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    probe = ["strace", "-qq", "-e", "trace=chdir", "-e", "inject=chdir:error=EIO:when=1", "-o", os.devnull]
    done = subprocess.run([*probe, "true"], capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"strace cannot trace here: {done.stderr.strip()[:200]}"


def census(world, story, *, without_users=False):
    """At which of its calls a story touches the cache folder: name of the call -> positions, counted from 1.

    Args:
        world: to run it in.
        story: ends by itself.
        without_users: leave out the opening of files that the cached function itself is to write or read.

    Returns:
        The positions, and how the story ended.
    """
    trace = os.path.join(world.path, "trace")
    names = ",".join(MUTATING)
    ended = world.run(story, prefix=["strace", "-f", "-qq", "-y", "-e", f"trace={names}", "-o", trace])
    counts, found, first = Counter(), {}, None
    with open(trace, encoding="utf-8", errors="replace") as file:
        for line in file:
            match = re.match(r"(\d+) +(\w+)\(", line)
            if match is None:
                continue
            first = first or match[1]
            if match[1] != first:
                continue  # positions are counted for each thread; the story is the first one
            counts[match[2]] += 1
            users = match[2] == "openat" and any(name in line for name in OF_THE_USER)
            if world.cache in line and not (users and without_users):
                found.setdefault(match[2], []).append(counts[match[2]])
    return found, ended


def struck(world, story, call, fault, when, seconds=PATIENCE):
    """Run a story with a fault at one of its calls.

    Args:
        world: to run it in.
        story: of the child.
        call: name of the system call.
        fault: as strace has it, such as ``signal=KILL`` or ``error=EIO``.
        when: position of the call, with ``+`` for that one and all later ones.
        seconds: after which it counts as hanging.

    Returns:
        How it ended, and how many calls were struck.
    """
    trace = os.path.join(world.path, f"struck-{call}-{when}")
    # Without --seccomp-bpf, under which strace 6.1 injects no signal.
    prefix = ["strace", "-f", "-qq", "-e", f"trace={call}"]
    prefix += ["-e", f"inject={call}:{fault}:when={when}", "-o", trace]
    ended = world.run(story, prefix=prefix, seconds=seconds)
    with open(trace, encoding="utf-8", errors="replace") as file:
        return ended, sum("(INJECTED)" in line for line in file)

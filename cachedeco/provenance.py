"""Who computes here: the user, the program and the commit that it was started from."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_POINTER = "gitdir: "
_REFERENCE = "ref: "
_COMMIT_LENGTHS = (40, 64)


def made_here() -> tuple[str, str, str, str | None]:
    """What is noted of this process beside what it computes.

    Returns:
        Name of the user, name of the program, version of Python, and the commit of the git checkout that the working
        directory lies in, None if it lies in none. Changes that are not committed do not show in it.
    """
    program = os.path.basename(sys.argv[0]) if sys.argv else ""
    version = ".".join(map(str, sys.version_info[:3]))
    return _user(), "python" if program in {"", "-", "-c"} else program, version, _commit()


def _user() -> str:
    if hasattr(os, "getuid"):
        import pwd

        try:
            return pwd.getpwuid(os.getuid()).pw_name
        except KeyError:  # a container may run under a number that no name belongs to
            return str(os.getuid())
    return os.environ.get("USERNAME", "")


def _commit() -> str | None:
    # Read from its files: starting git would take longer than the claim that this is noted with.
    try:
        folder = os.getcwd()
        while not os.path.exists(os.path.join(folder, ".git")):
            parent = os.path.dirname(folder)
            if parent == folder:
                return None
            folder = parent
        return _head(_git_folder(folder))
    except (OSError, UnicodeDecodeError):
        return None


def _git_folder(checkout: str) -> str:
    """The folder with HEAD; of a further worktree or a submodule a file says where it is."""
    place = os.path.join(checkout, ".git")
    if os.path.isdir(place):
        return place
    return os.path.join(checkout, _first_line(place).removeprefix(_POINTER))


def _head(git: str) -> str | None:
    head = _first_line(os.path.join(git, "HEAD"))
    if not head.startswith(_REFERENCE):
        return _checked(head)
    name = head.removeprefix(_REFERENCE)
    shared = os.path.join(git, "commondir")
    folders = [git, os.path.join(git, _first_line(shared))] if os.path.exists(shared) else [git]
    for folder in folders:
        if os.path.exists(os.path.join(folder, name)):
            return _checked(_first_line(os.path.join(folder, name)))
    for folder in folders:
        for commit, packed in _packed(folder):
            if packed == name:
                return _checked(commit)
    return None


def _packed(git: str) -> Iterator[tuple[str, str]]:
    path = os.path.join(git, "packed-refs")
    if not os.path.exists(path):
        return
    with open(path, encoding="utf-8") as file:
        for line in file:
            commit, _, name = line.strip().partition(" ")
            yield commit, name


def _first_line(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.readline().strip()


def _checked(commit: str) -> str | None:
    return commit if len(commit) in _COMMIT_LENGTHS and set(commit) <= set("0123456789abcdef") else None

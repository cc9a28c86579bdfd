"""What all tests share: no test touches the user's cache, none leaves a thread or an open file behind."""

from __future__ import annotations

import gc
import os
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from cachedeco import Cache
from cachedeco import cache as cache_module
from cachedeco.calls import notices
from cachedeco.registry import owner, pool
from cachedeco.settings import DIRECTORY_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A test that is slow on a busy machine is not wrong. In CI the examples are always the same ones: what fails
# there fails at home, and a new failure is the fault of the change.
settings.register_profile("home", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "home")

_PATIENCE = 10.0
_OPEN_FILES = "/proc/self/fd"
_passed = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Note which tests passed: a failed one keeps its frames, and with them what they hold open."""
    report = yield
    if report.when == "call":
        item.stash[_passed] = report.passed
    return report


@pytest.fixture(autouse=True)
def own_default_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test a default cache of its own, and its own warnings."""
    monkeypatch.setenv(DIRECTORY_VARIABLE, str(tmp_path / "default-cache"))
    cache_module._default.clear()
    notices.forget()
    yield
    cache_module._default.clear()


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest, own_default_cache: None) -> Iterator[None]:
    """Fail a test that leaves a thread running or a file open.

    What lives as long as its process is let go first: idle connections, and the lock files of owners. Open
    files are seen where the system lists them under ``/proc``; elsewhere the resource warnings have to do.
    """
    threads, files = set(threading.enumerate()), _open_files()
    yield
    owner._owners.clear()
    if not request.node.stash.get(_passed, False):
        return
    for thread in set(threading.enumerate()) - threads:
        thread.join(_PATIENCE)
    assert not [thread for thread in threading.enumerate() if thread not in threads], "threads still run"
    if _open_files() - files:
        for default in cache_module._default.values():
            default.close()
        gc.collect()
        for each in list(pool._pools):
            each.close()
    left = _open_files() - files
    assert not left, f"files are still open: {sorted(left)}"


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    """An empty cache."""
    with Cache(tmp_path / "cache") as opened:
        yield opened


def _open_files() -> Counter[str]:
    """The files on disk that this process has open; pipes, sockets and devices come and go with libraries."""
    found: Counter[str] = Counter()
    if not os.path.isdir(_OPEN_FILES):
        return found
    for descriptor in os.listdir(_OPEN_FILES):
        try:
            target = os.readlink(os.path.join(_OPEN_FILES, descriptor))
        except FileNotFoundError:
            continue  # the one that listed the folder
        if target.startswith("/") and not target.startswith(("/dev/", "/proc/", "/memfd:")):
            found[target] += 1
    return found

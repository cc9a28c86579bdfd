"""What `doctor` looks at, one function an aspect."""

from __future__ import annotations

import os

from cachedeco.cli.screen import duration, size
from cachedeco.errors import CachedecoError
from cachedeco.settings import DISABLE_VARIABLE, KEY_VARIABLE, is_on

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cachedeco.cache import Cache

_LITTLE_SPACE = 10**9
_LARGE_LOG = 64 * 2**20
_LONG = 3600.0


class Found:
    """One thing that was looked at.

    Attributes:
        what: the thing.
        state: how it is.
        advice: what to do; empty if nothing is wrong.
        is_wrong: whether results are at risk, or calls do not work; else the advice is worth a thought only.
    """

    __slots__ = ("advice", "is_wrong", "state", "what")

    def __init__(self, what: str, state: str, advice: str = "", *, is_wrong: bool = False) -> None:
        self.what = what
        self.state = state
        self.advice = advice
        self.is_wrong = is_wrong


def of_program() -> Iterator[Found]:
    """Versions and settings."""
    import platform
    from importlib.metadata import version

    from cachedeco.registry.health import SQLITE_VERSION

    yield Found("cachedeco", version("cachedeco"))
    yield Found("python", f"{platform.python_version()} on {platform.system()} {platform.release()}")
    yield Found("sqlite", SQLITE_VERSION)
    yield Found("filelock", version("filelock"))
    for name, value in sorted(os.environ.items()):
        if name.startswith("CACHEDECO_"):
            yield Found(name, "is set" if name == KEY_VARIABLE else value)
    if is_on(os.environ.get(DISABLE_VARIABLE)):
        yield Found("switch", "the cache is off", "unset CACHEDECO_DISABLE, or nothing is remembered")


def of_folder(folder: str) -> Iterator[Found]:
    """The place that the cache lies in."""
    import shutil

    from cachedeco.registry.filesystem import is_network, kind_of

    yield Found("folder", folder)
    kind = kind_of(folder)
    if is_network(kind):
        advice = (
            "locks do not hold between hosts there: choose a local folder, with CACHEDECO_DIR for example"
        )
        yield Found("file system", kind, advice, is_wrong=True)
    else:
        yield Found("file system", kind or "unknown")
    free = shutil.disk_usage(folder).free
    little = free < _LITTLE_SPACE
    yield Found(
        "free space", size(free), "make room, or remove items: `cachedeco du` shows them" if little else ""
    )
    if not os.access(folder, os.W_OK):
        yield Found(
            "permissions", "the folder may only be read", "hits are served, and nothing new is stored"
        )
    yield _lock(folder)


def of_registry(cache: Cache) -> Iterator[Found]:
    """The registry, and who writes to it."""
    from cachedeco.registry import health

    pool = cache.store.pool
    try:
        faults = health.faults(pool)
    except CachedecoError as error:
        yield Found("registry", str(error), "run `cachedeco rebuild`", is_wrong=True)
        return
    if faults:
        yield Found("registry", "; ".join(faults), "run `cachedeco rebuild`", is_wrong=True)
    else:
        yield Found("registry", f"sound, {len(cache):,} records")
    log = health.log_size(pool)
    advice = "a reader keeps it from being shortened: end programs that hold a search open"
    yield Found("registry's log", size(log), advice if log > _LARGE_LOG else "")
    yield from _claims(cache)
    failures = len(cache.failed())
    yield Found("failures", f"{failures:,}", "`cachedeco failed` lists them" if failures else "")


def of_files(cache: Cache) -> Iterator[Found]:
    """The files, against the registry."""
    lost, orphans, bytes_lost = 0, 0, 0
    for facts in cache.contents().values():
        if facts["item"] is None:
            orphans += 1
        elif facts["status"].name == "READY" and not facts["item"].intact():
            lost += 1
            bytes_lost += facts["size"] or 0
    advice = "they are computed again when they are asked for" if lost else ""
    yield Found("damaged or lost values", f"{lost:,} ({size(bytes_lost)})", advice, is_wrong=lost > 0)
    advice = "`cachedeco clean` removes what is left of killed processes" if orphans else ""
    yield Found("folders without a record", f"{orphans:,}", advice)


def _lock(folder: str) -> Found:
    import tempfile

    from cachedeco.registry.health import excludes

    what = "locks"
    try:
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=folder) as place:
            works = excludes(os.path.join(place, "lock"))
    except OSError as error:
        return Found(what, f"not tried: {error.strerror}")
    if works:
        return Found(what, "exclude others")
    return Found(what, "exclude nobody", "choose a folder on another file system", is_wrong=True)


def _claims(cache: Cache) -> Iterator[Found]:
    import time

    from cachedeco.registry import health

    pool = cache.store.pool
    if not (claims := health.running(pool)):
        yield Found("running", "nothing")
    for claim in claims:
        since = time.time() - claim.since / 1e6
        who = f"{claim.name} since {duration(max(since, 0.0))} by {claim.user} on {claim.host}, process {claim.pid}"
        if cache.mode == "read-write" and health.is_dead(pool, claim.owner):
            yield Found("running", f"{who}, which is gone", "the next call takes over")
        else:
            long = f"is it stuck? Who waits for it goes on when process {claim.pid} ends"
            yield Found("running", who, long if since > _LONG else "")

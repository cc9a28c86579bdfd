"""Figures and environment variables that several rooms agree on."""

from __future__ import annotations

import os
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

INLINE_LIMIT = 4096
"""Bytes up to which a value is kept in the registry itself; a larger one becomes a file."""

CHECKPOINT_COMMITS = 1000
"""Commits of a process after which it copies the write-ahead log back into the registry."""

BUSY_SECONDS = 60.0
"""How long a statement waits for another process's transaction. Ours last a fraction of a millisecond."""

FIRST_PAUSE = 0.00005
"""Seconds until a statement that found the registry locked is tried again; grows from try to try."""

LAST_PAUSE = 0.01
"""The longest pause between two tries, in seconds."""

IDLE_CONNECTIONS = 8
"""Open connections that a process keeps between statements."""

MEMORY_LIMIT = 64 << 20
"""Bytes of hits that a process remembers for each cache, unless `Cache` is told otherwise."""

USES_SECONDS = 5.0
"""How long a process counts the uses of items before it writes them to the registry."""

USES_AT_ONCE = 1000
"""Items whose uses are written earlier than that."""

LOOK_SECONDS = 0.1
"""How long a reader takes for granted that its registry is still the one that lies in the folder."""

FIRST_POLL = 0.001
"""Seconds until a waiter looks at another process's claim again; grows from look to look."""

LAST_POLL = 0.025
"""The longest pause between two looks, in seconds."""

SHORT_WAIT = 0.075
"""Seconds after which other processes are told that somebody who holds a claim waits for another one."""

DIRECTORY_VARIABLE = "CACHEDECO_DIR"
"""Environment variable with the folder of the default cache."""

DISABLE_VARIABLE = "CACHEDECO_DISABLE"
"""Environment variable that turns cached calls into plain calls, read when the library is imported."""

REFRESH_VARIABLE = "CACHEDECO_REFRESH"
"""Environment variable with a pattern of uris whose calls compute anew, read when the library is imported."""

TRUST_VARIABLE = "CACHEDECO_TRUST_FOLDER"
"""Environment variable that says not to look at who owns a cache folder and who may write to it."""

KEY_VARIABLE = "CACHEDECO_SIGNING_KEY"
"""Environment variable with the key that values are signed with."""

KEY_FILE_VARIABLE = "CACHEDECO_SIGNING_KEY_FILE"
"""Environment variable with the path of a file that holds that key."""


OFFLINE_VARIABLE = "CACHEDECO_OFFLINE"
"""Environment variable that keeps `Cache.fetch` from asking servers, read at each call."""


def is_on(value: str | None) -> bool:
    """Whether the value of an environment variable says yes."""
    return (value or "").lower() not in {"", "0", "false", "no", "off"}


def signs() -> bool:
    """Whether the environment has a key that values are signed with."""
    return bool(os.environ.get(KEY_VARIABLE) or os.environ.get(KEY_FILE_VARIABLE))


class Switches:
    """What turns the cache off or makes it compute anew, for all threads of the process.

    Attributes:
        disabled: how many reasons there are to make plain calls; 0 for none.
        refresh: pattern of uris, as in file names, whose calls compute anew; None for none.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.disabled = int(is_on(environment.get(DISABLE_VARIABLE)))
        self.refresh = environment.get(REFRESH_VARIABLE) or None
        self._lock = threading.Lock()

    def refreshes(self, uri: str) -> bool:
        """Whether calls of this uri compute anew."""
        from fnmatch import fnmatchcase

        return self.refresh is not None and fnmatchcase(uri, self.refresh)

    def disable(self, *, by: int) -> None:
        """Add a reason to make plain calls, or take one back."""
        with self._lock:
            self.disabled += by

    def renew_lock(self) -> None:
        """Forget a lock that a thread of the parent process may hold; for a forked child."""
        self._lock = threading.Lock()


switches = Switches(os.environ)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=switches.renew_lock)


class disabled:  # noqa: N801 - a context manager that reads like a word
    """Make all cached calls of the process plain calls for the length of a ``with`` block.

    Nothing is looked up, stored or waited for. Blocks may be nested.

    Examples:
        >>> with disabled():
        ...     pass
    """

    def __enter__(self) -> None:
        switches.disable(by=1)

    def __exit__(self, *_: object) -> None:
        switches.disable(by=-1)

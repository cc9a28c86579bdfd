"""Figures and environment variables that several rooms agree on."""

from __future__ import annotations

INLINE_LIMIT = 4096
"""Bytes up to which a value is kept in the registry itself; a larger one becomes a file."""

CHECKPOINT_COMMITS = 500
"""Commits of a process after which it copies the write-ahead log back into the registry."""

BUSY_SECONDS = 60.0
"""How long a statement waits for another process's transaction. Ours last a fraction of a millisecond."""

IDLE_CONNECTIONS = 8
"""Open connections that a process keeps between statements."""

FIRST_POLL = 0.001
"""Seconds until a waiter looks at another process's claim again; grows from look to look."""

LAST_POLL = 0.025
"""The longest pause between two looks, in seconds."""

DIRECTORY_VARIABLE = "CACHEDECO_DIR"
"""Environment variable with the folder of the default cache."""

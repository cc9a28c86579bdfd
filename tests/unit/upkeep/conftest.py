"""Items of some size and age."""

from __future__ import annotations

import itertools
import time

import pytest

from cachedeco import Cache

_DAY = 86_400 * 10**6


class Filler:
    """A cache that is filled with files of 1000 bytes, as if some days ago."""

    def __init__(self, cache):
        self.cache = cache
        self._numbers = itertools.count()

    def item(self, name=None, *, days=0.0, size=1000, uri="demo://x", used=None, **given):
        """A READY item that was made, and perhaps used, some days ago."""
        params = {"name": name if name is not None else next(self._numbers)}
        item = self.cache.create(uri, params=params, filename="f", label=name, **given)
        item.path.write_bytes(b"x" * size)
        item.ready()
        self.back(item, days)
        if used is not None:
            self.cache.store.pool.update(
                "INSERT INTO uses VALUES (?, 1, ?)", (item.id, time.time_ns() // 1000 - int(used * _DAY))
            )
        return item

    def back(self, item, days):
        """Make an item older."""
        ago = int(days * _DAY)
        self.cache.store.pool.update(
            "UPDATE items SET created = created - ?, ended = ended - ?, trashed = trashed - ? WHERE id = ?",
            (ago, ago, ago, item.id),
        )

    def labels(self):
        """Of what is in use."""
        return [item.label for item in self.cache.search()]


@pytest.fixture
def filler(tmp_path):
    with Cache(tmp_path / "cache") as cache:
        yield Filler(cache)

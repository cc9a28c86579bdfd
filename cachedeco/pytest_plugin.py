"""A fixture for users' tests: a default cache of their own. Found by pytest through an entry point."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cachedeco import Cache


@pytest.fixture
def cachedeco_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cache]:
    """The default cache for the length of one test: a new one, in a temporary folder.

    Cached functions without a cache of their own use it, those of child processes too.
    """
    from cachedeco.cache import use_default_cache
    from cachedeco.settings import DIRECTORY_VARIABLE

    folder = tmp_path / "cachedeco"
    monkeypatch.setenv(DIRECTORY_VARIABLE, str(folder))
    with use_default_cache(folder) as cache:
        yield cache

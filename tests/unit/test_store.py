"""A store: one folder with its rooms."""

from __future__ import annotations

import os

import pytest

from cachedeco import RegistryError
from cachedeco.store import Store


def test_opening_makes_the_folder_and_nothing_in_the_registry(tmp_path):
    """Connections are opened when they are needed."""
    Store(str(tmp_path / "cache"))
    assert sorted(os.listdir(tmp_path / "cache")) == [".gitignore", "CACHEDIR.TAG"]


def test_the_folder_of_an_item_is_below_it(tmp_path):
    """Derived from key, version and token."""
    store = Store(str(tmp_path / "cache"))
    path = store.item_folder("ab" * 16, 2, "cd" * 16)
    assert os.path.relpath(path, tmp_path / "cache") == os.path.join(
        "items", "ab", f"{'ab' * 16}-2-{'cd' * 16}"
    )


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    """At once, not at the first call."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(RegistryError, match="cannot make the cache folder"):
        Store(str(tmp_path / "file"))

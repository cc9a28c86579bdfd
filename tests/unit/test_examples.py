"""The examples in docstrings show what happens."""

from __future__ import annotations

import doctest
import importlib
import pathlib

import pytest

import cachedeco

FOLDER = pathlib.Path(cachedeco.__file__).parent
WITH_EXAMPLES = [path for path in sorted(FOLDER.rglob("*.py")) if ">>> " in path.read_text(encoding="utf-8")]


def name_of(path):
    return ".".join(path.relative_to(FOLDER.parent).with_suffix("").parts)


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=name_of)
def test_examples_of_module(path, tmp_path, monkeypatch):
    """Every example of a module gives what it says."""
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(importlib.import_module(name_of(path)))
    assert result.attempted > 0
    assert result.failed == 0

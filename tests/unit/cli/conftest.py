"""A cache with some items, and the commands as a user types them."""

from __future__ import annotations

import gzip
import sys
from typing import TYPE_CHECKING

import pytest

from cachedeco import Cache
from cachedeco.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

PIPELINE = """
from cachedeco import Cache, cached

cache = Cache({folder!r})

@cached(cache=cache)
def table(rows, kind="plain"):
    return list(range(rows))

@cached(cache=cache, store_args=True)
def report(year):
    if not __import__("os").path.exists("repaired"):
        raise ValueError(f"no data for {{year}}")
    return year
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder below the working directory, with values, a failure and a file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    place = tmp_path / "cache"
    (tmp_path / "shop_pipeline.py").write_text(PIPELINE.format(folder=str(place)))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "shop_pipeline", raising=False)
    import shop_pipeline

    shop_pipeline.table(3)
    shop_pipeline.table(3, kind="fancy")
    with pytest.raises(ValueError, match="no data"):
        shop_pipeline.report(2013)
    item = Cache(place).create(
        "demo://words", params={"lang": "en"}, attrs={"batch": 2}, filename="words.txt.gz", label="words"
    )
    item.path.write_bytes(gzip.compress(b"one\ntwo\n"))
    item.ready()
    yield place
    sys.modules.pop("shop_pipeline", None)


@pytest.fixture
def run(folder, capfd):
    """Run a command: its exit code, what it prints, and what it says beside."""

    def run_command(*words):
        capfd.readouterr()
        try:
            code = main(
                ["--cache", str(folder), *words] if words[0] != "why" or words[1].isdecimal() else words
            )
        except SystemExit as error:
            code = error.code
        printed = capfd.readouterr()
        return code, printed.out, printed.err

    return run_command

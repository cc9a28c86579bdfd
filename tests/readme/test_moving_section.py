"""The section of the README about moving results shows what happens."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cachedeco import Cache

README = Path(__file__).parents[2] / "README.md"
SECTION = README.read_text("utf-8").partition("\n## From one cache to another\n")[2].partition("\n## ")[0]

PIPELINE = """
from cachedeco import Cache, cached

cache = Cache({folder!r})

@cached(cache=cache)
def double(x):
    return 2 * x
"""


@pytest.fixture
def pipeline(tmp_path, monkeypatch):
    """A module with a function whose result is in the cache of the section."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "pipeline", raising=False)
    (tmp_path / "pipeline.py").write_text(PIPELINE.format(folder="my_cache"))
    import pipeline

    pipeline.double(2)
    yield pipeline
    sys.modules.pop("pipeline", None)


def test_the_code_runs_and_its_results_are_hits_elsewhere(pipeline, capsys):
    """As it stands there."""
    names = {}
    exec(SECTION.partition("```python\n")[2].partition("```")[0], names)
    assert capsys.readouterr().out.endswith("V:1 taken]] []\n")
    assert (
        pipeline.cached(cache=Cache("cache_of_a_colleague"))(pipeline.double.__wrapped__).status(2).name
        == "READY"
    )
    names["cache"].close()
    names["other"].close()

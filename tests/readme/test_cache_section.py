"""The section of the README about the cache manager shows what happens."""

from __future__ import annotations

import gzip
import re
import zipfile
from pathlib import Path

import cachedeco
from cachedeco import Cache, Status

README = Path(__file__).parents[2] / "README.md"


def test_the_section_runs(tmp_path, monkeypatch, capsys):
    """Its blocks, one after another, with a download that stands for a real one."""
    section = README.read_text("utf-8").partition("\n## The cache itself\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```python\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 2
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile("shapes.zip", "w") as archive:
        archive.writestr("a.shp", b"12345")
    names = {"download": lambda: gzip.compress(b"id,value\n1,42\n")}
    exec("".join(blocks), names)
    names["cache"].close()
    best, *printed = capsys.readouterr().out.splitlines()
    assert best.startswith("CacheItem[https://example.org/data.tsv V:1 READY]")
    assert printed == ["id,value", "1,42", "{'a.shp': 5}"]
    with Cache(tmp_path / "my_cache") as cache:
        (kept,) = cache.search(status=Status.TRASH)
        assert (kept.attrs, kept.label) == ({"kind": "map", "batch": 2, "checked": True}, "shapes")
        assert [item.uri for item in cache.search(status=Status.READY)] == [
            "https://example.org/data.tsv",
            "https://example.org/report.csv",
        ]


def test_what_the_section_names_exists():
    """Each verb and name in it."""
    for name in ("best_or_new", "move_in", "search", "update", "remove", "by_attrs", "best", "create"):
        assert callable(getattr(cachedeco.Cache, name))

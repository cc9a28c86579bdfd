"""The section of the README about files from servers shows what happens."""

from __future__ import annotations

import functools
import http.server
import re
import threading
from pathlib import Path

import pytest

import cachedeco

README = Path(__file__).parents[2] / "README.md"
SECTION = README.read_text("utf-8").partition("\n## Files from servers\n")[2].partition("\n## ")[0]


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder."""

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def base(tmp_path, monkeypatch):
    """Where the files of the section are served."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "data.csv").write_text("a,b")
    (folder / "model.bin").write_text("test")
    handler = functools.partial(Quiet, directory=folder)
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_section_runs(tmp_path, monkeypatch, base):
    """Its block, with a server that stands for a real one."""
    (block,) = re.findall(r"^```python\n(.*?)^```$", SECTION, re.DOTALL | re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(block.replace("https://example.org", base), names)
    assert names["table"].path.read_text() == "a,b"
    assert names["model"].path.read_text() == "test"
    assert names["table"].version == 1
    names["cache"].close()


def test_what_the_section_names_exists():
    """Each function in it."""
    for name in ("check_freshness", "metadata_from_item", "get_remote_headers"):
        assert name in SECTION
        assert callable(getattr(cachedeco, name))

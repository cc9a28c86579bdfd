"""The README of the seed system works line by line, and so does its script."""

from __future__ import annotations

import functools
import gzip
import http.server
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

HERE = Path(__file__).parent
BLOCKS = re.findall(
    r"^```python\n(.*?)^```$", (HERE / "seed_readme.md").read_text("utf-8"), re.DOTALL | re.MULTILINE
)
PRINTED = [
    r"CacheItem\[https://example\.org/data\.tsv V:1 READY\] (\S+data\.tsv)\n",
    r"Using: (\S+report\.csv)\n",
    r"matching ids: \{\d+\}\n[0-9a-f]{32}-1 \{'batch': 2, 'project': 'alpha', 'score': 0\.71\}\n",
    r"hello\n",
]
TABLE = "petals,colour\n5,red\n6,blue\n"


def run(*arguments, cwd):
    answer = subprocess.run(
        [sys.executable, "-W", "error", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    return answer.stdout


def test_the_readme_has_its_blocks():
    """None of them has been lost on the way here."""
    assert len(BLOCKS) == len(PRINTED) == 4


@pytest.mark.parametrize(
    ("block", "printed"), [*zip(BLOCKS, PRINTED, strict=True)], ids=["minimal", "new", "attrs", "open"]
)
def test_a_block_of_the_readme_runs(tmp_path, block, printed):
    """Each by itself, in an empty folder, and leaves nothing there but the cache."""
    (tmp_path / "block.py").write_text(block)
    match = re.fullmatch(printed, run("block.py", cwd=tmp_path))
    assert match
    assert all(os.path.isfile(path) for path in match.groups())
    assert sorted(os.listdir(tmp_path)) == ["block.py", "my_cache"]


def test_the_blocks_run_one_after_another_and_again(tmp_path):
    """They share the cache; the second report is the first one's, the second table another version."""
    first, second = ([run("-c", block, cwd=tmp_path) for block in BLOCKS] for _ in range(2))
    assert first[1] == second[1]
    assert "V:1 READY" in first[0]
    assert "V:2 READY" in second[0]
    assert first[3] == second[3] == "hello\n"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and counts the requests."""

    served: list[str] = []  # noqa: RUF012 - one list for the handlers of all requests

    def log_message(self, *arguments):
        self.served.append(self.path)


@pytest.fixture
def server(tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "flowers.csv.gz").write_bytes(gzip.compress(TABLE.encode()))
    Quiet.served.clear()
    handler = functools.partial(Quiet, directory=str(tmp_path / "site"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()
        thread.join()


def test_the_hello_script_downloads_once(tmp_path, server):
    """Against a real server: the second run asks it for nothing."""
    url, folder = f"{server}/flowers.csv.gz", tmp_path / "cache"
    outputs = [run(HERE / "hello_cache_manager.py", url, folder, cwd=tmp_path).splitlines() for _ in range(2)]
    assert outputs[0] == ["downloading", *outputs[1]]
    assert outputs[1][1:] == [
        "best is the same: True",
        "found by attributes: True",
        "format: gz",
        "petals,colour",
        "5,red",
    ]
    assert Quiet.served == ["/flowers.csv.gz"]

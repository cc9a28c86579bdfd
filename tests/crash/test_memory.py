"""What a process remembers, while another one changes it."""

from __future__ import annotations

SHARED = """
import mmap
with open(log, "r+b") as file:
    newest = memoryview(mmap.mmap(file.fileno(), 8)).cast("Q")  # what was committed, as its writer knows it

@cached(cache=cache, code_version="1", uri="demo://counter")
def counter():
    return newest[0] + 1

counter()
say("there")
until_gate()
"""

WRITER = (
    SHARED
    + """
while newest[0] < 400:
    newest[0] = counter.refresh()
say("done")
"""
)

READER = (
    SHARED
    + """
old = calls = reads = 0
plain = cache.store.pool.read
def read(*given):
    global reads
    reads += 1
    return plain(*given)
cache.store.pool.read = read
while newest[0] < 400:
    for _ in range(50):
        before = newest[0]
        old += counter() < before
        calls += 1
say("done", old, 0 < reads < calls)
"""
)


def test_no_process_trusts_a_value_older_than_what_was_committed_when_it_asked(stage, tmp_path):
    """One makes 400 versions; the others remember hits all the while."""
    (tmp_path / "computations").write_bytes(bytes(8))
    workers = [stage.start(story) for story in (WRITER, READER, READER)]
    for worker in workers:
        worker.hear("there")
    stage.open_gate()
    answers = [worker.hear("done") for worker in workers]
    for worker in workers:
        worker.finish()
    assert answers == ["", "0 True", "0 True"]

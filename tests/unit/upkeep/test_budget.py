"""A cache that keeps itself below a size, and one that says that it is large."""

from __future__ import annotations

import pickle
import subprocess
import sys
import textwrap

import pytest

from cachedeco import Cache, OptionError, StoreWarning, cached, growth
from cachedeco.registry import upkeep
from cachedeco.upkeep import budget


def block(x):
    return bytes([x % 256]) * 10_000


def test_a_budget_keeps_itself(tmp_path, monkeypatch):
    """Whatever is written: what is used and in the trash is little more, and the newest are there."""
    monkeypatch.setattr(budget, "PRESSED_GRACE", 0)
    with Cache(tmp_path / "cache", max_size=200_000) as cache:
        f = cached(cache=cache)(block)
        for x in range(100):
            assert f(x) == block(x)
        used, trashed = upkeep.sizes(cache.store.pool)
        assert 150_000 < used <= 210_000
        assert used + trashed <= 210_000
        assert f.item(99) is not None
        assert f.item(0) is None


def test_what_is_used_stays(tmp_path):
    """The least recently used go."""
    with Cache(tmp_path / "cache", max_size=200_000) as cache:
        f = cached(cache=cache)(block)
        for x in range(60):
            f(x)
            f(0)
            cache.store.pool.keep_uses(wait=1.0)
        assert f.item(0).version == 1


def test_what_is_there_already_counts(tmp_path):
    """The first write of a process that brings a budget looks."""
    with Cache(tmp_path / "cache") as cache:
        f = cached(cache=cache)(block)
        for x in range(10):
            f(x)
    with Cache(tmp_path / "cache", max_size="50 kB") as cache:
        cached(cache=cache)(block)(10)
        assert len(cache.search()) <= 5


def test_a_pinned_item_is_no_part_of_what_goes(tmp_path):
    """Whatever room it takes."""
    with Cache(tmp_path / "cache", max_size=20_000) as cache:
        f = cached(cache=cache)(block)
        f(0)
        f.item(0).pin()
        for x in range(1, 10):
            f(x)
        assert f.item(0) is not None


def test_a_budget_is_pickled_with_its_cache(tmp_path):
    """Workers keep it, too."""
    with Cache(tmp_path / "cache", max_size="1 GB") as cache:
        again = pickle.loads(pickle.dumps(cache))
        assert again.store.growth.limit == 10**9
        again.close()


@pytest.mark.parametrize("wrong", ["large", -1, "1 XB", [1]])
def test_a_wrong_budget_is_named(tmp_path, wrong):
    """With how to say it."""
    with pytest.raises(OptionError, match=r"Cache\(max_size="):
        Cache(tmp_path / "cache", max_size=wrong)


def test_a_large_cache_says_so_once(tmp_path, monkeypatch):
    """Not again by another process, and not below a budget."""
    monkeypatch.setattr(growth, "LARGE", 50_000)
    monkeypatch.setattr(budget, "LARGE", 50_000)
    with Cache(tmp_path / "cache") as cache:
        f = cached(cache=cache)(block)
        with pytest.warns(StoreWarning, match="has grown to 0.0 GB and has no budget"):
            list(map(f, range(10)))
    with Cache(tmp_path / "cache") as cache:
        f = cached(cache=cache)(block)
        for x in range(10, 20):
            f(x)


def test_processes_share_a_budget(tmp_path):
    """Four that write at once: right values, no error, and the size is kept."""
    program = """
        import sys
        from cachedeco import Cache, cached
        from cachedeco.upkeep import budget
        budget.PRESSED_GRACE = 0
        with Cache(sys.argv[1], max_size=200_000) as cache:
            @cached(cache=cache)
            def f(x):
                return bytes([x % 256]) * 10_000
            for x in range(60):
                assert f(x + 20 * int(sys.argv[2])) == bytes([(x + 20 * int(sys.argv[2])) % 256]) * 10_000
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(program), str(tmp_path / "cache")]
    children = [
        subprocess.Popen([*command, str(number)], stderr=subprocess.PIPE, text=True) for number in range(4)
    ]
    assert [(child.communicate()[1], child.returncode) for child in children] == [("", 0)] * 4
    with Cache(tmp_path / "cache") as cache:
        used, _ = upkeep.sizes(cache.store.pool)
        assert used <= 240_000
        assert not cache.verify(full=True)
        assert not cache.clean_disk()

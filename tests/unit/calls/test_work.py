"""One claim on its way: whatever happens to it, the caller gets the value and nothing half-made stays."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from cachedeco import Cache, RegistryUnavailableError, Status, StoreWarning, cached
from cachedeco.registry.claims import Claims
from cachedeco.registry.owner import live_tokens

STATE = {}
LARGE = b"x" * 50_000


def compute(x):
    STATE["calls"] = STATE.get("calls", 0) + 1
    STATE.get("during", lambda: None)()
    return STATE.get("result", LARGE)


@pytest.fixture
def f(cache):
    STATE.clear()
    return cached(cache=cache, code_version="1")(compute)


def bytes_on_disk(cache):
    """Folders of items, and what is left of any; manifests lie beside them."""
    found = {path.name for path in Path(cache.path).glob("items/*/*")}
    return sorted(name for name in found if name.removesuffix(".json") not in found - {name})


def end_claims(cache):
    cache.store.pool.write(
        lambda con: con.execute("UPDATE items SET status = 2, cause = 'abandoned' WHERE status = 1")
    )


@pytest.mark.parametrize("result", [b"small", LARGE], ids=["inline", "file"])
def test_a_claim_that_was_lost_stores_nothing(cache, f, result):
    """Its caller gets the value all the same, silently; the bytes are removed."""
    STATE.update(result=result, during=lambda: end_claims(cache))
    assert f(1) == result
    assert [item.status for item in f.items(1)] == [Status.FAILED]
    assert bytes_on_disk(cache) == []
    assert cache.store.pool.read("SELECT count(*) FROM items WHERE data IS NOT NULL") == (0,)


def test_a_commit_that_happened_though_it_was_reported_to_fail_counts(f, monkeypatch):
    """The row alone knows: the bytes stay, and there is nothing to warn about."""
    commit = Claims.commit

    def unsure(self, *args, **kwargs):
        commit(self, *args, **kwargs)
        raise RegistryUnavailableError("the disk went away just after")

    monkeypatch.setattr(Claims, "commit", unsure)
    assert f(1) == LARGE
    assert f(1) == LARGE
    assert STATE["calls"] == 1


def test_a_commit_that_failed_leaves_no_bytes(cache, f, monkeypatch):
    """The value is returned with a warning, its file removed."""

    def fail(self, *args, **kwargs):
        raise RegistryUnavailableError("disk full")

    monkeypatch.setattr(Claims, "commit", fail)
    with pytest.warns(StoreWarning, match="disk full"):
        assert f(1) == LARGE
    assert bytes_on_disk(cache) == []
    assert f.items(1)[0].cause == "store"


def test_a_commit_of_which_nobody_knows_keeps_the_bytes(cache, f, monkeypatch):
    """When even asking fails, they stay: the item may be READY."""

    def fail(self, *args, **kwargs):
        raise RegistryUnavailableError("gone")

    commit = Claims.commit

    def unsure(self, *args, **kwargs):
        commit(self, *args, **kwargs)
        raise RegistryUnavailableError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(Claims, "commit", unsure)
        patch.setattr(Claims, "outcome", fail)
        patch.setattr(Claims, "fail", fail)
        with pytest.warns(StoreWarning):
            assert f(1) == LARGE
    assert f(1) == LARGE
    assert STATE["calls"] == 1


def test_its_time_is_recorded(f):
    """That of the function, not of storing."""
    STATE["during"] = lambda: time.sleep(0.02)
    f(1)
    assert 0.02 <= f.item(1).seconds < 10


def test_a_failure_has_its_time_too(f):
    """For those who look at what takes so long to fail."""

    def during():
        time.sleep(0.02)
        raise ValueError("late")

    STATE["during"] = during
    with pytest.raises(ValueError, match="late"):
        f(1)
    assert f.items(1)[0].seconds >= 0.02


def test_an_unusable_registry_of_somebody_else_is_the_functions_error(f, tmp_path):
    """What the function raises is its own, also when it is one of our errors; it is not run a second time."""

    def during():
        raise RegistryUnavailableError("another cache, used inside")

    STATE["during"] = during
    with pytest.raises(RegistryUnavailableError, match="used inside"):
        f(1)
    assert STATE["calls"] == 1
    assert f.items(1)[0].cause == "raised"


def test_a_cached_function_may_use_another_cache_inside(f, tmp_path):
    """Each stores in its own."""
    with Cache(tmp_path / "inner") as inner:
        g = cached(cache=inner, code_version="1")(compute_inner)
        STATE["during"] = lambda: g(5)
        f(1)
        assert [item.status for item in inner.search()] == [Status.READY]


def compute_inner(x):
    return x


def test_no_token_stays_live(f):
    """After a result, a failure and an unstorable value."""
    f(1)
    STATE["during"] = lambda: (_ for _ in ()).throw(ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        f(2)
    del STATE["during"]
    STATE["result"] = lambda: None
    with pytest.warns(StoreWarning):
        f(3)
    assert live_tokens == set()


def test_what_is_stored_is_read_only_and_alone(cache, f):
    """One folder, one file."""
    f(1)
    (name,) = bytes_on_disk(cache)
    assert name.startswith(f.key(1) + "-1-")
    assert os.listdir(f.item(1).path.parent) == [f.item(1).filename]
    assert f.item(1).path.stat().st_mode & 0o777 == 0o444

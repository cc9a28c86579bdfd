"""Caches that are looked up after a call's own: what they have is a hit, is copied, and nothing is written to them."""

from __future__ import annotations

import asyncio
import os
import pickle
import shutil
import threading
from pathlib import Path

import pytest

from cachedeco import OUTPUT, Cache, OptionError, Status, StoreWarning, cached
from cachedeco import importing as importing_module

CALLS = []


@pytest.fixture(autouse=True)
def no_calls():
    """Forget the calls of the test before."""
    CALLS.clear()


def value(n):
    CALLS.append(n)
    return "x" * n


def report(n, output: Path = OUTPUT):
    CALLS.append(n)
    output.write_text("x" * n)


def stream(n):
    CALLS.append(n)
    yield from range(n)


async def task(n):
    CALLS.append(n)
    return "x" * n


def tree(folder):
    """All that is in a folder: path -> bytes. The log of a registry that is only read stays as it is, too."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file() and not path.name.endswith("-shm")
    }


@pytest.fixture
def team(tmp_path):
    """The cache of a team, which is only looked up."""
    with Cache(tmp_path / "team") as cache:
        yield cache


@pytest.fixture
def mine(tmp_path, team):
    """A cache of one's own."""
    with Cache(tmp_path / "mine", upstream=[team]) as cache:
        yield cache


def of(cache, function=value, **options):
    """The function, cached there."""
    return cached(cache=cache, code_version="1", **options)(function)


@pytest.mark.parametrize("n", [3, 200_000], ids=["in the registry", "in a file"])
def test_what_the_other_cache_has_is_a_hit_and_is_copied(team, mine, n):
    """The function does not run; the next call finds the copy, also when the other cache is gone."""
    assert of(team)(n) == "x" * n
    team.close()
    before = tree(team.path)
    f = of(mine)
    assert f(n) == "x" * n
    assert f(n) == "x" * n
    assert [n] == CALLS
    (item,) = mine.search()
    (other,) = team.search()
    assert (item.version, item.size, item.code, item.function) == (1, other.size, other.code, other.function)
    assert item.intact()
    team.close()
    mine.close()
    assert tree(team.path) == before
    shutil.rmtree(team.path)
    assert of(Cache(mine.path))(n) == "x" * n
    assert [n] == CALLS


def test_output_files_are_copied(team, mine):
    """The caller gets the path in his own cache."""
    of(team, report, output="report_{n}.txt")(5)
    path = of(mine, report, output="report_{n}.txt")(5)
    assert CALLS == [5]
    assert str(path).startswith(mine.path)
    assert (path.name, path.read_text()) == ("report_5.txt", "xxxxx")


def test_async_functions_and_generators_look_there_too(team, mine):
    """On their own roads."""
    assert list(of(team, stream)(3)) == list(of(mine, stream)(3)) == [0, 1, 2]
    assert asyncio.run(of(team, task)(4)) == asyncio.run(of(mine, task)(4)) == "xxxx"
    assert CALLS == [3, 4]
    assert len(mine.search()) == 2


def test_many_calls_look_there_too(team, mine):
    """None of what is there is missing."""
    of(team).map([1, 2])
    f = of(mine)
    assert f.missing([1, 2, 3]) == [3]
    assert f.map([1, 2, 3]) == ["x", "xx", "xxx"]
    assert CALLS == [1, 2, 3]
    assert len(mine.search()) == 3


def test_verbs_tell_of_what_a_call_would_get(team, mine):
    """Without copying it."""
    of(team)(3)
    f = of(mine)
    assert (f.status(3), f.item(3).load(), f.status(4), f.item(4)) == (
        Status.READY,
        "xxx",
        Status.UNINITIALIZED,
        None,
    )
    assert f.why(3).hit
    assert not f.why(4).hit
    assert mine.best(f.item(3).uri, {"n": 3}).load() == "xxx"
    assert mine.best("nothing") is None
    assert mine.search() == []


def test_what_is_in_nobodys_cache_is_computed_and_stored_here(team, mine):
    """And not there."""
    assert of(mine)(3) == "xxx"
    assert CALLS == [3]
    assert (len(mine.search()), team.search()) == (1, [])


def test_the_own_cache_comes_first(team, mine):
    """Others are not even looked up."""
    of(mine)(3)
    of(team)(3)
    shutil.rmtree(team.path)
    assert of(mine)(3) == "xxx"


def test_a_refresh_computes(team, mine):
    """Whatever others have."""
    of(team)(3)
    assert of(mine).refresh(3) == "xxx"
    assert CALLS == [3, 3]


def test_results_of_other_code_are_no_hits(team, mine):
    """As in one's own cache."""
    of(team)(3)
    assert cached(cache=mine, code_version="2")(value)(3) == "xxx"
    assert CALLS == [3, 3]


def test_what_has_expired_there_is_no_hit(team, mine):
    """The clock goes on from its commit, also in the copy."""
    of(team)(3)
    assert of(mine, expires=1e-6)(3) == "xxx"
    assert CALLS == [3, 3]


@pytest.mark.parametrize("mode", ["read-only", "raise-on-miss"])
def test_a_cache_that_computes_or_stores_nothing_looks_there_too(tmp_path, team, mode):
    """What is only read gets no copy."""
    of(team)(3)
    with Cache(tmp_path / "other", mode=mode, upstream=[team]) as other:
        assert of(other)(3) == "xxx"
        assert of(other)(3) == "xxx"
        assert CALLS == [3]
        assert len(other.search()) == (0 if mode == "read-only" else 1)


def test_damage_there_is_a_miss_here_and_stays_there(team, mine):
    """It is not ours to move."""
    of(team)(200_000)
    path = team.search()[0].path
    path.chmod(0o644)
    path.write_bytes(b"y" * path.stat().st_size)
    assert of(mine)(200_000) == "x" * 200_000
    assert CALLS == [200_000] * 2
    assert (team.search()[0].status, path.exists()) == (Status.READY, True)
    assert [item.status for item in mine.search()] == [Status.READY]


def test_a_copy_that_fails_costs_nobody_the_value(team, mine, monkeypatch):
    """The disk is full: it is loaded from where it is, and that is said."""
    of(team)(200_000)

    def refuse(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(importing_module, "Staging", refuse)
    with pytest.warns(StoreWarning, match="could not be copied"):
        assert of(mine)(200_000) == "x" * 200_000
    assert CALLS == [200_000]
    assert mine.search() == []


def test_a_cache_that_cannot_be_looked_up_is_passed_over(tmp_path, team, mine):
    """With a warning, and the next one is asked."""
    with Cache(tmp_path / "third") as third:
        of(third)(3)
    with Cache(tmp_path / "own", upstream=[team, third]) as own:
        of(team)(1)
        team.close()
        registry = Path(team.store.pool.database.path)
        for path in registry.parent.iterdir():
            if path.is_file():
                path.write_bytes(b"garbage" * 1000)
        with pytest.warns(StoreWarning, match="could not be looked up"):
            assert of(own)(3) == "xxx"
    assert CALLS == [3, 1]


def test_caches_are_looked_up_in_the_order_in_which_they_are_given(tmp_path):
    """Each with what it looks up itself behind it, and none twice."""
    caches = [Cache(tmp_path / name) for name in "abc"]
    chained = Cache(caches[1].path, upstream=[caches[2]])
    mine = Cache(tmp_path / "mine", upstream=[chained, str(tmp_path / "a"), tmp_path / "c"])
    assert [each.path for each in mine.upstream] == [caches[1].path, caches[2].path, caches[0].path]
    assert {each.mode for each in mine.upstream} == {"read-only"}


def test_a_signed_cache_takes_only_what_is_signed_with_its_key(tmp_path, team):
    """Neither copied nor loaded; with the same key it is a hit."""
    of(team)(3)
    signed = Cache(tmp_path / "signed", signing_key=b"k" * 32)
    of(signed)(4)
    with Cache(tmp_path / "own", signing_key=b"k" * 32, upstream=[team, signed]) as own:
        f = of(own)
        assert (f(3), f(4)) == ("xxx", "xxxx")
        assert CALLS == [3, 4, 3]
        assert all(item.intact() for item in own.search())
    with Cache(tmp_path / "other", signing_key=b"o" * 32, upstream=[signed]) as other:
        assert of(other)(4) == "xxxx"
        assert CALLS == [3, 4, 3, 4]
    signed.close()


def pickled(n):
    CALLS.append(n)
    return {1, n}


def test_a_cache_without_pickles_takes_none(tmp_path, team):
    """What could run code when it is loaded is computed."""
    of(team, pickled)(3)
    with Cache(tmp_path / "own", allow_pickle=False, upstream=[team]) as own, pytest.warns(StoreWarning):
        assert of(own, pickled)(3) == {1, 3}
    assert CALLS == [3, 3]


def test_calls_at_once_make_one_copy(team, mine):
    """Whoever is second finds that of the first."""
    of(team)(200_000)
    f, barrier, values = of(mine), threading.Barrier(4), []

    def call():
        barrier.wait(10)
        values.append(f(200_000))

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values == ["x" * 200_000] * 4
    assert CALLS == [200_000]
    assert len(mine.search(status=Status.READY)) == 1


def test_it_travels(team, mine):
    """A worker looks up the same caches."""
    again = pickle.loads(pickle.dumps(mine))
    assert [(each.path, each.mode) for each in again.upstream] == [(team.path, "read-only")]
    of(team)(3)
    assert of(again)(3) == "xxx"
    assert CALLS == [3]
    again.close()


def test_a_hit_there_is_told_as_a_hit(team, mine):
    """And not as a miss."""
    of(team)(3)
    kinds = []
    with mine.subscribe(lambda event: kinds.append(event.kind)):
        of(mine)(3)
    assert kinds == ["hit"]


@pytest.mark.parametrize("given", ["path", "cache", "missing", "itself", "number"])
def test_what_cannot_be_looked_up_is_refused(tmp_path, team, given):
    """A folder that is not there is a slip of the pen, and not to be made."""
    upstream = {
        "path": team.path,
        "cache": team,
        "missing": [tmp_path / "nowhere"],
        "itself": [tmp_path / "own"],
        "number": [5],
    }[given]
    os.makedirs(tmp_path / "own", mode=0o700)
    with pytest.raises(OptionError, match="upstream"):
        Cache(tmp_path / "own", upstream=upstream)
    assert not (tmp_path / "nowhere").exists()


def test_a_budget_counts_what_is_copied(tmp_path, team):
    """Who copies beyond it lets go of what was used least recently."""
    f = of(team)
    for n in (40_000, 40_001, 40_002):
        f(n)
    with Cache(tmp_path / "own", max_size=100_000, upstream=[team]) as own:
        g = of(own)
        assert [len(g(n)) for n in (40_000, 40_001, 40_002)] == [40_000, 40_001, 40_002]
        assert sum(item.size for item in own.search(status=Status.READY)) <= 100_000
    assert CALLS == [40_000, 40_001, 40_002]


def test_an_empty_folder_stays_empty(tmp_path):
    """Looking it up makes no registry there."""
    (tmp_path / "empty").mkdir(mode=0o700)
    with Cache(tmp_path / "own", upstream=[tmp_path / "empty"]) as own:
        f = of(own)
        assert (f.status(3), f(3), f.map([4])) == (Status.UNINITIALIZED, "xxx", ["xxxx"])
        assert own.best("nothing") is None
    assert os.listdir(tmp_path / "empty") == []

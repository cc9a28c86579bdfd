"""Claims: at most one per (key, scope), ended exactly once, and never by somebody who lost it."""

from __future__ import annotations

import shutil
import sqlite3
import threading

import pytest

from cachedeco import RegistryUnavailableError, Status
from cachedeco.registry import owner as owners
from cachedeco.registry.claims import Bytes, Claims, Wanted, new_token
from cachedeco.registry.database import Database
from cachedeco.registry.items import Items
from cachedeco.registry.pool import Pool

KEY, SCOPE, OTHER = b"k" * 16, b"s" * 16, b"o" * 16
ALL = 1 << 62


@pytest.fixture
def pool(tmp_path):
    (tmp_path / "cache").mkdir()
    made = Pool(Database(str(tmp_path / "cache")))
    yield made
    made.close()


@pytest.fixture
def claims(pool):
    return Claims(pool)


@pytest.fixture
def items(pool):
    return Items(pool)


@pytest.fixture(autouse=True)
def live():
    """Forget the tokens of a test, and the owners whose folder it removed."""
    before = set(owners.live_tokens)
    yield owners.live_tokens
    owners.live_tokens.intersection_update(before)
    owners._kept.clear()


def wanted(key=KEY, scope=SCOPE, code=SCOPE, label=None):
    return Wanted(
        key=key,
        scope=scope,
        uri="u",
        code=code,
        label=label,
        function="m.f",
        params="{}",
        parts=lambda: '{"body": "x"}',
    )


def claim(claims, *, above=0, live=True, **fields):
    token = new_token()
    if live:
        owners.live_tokens.add(token)
    return claims.claim(wanted(**fields), token, "value", above)


def commit(claims, mine, data=b"data"):
    return claims.commit(
        mine,
        Bytes(form="value", size=len(data), serializer="pickle", inline=data),
        [],
        duration=5,
        attempts=1,
    )


def test_a_claim_is_a_row_that_is_being_written(claims, items):
    """Status, version, owner and what people want to know stand there before anything is computed."""
    mine = claim(claims, label="lab")
    record = items.get(mine.id)
    assert (record.status, record.version, record.label, record.function) == (Status.WRITE, 1, "lab", "m.f")
    assert record.owner is not None
    assert record.token == mine.token.hex()


def test_a_second_claim_of_the_same_work_is_none(claims):
    """Whoever comes second looks again."""
    assert claim(claims) is not None
    assert claim(claims) is None


def test_other_code_is_other_work(claims):
    """Two scopes of one key are computed side by side, as two versions."""
    first, second = claim(claims), claim(claims, scope=OTHER, code=OTHER)
    assert (first.version, second.version) == (1, 2)


def test_of_many_threads_one_gets_the_claim(claims):
    """However many ask at once."""
    barrier = threading.Barrier(12)
    got = []

    def run():
        barrier.wait()
        got.append(claim(claims))

    threads = [threading.Thread(target=run) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([each for each in got if each is not None]) == 1


def test_a_committed_claim_is_the_best(claims):
    """Its row has everything that a hit needs."""
    mine = claim(claims)
    assert commit(claims, mine) is True
    found = claims.best(KEY, SCOPE, "value", ALL)
    assert found == (mine.id, 1, mine.token, "pickle", 4, None, None, b"data", None, None, None)
    assert found == claims.by_id(mine.id) == claims.best_of_any_code(KEY, "value", ALL)


def test_all_that_a_commit_records_comes_with_the_hit(claims):
    """What tells a changed, unsigned or compressed file is there without a second look."""
    mine = claim(claims)
    facts = {"digest": b"d", "signature": b"s", "mac": b"m", "compression": "zstd", "filename": "value.pkl"}
    claims.commit(mine, Bytes(form="value", size=9, serializer="pickle", **facts), [], duration=5, attempts=1)
    found = claims.best(KEY, SCOPE, "value", ALL)
    assert found[3:] == ("pickle", 9, b"d", "value.pkl", None, b"s", b"m", "zstd")


def test_the_best_is_the_newest_of_its_code_and_form(claims):
    """Neither a failure, nor other code, nor another form, nor what is too new is taken."""
    versions = []
    for _ in range(3):
        mine = claim(claims, above=None)
        commit(claims, mine)
        versions.append(mine.version)
    claims.fail(claim(claims, above=None), "raised", "text", duration=1, attempts=1)
    commit(claims, claim(claims, scope=OTHER, code=OTHER))
    assert claims.best(KEY, SCOPE, "value", ALL)[1] == 3
    assert claims.best(KEY, SCOPE, "value", 3)[1] == 2
    assert claims.best(KEY, OTHER, "value", ALL)[1] == 5
    assert claims.best(KEY, SCOPE, "file", ALL) is None
    assert claims.best_of_any_code(KEY, "value", ALL)[1] == 5


def test_a_claim_is_refused_when_there_is_a_newer_result(claims):
    """Between the look-up and the claim somebody may have finished."""
    commit(claims, claim(claims))
    assert claim(claims, above=0) is None
    assert claim(claims, above=1) is not None


def test_a_refresh_claims_regardless(claims):
    """Without a version to compare with, a result is no reason to give up."""
    commit(claims, claim(claims))
    assert claim(claims, above=None).version == 2


def test_where_code_does_not_count_any_result_is_newer(claims):
    """An empty scope is satisfied by what other code made."""
    commit(claims, claim(claims))
    assert claim(claims, scope=b"", code=OTHER, above=0) is None


def test_a_claim_ends_once(claims, items):
    """After the first end, no other has any effect."""
    mine = claim(claims)
    assert claims.fail(mine, "raised", "text", duration=1, attempts=1) is True
    assert commit(claims, mine) is False
    assert claims.fail(mine, "store", "other", duration=1, attempts=1) is False
    assert claims.release(mine.token) is False
    record = items.get(mine.id)
    assert (record.status, record.cause, record.error) == (Status.FAILED, "raised", "text")
    assert items.inline(mine.id) is None


def test_a_release_leaves_a_committed_item_alone(claims, items):
    """Whoever does not know whether the commit happened may release all the same."""
    mine = claim(claims)
    commit(claims, mine)
    assert claims.release(mine.token) is False
    assert items.get(mine.id).status == Status.READY


def test_a_released_claim_is_abandoned(claims, items):
    """It failed, but not because the function raised."""
    mine = claim(claims)
    assert claims.release(mine.token) is True
    assert (items.get(mine.id).status, items.get(mine.id).cause) == (Status.FAILED, "abandoned")


def test_a_running_claim_is_found(claims):
    """With its number, version and that it is ours."""
    mine = claim(claims)
    running = claims.running(KEY, SCOPE)
    assert (running.id, running.version, running.ours) == (mine.id, mine.version, True)
    assert claims.running(KEY, OTHER) is None


def test_a_claim_of_ours_without_a_writer_is_let_go(claims, items):
    """What Ctrl-C left between commit and clean-up is failed by the next look."""
    mine = claim(claims, live=False)
    assert claims.running(KEY, SCOPE) is None
    assert items.get(mine.id).cause == "abandoned"


def test_the_next_claim_lets_go_of_all_that_have_no_writer(claims, items):
    """Also those of other keys, in the same transaction."""
    lost = [claim(claims, key=bytes([n]) * 16, live=False) for n in range(3)]
    kept = claim(claims, key=b"z" * 16)
    claim(claims, key=b"y" * 16)
    assert {items.get(each.id).status for each in lost} <= {Status.FAILED}
    assert items.get(kept.id).status == Status.WRITE


def test_a_claim_of_the_past_is_not_taken_for_a_running_one(claims):
    """Nor is an item that was made by hand and is being written."""
    Items(claims._pool).create(
        key=KEY,
        uri="u",
        token=new_token(),
        status=Status.WRITE,
        params="{}",
        attributes=[],
        filename=None,
        ext=None,
        label=None,
    )
    assert claims.running(KEY, b"") is None


def test_the_outcome_tells_how_it_ended(claims):
    """Status, cause and traceback, for those who wait."""
    mine = claim(claims)
    assert claims.outcome(mine.id).status == Status.WRITE
    claims.fail(mine, "raised", "the traceback", duration=1, attempts=1)
    outcome = claims.outcome(mine.id)
    assert (outcome.status, outcome.cause, outcome.error) == (Status.FAILED, "raised", "the traceback")


def test_the_outcome_of_a_row_that_is_gone_is_none(claims):
    """Nobody waits for ever for a deleted row."""
    assert claims.outcome(12345).status is None


def test_a_version_is_never_used_again(claims, pool):
    """Not even when all rows of the key are deleted."""
    for _ in range(3):
        commit(claims, claim(claims, above=None))
    pool.write(lambda con: con.execute("DELETE FROM items"))
    assert claim(claims).version == 4


def test_an_item_in_the_trash_is_no_hit(claims, items):
    """It is set aside with the cause, once."""
    mine = claim(claims)
    commit(claims, mine)
    assert claims.trash(mine.id, "damaged") is True
    assert claims.trash(mine.id, "damaged") is False
    assert claims.best(KEY, SCOPE, "value", ALL) is None
    assert (items.get(mine.id).status, items.get(mine.id).cause) == (Status.TRASH, "damaged")


def test_a_running_claim_cannot_be_trashed(claims, items):
    """It is left to its writer."""
    mine = claim(claims)
    assert claims.trash(mine.id, "removed") is False
    assert items.get(mine.id).status == Status.WRITE


def test_the_texts_of_the_code_are_stored_once(claims, pool, items):
    """However many items it made."""
    for number in range(4):
        claim(claims, key=bytes([number]) * 16)
    assert pool.read("SELECT count(*) FROM codes") == (1,)
    assert items.code_parts(SCOPE) == '{"body": "x"}'


def test_the_texts_of_the_code_are_stored_again_in_a_new_registry(claims, pool, items, tmp_path):
    """What a removed registry knew, the one in its place does not."""
    claim(claims)
    shutil.rmtree(tmp_path / "cache")
    claim(claims, key=OTHER)
    assert items.code_parts(SCOPE) == '{"body": "x"}'


def test_attributes_are_committed_with_the_item(claims, items):
    """There is no moment at which a READY item lacks them."""
    mine = claim(claims)
    claims.commit(
        mine, Bytes(form="value", size=0, inline=b""), [("", "n", "int", 3)], duration=1, attempts=1
    )
    assert items.attributes(mine.id) == {"n": 3}


def test_a_commit_that_breaks_half_way_has_not_happened(claims, items):
    """An attribute that the registry refuses takes the whole commit back."""
    mine = claim(claims)
    twice = [("", "n", "int", 1), ("", "n", "int", 2)]
    with pytest.raises(RegistryUnavailableError) as caught:
        claims.commit(mine, Bytes(form="value", size=1, inline=b"x"), twice, duration=1, attempts=1)
    assert isinstance(caught.value.__cause__, sqlite3.IntegrityError)
    assert items.get(mine.id).status == Status.WRITE
    assert items.inline(mine.id) is None


def test_a_claim_that_breaks_half_way_has_not_happened(claims, pool):
    """Neither the row nor its version stays."""

    def broken():
        raise RuntimeError("no text")

    want = wanted()
    want.parts = broken
    with pytest.raises(RuntimeError):
        claims.claim(want, new_token(), "value", 0)
    assert pool.read("SELECT count(*) FROM items") == (0,)
    assert claim(claims).version == 1

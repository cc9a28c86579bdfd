"""Records: made by hand, searched by their plain fields, moved, set aside."""

from __future__ import annotations

import time

import pytest

from cachedeco import Status
from cachedeco.record import MISSING
from cachedeco.registry import changes
from cachedeco.registry.claims import new_token
from cachedeco.registry.database import Database
from cachedeco.registry.items import Filter, Items
from cachedeco.registry.ordering import NEWEST_FIRST
from cachedeco.registry.pool import Pool

KEYS = {name: name.encode() * 16 for name in "abc"}


@pytest.fixture
def items(tmp_path):
    (tmp_path / "cache").mkdir()
    pool = Pool(Database(str(tmp_path / "cache")))
    yield Items(pool)
    pool.close()


def make(
    items, key="a", status=Status.READY, *, uri=None, attributes=(), filename=None, ext=None, label=None
):
    return items.create(
        key=KEYS[key],
        uri=uri or f"u:{key}",
        token=new_token(),
        status=status,
        params="{}",
        attributes=list(attributes),
        filename=filename,
        ext=ext,
        label=label,
    )


def numbers(records):
    return [record.id for record in records]


def test_versions_count_from_one_for_each_key(items):
    """Each key has its own numbers."""
    assert [make(items, key).version for key in "aabab"] == [1, 2, 1, 3, 2]


def test_a_record_has_what_it_was_made_with(items):
    """Nothing is lost on the way through the registry."""
    record = make(items, filename="x.csv", ext="csv", label="l", status=Status.UNINITIALIZED)
    found = items.get(record.id)
    facts = (
        found.uri,
        found.filename,
        found.ext,
        found.label,
        found.status,
        found.owner,
        found.form,
        found.attempts,
    )
    assert facts == ("u:a", "x.csv", "csv", "l", Status.UNINITIALIZED, None, None, 0)
    assert abs(found.created - time.time() * 1e6) < 60e6


def test_a_search_without_conditions_finds_what_is_visible(items):
    """Trash is out of sight."""
    kept = [make(items), make(items, "b", Status.FAILED), make(items, "c", Status.UNINITIALIZED)]
    gone = make(items, "c")
    items.trash_key(KEYS["c"])
    assert numbers(items.search(Filter())) == [kept[0].id, kept[1].id]
    assert gone.id in numbers(items.search(Filter(status=tuple(Status))))


def test_every_condition_narrows(items):
    """Each field selects by itself; None means: without."""
    one = make(items, "a", ext="csv", label="x", filename="f.csv", uri="u")
    two = make(items, "b", Status.FAILED)
    cases = {
        one.id: [
            Filter(uri="u"),
            Filter(key=KEYS["a"]),
            Filter(ext="csv"),
            Filter(label="x"),
            Filter(filename="f.csv"),
        ],
        two.id: [Filter(ext=None), Filter(label=None), Filter(filename=None), Filter(status=[Status.FAILED])],
    }
    for id_, filters in cases.items():
        assert [numbers(items.search(each)) for each in filters] == [[id_]] * len(filters)
    assert numbers(items.search(Filter(ext=MISSING, function=None))) == [one.id, two.id]


def test_the_newest_version_is_the_newest_among_those_with_the_status(items):
    """-1 asks for one record a key."""
    make(items, "a")
    second = make(items, "a")
    failed = make(items, "a", Status.FAILED)
    other = make(items, "b")
    assert numbers(items.search(Filter(version=[-1]))) == [failed.id, other.id]
    assert numbers(items.search(Filter(version=[-1], status=[Status.READY]))) == [second.id, other.id]


def test_several_versions_can_be_named(items):
    """Any of them."""
    made = [make(items) for _ in range(4)]
    assert numbers(items.search(Filter(version=[1, 3]))) == [made[0].id, made[2].id]


def test_nothing_matches_an_empty_choice(items):
    """No status and no version is none, not any."""
    make(items)
    assert items.search(Filter(status=[])) == []
    assert items.search(Filter(version=[])) == []


def test_times_bound_on_both_sides(items):
    """Made after, made before."""
    one = make(items)
    two = make(items)
    assert numbers(items.search(Filter(created_after=two.created))) == []
    assert one.id in numbers(items.search(Filter(created_before=one.created + 1)))
    assert numbers(items.search(Filter(created_before=one.created))) == []


def test_the_newest_can_come_first_and_be_counted_off(items):
    """For those who look for the nearest."""
    made = [make(items) for _ in range(4)]
    assert numbers(items.search(Filter(), order=NEWEST_FIRST, limit=2)) == [made[3].id, made[2].id]


@pytest.mark.parametrize("text", ["it's", '" OR 1=1 --', "a\n\n  b\tc", "ü%_", "x'00'", "a\0b"])
def test_text_is_text(items, text):
    """Whatever somebody writes into a field is stored and found as it is."""
    record = make(items, uri=text, label=text, ext=text)
    assert numbers(items.search(Filter(uri=text, label=text, ext=text))) == [record.id]
    assert items.get(record.id).label == text


def test_all_versions_of_a_key_are_set_aside_at_once(items):
    """READY, FAILED and empty ones, but nothing that is being written; each remembers what it was."""
    for status in (Status.READY, Status.FAILED, Status.UNINITIALIZED, Status.WRITE):
        make(items, "a", status)
    make(items, "b")
    assert len(items.trash_key(KEYS["a"])) == 3
    assert items.trash_key(KEYS["a"]) == []
    assert [record.status for record in items.versions(KEYS["a"])] == [Status.WRITE]
    former = items._pool.read_all("SELECT former FROM items WHERE status = -1 ORDER BY id")
    assert former == [(Status.READY,), (Status.FAILED,), (Status.UNINITIALIZED,)]
    assert len(items.versions(KEYS["b"])) == 1


def test_a_move_starts_from_the_status_that_was_seen(items):
    """Two who move at once do not both succeed."""
    record = make(items, status=Status.UNINITIALIZED)
    move = {"size": 3, "digest": b"d" * 16, "signature": None, "error": None}
    assert items.move(record.id, Status.UNINITIALIZED, Status.READY, **move) is True
    assert (
        items.move(
            record.id, Status.UNINITIALIZED, Status.FAILED, size=None, digest=None, signature=None, error="x"
        )
        is False
    )
    found = items.get(record.id)
    assert (found.status, found.size, found.form, found.error) == (Status.READY, 3, "file", None)


def test_a_failure_keeps_its_text(items):
    """For people."""
    record = make(items, status=Status.WRITE)
    items.move(
        record.id, Status.WRITE, Status.FAILED, size=None, digest=None, signature=None, error="it broke"
    )
    assert (items.get(record.id).error, items.get(record.id).cause) == ("it broke", "raised")


def test_the_number_of_records_counts_all(items):
    """Also the trash."""
    make(items)
    make(items)
    items.trash_key(KEYS["a"])
    assert len(items) == 2


def test_a_record_that_is_gone_has_no_status(items):
    """Nor anything else."""
    assert items.status(99) is None
    assert items.get(99) is None
    assert items.attributes(99) == {}
    assert items.inline(99) is None


def test_the_parts_of_a_record_go_with_it(items):
    """Attributes, uses and texts of what is deleted for good leave nothing behind; its version stays used."""
    record = make(items, status=Status.FAILED, attributes=[("", "n", "int", 1)])
    items._pool.update("INSERT INTO details (item, error) VALUES (?, 'broke')", (record.id,))
    items._pool.update("INSERT INTO uses VALUES (?, 1, 1)", (record.id,))
    changes.trash(items._pool, [record.id], unowned_writes=False)
    changes.delete(items._pool, [record.id], forget=True)
    for table in ("items", "attributes", "details", "uses"):
        assert items._pool.read(f"SELECT count(*) FROM {table}") == (0,)
    assert make(items).version == 2


def test_versions_go_on_from_the_highest_that_was_deleted(items):
    """Also when an older one is deleted later, and when rows are left."""
    made = [make(items) for _ in range(4)]
    for record in (made[3], made[1]):
        items._pool.update("DELETE FROM items WHERE id = ?", (record.id,))
    assert make(items).version == 5


def test_a_uri_is_stored_once(items):
    """However many keys it has."""
    for key in "abca":
        make(items, key, uri="u")
    assert items._pool.read_all("SELECT uri FROM uris") == [("u",)]
    assert len(items.search(Filter(uri="u"))) == 4
    assert items.search(Filter(uri="other")) == []

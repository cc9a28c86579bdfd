"""Slots: what tells a process that a key may have changed."""

from __future__ import annotations

import os

import pytest

from cachedeco.registry import slots as module
from cachedeco.registry.slots import SLOTS, Slots, place_of

KEY = bytes(range(16))


@pytest.fixture
def slots(tmp_path):
    made = Slots(str(tmp_path))
    yield made
    made.close()


def test_there_are_no_words_before_the_first_change(slots):
    """A reader makes no file: it may not be allowed to."""
    assert slots.words() is None
    assert not os.path.exists(slots.path)


@pytest.mark.skipif(not hasattr(os.stat_result, "st_blocks"), reason="the system does not tell")
def test_the_file_has_its_place_on_the_disk(slots):
    """A page without one would kill the process at its first use on a full disk."""
    slots.begin([KEY])
    os.sync()
    assert os.stat(slots.path).st_blocks * 512 >= SLOTS * 16


def test_begun_is_raised_first_and_done_follows(slots):
    """In between the two differ, afterwards they are equal."""
    raised = slots.begin([KEY])
    words, place = slots.words(), place_of(KEY)
    assert (words[place], words[place + 1]) == (1, 0)
    slots.done(raised)
    assert (words[place], words[place + 1]) == (1, 1)


def test_every_key_has_a_place_among_the_words():
    """Two words each, for all first bits that a key can have."""
    places = {place_of(bytes([low, high]) + bytes(14)) for low in range(256) for high in range(256)}
    assert places == set(range(0, 2 * SLOTS, 2))


def test_keys_that_share_a_slot_raise_it_once(slots):
    """One transaction, one number."""
    raised = slots.begin([KEY, KEY[:2] + bytes(14)])
    assert raised == [(place_of(KEY), 1)]


def test_another_process_sees_what_is_raised(slots):
    """The file is mapped, not copied."""
    slots.done(slots.begin([KEY]))
    other = Slots(os.path.dirname(slots.path))
    words = other.words()
    assert words[place_of(KEY)] == 1
    slots.begin([KEY])
    assert words[place_of(KEY)] == 2


def test_a_writer_that_died_in_between_is_made_up_for_by_the_next(slots):
    """Until then the slot is not trusted."""
    slots.begin([KEY])
    slots.done(slots.begin([KEY]))
    words, place = slots.words(), place_of(KEY)
    assert words[place] == words[place + 1] == 2


def test_a_file_that_was_replaced_is_noticed(slots, monkeypatch):
    """Its words are another object, so that nothing remembered under the old ones is trusted."""
    monkeypatch.setattr(module, "_TRUST_SECONDS", 0)
    slots.done(slots.begin([KEY]))
    before = slots.words()
    other = Slots(os.path.dirname(slots.path))
    other.replace()
    assert slots.words() is None
    other.done(other.begin([KEY]))
    assert slots.words() is not before


def test_a_writer_never_writes_to_a_file_that_was_removed(slots):
    """Nobody else would see it; it makes a new one, whatever the time of its last look."""
    slots.done(slots.begin([KEY]))
    os.unlink(slots.path)
    slots.begin([KEY])
    assert Slots(os.path.dirname(slots.path)).words()[place_of(KEY)] == 1


def test_a_file_of_another_size_is_passed_over_by_readers_and_replaced_by_writers(slots):
    """Reading beyond its end would kill the process."""
    with open(slots.path, "wb") as file:
        file.write(b"short")
    assert slots.words() is None
    slots.begin([KEY])
    assert os.path.getsize(slots.path) == SLOTS * 16
    assert len(os.listdir(os.path.dirname(slots.path))) == 2


def test_a_folder_in_its_place_is_put_aside(slots):
    """What is in it is kept."""
    os.mkdir(slots.path)
    with open(os.path.join(slots.path, "mine"), "w", encoding="ascii"):
        pass
    slots.begin([KEY])
    assert os.path.isfile(slots.path)


def test_a_link_in_its_place_is_not_followed(slots, tmp_path):
    """Whoever planted it wants another file to be written to."""
    (tmp_path / "other").write_bytes(bytes(SLOTS * 16))
    os.symlink(tmp_path / "other", slots.path)
    assert slots.words() is None
    slots.begin([KEY])
    assert not os.path.islink(slots.path)
    assert (tmp_path / "other").read_bytes() == bytes(SLOTS * 16)


def test_nothing_is_left_beside_it(slots):
    """It is made under another name first."""
    slots.begin([KEY])
    assert os.listdir(os.path.dirname(slots.path)) == ["slots"]


def test_where_it_cannot_be_written_it_is_read(slots, monkeypatch):
    """As in a cache of somebody else."""
    slots.done(slots.begin([KEY]))
    os.chmod(slots.path, 0o400)
    monkeypatch.setattr(module.os, "access", lambda *_: False)
    reader = Slots(os.path.dirname(slots.path))
    words = reader.words()
    assert words.readonly
    assert words[place_of(KEY)] == 1


def test_an_empty_file_leaves_nothing_behind(slots, tmp_path):
    """A power cut makes one, for nobody waits for the disk here; another file of a wrong size is kept for people."""
    (tmp_path / "slots").write_bytes(b"")
    slots.done(slots.begin([KEY]))
    assert os.listdir(tmp_path) == ["slots"]
    slots.close()
    (tmp_path / "slots").unlink()
    (tmp_path / "slots").write_bytes(b"something else")
    slots.done(slots.begin([KEY]))
    assert len(list(tmp_path.glob("slots.damaged-*"))) == 1


def test_what_a_killed_process_was_making_is_deleted(slots, tmp_path):
    """By who makes the file next."""
    (tmp_path / "slots.0123456789abcdef.new").write_bytes(b"half")
    slots.done(slots.begin([KEY]))
    assert os.listdir(tmp_path) == ["slots"]

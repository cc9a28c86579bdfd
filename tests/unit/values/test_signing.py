"""Signatures: of these bytes, for this place, with this key, and of nothing else."""

from __future__ import annotations

import io
import itertools
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachedeco.values.signing import LENGTH, Signer, content_digest, file_digest, tree_digest

FACTS = st.lists(st.none() | st.integers() | st.text(max_size=5) | st.binary(max_size=5), max_size=4)
DIGEST = content_digest(b"content")


def test_the_same_key_agrees_with_itself():
    """Also in another process: nothing random is in it."""
    mac = Signer(b"key").sign("value", [b"k", 1, "pickle", None], DIGEST)
    assert mac.hex() == "01d867ab103b12174b15bc62c6282b975be057fe2c23f9537f56bab0bcccd4dbe5"
    assert Signer(b"key").is_right(mac, "value", [b"k", 1, "pickle", None], DIGEST)


@given(FACTS, FACTS)
def test_different_facts_have_different_signatures(one, other):
    """No two lists are signed as the same text: 1 is not "1", "ab", "c" is not "a", "bc"."""
    signer = Signer(b"key")
    same = [(type(each), each) for each in one] == [(type(each), each) for each in other]
    assert signer.is_right(signer.sign("value", one, DIGEST), "value", other, DIGEST) is same


def test_key_purpose_and_content_count():
    """Each of them."""
    signer = Signer(b"key")
    mac = signer.sign("value", [], DIGEST)
    assert not Signer(b"yek").is_right(mac, "value", [], DIGEST)
    assert not signer.is_right(mac, "arguments", [], DIGEST)
    assert not signer.is_right(mac, "value", [], content_digest(b"other"))


@pytest.mark.parametrize("mac", [None, b"", "text", 5, bytes(LENGTH), b"\x02" + bytes(32), bytearray(LENGTH)])
def test_what_is_no_signature_is_not_right(mac):
    """Whatever a row holds."""
    assert not Signer(b"key").is_right(mac, "value", [1.5], DIGEST)


def test_every_bit_of_it_counts():
    """One flipped bit, and it is wrong."""
    signer = Signer(b"key")
    mac = signer.sign("value", [1], DIGEST)
    for place, bit in itertools.product(range(LENGTH), range(8)):
        forged = bytearray(mac)
        forged[place] ^= 1 << bit
        assert not signer.is_right(bytes(forged), "value", [1], DIGEST)


def test_the_key_is_never_shown():
    """Neither printed nor pickled."""
    signer = Signer(b"sesame")
    assert "sesame" not in repr(signer)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(signer)


def test_an_empty_key_is_none():
    """Whoever forgot to set it would sign with what everybody knows."""
    with pytest.raises(ValueError, match="empty"):
        Signer(b"")


def test_a_file_has_the_digest_of_its_bytes():
    """However many."""
    data = bytes(range(256)) * 9000
    assert file_digest(io.BytesIO(data)) == content_digest(data)


def test_a_folder_has_the_digest_of_its_entries():
    """Order does not count; names, kinds and contents do."""
    entries = [("a", "file", b"1"), ("b", "link", b"a"), ("", "folder", b"")]
    assert tree_digest(entries) == tree_digest(entries[::-1])
    for changed in (
        entries[:2],
        [("c", "file", b"1"), *entries[1:]],
        [("a", "link", b"1"), *entries[1:]],
        [("a", "file", b"2"), *entries[1:]],
        [("a", "file", b"1b"), ("", "link", b"a"), entries[2]],
    ):
        assert tree_digest(changed) != tree_digest(entries)

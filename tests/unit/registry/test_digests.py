"""Remembered digests of files: exact signatures only, and never an error."""

from __future__ import annotations

import pytest

from cachedeco import RegistryUnavailableError
from cachedeco.registry.database import Database
from cachedeco.registry.digests import FileDigests
from cachedeco.registry.pool import Pool

SIGNATURE = ("/data/a.csv", 10, 111, 222, 7)


@pytest.fixture
def pool(tmp_path):
    (tmp_path / "cache").mkdir()
    made = Pool(Database(str(tmp_path / "cache")))
    yield made
    made.close()


def test_a_digest_is_remembered(pool):
    """By another process too: it is in the registry."""
    FileDigests(pool).put(SIGNATURE, b"d" * 16)
    other = Pool(pool.database)
    assert FileDigests(other).get(SIGNATURE) == b"d" * 16
    other.close()


@pytest.mark.parametrize("place", range(5))
def test_a_changed_file_is_not_recognised(pool, place):
    """Each part of the signature counts."""
    digests = FileDigests(pool)
    digests.put(SIGNATURE, b"d" * 16)
    other = list(SIGNATURE)
    other[place] = "/data/b.csv" if place == 0 else other[place] + 1
    assert digests.get(tuple(other)) is None


def test_the_latest_digest_of_a_path_replaces_the_earlier(pool):
    """There is one row a path."""
    digests = FileDigests(pool)
    digests.put(SIGNATURE, b"a" * 16)
    digests.put((*SIGNATURE[:2], 112, *SIGNATURE[3:]), b"b" * 16)
    assert digests.get(SIGNATURE) is None
    assert pool.read("SELECT count(*) FROM file_digests") == (1,)


@pytest.mark.parametrize("inode", [2**63 - 1, 2**63, 2**64 - 1])
def test_any_inode_fits(pool, inode):
    """Some file systems use all 64 bits."""
    digests = FileDigests(pool)
    signature = (*SIGNATURE[:4], inode)
    digests.put(signature, b"d" * 16)
    assert digests.get(signature) == b"d" * 16


def test_a_name_that_is_no_text_is_remembered(pool):
    """File names are bytes."""
    digests = FileDigests(pool)
    signature = ("/data/\udcff.csv", *SIGNATURE[1:])
    digests.put(signature, b"d" * 16)
    assert digests.get(signature) == b"d" * 16


def test_an_unusable_registry_only_forgets(pool, monkeypatch):
    """Reading a file again is better than an error."""

    def broken(*_):
        raise RegistryUnavailableError("no")

    monkeypatch.setattr(pool, "read", broken)
    monkeypatch.setattr(pool, "write", broken)
    FileDigests(pool).put(SIGNATURE, b"d" * 16)
    assert FileDigests(pool).get(SIGNATURE) is None

"""Comparing a local file with what a server says of its own."""

from __future__ import annotations

import base64
import hashlib

import pytest

from cachedeco import OptionError, check_freshness

CONTENT = b"some content"
THEN, LATER = "Mon, 23 Nov 2026 10:00:00 GMT", "Mon, 23 Nov 2026 11:00:00 GMT"
SHA256, MD5 = hashlib.sha256(CONTENT), hashlib.md5(CONTENT, usedforsecurity=False)


def b64(digest):
    return base64.b64encode(digest.digest()).decode()


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(CONTENT)
    return file


def check(path, remote, method="auto", **local):
    return check_freshness(path, remote, local, method)[0]


@pytest.mark.parametrize("name", ["ETag", "etag", "ETAG", "eTaG"])
def test_headers_in_any_spelling(path, name):
    """Names of headers are the same in whatever letters (D42)."""
    assert check(path, {name: '"1"'}, etag='"1"')


def test_weak_and_strong_tags_of_one_file_agree(path):
    """The weak comparison is the one that counts here (D42)."""
    assert check(path, {"etag": 'W/"1"'}, etag='"1"')
    assert not check(path, {"etag": 'W/"2"'}, etag='"1"')


def test_an_unknown_tag_leaves_it_to_the_date(path):
    """What only one side knows is passed over (D42)."""
    assert check(path, {"etag": '"1"', "last-modified": THEN}, last_modified=THEN)


def test_dates_in_any_form_are_compared(path):
    """-0000 and GMT are the same zone (D42)."""
    assert check(path, {"last-modified": "Mon, 23 Nov 2026 10:00:00 -0000"}, last_modified=THEN)


@pytest.mark.parametrize(("remote", "local"), [(LATER, THEN), (THEN, LATER)])
def test_another_date_is_another_file(path, remote, local):
    """Also an older one: somebody has put back what was there before."""
    assert not check(path, {"last-modified": remote}, last_modified=local)


@pytest.mark.parametrize(
    "remote",
    [
        {"content-md5": b64(MD5)},
        {"content-md5": MD5.hexdigest()},
        {"digest": f"md5={b64(MD5)}"},
        {"digest": f"SHA-256={b64(SHA256)},md5=nonsense"},
        {"repr-digest": f"sha-256=:{b64(SHA256)}:"},
        {"x-goog-hash": f"crc32c=n03x6A==, md5={b64(MD5)}"},
        {"x-checksum-sha256": SHA256.hexdigest()},
        {"x-amz-checksum-sha256": b64(SHA256)},
    ],
)
def test_digests_in_the_notations_of_servers(path, remote):
    """Base64 or hex, in all the headers that are in use (D42)."""
    assert check(path, remote)
    assert check(path, remote, "hash")
    path.write_bytes(b"some kontent")
    assert not check(path, remote)


def test_an_equal_size_alone_proves_nothing(path):
    """Another file may be as long (D42); asked for by name it is what the caller wants to know."""
    assert not check(path, {"content-length": "12"})
    assert check(path, {"content-length": "12"}, "size")


def test_another_size_proves_it_is_another_file(path):
    """Whatever tags and dates say: this one is cut off, or was changed."""
    assert not check(path, {"content-length": "13", "etag": '"1"'}, etag='"1"')


def test_compressed_for_the_way_says_nothing_of_the_file(path):
    """Length and digest are those of the compressed bytes (D42)."""
    encoded = {"content-encoding": "gzip", "content-length": "5", "content-md5": b64(MD5)}
    assert check(path, {**encoded, "etag": '"1"'}, etag='"1"')
    assert not check(path, encoded, "size")
    assert not check(path, encoded, "hash")


def test_nothing_known_is_not_current(path, tmp_path):
    """In doubt a file is not current, and the reason says what is missing."""
    assert check_freshness(path, {}, {}) == (False, "the server has said nothing")
    assert check_freshness(path, {"server": "x"}, {}) == (False, "there is nothing to compare")
    assert check_freshness(tmp_path / "gone", {"etag": '"1"'}, {"etag": '"1"'})[0] is False
    assert check(path, {"etag": '"1"'}, "modified", etag='"1"') is False


def test_unknown_method_is_refused(path):
    """A slip in the name is no method that finds nothing."""
    with pytest.raises(OptionError, match="'auto'"):
        check_freshness(path, {"etag": '"1"'}, {}, "etags")

"""Downloading over bad lines from bad servers: what arrives is the file, or an error."""

from __future__ import annotations

import gzip
import hashlib
import threading
import zlib

import pytest

from cachedeco import FetchError, OptionError, get_remote_headers
from cachedeco.files import download as module
from cachedeco.files.download import Wanted, download
from cachedeco.files.http import Address, Client, checked_headers

BODY = bytes(range(256)) * 40
OLD = "Mon, 23 Nov 2026 09:00:00 GMT"


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    """Pauses are noted, not made."""
    noted = []
    monkeypatch.setattr(module, "pause", noted.append)
    return noted


@pytest.fixture
def get(tmp_path):
    """Download a URL; returns the bytes, or None when nothing has changed."""

    def run(url, *, headers=None, timeout=10.0, conditions=None, attempts=3, seen=None, **wanted):
        terms = {"sha256": None, "size": None, "decode": False, **wanted}
        client = Client(
            {"accept-encoding": "identity", **(headers or {})},
            timeout=timeout,
            downgrade=terms["sha256"] is not None,
        )
        path = tmp_path / "file"
        done = download(
            client,
            Wanted(url, conditions=conditions or {}, attempts=attempts, **terms),
            str(path),
            lambda *report: seen is not None and seen.append(report),
        )
        if done.sha256 is None:
            return None
        content = path.read_bytes()
        path.unlink()
        assert done.sha256 == hashlib.sha256(content).hexdigest()
        return content

    yield run
    assert not (tmp_path / "file").exists(), "an error has left bytes behind"


def ranged(reply, body=BODY, etag='"1"', **options):
    """A reply that sends the rest that is asked for, if it is that of this file."""

    def answer(handler):
        asked = handler.headers.get("Range")
        if asked is None or handler.headers.get("If-Range") not in {etag, OLD}:
            return reply(body, ETag=etag, **options)
        first = int(asked.removeprefix("bytes=").removesuffix("-"))
        where = f"bytes {first}-{len(body) - 1}/{len(body)}"
        return reply(body[first:], 206, ETag=etag, Content_Range=where)

    return answer


@pytest.mark.parametrize("how", [{}, {"chunked": True}, {"length": False}], ids=str)
def test_a_file_arrives(get, server, reply, how):
    """However the server says where it ends; who watches is told how much has come."""
    seen = []
    assert get(server.says("/a", reply(BODY, **how)), seen=seen) == BODY
    assert seen[0][0] == 0
    assert seen[-1] == (len(BODY), None if how else len(BODY))


def test_an_empty_file_is_a_file(get, server, reply):
    """No bytes are as good as many."""
    assert get(server.says("/a", reply(b""))) == b""


@pytest.mark.parametrize("how", ["cut", "reset"])
def test_a_broken_transfer_goes_on_where_it_broke(get, server, reply, pauses, how):
    """The rest is asked for, under the condition that the file is still the same."""
    url = server.says("/a", reply(BODY, ETag='"1"', **{how: 5000}), ranged(reply))
    assert get(url) == BODY
    first, second = (headers for _, _, headers in server.requests)
    assert "range" not in first
    assert second["if-range"] == '"1"'
    assert 0 < int(second["range"].removeprefix("bytes=").removesuffix("-")) <= 5000
    assert len(pauses) == 1


def test_an_old_date_of_change_is_condition_enough(get, server, reply):
    """Without an entity tag a date does, if it is well before the answer."""
    url = server.says("/a", reply(BODY, Last_Modified=OLD, cut=5000), ranged(reply, etag=None))
    assert get(url) == BODY
    assert server.requests[1][2]["if-range"] == OLD


@pytest.mark.parametrize("headers", [{"ETag": 'W/"1"'}, {}], ids=["weak", "none"])
def test_without_a_strong_validator_all_comes_anew(get, server, reply, headers):
    """The rest of another file behind the beginning of this one would be no file."""
    assert get(server.says("/a", reply(BODY, cut=5000, **headers), reply(BODY, **headers))) == BODY
    assert "range" not in server.requests[1][2]


def test_a_file_that_changed_meanwhile_comes_anew(get, server, reply):
    """The server answers with all of the new one."""
    new = BODY[::-1]
    assert get(server.says("/a", reply(BODY, ETag='"1"', cut=5000), reply(new, ETag='"2"'))) == new


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": 206, "Content_Range": "bytes 0-10239/10240", "ETag": '"1"'},
        {"status": 206, "Content_Range": "bytes 5000-10239/10241", "ETag": '"1"'},
        {"status": 206, "Content_Range": "bytes 5000-10239/10240", "ETag": '"2"'},
        {"status": 206, "Content_Range": "bytes", "ETag": '"1"'},
        {"status": 206, "ETag": '"1"'},
        {"status": 200, "Content_Range": "bytes 5000-10239/10240"},
        {"status": 416, "Content_Range": "bytes */10240"},
    ],
    ids=str,
)
def test_another_part_than_the_missing_one_is_not_taken(get, server, reply, wrong):
    """What a server sends in place of the rest is not put behind what is there: all comes anew."""
    url = server.says(
        "/a", reply(BODY, ETag='"1"', cut=5000), reply(BODY[5000:], **wrong), reply(BODY, ETag='"1"')
    )
    assert get(url) == BODY
    assert "range" not in server.requests[2][2]


def test_what_gets_further_does_not_count_as_an_attempt(get, server, reply):
    """A large file comes over a bad line in many pieces."""

    def piece(handler):
        asked = handler.headers.get("Range", "bytes=0-")
        first = int(asked.removeprefix("bytes=").removesuffix("-"))
        where = {"status": 206, "Content_Range": f"bytes {first}-10239/10240"} if first else {}
        return reply(BODY[first:], ETag='"1"', cut=1000, **where)

    assert get(server.says("/a", piece), attempts=2) == BODY
    assert len(server.requests) == 11


def test_attempts_that_get_no_further_are_counted(get, server, reply, pauses):
    """A server that always breaks off at the same place is given up."""
    with pytest.raises(FetchError, match="before the end"):
        get(server.says("/a", reply(BODY, cut=5000)), attempts=3)
    assert len(server.requests) == 3
    assert len(pauses) == 2


def test_breaking_off_now_here_now_there_does_not_go_on_for_ever(get, server, reply):
    """Only what is further than ever before counts as getting further."""
    replies = [reply(BODY, cut=cut) for _ in range(20) for cut in (5000, 4000)]
    with pytest.raises(FetchError):
        get(server.says("/a", *replies), attempts=3)
    assert len(server.requests) == 3


def test_a_body_that_ends_early_is_no_file(get, server, reply):
    """The length that the server has named counts."""
    with pytest.raises(FetchError, match="7 bytes before the end"):
        get(server.says("/a", reply(BODY, length=len(BODY) + 7)), attempts=1)


def test_chunks_that_end_early_are_no_file(get, server, reply):
    """The chunk that says that it is the last one has to come."""
    with pytest.raises(FetchError, match="could not be downloaded"):
        get(server.says("/a", reply(b"abcdef", chunked=True, cut=12)), attempts=1)


def test_a_length_that_is_too_small_shows_by_the_digest(get, server, reply):
    """What HTTP cannot tell, an expected digest can."""
    url = server.says("/a", reply(BODY, length=100))
    with pytest.raises(FetchError, match="SHA-256"):
        get(url, sha256=hashlib.sha256(BODY).hexdigest())
    assert len(server.requests) == 1


def test_expected_size_is_asked_before_the_bytes_come(get, server, reply):
    """And while they come, where the server names none."""
    with pytest.raises(FetchError, match="10240 bytes, and size=10"):
        get(server.says("/a", reply(BODY)), size=10)
    with pytest.raises(FetchError, match="more than the expected size=10"):
        get(server.says("/b", reply(BODY, length=False)), size=10)
    with pytest.raises(FetchError, match="10240 bytes, and size=20000"):
        get(server.says("/c", reply(BODY, length=False)), size=20000)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_passes_is_tried_again(get, server, reply, pauses, status):
    """After a growing pause."""
    assert get(server.says("/a", reply(b"", status), reply(b"", status), reply(BODY))) == BODY
    assert 0.25 <= pauses[0] <= 0.75
    assert 0.5 <= pauses[1] <= 1.5


@pytest.mark.parametrize("status", [204, 400, 401, 403, 404, 410, 416, 451, 206, 304])
def test_what_does_not_pass_is_not(get, server, reply, status):
    """Asking again would get the same answer."""
    with pytest.raises(FetchError, match=f"status {status}") as caught:
        get(server.says("/a", reply(b"", status)))
    assert len(server.requests) == 1
    assert caught.value.status == status


@pytest.mark.parametrize("after", ["7", "Mon, 23 Nov 2026 10:00:07 GMT"])
def test_the_server_says_when_to_come_back(get, server, reply, pauses, after):
    """In seconds, or at a time of its own clock, which may be far from ours."""
    assert get(server.says("/a", reply(b"", 429, Retry_After=after), reply(BODY))) == BODY
    assert pauses == [7.0]


def test_nobody_waits_for_hours(get, server, reply, pauses):
    """A server that asks for that gets no second question."""
    with pytest.raises(FetchError, match="come back in 7200 seconds"):
        get(server.says("/a", reply(b"", 503, Retry_After="7200")))
    assert pauses == []


def test_no_server_is_an_error(get, server, pauses):
    """After as many attempts as are allowed."""
    server.server_close()
    with pytest.raises(FetchError, match="no answer"):
        get(server.base + "/a", attempts=3)
    assert len(pauses) == 2


def test_a_server_that_falls_silent_is_given_up(get, server, reply):
    """After the time that the caller gives it."""
    silent = reply(BODY, until=threading.Event())
    with pytest.raises(FetchError, match="timed out"):
        get(server.says("/a", silent), timeout=0.05, attempts=1)
    silent.until.set()


def test_not_modified_is_believed_when_it_was_asked(get, server, reply):
    """The condition goes along, and nothing is written."""
    assert get(server.says("/a", reply(b"", 304)), conditions={"If-None-Match": '"1"'}) is None
    assert server.requests[0][2]["if-none-match"] == '"1"'


def test_not_modified_of_another_file_is_not_believed(get, server, reply):
    """The file is asked for without a condition, then."""
    url = server.says("/a", reply(b"", 304, ETag='"2"'), reply(BODY))
    assert get(url, conditions={"If-None-Match": '"1"'}) == BODY
    assert "if-none-match" not in server.requests[1][2]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(get, server, reply, status):
    """Also to another host, by a whole URL or a part of one."""
    server.says("/c", reply(BODY))
    server.says("/b", reply(b"", status, Location=server.base + "/c"))
    assert get(server.says("/a", reply(b"", status, Location="b?"))) == BODY


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://127.0.0.1/a", "data:,a", "javascript:1", "http://:80/"]
)
def test_redirects_elsewhere_are_not(get, server, reply, target):
    """Only http and https, at each step."""
    server.says("/b", reply(b"", 302, Location=target))
    with pytest.raises(FetchError, match="only http and https"):
        get(server.says("/a", reply(b"", 302, Location="/b")))


def test_a_ring_of_redirects_ends(get, server, reply):
    """After ten steps it is an error."""
    server.says("/b", reply(b"", 302, Location="/a"))
    with pytest.raises(FetchError, match="more than 10 redirects"):
        get(server.says("/a", reply(b"", 302, Location="/b")))
    assert len(server.requests) == 11


def test_a_redirect_from_https_to_http_needs_a_digest():
    """Anybody on the way could otherwise change the file."""
    client = Client({}, timeout=1)
    with pytest.raises(FetchError, match="sha256="):
        client._next("https://a.example/", "https://a.example/", "http://a.example/b")
    known = Client({}, timeout=1, downgrade=True)
    assert (
        known._next("https://a.example/", "https://a.example/", "http://a.example/b") == "http://a.example/b"
    )


def test_secrets_do_not_go_to_other_hosts(get, server, reply):
    """Only what every server may know goes along; on the same host all does."""
    other = server.base.replace("127.0.0.1", "localhost")
    server.says("/c", reply(BODY))
    server.says("/b", reply(b"", 302, Location=other + "/c"))
    secrets = {"authorization": "Bearer x", "cookie": "x", "x-api-key": "x", "accept": "text/csv"}
    assert get(server.says("/a", reply(b"", 302, Location="/b")), headers=secrets) == BODY
    first, second, third = (headers for _, _, headers in server.requests)
    assert first["x-api-key"] == second["x-api-key"] == "x"
    assert third.keys().isdisjoint({"authorization", "cookie", "x-api-key"})
    assert third["accept"] == "text/csv"


def test_a_redirect_brings_no_credentials(get, server, reply):
    """A name and password in the place that it leads to are not used."""
    server.says("/b", reply(BODY))
    other = server.base.replace("//", "//me:secret@")
    assert get(server.says("/a", reply(b"", 302, Location=other + "/b"))) == BODY
    assert "authorization" not in server.requests[1][2]


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(BODY)),
        ("x-gzip", gzip.compress(BODY[:100]) + gzip.compress(BODY[100:])),
        ("deflate", zlib.compress(BODY)),
        ("identity", BODY),
    ],
)
def test_compression_for_the_way_is_undone_only_if_asked(get, server, reply, encoding, body):
    """Otherwise the bytes are kept as they came."""
    url = server.says("/a", reply(body, Content_Encoding=encoding))
    assert get(url) == body
    assert get(url, decode=True, size=len(BODY)) == BODY


def test_a_compressed_transfer_goes_on_too(get, server, reply):
    """Where it broke is counted in the bytes that are sent."""
    body = gzip.compress(BODY, mtime=0)
    kept = reply(body, ETag='"1"', Content_Encoding="gzip", cut=100)
    assert get(server.says("/a", kept, ranged(reply, body)), decode=True) == BODY


def test_compressed_content_that_ends_early_is_no_file(get, server, reply):
    """Even if the server says that all has come."""
    url = server.says("/a", reply(gzip.compress(BODY)[:-9], Content_Encoding="gzip"))
    with pytest.raises(FetchError, match="ends too early"):
        get(url, decode=True, attempts=2)


def test_compressed_content_that_is_damaged_is_no_file(get, server, reply):
    """Nor is it one that cannot be read."""
    with pytest.raises(FetchError, match="damaged"):
        get(server.says("/a", reply(b"nonsense", Content_Encoding="gzip")), decode=True, attempts=1)


def test_an_unknown_compression_is_named(get, server, reply):
    """What cannot be undone is not stored as if it had been."""
    with pytest.raises(OptionError, match="'br'"):
        get(server.says("/a", reply(b"x", Content_Encoding="br")), decode=True)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://a/b", "a.csv", "", "http://", "http://a:b/c", "http://a/\r\nb", None]
)
def test_only_urls_of_http(url):
    """Anything else is refused before it is asked for."""
    with pytest.raises(OptionError):
        Address(url)


def test_credentials_are_parted_from_the_url():
    """They become a header; what is left may be shown."""
    address = Address("https://me:p%40ss@example.org:8443/a?b=c#d")
    assert address.url == "https://example.org:8443/a?b=c"
    assert address.authorization == "Basic bWU6cEBzcw=="


def test_credentials_in_a_wrong_url_are_not_shown():
    """Not even in the message about it."""
    with pytest.raises(OptionError) as caught:
        Address("ftp://me:secret@example.org/a")
    assert "secret" not in str(caught.value)


def test_strange_signs_in_a_url_are_quoted_on_the_way(get, server, reply):
    """Blanks, umlauts and brackets arrive as the server knows them; what is quoted stays so."""
    server.says("/a%20%20b/%C3%BC%5B%25", reply(BODY))
    assert get(server.base + "/a  b/ü%5B%25") == BODY


@pytest.mark.parametrize(
    "headers", [{"Range": "bytes=1-"}, {"host": "x"}, {"a b": "x"}, {"a": "x\r\nb: y"}, {"a": 1}, {"a": "é"}]
)
def test_headers_that_cannot_be_sent_are_refused(headers):
    """And those that belong to the transfer."""
    with pytest.raises(OptionError, match="headers"):
        checked_headers(headers)


def test_headers_of_a_server_without_its_file(server, reply):
    """Asked with HEAD; by their names in small letters."""
    found = get_remote_headers(server.says("/a", reply(BODY, ETag='"1"')))
    assert found["etag"] == '"1"'
    assert found["content-length"] == "10240"
    assert server.requests[0][0] == "HEAD"


def test_headers_of_a_server_that_knows_no_head(server, reply):
    """Then it is asked for the file, which is not read."""
    assert get_remote_headers(server.says("/a", reply(b"", 405), reply(BODY, ETag='"1"')))["etag"] == '"1"'


def test_headers_of_an_error_are_none(server, reply):
    """Those of an error page say nothing of the file (D42)."""
    assert get_remote_headers(server.says("/a", reply(b"sorry", 500, ETag='"1"'))) == {}
    server.server_close()
    assert get_remote_headers(server.base + "/a") == {}

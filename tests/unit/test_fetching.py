"""Files from servers as items: when they are asked for again, what is kept, and by whom it is fetched."""

from __future__ import annotations

import datetime
import gzip
import hashlib
import logging
import os
import subprocess
import sys
import threading

import pytest

from cachedeco import (
    Cache,
    FetchError,
    MissError,
    OptionError,
    Status,
    StoreWarning,
    cached,
    check_freshness,
    fetching,
    held,
    metadata_from_item,
)
from cachedeco.files import download

BODY, OTHER = b"a,b\n1,2\n", b"a,b\n3,4\n"
SHA256 = hashlib.sha256(BODY).hexdigest()
FOREVER = "max-age=1000000000"
PATIENCE = 60.0


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    """Nobody waits between two attempts."""
    monkeypatch.setattr(download, "pause", lambda seconds: None)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """What time it is for the one who fetches; tests move it."""

    class Clock:
        ahead = 0.0

        def __getattr__(self, name):
            return getattr(real, name)

        def time(self):
            return real.time() + self.ahead

    real, fake = fetching.time, Clock()
    monkeypatch.setattr(fetching, "time", fake)
    monkeypatch.setattr(download, "time", fake)
    return fake


def asked(server):
    return len(server.requests)


def test_a_file_becomes_a_ready_item(cache, server, reply):
    """With its bytes, the name that it has in the URL, and what the server has said of it."""
    item = cache.fetch(
        server.says("/data/a%20b.tar.gz?x=1", reply(BODY, ETag='"1"', Set_Cookie="secret")),
        attrs={"kind": "table"},
        label="mine",
    )
    assert item.status == Status.READY
    assert item.path.read_bytes() == BODY
    assert (item.filename, item.ext, item.label, item.version) == ("a b.tar.gz", "tar.gz", "mine", 1)
    assert item.attrs["sha256"] == SHA256
    assert item.attrs["resp_headers"]["etag"] == '"1"'
    assert item.attrs["kind"] == "table"
    assert "secret" not in repr(item.attrs)
    assert not os.access(item.path, os.W_OK) or os.geteuid() == 0
    assert cache.best(server.base + "/data/a%20b.tar.gz?x=1") == item
    assert [each.name for each in item.path.parent.iterdir()] == ["a b.tar.gz"]


def test_a_fresh_file_is_not_asked_for(cache, server, reply):
    """As long as the server has said, and by another cache object too."""
    url = server.says("/a", reply(BODY, Cache_Control=FOREVER, Date=None))
    item = cache.fetch(url)
    assert cache.fetch(url) == item
    with Cache(cache.path) as other:
        assert other.fetch(url).path.read_bytes() == BODY
    assert asked(server) == 1


def test_a_stale_file_that_has_not_changed_stays(cache, server, reply, clock):
    """The server is asked by the entity tag; what it says anew of the file counts from then on."""
    url = server.says(
        "/a",
        reply(BODY, ETag='W/"1"', Cache_Control="max-age=60", Date=None),
        reply(status=304, Cache_Control="max-age=600", Date=None),
    )
    item = cache.fetch(url)
    clock.ahead = 61
    assert cache.fetch(url) == item
    assert server.requests[1][2]["if-none-match"] == 'W/"1"'
    clock.ahead = 600
    assert cache.fetch(url) == item
    assert asked(server) == 2
    assert len(cache) == 1, "asking whether something has changed has left a record"
    assert item.attrs["sha256"] == SHA256


def test_a_file_that_has_changed_is_a_new_version(cache, server, reply):
    """The old one stays."""
    url = server.says("/a", reply(BODY, ETag='"1"'), reply(OTHER, ETag='"2"'))
    old, new = cache.fetch(url), cache.fetch(url)
    assert (old.version, new.version) == (1, 2)
    assert old.path.read_bytes() == BODY
    assert new.path.read_bytes() == OTHER


def test_without_validators_a_stale_file_is_fetched_anew(cache, server, reply):
    """There is nothing to ask by."""
    url = server.says("/a", reply(BODY))
    assert cache.fetch(url).version == 1
    assert cache.fetch(url).version == 2
    assert cache.fetch(url, validators=()).version == 3


def test_the_validators_that_count_are_the_callers_choice(cache, server, reply):
    """And so is their order."""
    then = "Mon, 23 Nov 2026 09:00:00 GMT"
    url = server.says("/a", reply(BODY, ETag='"1"', Last_Modified=then), reply(status=304))
    cache.fetch(url)
    cache.fetch(url, validators=("modified", "etag"))
    assert server.requests[1][2]["if-modified-since"] == then
    assert "if-none-match" not in server.requests[1][2]


def test_the_users_expiry_comes_before_the_servers(cache, server, reply, clock):
    """In both directions."""
    url = server.says("/a", reply(BODY, ETag='"1"', Cache_Control="max-age=60", Date=None), reply(status=304))
    item = cache.fetch(url)
    clock.ahead = 3600
    assert cache.fetch(url, expires=datetime.timedelta(days=1)) == item
    assert asked(server) == 1
    assert cache.fetch(url, expires=0) == item
    assert asked(server) == 2


def test_refresh_asks_in_any_case(cache, server, reply):
    """Even if the file is fresh."""
    url = server.says("/a", reply(BODY, ETag='"1"', Cache_Control=FOREVER, Date=None), reply(status=304))
    assert cache.fetch(url) == cache.fetch(url, refresh=True)
    assert asked(server) == 2


def test_a_file_with_the_expected_digest_is_always_fresh(cache, server, reply):
    """What it has to be it is, whatever the server says; another one is an error and no item."""
    url = server.says("/a", reply(BODY, Cache_Control="no-store"), reply(OTHER))
    item = cache.fetch(url, sha256=SHA256)
    assert cache.fetch(url, sha256=SHA256.upper()) == item
    assert asked(server) == 1
    with pytest.raises(FetchError, match="SHA-256"):
        cache.fetch(url, sha256="0" * 64)
    (failed,) = cache.search(status=Status.FAILED)
    assert "SHA-256" in failed.error
    assert list(failed.path.parent.iterdir()) == []
    assert cache.best(url) == item


def test_a_file_of_another_digest_is_not_taken_from_the_cache(cache, server, reply):
    """Even if it is fresh."""
    url = server.says("/a", reply(OTHER, Cache_Control=FOREVER, Date=None), reply(BODY))
    cache.fetch(url)
    assert cache.fetch(url, sha256=SHA256).path.read_bytes() == BODY


def test_a_file_made_by_hand_counts(cache, server, reply, tmp_path):
    """By its content where a digest is asked for, and offline."""
    (tmp_path / "a").write_bytes(BODY)
    url = server.base + "/a"
    item = cache.move_in(tmp_path / "a", url)
    assert cache.fetch(url, sha256=SHA256) == item
    assert cache.fetch(url, offline=True) == item
    assert asked(server) == 0


def test_a_value_of_a_function_of_that_uri_is_not_the_file(cache, server, reply):
    """A function may make anything of a URL; only files count that are what the server sent."""
    url = server.says("/a", reply(BODY))

    @cached(cache=cache, uri=url, params=())
    def parsed():
        return {"a": 1}

    @cached(cache=cache, uri=url, params=(), output="a")
    def made(output=None):
        output.write_bytes(OTHER)
        return output

    parsed()
    assert cache.fetch(url).path.read_bytes() == BODY


def test_a_damaged_file_is_fetched_again(cache, server, reply):
    """What is not what was stored is no hit, nor asked about."""
    url = server.says("/a", reply(BODY, ETag='"1"', Cache_Control=FOREVER, Date=None))
    item = cache.fetch(url)
    item.path.chmod(0o600)
    item.path.write_bytes(OTHER)
    assert cache.fetch(url).path.read_bytes() == BODY
    assert "if-none-match" not in server.requests[1][2]


def test_params_are_part_of_the_key(cache, server, reply):
    """What the caller chooses by headers can be told apart by them."""
    url = server.says("/a", reply(BODY, Cache_Control=FOREVER, Date=None))
    csv = cache.fetch(url, {"format": "csv"}, headers={"Accept": "text/csv"})
    html = cache.fetch(url, {"format": "html"}, headers={"Accept": "text/html"})
    assert csv.key != html.key
    assert [headers["accept"] for _, _, headers in server.requests] == ["text/csv", "text/html"]


def test_an_answer_to_other_headers_is_not_taken(cache, server, reply):
    """Where the server says that it depends on them."""
    url = server.says("/a", reply(BODY, Vary="Accept", Cache_Control=FOREVER, Date=None, ETag='"1"'))
    cache.fetch(url, headers={"Accept": "text/csv"})
    cache.fetch(url, headers={"Accept": "text/csv"})
    assert asked(server) == 1
    cache.fetch(url, headers={"Accept": "text/html"})
    assert "if-none-match" not in server.requests[1][2]


def test_offline_asks_nobody(cache, server, reply, monkeypatch):
    """The newest file is taken, fresh or not; without one it is an error that says why."""
    url = server.says("/a", reply(BODY))
    item = cache.fetch(url)
    monkeypatch.setenv("CACHEDECO_OFFLINE", "1")
    assert cache.fetch(url) == item
    with pytest.raises(MissError, match="offline"):
        cache.fetch(server.base + "/b")
    assert asked(server) == 1
    assert cache.fetch(url, offline=False).version == 2


def test_a_cache_that_is_only_read_asks_nobody(cache, server, reply):
    """It could not keep what it gets."""
    url = server.says("/a", reply(BODY))
    item = cache.fetch(url)
    with Cache(cache.path, mode="read-only") as reader:
        assert reader.fetch(url).version == item.version
        with pytest.raises(MissError, match="read-only"):
            reader.fetch(server.base + "/b")
    with Cache(cache.path, mode="raise-on-miss") as strict, pytest.raises(MissError, match="raise-on-miss"):
        strict.fetch(url)
    assert asked(server) == 1


def test_a_stale_file_in_place_of_an_error_if_the_caller_says_so(cache, server, reply):
    """With one warning; the failure is on record."""
    url = server.says("/a", reply(BODY), reply(status=404))
    item = cache.fetch(url)
    with pytest.warns(StoreWarning, match="404"):
        assert cache.fetch(url, on_error="stale") == item
    assert len(cache.search(url, status=Status.FAILED)) == 1
    with pytest.raises(FetchError, match="404"):
        cache.fetch(url)


def test_a_stale_file_in_place_of_an_error_if_the_server_says_so(cache, server, reply):
    """Only when it is out of order, and not against the caller's word."""
    control = "max-age=0, stale-if-error=600"
    url = server.says(
        "/a", reply(BODY, Cache_Control=control, Date=None), reply(status=500), reply(status=404)
    )
    item = cache.fetch(url)
    with pytest.warns(StoreWarning, match="500"):
        assert cache.fetch(url, retry=1) == item
    with pytest.raises(FetchError, match="404"):
        cache.fetch(url, retry=1)
    server.says("/a", reply(status=500))
    with pytest.raises(FetchError, match="500"):
        cache.fetch(url, retry=1, on_error="raise")


def test_nothing_is_stale_enough_for_another_digest(cache, server, reply):
    """A file that is not what is wanted is no help."""
    url = server.says("/a", reply(OTHER))
    cache.fetch(url)
    with pytest.raises(FetchError, match="SHA-256"):
        cache.fetch(url, sha256=SHA256, on_error="stale")


def test_credentials_are_sent_and_neither_stored_nor_shown(cache, server, reply, caplog):
    """Neither those in the URL nor those in the headers."""
    url = server.says("/a", reply(BODY, Vary="Authorization", Cache_Control=FOREVER, Date=None))
    server.says("/b", reply(status=401))
    caplog.set_level(logging.DEBUG)
    item = cache.fetch(url.replace("//", "//me:geheim@"))
    assert server.requests[0][2]["authorization"] == "Basic bWU6Z2VoZWlt"
    assert item.uri == url
    with pytest.raises(FetchError) as caught:
        cache.fetch(server.base.replace("//", "//me:geheim@") + "/b", headers={"X-Token": "geheim"})
    cache.close()
    for folder, _, names in os.walk(cache.path):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                content = file.read()
            assert b"geheim" not in content
            assert b"Z2VoZWlt" not in content
    assert "geheim" not in caplog.text + str(caught.value)


def test_an_answer_that_depends_on_who_asks_is_asked_for_each_time(cache, server, reply):
    """By the entity tag alone: what one may see is not given to another."""
    url = server.says("/a", reply(BODY, Vary="Cookie", Cache_Control=FOREVER, Date=None, ETag='"1"'))
    cache.fetch(url, headers={"Cookie": "one"})
    cache.fetch(url, headers={"Cookie": "two"})
    assert server.requests[1][2]["if-none-match"] == '"1"'


def test_compressed_and_plain_are_not_mistaken_for_each_other(cache, server, reply):
    """What was kept compressed is not given to who wants it plain."""
    packed = gzip.compress(BODY)
    url = server.says("/a", reply(packed, Content_Encoding="gzip", Cache_Control=FOREVER, Date=None))
    assert cache.fetch(url).path.read_bytes() == packed
    assert cache.fetch(url, decode=True).path.read_bytes() == BODY
    assert cache.fetch(url).path.read_bytes() == packed
    assert server.requests[0][2]["accept-encoding"] == "identity"


def test_one_fetches_for_all_threads(cache, server, reply):
    """The others wait for it and get the same item, even if it is stale at once."""
    go = threading.Event()
    slow = reply(BODY, until=go)
    url = server.says("/a", slow)
    items = []
    threads = [threading.Thread(target=lambda: items.append(cache.fetch(url))) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert slow.reached.wait(PATIENCE)
    go.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(items) == 8
    assert len({item.path.read_bytes() for item in items}) == 1
    # A thread that began only after the answer came asks anew.
    assert asked(server) == len(set(items))


def test_who_waits_gets_the_failure_too(cache, server, reply, monkeypatch):
    """A server that is out of order is not asked once more for each of them."""
    go, waits = threading.Event(), threading.Semaphore(0)
    slow = reply(status=500, until=go)
    url = server.says("/a", slow)
    wait_here = held.wait_here

    def wait_and_tell(*arguments):
        waits.release()
        return wait_here(*arguments)

    monkeypatch.setattr(held, "wait_here", wait_and_tell)
    errors = []

    def fetch():
        try:
            cache.fetch(url, retry=1)
        except FetchError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=fetch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        assert waits.acquire(timeout=PATIENCE)
    go.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(errors) == 4
    assert all("500" in each for each in errors)
    assert asked(server) == 1


OTHER_PROCESS = """
import sys
from cachedeco import Cache
with Cache(sys.argv[1]) as cache:
    item = cache.fetch(sys.argv[2])
    print(item.version, item.path.read_text().split()[0])
"""


def start(cache, url):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-W", "error", "-c", OTHER_PROCESS, cache.path, url]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def test_one_fetches_for_all_processes(cache, server, reply):
    """While one downloads, another one waits, and both have the one version."""
    go = threading.Event()
    slow = reply(BODY, until=go, Cache_Control=FOREVER, Date=None)
    url = server.says("/a", slow)
    first = start(cache, url)
    assert slow.reached.wait(PATIENCE)
    second = start(cache, url)
    go.set()
    assert first.communicate(timeout=PATIENCE)[0] == second.communicate(timeout=PATIENCE)[0] == "1 a,b\n"
    assert asked(server) == 1


def test_a_process_that_is_killed_lets_the_next_one_fetch(cache, server, reply):
    """And leaves nothing that is taken for the file."""
    go = threading.Event()
    slow = reply(BODY, until=go)
    url = server.says("/a", slow, reply(BODY))
    first = start(cache, url)
    assert slow.reached.wait(PATIENCE)
    first.kill()
    first.communicate(timeout=PATIENCE)
    assert cache.fetch(url).path.read_bytes() == BODY
    go.set()
    assert [each.cause for each in cache.search(url, status=Status.FAILED)] == ["abandoned"]


def test_an_interrupt_leaves_no_claim_behind(cache, server, reply, monkeypatch):
    """Ctrl-C in the middle of a download is nobody else's failure."""
    url = server.says("/a", reply(BODY))

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fetching, "download", interrupt)
        with pytest.raises(KeyboardInterrupt):
            cache.fetch(url)
    assert cache.fetch(url).path.read_bytes() == BODY


def test_a_disk_that_is_full_is_no_fault_of_the_server(cache, server, reply, monkeypatch):
    """It is an OSError, is not tried again, and leaves a failed item."""
    url = server.says("/a", reply(BODY))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download.DigestingFile, "write", full)
    with pytest.raises(OSError, match="No space left"):
        cache.fetch(url)
    assert asked(server) == 1
    assert cache.search(url)[0].status == Status.FAILED


def test_what_is_fetched_into_a_signed_cache_is_signed(tmp_path, server, reply):
    """And found again by its key; without it, it is no hit."""
    url = server.says("/a", reply(BODY, Cache_Control=FOREVER, Date=None))
    with Cache(tmp_path / "signed", signing_key="k") as signed:
        item = signed.fetch(url)
        assert signed.fetch(url) == item
    with Cache(tmp_path / "signed", signing_key="other") as other:
        assert other.fetch(url) != item


def test_metadata_of_an_item_is_what_its_server_said(cache, server, reply):
    """Together with the answer of a server it tells whether the file is current."""
    then = "Mon, 23 Nov 2026 09:00:00 GMT"
    item = cache.fetch(server.says("/a", reply(BODY, ETag='"1"', Last_Modified=then)))
    known = metadata_from_item(item)
    assert known == {"etag": '"1"', "last_modified": then, "sha256": SHA256, "size": 8}
    assert check_freshness(item.path, {"ETag": '"1"'}, known)[0]
    assert not check_freshness(item.path, {"ETag": '"2"'}, known)[0]


def test_metadata_of_an_item_made_by_hand(cache):
    """From its own attributes, or from headers in any spelling."""
    item = cache.create("u", attrs={"etag": '"1"', "resp_headers": {"Last-Modified": "then"}}, filename="f")
    item.path.write_bytes(BODY)
    item.ready()
    assert metadata_from_item(item) == {"etag": '"1"', "last_modified": "then", "sha256": None, "size": 8}


@pytest.mark.parametrize(
    "options",
    [
        {"url": "file:///etc/passwd"},
        {"sha256": "abc"},
        {"size": -1},
        {"expires": -1},
        {"expires": "1d"},
        {"validators": ("etags",)},
        {"on_error": "ignore"},
        {"retry": 0},
        {"timeout": "long"},
        {"headers": {"Range": "bytes=0-"}},
        {"attrs": {"sha256": "mine"}},
        {"filename": "../a"},
        {"ext": "/../a"},
    ],
    ids=str,
)
def test_wrong_options_are_refused_before_anybody_is_asked(cache, server, options):
    """And nothing is recorded."""
    with pytest.raises(OptionError):
        cache.fetch(**{"url": server.base + "/a", **options})
    assert asked(server) == len(cache) == 0


@pytest.mark.parametrize("name", ["", "..", "%2e%2e", "a%2fb", "a%5cb", "a%00b", "x" * 300])
def test_a_name_that_no_file_can_have_is_not_taken(cache, server, reply, name):
    """The file lies in its item's folder whatever the URL ends with."""
    item = cache.fetch(server.says(f"/a/{name}", reply(BODY)))
    assert item.path.is_file()
    assert str(item.path).startswith(os.path.join(cache.path, "items") + os.sep)
    assert len(item.path.relative_to(cache.path).parts) == 4

"""Fetching files from servers: which stored one will do, asking whether it has changed, downloading, keeping.

fetch -> there is one that is fresh --------------------------------> that one
      -> somebody is fetching it: wait, look again (it failed: raise)
      -> claim it, ask the server -> nothing has changed ------------> the stored one, fresh again
                                  -> a file: stage, check, commit ---> a new version
                                  -> an error: the stale one, or raise
"""

from __future__ import annotations

import os
import time

from cachedeco import changes, held, log
from cachedeco.calls import notices
from cachedeco.calls.options import one_of
from cachedeco.calls.progress import bytes_bar
from cachedeco.errors import FetchError, MissError, OptionError
from cachedeco.files import freshness
from cachedeco.files.download import Wanted, download
from cachedeco.files.freshness import VALIDATORS, Answered
from cachedeco.files.http import Address, Client, ConnectionBrokenError, checked_headers
from cachedeco.item import CacheItem
from cachedeco.registry.claims import new_token
from cachedeco.registry.items import Filter
from cachedeco.registry.ordering import NEWEST_FIRST
from cachedeco.settings import OFFLINE_VARIABLE, is_on
from cachedeco.status import Status

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping, Sequence
    from typing import Any

    from cachedeco.files.download import Downloaded
    from cachedeco.making import Making

HEADERS, TIMES, DIGEST = "resp_headers", "fetch", "sha256"
"""The attributes that a fetched item has besides the caller's: two namespaces and a text."""

_SHA256_DIGITS = 64
_NAME_LIMIT = 200
_SERVER_ERRORS = 500


class Terms:
    """What a caller asks of a file: the options of `Cache.fetch`, checked.

    Raises:
        OptionError: one has a value that it cannot have.
    """

    def __init__(
        self,
        *,
        sha256: str | None,
        size: int | None,
        expires: datetime.timedelta | float | None,
        validators: Sequence[str],
        refresh: bool,
        offline: bool | None,
        on_error: str | None,
        retry: int,
        timeout: float,
        decode: bool,
    ) -> None:
        self.sha256 = None if sha256 is None else _checked_digest(sha256)
        if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 0):
            raise OptionError(f"fetch(size={size!r}): it is a number of bytes")
        self.size = size
        self.expires = None if expires is None else _checked_seconds("expires", expires)
        if isinstance(validators, str):
            validators = (validators,)
        self.validators = tuple(one_of("validators", each, VALIDATORS) for each in validators)
        self.refresh = refresh
        self.offline = is_on(os.environ.get(OFFLINE_VARIABLE)) if offline is None else bool(offline)
        self.on_error = None if on_error is None else one_of("on_error", on_error, ("raise", "stale"))
        if isinstance(retry, bool) or not isinstance(retry, int) or retry < 1:
            raise OptionError(f"fetch(retry={retry!r}): it is the number of attempts, at least 1")
        self.retry = retry
        self.timeout = _checked_seconds("timeout", timeout)
        self.decode = bool(decode)


class Fetch:
    """One call of `Cache.fetch`."""

    def __init__(
        self,
        cache: Making,
        url: str,
        terms: Terms,
        *,
        uri: str | None,
        params: Mapping[str, Any] | None,
        headers: Mapping[str, str] | None,
        attrs: Mapping[str, Any] | None,
        ext: str | None,
        label: str | None,
        filename: str | None,
        progress: bool | None,
    ) -> None:
        address, given = Address(url), checked_headers(headers)
        if address.authorization and "authorization" not in given:
            given["authorization"] = address.authorization
        given.setdefault("accept-encoding", "gzip, deflate" if terms.decode else "identity")
        taken = {HEADERS, TIMES, DIGEST} & set(attrs or {})
        if taken:
            raise OptionError(f"fetch(attrs=...): {min(taken)!r} is what fetch itself records")
        self._cache = cache
        self._store = cache.store
        self._terms = terms
        self._url = address.url
        self._client = Client(given, timeout=terms.timeout, downgrade=terms.sha256 is not None)
        self._progress = progress
        name = filename or _name_in(address.url)
        self._wanted = cache._handmade(uri or address.url, params, attrs, ext, label, name)  # noqa: SLF001 - a part of it
        self._began = time.time()

    def run(self) -> CacheItem:
        """The item, fetched or not."""
        found = self._look()
        if found is not None:
            return found
        if self._terms.offline or self._cache.mode == "read-only":
            return self._without_server()
        if self._cache.mode != "read-write":
            raise MissError(
                f"{self._url} would have to be fetched, and the cache has mode={self._cache.mode!r}"
            )
        token = new_token()
        try:
            outcome = held.best_or_claim(self._store, self._wanted, self._look, token)
            if isinstance(outcome, CacheItem):
                return outcome
            return self._fetched(self._cache._claimed(outcome))  # noqa: SLF001 - as above
        except FetchError as error:
            return self._stale_instead(error)
        finally:
            # Ctrl-C may have struck: nobody is to wait for a claim that has no writer any more.
            held.abandon(self._store, token)

    def _fetched(self, item: CacheItem) -> CacheItem:
        stale = self._usable()
        asked = {} if stale is None else self._conditions(stale)
        place = str(item.path)
        wanted = Wanted(
            self._url,
            conditions=asked,
            attempts=self._terms.retry,
            sha256=self._terms.sha256,
            size=self._terms.size,
            decode=self._terms.decode,
        )
        try:
            with bytes_bar(os.path.basename(place), self._progress) as report:
                done = download(self._client, wanted, place + ".part", report)
            if done.sha256 is not None:
                return self._keep(item, done, done.sha256, place)
        except Exception as error:
            item.failed(str(error) or type(error).__name__)
            raise
        if stale is None:
            raise RuntimeError("the server was not asked for changes and told of none")
        self._describe(stale, done, None)
        # There is nothing to keep of this version, nor has anything failed that others are to hear of.
        held.let_go(self._store, item.token)
        changes.remove(self._store, [_record(item)], disk=True, keep_record=False, unowned_writes=False)
        log.debug("%s has not changed", self._url)
        return stale

    def _keep(self, item: CacheItem, done: Downloaded, sha256: str, place: str) -> CacheItem:
        os.rename(place + ".part", place)
        self._describe(item, done, sha256)
        item.ready()
        log.info("fetched %s: %d bytes", self._url, item.size)
        return item

    def _describe(self, item: CacheItem, done: Downloaded, sha256: str | None) -> None:
        """Record what the server has said."""
        answer, terms = done.answer, self._terms
        if sha256 is None:
            headers = freshness.updated(_answered(item).headers, answer.headers)
        else:
            headers = {name: value for name, value in answer.headers.items() if name in freshness.KEPT}
        times: dict[str, Any] = {
            "requested": _datetime(answer.requested),
            "received": _datetime(answer.received),
            "chosen_by": freshness.chosen_by(headers, self._client.headers),
            "decoded": terms.decode,
        }
        attrs = {HEADERS: headers, TIMES: times} | ({} if sha256 is None else {DIGEST: sha256})
        said = {"remove_attrs": (HEADERS, TIMES), "attrs": attrs}
        changes.update(self._store, [_record(item)], said)

    def _look(self) -> CacheItem | None:
        """The stored item, if it may be used without asking the server.

        Raises:
            FetchError: another call has tried the same while this one waited, and failed.
        """
        found = self._usable()
        if found is not None and self._is_fresh(found):
            return found
        wanted = Filter(key=self._wanted.key, status=(Status.FAILED,))
        for record in self._store.items.search(wanted, order=NEWEST_FIRST, limit=1):
            if (
                held.is_by_hand(record)
                and record.cause == "raised"
                and (record.ended or 0) > self._began * 1e6
            ):
                raise FetchError(
                    f"{self._url} was being fetched by another call, which failed: {record.error}",
                    url=self._url,
                )
        return None

    def _usable(self) -> CacheItem | None:
        """The newest stored file that is what the caller wants, fresh or not."""
        wanted = Filter(key=self._wanted.key, status=(Status.READY,), function=None)
        for record in reversed(self._store.items.search(wanted)):
            item = CacheItem(record, self._store)
            if record.form == "file" and self._fits(item) and item.intact():
                return item
        return None

    def _fits(self, item: CacheItem) -> bool:
        terms, attrs = self._terms, item.attrs
        if terms.size is not None and item.size != terms.size:
            return False
        if terms.sha256 is not None and (attrs.get(DIGEST) or _digest(item)) != terms.sha256:
            return False
        headers, times = attrs.get(HEADERS) or {}, attrs.get(TIMES) or {}
        if freshness.is_encoded(headers) and times.get("decoded") != terms.decode:
            return False
        return bool(times.get("chosen_by", "") == freshness.chosen_by(headers, self._client.headers))

    def _is_fresh(self, item: CacheItem) -> bool:
        answered, now = _answered(item), time.time()
        if self._began <= answered.received <= now:
            return True  # another call has asked while this one waited
        if self._terms.refresh:
            return False
        if self._terms.sha256 is not None:
            return True  # it is what it has to be, whatever its server has by now
        fresh, reason = freshness.is_fresh(answered, now, self._terms.expires)
        log.debug("%s, version %d: %s", self._url, item.version, reason)
        return fresh

    def _conditions(self, stale: CacheItem) -> dict[str, str]:
        return freshness.conditions(_answered(stale).headers, self._terms.validators)

    def _without_server(self) -> CacheItem:
        found = self._usable()
        if found is None:
            why = "offline" if self._terms.offline else f"in a cache with mode={self._cache.mode!r}"
            raise MissError(f"{self._url} is not in the cache and cannot be fetched {why}")
        return found

    def _stale_instead(self, error: FetchError) -> CacheItem:
        """The stale item in place of an error, if the caller or the server allows it; else the error is raised."""
        stale = None if self._terms.on_error == "raise" else self._usable()
        if stale is None:
            raise error
        if self._terms.on_error is None and not (
            _is_outage(error) and freshness.may_be_stale(_answered(stale), time.time())
        ):
            raise error
        message = f"it could not be fetched ({error}), and version {stale.version} was returned"
        notices.warn_once(self._url, f"stale {error.status}", message)
        return stale


def _is_outage(error: FetchError) -> bool:
    """Whether the server is out of order, rather than of another opinion."""
    if error.status is None:
        return isinstance(error.__cause__, ConnectionBrokenError)
    return error.status >= _SERVER_ERRORS


def metadata_from_item(item: CacheItem) -> dict[str, Any]:
    """What an item knows of its file on the server, as `check_freshness` takes it.

    Args:
        item: one that has been fetched, or has such attributes or the headers of an answer in ``resp_headers``.

    Returns:
        ``etag``, ``last_modified``, ``sha256`` and ``size``; None for what is not known.
    """
    attrs = item.attrs
    headers = attrs.get(HEADERS)
    said = freshness.by_name(headers.items()) if isinstance(headers, dict) else {}
    length = said.get("content-length", "")
    size = int(length) if length.isascii() and length.isdigit() and not freshness.is_encoded(said) else None
    return {
        "etag": attrs.get("etag") or said.get("etag"),
        "last_modified": attrs.get("last_modified") or said.get("last-modified"),
        "sha256": attrs.get("sha256"),
        "size": attrs.get("size") or size or item.size,
    }


def _answered(item: CacheItem) -> Answered:
    """The stored answer of an item; of one that was not fetched an empty one of long ago."""
    attrs = item.attrs
    headers, times = attrs.get(HEADERS), attrs.get(TIMES)
    said = freshness.by_name(headers.items()) if isinstance(headers, dict) else {}
    moments = [
        times[name].timestamp() if isinstance(times, dict) and hasattr(times.get(name), "timestamp") else 0.0
        for name in ("requested", "received")
    ]
    return Answered(said, *moments)


def _record(item: CacheItem) -> Any:
    return item._refreshed()  # noqa: SLF001 - the record is the store's


def _digest(item: CacheItem) -> str | None:
    """SHA-256 of the file of an item that was not fetched."""
    path = item.path
    if path is None or not path.is_file():
        return None
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _name_in(url: str) -> str | None:
    """The name of the file in a URL, where a file can have it."""
    from urllib.parse import unquote, urlsplit

    name = unquote(urlsplit(url).path.rpartition("/")[2])
    usable = name.isprintable() and not {"\\", "/"} & set(name) and name not in {"", ".", ".."}
    return name if usable and len(os.fsencode(name)) <= _NAME_LIMIT else None


def _checked_digest(given: str) -> str:
    digits = given.strip().lower().removeprefix("sha256:") if isinstance(given, str) else ""
    if len(digits) != _SHA256_DIGITS or not set(digits) <= set("0123456789abcdef"):
        raise OptionError(f"fetch(sha256={given!r}): it is 64 hex digits")
    return digits


def _checked_seconds(option: str, given: datetime.timedelta | float) -> float:
    seconds = given.total_seconds() if hasattr(given, "total_seconds") else given
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds >= 0:
        raise OptionError(f"fetch({option}={given!r}): it is a timedelta or a number of seconds, not below 0")
    return float(seconds)


def _datetime(seconds: float) -> datetime.datetime:
    import datetime

    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)

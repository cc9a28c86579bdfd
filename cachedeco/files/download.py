"""Downloading a file: in several attempts if need be, each going on where the last one broke off, and checked."""

from __future__ import annotations

import contextlib
import os
import re
import time
import zlib

from cachedeco.errors import FetchError, OptionError
from cachedeco.files import freshness
from cachedeco.files.http import Address, Client, ConnectionBrokenError, checked_headers
from cachedeco.files.staging import DigestingFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from hashlib import _Hash as Hash

    from cachedeco.files.http import Answer

    Report = Callable[[int, int | None], None]

FIRST_PAUSE = 0.5
"""Seconds, about, before the second attempt; before each later one twice as long."""

LAST_PAUSE = 30.0
"""The longest pause between two attempts that we take by ourselves, in seconds."""

LONGEST_PAUSE = 120.0
"""The longest pause that a server may ask for, in seconds; for a longer one nobody waits."""

pause = time.sleep
"""What waits between two attempts."""

_CHUNK = 1 << 17
_OK, _NON_AUTHORITATIVE, _PARTIAL, _NOT_MODIFIED, _ERRORS = 200, 203, 206, 304, 400
_BAD_METHOD, _UNSATISFIABLE, _NOT_IMPLEMENTED = 405, 416, 501
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which another attempt may do better."""
_RANGE = re.compile(r"bytes\s+(\d+)-\d+/(\d+|\*)")


class Wanted:
    """What is to be downloaded, and what it has to be.

    Args:
        url: without credentials.
        conditions: headers with which the server need not send what is known; empty to get the file in any case.
        attempts: how many there may be that get no further.
        sha256: hex digest that the file must have; None for any.
        size: bytes that it must have; None for any.
        decode: undo the compression that the server has made for the way.
    """

    __slots__ = ("attempts", "conditions", "decode", "sha256", "size", "url")

    def __init__(
        self,
        url: str,
        *,
        conditions: Mapping[str, str],
        attempts: int,
        sha256: str | None,
        size: int | None,
        decode: bool,
    ) -> None:
        self.url = url
        self.conditions = conditions
        self.attempts = attempts
        self.sha256 = sha256
        self.size = size
        self.decode = decode


class Downloaded:
    """How a download has ended.

    Attributes:
        answer: headers and times of the server's answer.
        sha256: hex digest of the file; None when the server said that it has not changed.
    """

    __slots__ = ("answer", "sha256")

    def __init__(self, answer: freshness.Answered, sha256: str | None) -> None:
        self.answer = answer
        self.sha256 = sha256


def download(client: Client, wanted: Wanted, path: str, report: Report) -> Downloaded:
    """Download a file, unless it has not changed.

    Args:
        client: asks the server.
        wanted: what is asked for.
        path: of the file that is written; its folder exists. Nothing is left there after an error.
        report: told how many bytes have come, and how many there are if that is known.

    Raises:
        FetchError: the server refuses, cannot be reached, or sends something else than what is wanted.
        OSError: the file cannot be written.
    """
    transfer = _Transfer(client, wanted, path, report)
    try:
        return _attempts(transfer, wanted)
    except BaseException:
        transfer.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        raise
    finally:
        transfer.close()


def get_remote_headers(
    url: str, *, headers: Mapping[str, str] | None = None, timeout: float = 30.0
) -> dict[str, str]:
    """The headers with which a server answers for a URL, without its file.

    Args:
        url: of http or https.
        headers: to send along.
        timeout: seconds for the connection, and for each wait for an answer.

    Returns:
        Name in small letters -> value; empty when there is no answer or it is an error.

    Raises:
        OptionError: it is no URL of http or https, or a header cannot be sent.
    """
    address, given = Address(url), checked_headers(headers)
    if address.authorization and "authorization" not in given:
        given["authorization"] = address.authorization
    client = Client({"accept-encoding": "identity", **given}, timeout=timeout)
    try:
        for method in ("HEAD", "GET"):  # some servers know only the second
            with client.ask(address.url, {}, method=method) as answer:
                if answer.status not in {_BAD_METHOD, _NOT_IMPLEMENTED}:
                    return answer.headers if answer.status < _ERRORS else {}
    except (ConnectionBrokenError, FetchError):
        return {}
    return {}


def next_pause(attempt: int, chance: float) -> float:
    """Seconds before the next attempt.

    Args:
        attempt: how many there were in vain.
        chance: from 0 to 1, so that those who failed together do not come back together.

    Examples:
        >>> next_pause(1, 0.5), next_pause(3, 0.5), next_pause(50, 0.5)
        (0.5, 2.0, 30.0)
    """
    return float(min(LAST_PAUSE, FIRST_PAUSE * 2.0 ** min(attempt - 1, 30)) * (0.5 + chance))


class _Again(Exception):  # noqa: N818 - no error yet
    """This attempt has failed, and the next one may do better."""

    def __init__(self, reason: str, status: int | None = None, after: float | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.after = after


def _attempts(transfer: _Transfer, wanted: Wanted) -> Downloaded:
    from random import random

    in_vain = furthest = 0
    while True:
        try:
            return transfer.attempt()
        except (_Again, ConnectionBrokenError) as error:
            # One that got further costs nothing: otherwise a large file would never come over a bad line.
            in_vain = 1 if transfer.received > furthest else in_vain + 1
            furthest = max(furthest, transfer.received)
            after = error.after if isinstance(error, _Again) else None
            too_long = after is not None and after > LONGEST_PAUSE
            if in_vain >= wanted.attempts or too_long:
                asked = f"; the server asks to come back in {after:.0f} seconds" if too_long else ""
                status = error.status if isinstance(error, _Again) else None
                message = f"{wanted.url} could not be downloaded: {error}{asked}"
                raise FetchError(message, url=wanted.url, status=status) from error
            pause(next_pause(in_vain, random()) if after is None else after)  # noqa: S311 - no secret


class _Transfer:
    """One download on its way, over all its attempts.

    Attributes:
        received: bytes that have come of the file, as the server counts them.
    """

    def __init__(self, client: Client, wanted: Wanted, path: str, report: Report) -> None:
        self.received = 0
        self._client = client
        self._wanted = wanted
        self._conditions = wanted.conditions
        self._path = path
        self._report = report
        self._file: DigestingFile | None = None
        self._sha256: Hash | None = None
        self._decoder: _Decoder | None = None
        self._total: int | None = None
        self._answer: freshness.Answered | None = None
        self._whole = False

    def close(self) -> None:
        """Close the file that is being written."""
        if self._file is not None:
            self._file.close()

    def attempt(self) -> Downloaded:
        """Ask once, and take what comes.

        Raises:
            FetchError: asking again is of no use.
        """
        rest = self._rest()
        requested = time.time()
        with self._client.ask(self._wanted.url, rest or self._conditions) as answer:
            received = time.time()
            if answer.status == _NOT_MODIFIED and self._conditions and not rest:
                self._check_unchanged(answer)
                return Downloaded(freshness.Answered(answer.headers, requested, received), None)
            if answer.status == _PARTIAL and rest:
                self._go_on(answer)
            elif answer.status in {_OK, _NON_AUTHORITATIVE} and "content-range" not in answer.headers:
                self._begin(answer, freshness.Answered(answer.headers, requested, received))
            else:
                self._refuse(answer, received, ranged=bool(rest))
            self._take(answer)
        return self._finished()

    def _check_unchanged(self, answer: Answer) -> None:
        """See that the server speaks of the file that it was asked about."""
        asked, etag = self._conditions.get("If-None-Match"), answer.headers.get("etag")
        if asked and etag and not freshness.same_etag(asked, etag):
            self._conditions = {}
            raise _Again("the server says of another file that it has not changed")

    def _rest(self) -> dict[str, str]:
        """The headers that ask for what has not come yet; empty when all has to come anew."""
        if self._answer is None or not self.received or self._whole:
            return {}
        same = freshness.unchanged_since(self._answer.headers)
        return {} if same is None else {"Range": f"bytes={self.received}-", "If-Range": same}

    def _begin(self, answer: Answer, answered: freshness.Answered) -> None:
        from hashlib import sha256

        self.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
        self.received, self._whole = 0, False
        self._decoder = _decoder(answer) if self._wanted.decode else None
        self._answer, self._total = answered, answer.length
        size = self._wanted.size
        if size is not None and self._decoder is None and self._total not in {None, size}:
            raise FetchError(
                f"{self._wanted.url} has {self._total} bytes, and size={size} was expected",
                url=self._wanted.url,
            )
        self._sha256 = sha256()
        self._file = DigestingFile(open(self._path, "xb", buffering=0), self._sha256)  # noqa: SIM115 - it closes it

    def _go_on(self, answer: Answer) -> None:
        """See that what comes is what is missing."""
        found = _RANGE.fullmatch(answer.headers.get("content-range", ""))
        first, text = found.groups() if found else ("", "*")
        total = None if text == "*" else int(text)
        etag, stored = answer.headers.get("etag"), self._etag
        if (
            first != str(self.received)
            or (None not in {total, self._total} and total != self._total)
            or (None not in {etag, stored} and etag != stored)
        ):
            self._whole = True
            raise _Again("the server sent another part of the file than the one that was asked for")
        self._total = total if self._total is None else self._total

    @property
    def _etag(self) -> str | None:
        return None if self._answer is None else self._answer.headers.get("etag")

    def _take(self, answer: Answer) -> None:
        self._report(self.received, self._total)
        while data := answer.read(_CHUNK):
            self.received += len(data)
            self._write(data if self._decoder is None else self._decoder.take(data))
            self._report(self.received, self._total)
        if self._total is not None and self.received != self._total:
            raise _Again(f"{self.received} of {self._total} bytes came")

    def _write(self, data: bytes) -> None:
        file, size = self._file, self._wanted.size
        if file is None or not data:
            return
        file.write(data)
        if size is not None and file.size > size:
            raise FetchError(
                f"{self._wanted.url} has more than the expected size={size} bytes", url=self._wanted.url
            )

    def _finished(self) -> Downloaded:
        wanted, file, sha256 = self._wanted, self._file, self._sha256
        if file is None or sha256 is None or self._answer is None:
            raise RuntimeError("nothing was downloaded")
        if self._decoder is not None and not self._decoder.is_whole:
            self._whole = True
            raise _Again("the compressed content ends too early")
        file.close()
        if wanted.size is not None and file.size != wanted.size:
            raise FetchError(
                f"{wanted.url} has {file.size} bytes, and size={wanted.size} was expected", url=wanted.url
            )
        digest = sha256.hexdigest()
        if wanted.sha256 is not None and digest != wanted.sha256:
            raise FetchError(
                f"{wanted.url} has the SHA-256 {digest}, and sha256={wanted.sha256!r} was expected",
                url=wanted.url,
            )
        return Downloaded(self._answer, digest)

    def _refuse(self, answer: Answer, now: float, *, ranged: bool) -> None:
        """Raise what an answer without a file comes to."""
        status, url = answer.status, self._wanted.url
        if ranged and (status == _UNSATISFIABLE or "content-range" in answer.headers):
            # The file has changed, or the server counts otherwise: from the beginning, then.
            self._whole = True
            raise _Again(f"the server cannot send the rest (status {status})", status)
        if status in _PASSING:
            # By the server's own clock, which ours may be far from.
            server = freshness.moment(answer.headers.get("date", ""))
            after = freshness.retry_after(
                answer.headers.get("retry-after", ""), now if server is None else server
            )
            raise _Again(f"the server answered with status {status}", status, after)
        instead = "" if status >= _ERRORS else ", and not with the whole file"
        raise FetchError(
            f"{url} could not be downloaded: the server answered with status {status}{instead}",
            url=url,
            status=status,
        )


class _Decoder:
    """Undoes gzip or deflate, over as many members as there are."""

    def __init__(self, kind: int) -> None:
        self._kind = kind
        self._member = zlib.decompressobj(kind)
        self._begun = False

    @property
    def is_whole(self) -> bool:
        """Whether what it has taken so far ends where a member ends."""
        return self._member.eof or not self._begun

    def take(self, data: bytes) -> bytes:
        """What some more bytes decompress to."""
        pieces = []
        while data:
            if self._member.eof:
                self._member = zlib.decompressobj(self._kind)
            self._begun = True
            try:
                pieces.append(self._member.decompress(data))
            except zlib.error as error:
                raise _Again(f"the compressed content is damaged: {error}") from error
            data = self._member.unused_data
        return b"".join(pieces)


def _decoder(answer: Answer) -> _Decoder | None:
    encoding = answer.headers.get("content-encoding", "").strip().lower()
    if encoding in {"", "identity"}:
        return None
    if encoding in {"gzip", "x-gzip"}:
        return _Decoder(16 + zlib.MAX_WBITS)
    if encoding == "deflate":
        return _Decoder(zlib.MAX_WBITS)
    raise OptionError(
        f"decode=True: the server has compressed the file with {encoding!r}, which is not known here"
    )

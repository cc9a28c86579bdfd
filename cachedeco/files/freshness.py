"""Whether what was downloaded is still good, after RFC 9111, for the cache of one user.

Everything here is decided from headers and times that are handed in: there is no clock and no connection. Names of
headers are in small letters. A server that names no expiry is asked each time, for guessing one can be wrong.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

VALIDATORS = ("etag", "modified", "hash", "size")
"""What can tell whether a file has changed on its server, the most reliable for most servers first."""

KEPT = frozenset(
    "age cache-control content-disposition content-encoding content-language content-length content-md5 content-type "
    "date digest etag expires last-modified repr-digest vary x-amz-checksum-sha256 x-checksum-sha256 "
    "x-goog-hash".split()
)
"""The headers of an answer that are stored. None of them holds a secret."""

CREDENTIALS = frozenset({"authorization", "cookie", "proxy-authorization"})
"""The headers of a request that nothing is kept of, not even a digest."""

_DIRECTIVE = re.compile(r'([\w!#$%&\'*+.^`|~-]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,;]*)))?')
_LONGEST = 1 << 31
_STRONG_AFTER = 60
"""Seconds between a change and an answer after which a file cannot have changed twice in the same second."""


class Answered:
    """An answer of a server that is stored.

    Args:
        headers: name in small letters -> value.
        requested: seconds since 1970 at which it was asked for.
        received: seconds since 1970 at which it came.
    """

    __slots__ = ("headers", "received", "requested")

    def __init__(self, headers: Mapping[str, str], requested: float, received: float) -> None:
        self.headers = headers
        self.requested = requested
        self.received = received


def by_name(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers with their names in small letters; values of one name in one text, as HTTP reads them.

    Examples:
        >>> by_name([("ETag", '"1"'), ("Vary", "Accept"), ("VARY", "Cookie")])
        {'etag': '"1"', 'vary': 'Accept, Cookie'}
    """
    found: dict[str, str] = {}
    for name, value in headers:
        low, text = str(name).lower(), str(value).strip()
        found[low] = f"{found[low]}, {text}" if low in found else text
    return found


def updated(stored: Mapping[str, str], answer: Mapping[str, str]) -> dict[str, str]:
    """The stored headers after the server has said that nothing has changed.

    What describes the bytes stays as it was, for no bytes came with that answer.
    """
    bytes_of = {"content-encoding", "content-length", "content-md5", "content-type", "digest", "repr-digest"}
    newer = {name: value for name, value in answer.items() if name in KEPT and name not in bytes_of}
    if "age" not in newer:
        stored = {name: value for name, value in stored.items() if name != "age"}
    return {**stored, **newer}


def lifetime(headers: Mapping[str, str]) -> float | None:
    """How many seconds an answer is fresh by what its server says; None when it says nothing.

    Examples:
        >>> lifetime({"cache-control": "public, max-age=60"})
        60.0
        >>> lifetime({"expires": "0"})
        0.0
    """
    said = directives(headers.get("cache-control", ""))
    if "no-cache" in said or "no-store" in said:
        return 0.0
    if "max-age" in said:
        return float(_seconds(said["max-age"]) or 0)
    if "expires" not in headers:
        return None
    until, date = moment(headers["expires"]), moment(headers.get("date", ""))
    # What is no date has expired already.
    return 0.0 if until is None or date is None else max(0.0, until - date)


def age(answer: Answered, now: float) -> float:
    """How many seconds ago the server vouched for an answer, as far as one can tell from outside.

    A clock of ours that was set back says nothing, so the answer is as old as can be then.
    """
    resident = now - answer.received
    if resident < 0:
        return float("inf")
    date = moment(answer.headers.get("date", ""))
    apparent = 0.0 if date is None else max(0.0, answer.received - date)
    corrected = (_seconds(answer.headers.get("age", "0")) or 0) + max(0.0, answer.received - answer.requested)
    return max(apparent, corrected) + resident


def is_fresh(answer: Answered, now: float, expires: float | None) -> tuple[bool, str]:
    """Whether an answer may be used without asking its server.

    Args:
        answer: the stored one.
        now: seconds since 1970.
        expires: the user's own expiry, in seconds since the server was last asked; None for the server's.

    Returns:
        Whether, and why.
    """
    if expires is not None:
        since = now - answer.received
        return 0 <= since < expires, f"the server was asked {since:.0f} seconds ago, expires={expires:g}"
    if answer.headers.get("vary", "").strip() == "*" or names_credentials(answer.headers):
        return False, "the answer depends on more than can be compared"
    life = lifetime(answer.headers)
    if life is None:
        return False, "the server has set no expiry"
    old = age(answer, now)
    return old < life, f"it is {old:.0f} seconds old and good for {life:.0f}"


def may_be_stale(answer: Answered, now: float) -> bool:
    """Whether the server allows a stale answer in place of an error (``stale-if-error``, RFC 5861)."""
    said = directives(answer.headers.get("cache-control", ""))
    if "stale-if-error" not in said or not said.keys().isdisjoint(
        {"no-cache", "no-store", "must-revalidate"}
    ):
        return False
    late = age(answer, now) - (lifetime(answer.headers) or 0.0)
    return late <= (_seconds(said["stale-if-error"]) or 0)


def conditions(headers: Mapping[str, str], validators: Sequence[str]) -> dict[str, str]:
    """The headers of a request that is to be answered with a file only if it has changed.

    Args:
        headers: of the stored answer.
        validators: which ones count, the first that is known before the others.

    Returns:
        One header; none when there is nothing to ask with.
    """
    for each in validators:
        if each == "etag" and headers.get("etag"):
            return {"If-None-Match": headers["etag"]}
        # Who else may see another file under the same date is told apart by an entity tag alone.
        if each == "modified" and headers.get("last-modified") and not names_credentials(headers):
            return {"If-Modified-Since": headers["last-modified"]}
    return {}


def unchanged_since(headers: Mapping[str, str]) -> str | None:
    """The value of ``If-Range`` with which the rest of a broken transfer is asked for; None where none is safe.

    It has to be a strong validator: the rest of another file behind the beginning of this one is no file.
    """
    etag = headers.get("etag", "")
    if etag:
        return etag if is_strong(etag) else None
    modified, date = moment(headers.get("last-modified", "")), moment(headers.get("date", ""))
    if modified is None or date is None or date - modified < _STRONG_AFTER:
        return None
    return headers["last-modified"]


def is_strong(etag: str) -> bool:
    """Whether an entity tag stands for the very bytes: ``"x"`` does, ``W/"x"`` does not."""
    return etag.startswith('"') and etag.endswith('"') and len(etag) > 1


def same_etag(one: str, other: str) -> bool:
    """Whether two entity tags are equal by the weak comparison, the one of ``If-None-Match``.

    Examples:
        >>> same_etag('W/"x"', '"x"'), same_etag('"x"', '"y"')
        (True, False)
    """
    return bool(one) and one.strip().removeprefix("W/") == other.strip().removeprefix("W/")


def names_credentials(headers: Mapping[str, str]) -> bool:
    """Whether an answer says that it depends on who has asked."""
    return not CREDENTIALS.isdisjoint(_nominated(headers))


def chosen_by(headers: Mapping[str, str], asked: Mapping[str, str]) -> str:
    """A digest of the headers of a request that an answer depends on by its ``Vary``; empty for none of them.

    Args:
        headers: of the answer.
        asked: of the request.
    """
    names = sorted(_nominated(headers) - CREDENTIALS - {"*"})
    if not names:
        return ""
    from hashlib import sha256

    return sha256("\n".join(f"{name}: {asked.get(name, '')}" for name in names).encode()).hexdigest()


def is_encoded(headers: Mapping[str, str]) -> bool:
    """Whether the bytes of an answer are compressed for the way, so that its length is not that of the file."""
    return headers.get("content-encoding", "").strip().lower() not in {"", "identity"}


def directives(text: str) -> dict[str, str]:
    """The directives of a ``Cache-Control`` header; of one that stands there twice the first.

    Examples:
        >>> directives('max-age="60", No-Cache="set-cookie, x", public')
        {'max-age': '60', 'no-cache': 'set-cookie, x', 'public': ''}
    """
    found: dict[str, str] = {}
    for name, quoted, plain in _DIRECTIVE.findall(text):
        found.setdefault(name.lower(), quoted or plain)
    return found


def moment(text: str) -> float | None:
    """A date of HTTP, in any of its forms, as seconds since 1970; None for what is no date.

    Examples:
        >>> moment("Sun, 06 Nov 1994 08:49:37 GMT") == moment("Sunday, 06-Nov-94 08:49:37 -0000")
        True
    """
    from datetime import UTC
    from email.utils import parsedate_to_datetime

    try:
        found = parsedate_to_datetime(text)
        # "-0000" says that the zone is not known; HTTP has no other than GMT.
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def retry_after(text: str, now: float) -> float | None:
    """The seconds that a ``Retry-After`` header asks to wait; None for what says nothing.

    Args:
        text: its value: seconds, or a date.
        now: seconds since 1970, best by the clock of the server.
    """
    seconds = _seconds(text)
    if seconds is not None:
        return float(seconds)
    until = moment(text)
    return None if until is None else max(0.0, until - now)


def _seconds(text: str) -> int | None:
    text = text.strip()
    return min(int(text), _LONGEST) if text.isascii() and text.isdigit() and len(text) <= 4000 else None  # noqa: PLR2004 - longer ones Python refuses


def _nominated(headers: Mapping[str, str]) -> set[str]:
    return {name.strip().lower() for name in headers.get("vary", "").split(",") if name.strip()}

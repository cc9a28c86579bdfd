"""Asking a server by HTTP: http and https alone, each redirect looked at before it is followed.

The standard library does the talking. It follows no redirect here and raises for no status: by itself it would
follow to ftp as well, and take passwords along to other hosts.
"""

from __future__ import annotations

import re

from cachedeco.errors import FetchError, OptionError
from cachedeco.files.freshness import by_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from http.client import HTTPResponse
    from typing import Self
    from urllib.request import OpenerDirector

MOST_REDIRECTS = 10

_SCHEMES = ("http", "https")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TO_OTHERS = frozenset(
    "accept accept-encoding accept-language if-modified-since if-none-match if-range range user-agent".split()
)
"""The headers that another host than the one they were meant for gets too."""
_OURS = frozenset(
    "connection content-length host if-match if-modified-since if-none-match if-range if-unmodified-since range "
    "transfer-encoding".split()
)
_TOKEN = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII)
_UNSAFE = re.compile(r"[\x00-\x1f\x7f]")


class ConnectionBrokenError(Exception):
    """The server could not be reached, or the connection broke; another attempt may do better."""


class Address:
    """A URL that can be asked, apart from the user's name and password in it.

    Args:
        given: the URL. What stands behind ``#`` is not sent.

    Attributes:
        url: without credentials, as it may be stored and shown.
        authorization: the header made of the credentials; None where there are none.

    Raises:
        OptionError: it is no URL of http or https.
    """

    __slots__ = ("authorization", "url")

    def __init__(self, given: str) -> None:
        from urllib.parse import unquote, urlsplit, urlunsplit

        given = given.strip() if isinstance(given, str) else ""
        shown = _without_credentials(given)
        try:
            parts = urlsplit(given)
            host, _ = (parts.hostname or "").encode("idna"), parts.port
        except ValueError as error:
            raise OptionError(f"{shown!r} is no URL: {error}") from None
        if parts.scheme not in _SCHEMES or not host or _UNSAFE.search(given):
            raise OptionError(f"{shown!r} is not a URL of http or https, such as 'https://example.org/a.csv'")
        self.authorization = None
        if parts.username is not None:
            from base64 import b64encode

            both = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self.authorization = f"Basic {b64encode(both.encode()).decode()}"
        place = parts.netloc.rpartition("@")[2]
        self.url = urlunsplit((parts.scheme, place, parts.path, parts.query, ""))


class Answer:
    """An answer whose body has not been read.

    Attributes:
        status: of HTTP.
        headers: name in small letters -> value.
        url: that gave it, without credentials.
        length: bytes of the body; None where the server has not said so.
    """

    def __init__(self, response: HTTPResponse, url: str) -> None:
        self.status = response.status
        self.headers = by_name(response.headers.items())
        self.url = url
        self.length = None if response.chunked else _number(self.headers.get("content-length"))
        self._left = self.length
        self._response = response

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._response.close()

    def read(self, size: int) -> bytes:
        """What has come of the body, at most so many bytes; nothing at its end.

        Raises:
            ConnectionBrokenError: there should be more, and it does not come.
        """
        from http.client import HTTPException

        if self._left is not None:
            size = min(size, self._left)
        if not size:
            return b""
        try:
            # At once what has come: what waits for more is lost when the connection breaks.
            data = self._response.read1(size)
        except (HTTPException, OSError, ValueError) as error:
            raise ConnectionBrokenError(f"the connection broke: {error or type(error).__name__}") from error
        if self._left is not None:
            if not data:
                raise ConnectionBrokenError(
                    f"the server closed the connection {self._left} bytes before the end"
                )
            self._left -= len(data)
        return data


class Client:
    """Asks servers, on behalf of one caller.

    Args:
        headers: sent along, name in small letters -> value. But for a few harmless ones, those of another host than
            the first do not get them.
        timeout: seconds for the connection, and for each wait for bytes.
        downgrade: whether a redirect may lead from https to http.
    """

    def __init__(self, headers: Mapping[str, str], *, timeout: float, downgrade: bool = False) -> None:
        from importlib.metadata import version

        self.headers = {"user-agent": f"cachedeco/{version('cachedeco')}", "accept": "*/*", **headers}
        self._timeout = timeout
        self._downgrade = downgrade
        self._opener = _opener()

    def ask(self, url: str, conditions: Mapping[str, str], *, method: str = "GET") -> Answer:
        """Ask for a URL, and where it leads to.

        Args:
            url: without credentials.
            conditions: further headers.
            method: GET or HEAD.

        Raises:
            ConnectionBrokenError: there is no answer.
            FetchError: it leads where one does not go.
        """
        headers = {**self.headers, **by_name(conditions.items())}
        place = url
        for _ in range(MOST_REDIRECTS + 1):
            answer = self._send(place, headers, method)
            if answer.status not in _REDIRECTS or "location" not in answer.headers:
                return answer
            with answer:
                target = self._next(url, place, answer.headers["location"])
            if _origin(target) != _origin(place):
                headers = {name: value for name, value in headers.items() if name in _TO_OTHERS}
            place = target
        raise FetchError(f"{url} leads to more than {MOST_REDIRECTS} redirects", url=url)

    def _next(self, url: str, place: str, location: str) -> str:
        """Where a redirect leads to.

        Raises:
            FetchError: one does not go there.
        """
        from urllib.parse import urljoin, urlsplit

        try:
            target = Address(_quoted(urljoin(place, location))).url
        except (OptionError, ValueError):
            raise FetchError(
                f"{url} is redirected to {_without_credentials(location)!r}; only http and https are followed",
                url=url,
            ) from None
        if urlsplit(place).scheme == "https" and urlsplit(target).scheme == "http" and not self._downgrade:
            raise FetchError(
                f"{url} is redirected from https to {target}, where anybody on the way can change it; that is followed "
                "only if sha256= says what is right",
                url=url,
            )
        return target

    def _send(self, url: str, headers: Mapping[str, str], method: str) -> Answer:
        from http.client import HTTPException
        from ssl import SSLCertVerificationError
        from urllib.error import URLError
        from urllib.request import Request

        request = Request(_quoted(url), headers=dict(headers), method=method)  # noqa: S310 - Address has looked
        try:
            return Answer(self._opener.open(request, timeout=self._timeout), url)
        except (HTTPException, OSError, ValueError) as error:
            reason = error.reason if isinstance(error, URLError) else error
            if isinstance(reason, SSLCertVerificationError):
                raise FetchError(f"{url} is not who it says it is: {reason}", url=url) from error
            raise ConnectionBrokenError(f"no answer: {reason or type(error).__name__}") from error


def checked_headers(given: Mapping[str, str] | None) -> dict[str, str]:
    """The headers that a caller gives, with their names in small letters.

    Raises:
        OptionError: one is no header, or is one that belongs to the transfer itself.
    """
    found: dict[str, str] = {}
    for name, value in dict(given or {}).items():
        if not isinstance(name, str) or not isinstance(value, str) or not _TOKEN.fullmatch(name):
            raise OptionError(f"headers: {name!r} is no header of HTTP with a text as its value")
        if _UNSAFE.search(value) or not value.isascii():
            raise OptionError(f"headers: the value of {name!r} has signs in it that cannot be sent")
        if name.lower() in _OURS:
            raise OptionError(f"headers: {name!r} is set by the transfer itself")
        found[name.lower()] = value
    return found


def _opener() -> OpenerDirector:
    from urllib import request

    opener = request.OpenerDirector()
    for handler in (request.ProxyHandler, request.HTTPHandler, request.HTTPSHandler):
        opener.add_handler(handler())
    opener.addheaders = []
    return opener


def _quoted(url: str) -> str:
    """A URL as it is sent: signs that have no place in one are quoted, hosts in letters of their own are encoded."""
    from urllib.parse import quote, urlsplit, urlunsplit

    parts = urlsplit(url.strip())
    place = parts.netloc
    if not place.isascii():
        port = "" if parts.port is None else f":{parts.port}"
        place = (parts.hostname or "").encode("idna").decode() + port
    safe = "%/:=&?~+!$,;'@()*[]|"
    return urlunsplit((parts.scheme, place, quote(parts.path, safe), quote(parts.query, safe), ""))


def _origin(url: str) -> tuple[str, str | None, int]:
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def _without_credentials(url: str) -> str:
    return re.sub(r"(?<=//)[^/?#]*@", "", url)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None

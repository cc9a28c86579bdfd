"""What comes into a cache from elsewhere, and goes out of it: the part of `Cache` for it."""

from __future__ import annotations

from cachedeco.making import Making

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping, Sequence
    from typing import Any

    from cachedeco.item import CacheItem


class Exchanging(Making):
    """The part of `Cache` that fetches, exports and imports."""

    def fetch(
        self,
        url: str,
        params: Mapping[str, Any] | None = None,
        *,
        uri: str | None = None,
        sha256: str | None = None,
        size: int | None = None,
        expires: datetime.timedelta | float | None = None,
        validators: Sequence[str] = ("etag", "modified"),
        refresh: bool = False,
        offline: bool | None = None,
        on_error: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30.0,
        retry: int = 3,
        decode: bool = False,
        progress: bool | None = None,
        attrs: Mapping[str, Any] | None = None,
        ext: str | None = None,
        label: str | None = None,
        filename: str | None = None,
    ) -> CacheItem:
        """The file of a URL as a READY item: stored, and downloaded only if that is needed.

        A stored file is used without asking as long as it is fresh; then the server is asked whether it has changed,
        and only if it has, a new version is downloaded. One call does so for all threads and processes that want it.
        A broken transfer goes on where it broke off, if the server can do that. The bytes are kept as they were sent.

        Args:
            url: of http or https, also after redirects. Name and password in it are sent, and neither stored nor shown.
            params: further values that make the key, such as headers that choose what the server sends.
            uri: names the family of results; default the URL without credentials and without what is behind ``#``.
            sha256: 64 hex digits. Another file is an error; a stored one that has them is always fresh.
            size: bytes; another size is an error.
            expires: how long a file is fresh after the server was asked, a timedelta or seconds. Default: what the
                server says by ``Cache-Control`` or ``Expires``; if it says nothing, it is asked each time.
            validators: what the server is asked by whether the file has changed, the first that is known:
                ``"etag"``, ``"modified"``. Without any it is downloaded anew.
            refresh: ask the server even if the file is fresh.
            offline: ask no server; the newest stored file is taken, fresh or not. Default: whether
                ``CACHEDECO_OFFLINE=1``.
            on_error: ``"stale"`` takes the last stored file when fetching fails; ``"raise"`` never. Default: only when
                the server is out of order and has allowed it (``stale-if-error``).
            headers: to send along. Secrets among them do not go to other hosts that redirects lead to.
            timeout: seconds for the connection, and for each wait for bytes.
            retry: how many attempts may get no further than the one before, when the server is out of order or the
                connection breaks. The pauses grow, or are as the server asks (``Retry-After``, up to two minutes).
            decode: undo gzip or deflate that the server has put around the file (``Content-Encoding``).
            progress: a bar on the standard error; default: on a terminal or in a notebook.
            attrs: attributes of a new item, besides ``sha256``, ``resp_headers`` and ``fetch``, which it gets.
            ext: file name extension of a new item.
            label: free text on a new item.
            filename: of a new item; default the one in the URL.

        Raises:
            FetchError: it could not be downloaded, or is not what was expected.
            MissError: there is none, and there must be no download: offline, or by the mode of the cache.
            OptionError: the URL or an option cannot be used.

        Examples:
            >>> import functools, http.server, tempfile, threading
            >>> from cachedeco import Cache
            >>> folder = tempfile.TemporaryDirectory()
            >>> with open(f"{folder.name}/data.csv", "w") as file:
            ...     size = file.write("a,b")
            >>> handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder.name)
            >>> with folder, http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
            ...     threading.Thread(target=server.handle_request).start()
            ...     with Cache(f"{folder.name}/cache") as cache:
            ...         item = cache.fetch(f"http://127.0.0.1:{server.server_port}/data.csv")
            ...         item.path.read_text()
            'a,b'
        """
        from cachedeco.fetching import Fetch, Terms

        terms = Terms(
            sha256=sha256,
            size=size,
            expires=expires,
            validators=validators,
            refresh=refresh,
            offline=offline,
            on_error=on_error,
            retry=retry,
            timeout=timeout,
            decode=decode,
        )
        call = Fetch(
            self,
            url,
            terms,
            uri=uri,
            params=params,
            headers=headers,
            attrs=attrs,
            ext=ext,
            label=label,
            filename=filename,
            progress=progress,
        )
        return call.run()

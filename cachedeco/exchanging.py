"""What comes into a cache from elsewhere, and goes out of it: the part of `Cache` for it."""

from __future__ import annotations

from cachedeco.making import Making
from cachedeco.record import MISSING
from cachedeco.status import Status

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime
    import os
    from collections.abc import Mapping, Sequence
    from typing import Any, Unpack

    from cachedeco.item import CacheItem
    from cachedeco.receipt import Receipt
    from cachedeco.record import Missing
    from cachedeco.search import Conditions

    Params = Mapping[str, Any] | Missing | None


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

    def export(
        self,
        path: str | os.PathLike[str],
        uri: str | None = None,
        params: Params = MISSING,
        *,
        dry_run: bool = False,
        **conditions: Unpack[Conditions],
    ) -> Receipt:
        """Write items to one archive, from which `import_` puts them into another cache.

        Each goes with its value or files, parameters, attributes and all else that is known of it. Each is read and
        compared with its digest before; what is damaged, changed or removed meanwhile, or has links in it, is left out
        and told. The archive is there when it is whole.

        Args:
            path: of the archive, a zip file; what exists is not overwritten.
            uri: exactly this one. Without any condition all READY items are exported.
            params: exactly these; needs `uri`. Left out: any.
            dry_run: write nothing, and tell what would be done.
            conditions: further ones, as those of `search`, such as ``where="size < 1GB and age < 30d"``. The status may
                be READY, which is the default unless `where` speaks of it, or FAILED, or both.

        Returns:
            What was exported and what not, item by item.

        Raises:
            FileExistsError: there is something at that path.
            OptionError: a condition is not what it should be.
            OSError: the archive cannot be written.

        Examples:
            >>> import tempfile
            >>> from cachedeco import Cache
            >>> folder = tempfile.TemporaryDirectory()
            >>> with folder, Cache(f"{folder.name}/a") as one, Cache(f"{folder.name}/b") as other:
            ...     item = one.create("demo://greeting", attrs={"kind": "text"}, filename="greeting.txt")
            ...     size = item.path.write_text("hello")
            ...     item.ready()
            ...     receipt = one.export(f"{folder.name}/greetings.zip", attrs={"kind": "text"})
            ...     (entry,) = other.import_(f"{folder.name}/greetings.zip")
            ...     len(receipt.taken), entry.item.path.read_text(), entry.item.attrs
            (1, 'hello', {'kind': 'text'})
        """
        import os

        from cachedeco import exporting
        from cachedeco.search import compiled, statuses

        status, where = conditions.get("status"), conditions.get("where")
        if status is None:
            status = exporting.ALLOWED if where is not None and compiled(where)[1] else Status.READY
        conditions["status"] = exporting.checked_statuses(statuses(status))
        records = self._records("export", uri=uri, params=params, **conditions)
        target = os.path.abspath(os.fspath(path))
        return exporting.export(self.store, records, target, dry_run=dry_run)

    def import_(
        self, path: str | os.PathLike[str], *, trusted: bool | None = None, dry_run: bool = False
    ) -> Receipt:
        """Take the items of an archive that `export` has written.

        Nothing is overwritten. An item that is there already, with the same content and made by the same code, is
        passed over, so importing twice changes nothing. Another one becomes a version of its key: the one that it had,
        if that is above all that were ever used here, else the next free one; so the newest version of a key may be
        one that was imported. Each item is there as a whole or not at all, whenever the process ends.

        The archive is not believed: sizes, names, digests and whatever else is said in it is checked, and nothing in it
        leads out of an item's folder. That a result belongs to its parameters cannot be checked: import from whom you
        would take results.

        Args:
            path: of the archive.
            trusted: True if you know who made it: values that may run code when they are loaded (pickles) come in too.
                False leaves those out. Default: if there are any, that is an error, and nothing is imported (a dry run
                shows them as refused). A cache with ``signing_key=`` or ``allow_pickle=False`` asks nobody: it takes
                what is signed with its key, and signs it anew for its place here, or what runs no code.
            dry_run: import nothing, and tell what would be done.

        Returns:
            What was imported, what was there, and what was refused for which reason, item by item.

        Raises:
            ArchiveError: it is no such archive, is damaged, or has keys that are made otherwise than here.
            UntrustedCacheError: there are values that may run code, and `trusted` was not said.
            OptionError: the cache has ``mode="read-only"``.
        """
        self._check_writable("import_")
        import os

        from cachedeco.importing import import_

        source = os.path.abspath(os.fspath(path))
        return import_(self.store, source, trusted=trusted, dry_run=dry_run)

"""Making items by hand: a new version to write to, one that is claimed, or a copy of a file."""

from __future__ import annotations

import os
import warnings

from cachedeco.errors import MissError, OptionError, StoreWarning
from cachedeco.finding import Finding
from cachedeco.item import CacheItem
from cachedeco.registry.items import VISIBLE
from cachedeco.status import Status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from cachedeco.record import Record
    from cachedeco.registry.by_hand import Handmade
    from cachedeco.registry.claims import Claim
    from cachedeco.search import Moment, Statuses

_PACKED = ("tar",)
"""Extensions that belong to the one behind them."""

_WAYS = ("copy", "move", "link")


class Making(Finding):
    """The part of `Cache` that makes items."""

    def create(  # noqa: PLR0917 - promised by position
        self,
        uri: str,
        params: Mapping[str, Any] | None = None,
        attrs: Mapping[str, Any] | None = None,
        status: int = Status.UNINITIALIZED,
        ext: str | None = None,
        label: str | None = None,
        filename: str | None = None,
    ) -> CacheItem:
        """Make a new version of a key by hand: write to its ``path``, then call its ``ready()``.

        Nobody waits for such an item. It becomes a hit once it is READY and has its file.

        Args:
            uri: names the family of results.
            params: the named values that make the key together with the uri.
            attrs: attributes to find it by; a dict as value is a namespace.
            status: UNINITIALIZED, WRITE, FAILED or READY.
            ext: file name extension; default that of `filename`.
            label: free text.
            filename: name of its file; default made from key, version and `ext`.

        Raises:
            KeyingError: a parameter cannot be part of a key.
            OptionError: a name, the status or an attribute cannot be used.
        """
        self._check_writable("create")
        from cachedeco.registry.claims import new_token
        from cachedeco.search import statuses

        (state,) = statuses(status)
        if state not in VISIBLE:
            raise OptionError(f"create(status={state.name}): a new item cannot be in the trash")
        made = self._handmade(uri, params, attrs, ext, label, filename)
        record = self.store.items.create(
            key=made.key,
            uri=uri,
            token=new_token(),
            status=state,
            params=made.params,
            attributes=made.attributes,
            filename=made.filename,
            ext=made.ext,
            label=label,
            has_file=True,
        )
        self.store.make_item_folder(record.key, record.version, record.token)
        return CacheItem(record, self.store)

    def best_or_new(  # noqa: PLR0917 - promised by position
        self,
        uri: str,
        params: Mapping[str, Any] | None = None,
        status: Statuses = Status.READY,
        newer_than: Moment | None = None,
        older_than: Moment | None = None,
        attrs: Mapping[str, Any] | None = None,
        ext: str | None = None,
        label: str | None = None,
        new_status: int = Status.WRITE,
        filename: str | None = None,
    ) -> CacheItem:
        """The best version of a key; else a new one, which nobody else gets while the caller writes it.

        A new item has the status WRITE. Whoever asks for the same meanwhile, in this process or another, waits until
        its ``ready()`` or ``failed()``, or until the item is garbage or the process gone; after a failure the next
        one gets a new item.

        Args:
            uri: names the family of results.
            params: the named values that make the key together with the uri.
            status: see `best`.
            newer_than: see `best`.
            older_than: see `best`.
            attrs: attributes of a new item.
            ext: file name extension of a new item.
            label: free text on a new item.
            new_status: of a new item. With another one than WRITE nobody waits for it, as after `create`.
            filename: name of the file of a new item.

        Raises:
            KeyingError: a parameter cannot be part of a key.
            MissError: there is none, and the mode of the cache allows no new one.
            OptionError: a name, a status or an attribute cannot be used.
            WaitCycleError: this thread got the item before and has not ended it.

        Examples:
            >>> import tempfile
            >>> from cachedeco import Cache
            >>> with tempfile.TemporaryDirectory() as folder, Cache(folder) as cache:
            ...     item = cache.best_or_new("demo://report", filename="report.txt")
            ...     if item.status != Status.READY:
            ...         size = item.path.write_text("done")
            ...         item.ready()
            ...     cache.best_or_new("demo://report") == item
            True
        """
        found = self.best(uri, params, status, newer_than, older_than)
        if found is not None:
            return found
        if self.mode != "read-write":
            raise MissError(f"there is no such item of {uri}, and the cache has mode={self.mode!r}")
        if new_status != Status.WRITE:
            return self.create(uri, params, attrs, new_status, ext, label, filename)
        from cachedeco import held
        from cachedeco.registry.claims import new_token

        def look() -> CacheItem | None:
            return self.best(uri, params, status, newer_than, older_than)

        wanted = self._handmade(uri, params, attrs, ext, label, filename)
        token = new_token()
        try:
            outcome = held.best_or_claim(self.store, wanted, look, token)
            return outcome if isinstance(outcome, CacheItem) else self._claimed(outcome)
        except BaseException:
            # Ctrl-C may strike before there is an item whose end would end the claim.
            held.abandon(self.store, token)
            raise

    def move_in(  # noqa: PLR0917 - promised by position
        self,
        path: str | os.PathLike[str],
        uri: str | None = None,
        params: Mapping[str, Any] | None = None,
        attrs: Mapping[str, Any] | None = None,
        status: int = Status.READY,
        ext: str | None = None,
        label: str | None = None,
        filename: str | None = None,
        *,
        how: str = "copy",
    ) -> CacheItem:
        """Take a file or folder into the cache, as a new version of a key.

        Args:
            path: of the file or folder.
            uri: names the family of results; default the name of the file.
            params: the named values that make the key together with the uri.
            attrs: attributes of the item.
            status: that it has when it has been copied: READY, WRITE or FAILED.
            ext: file name extension; default that of the name.
            label: free text.
            filename: name that it gets; default the one that it has.
            how: ``"copy"``; ``"move"``, which removes it where it was once it is in the cache; or ``"link"``, a second
                name of the same file, which must lie on the same disk: it takes no room, becomes read-only under both
                names, and who changes it all the same has changed the cache, as the next hit notices.

        Raises:
            OSError: it cannot be read, or not be copied or linked; then the item is FAILED, and the file where it was.
            OptionError: a name, the status, an attribute or `how` cannot be used.
        """
        from cachedeco.files.intake import copy_in, remove_source
        from cachedeco.search import statuses

        source = os.path.abspath(os.fspath(path))
        os.stat(source)
        (after,) = statuses(status)
        if after not in {Status.READY, Status.WRITE, Status.FAILED}:
            raise OptionError(f"move_in(status={after.name}): what has been copied is READY, WRITE or FAILED")
        if how not in _WAYS:
            raise OptionError(f"move_in(how={how!r}): it is one of {', '.join(map(repr, _WAYS))}")
        if how != "copy" and os.path.realpath(source).startswith(os.path.realpath(self.path) + os.sep):
            raise OptionError(
                f"move_in(how={how!r}): {path} lies in this cache, and what is there stays its item's"
            )
        name = os.path.basename(source)
        uri, filename = name if uri is None else uri, filename or name
        item = self.create(uri, params, attrs, Status.WRITE, ext, label, filename)
        try:
            copy_in(source, str(item.path), self.store.trust, how=how)
        except BaseException as error:
            item.failed(f"{path} could not be taken: {error!r}")
            raise
        item.status = after
        if how == "move":
            # Not before: whatever happens, it is in one of the two places.
            try:
                remove_source(source)
            except OSError as error:
                message = f"{path} is in the cache, and could not be removed where it was: {error}"
                warnings.warn(message, StoreWarning, stacklevel=2)
        return item

    def _handmade(  # noqa: PLR0917 - as they came
        self,
        uri: str,
        params: Mapping[str, Any] | None,
        attrs: Mapping[str, Any] | None,
        ext: str | None,
        label: str | None,
        filename: str | None,
    ) -> Handmade:
        import json

        from cachedeco.changes import checked_name
        from cachedeco.keys.describe import describe
        from cachedeco.keys.key import make_key
        from cachedeco.registry.attributes import encode
        from cachedeco.registry.by_hand import Handmade
        from cachedeco.search import extension

        params = dict(params or {})
        filename = checked_name(filename, "filename")
        return Handmade(
            key=make_key(uri, params),
            uri=uri,
            params=json.dumps(describe(params), ensure_ascii=False),
            attributes=encode(attrs or {}),
            filename=filename,
            ext=checked_name(_extension_of(filename) if ext is None else extension(ext), "ext"),
            label=label,
        )

    def _claimed(self, claim: Claim) -> CacheItem:
        import weakref

        from cachedeco import held

        item = CacheItem(self._made(claim.id), self.store)
        # At the end of the process the lock of its owner says the same.
        weakref.finalize(item, held.abandon, self.store, claim.token).atexit = False
        return item

    def _made(self, id_: int) -> Record:
        record = self.store.items.get(id_)
        if record is None:
            raise LookupError("the new record was deleted at once by somebody else")
        return record


def _extension_of(filename: str | None) -> str | None:
    """The extension of a file name; of an archive both, as in ``tar.gz``."""
    if filename is None:
        return None
    stem, ext = os.path.splitext(filename)
    inner = os.path.splitext(stem)[1].lstrip(".")
    return (f"{inner}{ext}" if inner in _PACKED and ext else ext.lstrip(".")) or None

"""Taking items out of an archive into a cache: each is checked, copied beside, and only then a result.

    item -> makes no sense, runs code, is not signed ------------------------> refused
         -> there is one with the same content ------------------------------> there
         -> claim a version, copy beside, compare digests, sign, move, commit -> taken

A process that is killed meanwhile leaves claims without an owner, as one that computes does: what it has copied so far
is nobody's result, and the next import of the same item begins anew.
"""

from __future__ import annotations

import contextlib
import errno
import os

from xxhash import xxh3_128_digest

from cachedeco import contents, log, manifests
from cachedeco.errors import ArchiveError, CachedecoError, OptionError, UntrustedCacheError
from cachedeco.files import manifest
from cachedeco.files.bundle import Reader
from cachedeco.files.check import look
from cachedeco.files.staging import DigestingFile, Staging, measure
from cachedeco.guard import Guard, Stored
from cachedeco.item import CacheItem
from cachedeco.keys.key import SCHEMES
from cachedeco.offered import Offered
from cachedeco.receipt import REFUSED, TAKEN, THERE, Entry, Receipt
from cachedeco.registry import adopting
from cachedeco.registry.claims import new_token
from cachedeco.status import Status
from cachedeco.values import table
from cachedeco.values.contract import MissingSerializerError
from cachedeco.values.signing import LENGTH, tree_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, Protocol

    from cachedeco.files.bundle import Part
    from cachedeco.registry.claims import Claim
    from cachedeco.store import Store

    class Reading(Protocol):
        """What `cachedeco.files.bundle.Reader` has for one item."""

        def item(self, number: int, /) -> tuple[dict[str, Any], list[Part]]:
            """What is known of it, and its parts."""

        def chunks(self, item: int, number: int, part: Part, /) -> Iterator[bytes]:
            """The bytes of a part."""


_BAD_NAME = frozenset({errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.EEXIST})


class _RefusedError(Exception):
    """Why an item is not taken."""


def import_(store: Store, path: str, *, trusted: bool | None, dry_run: bool) -> Receipt:
    """Take the items of an archive; see `cachedeco.Cache.import_`."""
    import shutil

    with Reader(path) as reader:
        if reader.keys != SCHEMES:
            raise ArchiveError(
                f"the items in {path} have keys of the scheme {reader.keys!r}, and here they are made by {SCHEMES!r}: "
                "nothing would ever find them"
            )
        free = shutil.disk_usage(store.folder).free
        if reader.size > free:
            raise ArchiveError(f"{path} holds {reader.size} bytes, and {free} are free where the cache lies")
        taking = _Taking(store, reader, trusted=trusted)
        if trusted is None and not dry_run:
            taking.see_that_no_code_comes(path, reader.numbers())
        entries = [taking.take(number, dry_run=dry_run) for number in reader.numbers()]
    receipt = Receipt(path, entries, dry_run=dry_run)
    log.info("imported %d items from %s into %s", len(receipt.taken), path, store.folder)
    return receipt


def take_one(store: Store, reader: Reading) -> Entry:
    """Take an item that the caller trusts, as far as this cache does."""
    return _Taking(store, reader, trusted=True).take(1, dry_run=False)


class _Taking:
    """One import."""

    def __init__(self, store: Store, reader: Reading, *, trusted: bool | None) -> None:
        self._store = store
        self._reader = reader
        self._trusted = bool(trusted)
        # Where nobody is distrusted, what runs code comes in only by the caller's word.
        self._guard = store.guard or (None if trusted else Guard(None, allow_pickle=False))

    def see_that_no_code_comes(self, path: str, numbers: Iterable[int]) -> None:
        """Raise before anything is taken, where it is the caller who has to say whom he trusts.

        Raises:
            UntrustedCacheError: a value in the archive may run code when it is loaded.
        """
        if self._store.guard is not None:
            return
        for number in numbers:
            with contextlib.suppress(ValueError):
                offered = self._offered(number)
                try:
                    self._check_code(offered)
                except _RefusedError as error:
                    raise UntrustedCacheError(
                        f"{path} has values that may run code when they are loaded ({offered.row['uri']}: {error}); "
                        "if you know who made it, import it with trusted=True; trusted=False leaves them out"
                    ) from error

    def take(self, number: int, *, dry_run: bool) -> Entry:
        """Take one item, if it may be."""
        try:
            offered = self._offered(number)
        except ValueError as error:
            return Entry(uri="?", key="", version=0, outcome=REFUSED, reason=str(error))
        row = offered.row
        uri, key, size = row["uri"], row["key"].hex(), row["size"] or 0
        version, id_, reason = row["version"], None, ""
        try:
            self._check_code(offered)
            id_ = self._there(offered, dry_run=dry_run)
            outcome = TAKEN if id_ is None else THERE
            if id_ is None and dry_run:
                self._look_through(number, offered)
            elif id_ is None:
                id_ = self._adopt(number, offered)
                outcome = THERE if id_ is None else TAKEN
                if outcome == TAKEN:
                    self._store.grown(size)  # a budget counts what comes in this way, too
        except (_RefusedError, ArchiveError, UntrustedCacheError) as error:
            outcome, reason = REFUSED, str(error)
        except OSError as error:
            if error.errno not in _BAD_NAME:
                raise
            outcome, reason = REFUSED, f"this file system cannot have its files: {error}"
        record = None if id_ is None else self._store.items.get(id_)
        item = None if record is None else CacheItem(record, self._store)
        return Entry(uri=uri, key=key, version=version, outcome=outcome, reason=reason, size=size, item=item)

    def _there(self, offered: Offered, *, dry_run: bool) -> int | None:
        """Number of an item with the same content. One whose bytes are lost or damaged makes place for them."""
        while True:
            id_ = adopting.find(self._store.pool, offered.row)
            record = None if id_ is None else self._store.items.get(id_)
            if record is None or record.status == Status.FAILED or contents.is_intact(self._store, record):
                return id_
            if dry_run:
                return None
            self._store.claims.trash(record.id, "damaged")
            manifests.drop(self._store, record.key, [(record.version, record.token)])

    def _offered(self, number: int) -> Offered:
        return Offered(*self._reader.item(number))

    def _check_code(self, offered: Offered) -> None:
        """Refuse what could run code, where the cache or the caller does not allow that.

        Raises:
            _RefusedError: it could.
        """
        name = offered.row["serializer"]
        if name is None or self._guard is None or self._guard.allow_pickle:
            return
        try:
            runs_code = (
                name == "stream" or offered.row["form"] == "stream" or table.runs_code(table.get(name))
            )
        except (OptionError, MissingSerializerError) as error:
            raise _RefusedError(f"nobody can tell whether loading it runs code: {error}") from error
        if runs_code:
            raise _RefusedError(f"it is stored by the serializer {name!r}, which may run code")

    def _look_through(self, number: int, offered: Offered) -> None:
        """Read all bytes, and verify what they are signed with."""
        for each, part in offered.parts.items():
            if part.role != "folder":
                for _ in self._reader.chunks(number, each, part):
                    pass
        self._verified(offered, _content(offered))

    def _adopt(self, number: int, offered: Offered) -> int | None:
        """Copy an item; its number, None when somebody else has done so meanwhile."""
        content = _content(offered)
        self._verified(offered, content)
        pool, token = self._store.pool, new_token()
        staging: Staging | None = None
        version = 0
        try:
            claim = adopting.claim(pool, offered.row, token)
            version = claim.version
            row = offered.row | {
                "version": version,
                "token": token,
                "signature": None,
                "data": None,
                "mac": None,
            }
            if row["filename"] is not None:
                final = self._store.item_folder(row["key"].hex(), version, token.hex())
                staging = Staging(final, self._store.folder, self._store.trust)
                self._copy(number, offered, staging)
            elif offered.parts:
                ((each, part),) = offered.parts.items()
                row["data"] = b"".join(self._reader.chunks(number, each, part))
                self._compare(offered, len(row["data"]), xxh3_128_digest(row["data"]))
            row["mac"] = self._signed(row, content)
            done = self._commit(claim, row, offered, staging, self._arguments(number, offered, token))
            return claim.id if done else None
        finally:
            if adopting.forget(pool, offered.row["key"], version, token) and staging is not None:
                staging.discard()

    def _copy(self, number: int, offered: Offered, staging: Staging) -> None:
        row = offered.row
        place = staging.folder if row["form"] == "files" else os.path.join(staging.folder, row["filename"])
        for each, part in offered.parts.items():
            path = os.path.join(place, *part.path.split("/")) if part.path else place
            if part.role == "folder":
                if path != staging.folder:
                    os.mkdir(path)
                continue
            with DigestingFile(open(path, "xb", buffering=0)) as file:
                for chunk in self._reader.chunks(number, each, part):
                    file.write(chunk)
        self._compare(offered, *measure(place))

    @staticmethod
    def _compare(offered: Offered, size: int, digest: bytes) -> None:
        if (size, digest) != (offered.row["size"], offered.row["digest"]):
            raise _RefusedError("its bytes are not what is said of them")

    def _commit(
        self,
        claim: Claim,
        row: dict[str, object],
        offered: Offered,
        staging: Staging | None,
        arguments: bytes | None,
    ) -> bool:
        sync = self._store.durability == "full"
        if staging is not None:
            fields = {name: row.get(name) for name in manifest.Manifest.FIELDS}
            described = manifest.Manifest(**fields | {"pinned": 0})
            staging.publish(sync=sync)
            manifest.write(staging.final, described, new=True, sync=sync)
            if sync:
                staging.settle(self._store.folder)
            inside = "" if row["form"] == "files" else str(row["filename"])
            row["signature"] = look(os.path.join(staging.final, inside))[1]
        return adopting.commit(
            self._store.pool,
            claim,
            row,
            error=offered.error,
            arguments=arguments,
            code_parts=offered.code_parts,
            durable=sync,
        )

    def _verified(self, offered: Offered, content: bytes | None) -> None:
        """Refuse what is not signed with the key of this cache, where it has one.

        Raises:
            _RefusedError: it is not.
        """
        signer = None if self._store.guard is None else self._store.guard.signer
        if signer is None or content is None:
            return
        row = offered.row
        if not signer.is_right(row["mac"], "value", _stored(row).facts, content):
            what = "not signed" if row["mac"] is None else "signed with another key, or for another item"
            raise _RefusedError(f"it is {what}, and this cache takes only what is signed with its own key")

    def _signed(self, row: dict[str, object], content: bytes | None) -> bytes | None:
        """The signature of what has been verified, for the version that it has here."""
        if self._store.guard is None or content is None:
            return None
        return self._store.guard.sign(_stored(row), content)

    def _arguments(self, number: int, offered: Offered, token: bytes) -> bytes | None:
        """Stored arguments as they are kept here; None where there are none, or they are not to be trusted."""
        if offered.arguments is None:
            return None
        kept = b"".join(self._reader.chunks(number, *offered.arguments))
        row, guard = offered.row, self._store.guard
        if guard is None:
            return (kept[LENGTH:] if offered.sealed else kept) if self._trusted else None
        try:
            pickled = guard.unseal(kept, row["key"], row["function"], row["token"])
        except CachedecoError:
            return None
        return guard.seal(pickled, row["key"], row["function"], token)


def _content(offered: Offered) -> bytes | None:
    """The SHA-256 that a signature of the item speaks of, made of those of its parts; None for a failure."""
    if not offered.parts:
        return None
    parts = list(offered.parts.values())
    if offered.row["form"] in {"value", "stream"}:
        return parts[0].sha256
    return tree_digest(_entries(parts))


def _entries(parts: Iterable[Part]) -> Iterator[tuple[str, str, bytes]]:
    for each in parts:
        yield each.path.replace("/", os.sep), each.role, each.sha256


def _stored(row: dict[str, object]) -> Stored:
    facts = ("key", "version", "form", "serializer", "compression", "filename", "code")
    return Stored(**{name: row[name] for name in facts})  # type: ignore[arg-type]  # `Offered` has looked at them

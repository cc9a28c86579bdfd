"""Rebuilding a registry: from the manifests beside the values, and from what can be read of the old one.

A manifest has a checksum, so of an item with files it is believed before a row; only that an item is in the
trash is believed of a row. Whether the bytes are still what was stored is asked when somebody wants them: no
signature is taken over, so the first hit of each item computes its digest.
"""

from __future__ import annotations

import os
import warnings

from cachedeco.errors import RegistryUnavailableError, StoreWarning
from cachedeco.registry.aside import salvage_folder
from cachedeco.registry.owner import live_tokens
from cachedeco.status import Status
from cachedeco.trust import Trust

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from typing import Any

    from cachedeco.files.manifest import Manifest
    from cachedeco.registry import salvage
    from cachedeco.registry.database import Database

_NAME_PARTS = 3
_AWAY = frozenset({int(Status.TRASH), int(Status.DELETED)})


class Rebuilding:
    """Fills the new registry of a cache folder when there was one before.

    Args:
        folder: the cache folder.
        allowed: False for a cache that must not write: it does without a registry instead.
        trust: whose manifests are believed; by default its owner's only.
    """

    def __init__(self, folder: str, *, allowed: bool = True, trust: Trust | None = None) -> None:
        self._folder = folder
        self._allowed = allowed
        self._trust = trust or Trust()

    def needed(self, database: Database) -> bool:
        """Whether there is anything that a new registry has to know.

        Raises:
            RegistryUnavailableError: there is, and this cache must not write.
        """
        from cachedeco.files.listing import item_folders

        needed = os.path.isdir(salvage_folder(database.path)) or bool(item_folders(self._folder))
        if needed and not self._allowed:
            raise RegistryUnavailableError(
                f"the registry of {self._folder} is lost or damaged, and this cache has mode='read-only'; a "
                "cache that may write rebuilds it",
                path=database.path,
            )
        return needed

    def fill(self, con: sqlite3.Connection, database: Database) -> int:
        """Fill a new registry, inside the caller's transaction; how many items were found.

        Args:
            con: to the new registry.
            database: whose old registry is gone or lies aside.
        """
        from cachedeco.files.listing import item_folders, manifests
        from cachedeco.files.manifest import EXT
        from cachedeco.registry import salvage

        path = os.path.join(salvage_folder(database.path), os.path.basename(database.path))
        found = salvage.read(path)
        for name in item_folders(self._folder):
            _note_version(found, name)
        described: dict[tuple[bytes, int], Manifest] = {}
        for path in manifests(self._folder):
            _note_version(found, os.path.basename(path).removesuffix(EXT))
            each = self._whole(path)
            if each is not None:
                described[each.key, each.version] = each
        refill = salvage.Refill(con)
        for key, row in sorted(found.items.items(), key=lambda pair: pair[1]["id"]):
            known = None if row["status"] in _AWAY else described.pop(key, None)
            columns = {} if known is None else _columns(known)
            times = {
                name: row[name] for name in ("created", "ended")
            }  # to the microsecond those of the commit
            refill.add_item({**row, "signature": None, **columns, **times})
        described = {key: each for key, each in described.items() if key not in found.items}
        refill.add_tables(found.tables)
        refill.skip_ids()
        for each in sorted(described.values(), key=lambda each: (each.created, each.version)):
            refill.add_item(_columns(each), each.attributes)
        refill.keep_versions(found.last_versions)
        # What this process is about to commit is no find: somebody removed the folder while it computed.
        return refill.count - sum(each.token in live_tokens for each in described.values())

    def _whole(self, path: str) -> Manifest | None:
        """A manifest that is believed, whose bytes are there in the size that it says."""
        from cachedeco.files import manifest
        from cachedeco.files.check import look

        try:
            self._trust.look(self._folder, path)
            found = manifest.read(path)
            place = path.removesuffix(manifest.EXT)
            if found.form != "files":
                place = os.path.join(place, found.filename)
            size, _ = look(place, self._trust.look(self._folder, place))
        except (OSError, ValueError):
            return None
        return found if size == found.size else None

    def tell(self, count: int, aside: str | None) -> None:
        """Warn the user of the process that has rebuilt a registry; nobody else does."""
        what = "was lost" if aside is None else f"was damaged and now lies in {aside}"
        warnings.warn(
            f"the registry of {self._folder} {what}; it was rebuilt with the {count} items that could be found",
            StoreWarning,
            stacklevel=2,
        )


def _columns(found: Manifest) -> dict[str, Any]:
    columns = {name: getattr(found, name) for name in found.FIELDS if name != "attributes"}
    # Of other statuses there are no manifests.
    return {**columns, "status": int(Status.READY), "cause": None}


def _note_version(found: salvage.Salvage, name: str) -> None:
    parts = name.split("-")
    if len(parts) == _NAME_PARTS and parts[1].isdecimal():
        try:
            found.used(bytes.fromhex(parts[0]), int(parts[1]))
        except ValueError:
            return

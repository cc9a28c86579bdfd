"""One cache folder with its rooms: registry, files, serializers. `Cache` opens it, calls pass through it."""

from __future__ import annotations

import os

from cachedeco.files.folder import item_name, prepare
from cachedeco.rebuild import Rebuilding
from cachedeco.registry.claims import Claims
from cachedeco.registry.database import Database
from cachedeco.registry.digests import FileDigests
from cachedeco.registry.items import Items
from cachedeco.registry.memory import Memory
from cachedeco.registry.pool import Pool
from cachedeco.settings import MEMORY_LIMIT


class Store:
    """The rooms of one cache folder.

    Args:
        folder: absolute path of the cache folder; made when it is missing.
        mode: what a miss does, see `Cache`.
        memory: how many bytes of hits a process remembers.
        durability: see `Cache`.

    Attributes:
        folder: that path.
        mode: what a miss does.
        pool: connections to the registry.
        claims: who computes what.
        items: records, and what people do with them.
        durability: whether what is stored survives a power cut, where a function does not say otherwise.
        checked: token -> signature with which the digest of a file was last found right by this process.
        file_digests: of files that were keyed by their content.
        memory: the hits that this process remembers.

    Raises:
        RegistryError: the folder cannot be made.
    """

    def __init__(
        self,
        folder: str,
        mode: str = "read-write",
        memory: int = MEMORY_LIMIT,
        durability: str = "process",
    ) -> None:
        prepare(folder)
        self.durability = durability
        self.checked: dict[bytes, bytes] = {}
        self.mode = mode
        self.folder = folder
        self.pool = Pool(Database(folder, Rebuilding(folder, allowed=mode != "read-only")))
        self.claims = Claims(self.pool)
        self.items = Items(self.pool)
        self.file_digests = FileDigests(self.pool)
        self.memory = Memory(self.pool.slots, memory)

    def item_folder(self, key: str, version: int, token: str) -> str:
        """Absolute path of an item's own folder."""
        return os.path.join(self.folder, item_name(key, version, token))

    def close(self) -> None:
        """Let go of connections and of what is remembered; all comes back when it is needed."""
        self.memory.clear()
        self.pool.close()

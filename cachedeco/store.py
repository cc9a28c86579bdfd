"""One cache folder with its rooms: registry, files, serializers. `Cache` opens it, calls pass through it."""

from __future__ import annotations

import os

from cachedeco.files.folder import item_name, prepare
from cachedeco.growth import Growth
from cachedeco.rebuild import Rebuilding
from cachedeco.registry.claims import Claims
from cachedeco.registry.database import Database
from cachedeco.registry.digests import FileDigests
from cachedeco.registry.items import Items
from cachedeco.registry.memory import Memory
from cachedeco.registry.pool import Pool
from cachedeco.settings import MEMORY_LIMIT
from cachedeco.trust import Trust

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cachedeco.guard import Guard
    from cachedeco.keys.content import Memory as FileMemory


class Store:
    """The rooms of one cache folder.

    Args:
        folder: absolute path of the cache folder; made when it is missing.
        mode: what a miss does, see `Cache`.
        memory: how many bytes of hits a process remembers.
        durability: see `Cache`.
        shared: who may write there, see `Cache`.
        guard: verifies what is loaded; None where all that lies there is trusted.
        serializer: of values whose function does not say otherwise, by name.
        compress: the same, of their files.
        mmap: whether large buffers come back as maps, where a function does not say otherwise.
        max_size: bytes that all items may take; None for any number.
        on_growth: called when so much was stored that somebody should look at the whole.
        upstream: what is looked up after this one.
        bring: copies an item from there, by its number.

    Attributes:
        folder: that path.
        mode: what a miss does.
        shared: who may write there.
        guard: as given.
        serializer: as given.
        compress: as given.
        mmap: as given.
        trust: what is asked of owners and modes.
        pool: connections to the registry.
        claims: who computes what.
        items: records, and what people do with them.
        durability: whether what is stored survives a power cut, where a function does not say otherwise.
        checked: token -> signature with which the digest of a file was last found right by this process.
        uses: of items by this process, to be counted up by hits.
        growth: how much this process has stored since somebody looked at the whole.
        file_digests: of files that were keyed by their content.
        memory: the hits that this process remembers.
        upstream: as given.
        bring: as given.

    Raises:
        RegistryError: the folder cannot be made.
        UntrustedCacheError: another user owns it or may write to it.
    """

    def __init__(
        self,
        folder: str,
        mode: str = "read-write",
        memory: int = MEMORY_LIMIT,
        *,
        durability: str = "process",
        shared: str | None = None,
        guard: Guard | None = None,
        serializer: str = "auto",
        compress: str = "none",
        mmap: bool = True,
        max_size: int | None = None,
        on_growth: Callable[[Store], object] | None = None,
        upstream: tuple[Store, ...] = (),
        bring: Callable[[Store, Store, int], bool] | None = None,
    ) -> None:
        signed = guard is not None and guard.signer is not None
        self.trust = Trust(shared, signed=signed)
        prepare(folder, self.trust)
        self.durability = durability
        self.checked: dict[bytes, bytes] = {}
        self.mode = mode
        self.shared = shared
        self.guard = guard
        self.serializer = serializer
        self.compress = compress
        self.mmap = mmap
        self.folder = folder
        rebuilding = Rebuilding(folder, allowed=mode != "read-only", trust=self.trust)
        self.pool = Pool(Database(folder, rebuilding, self.trust))
        self.uses = self.pool.uses
        self.uses.kept = mode != "read-only"
        self.claims = Claims(self.pool)
        self.items = Items(self.pool)
        self.file_digests: FileMemory = FileDigests(self.pool)
        if signed:
            from cachedeco.keys.content import MEMORY

            # Those in the registry are not: who changes them could have one file's result taken for another's.
            self.file_digests = MEMORY
        self.memory = Memory(self.pool.slots, memory)
        self.growth = Growth(max_size)
        self._on_growth = on_growth
        self.upstream = upstream
        self.bring = bring

    def has_registry(self) -> bool:
        """Whether there is a registry by now; whoever looks something up where there is none makes one."""
        return os.path.exists(self.pool.database.path)

    def grown(self, size: int) -> None:
        """Count what was stored; now and then somebody looks whether that is too much."""
        if self.growth.is_due(size) and self._on_growth is not None:
            self._on_growth(self)

    def item_folder(self, key: str, version: int, token: str) -> str:
        """Absolute path of an item's own folder."""
        return os.path.join(self.folder, item_name(key, version, token))

    def make_item_folder(self, key: str, version: int, token: str) -> None:
        """Make an item's own folder, for who writes to it by hand.

        Raises:
            OSError: it cannot be made.
        """
        self.trust.make_folder(self.folder, self.item_folder(key, version, token))

    def close(self) -> None:
        """Let go of connections and of what is remembered; all comes back when it is needed."""
        self.memory.clear()
        self.pool.keep_uses(wait=1.0)
        self.pool.close()
        for each in self.upstream:
            each.close()

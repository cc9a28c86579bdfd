"""Keeping a cache below a size: a little now and then, by who writes to it."""

from __future__ import annotations

import time
import warnings

from cachedeco.errors import RegistryError, StoreWarning
from cachedeco.growth import LARGE
from cachedeco.registry import upkeep
from cachedeco.upkeep.gc import CAUSE, Rules, excess_of
from cachedeco.upkeep.going import for_good, to_trash
from cachedeco.upkeep.report import Report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cachedeco.store import Store

GRACE = 3600 * 10**6
"""Microseconds that what a budget has let go can be restored, and its path be read, if there is room for it."""

PRESSED_GRACE = 60 * 10**6
"""The same where the trash itself takes the room."""

_ROOM = 0.9
"""What a clean-up leaves of the budget, so that not every write needs one."""

_TOLD = "told"


def keep(store: Store) -> None:
    """Let go of what is too much, or say that there is much. Never an error: what was written is written."""
    try:
        if store.growth.limit is None:
            _tell(store)
        else:
            _shrink(store, store.growth.limit)
    except RegistryError:
        return  # who writes next will hear of it


def _shrink(store: Store, limit: int) -> None:
    report, now = Report("budget"), time.time_ns() // 1000
    for_good(store, report, upkeep.in_trash(store.pool, now - GRACE), "let go more than an hour ago")
    used, trashed = upkeep.sizes(store.pool)
    if used > limit:
        rules = Rules(max_size=int(limit * _ROOM))
        to_trash(store, report, excess_of(store, rules, Report("budget"), used), "least recently used", CAUSE)
        used, trashed = upkeep.sizes(store.pool)
    if used + trashed > limit:
        pressed = []
        for each in upkeep.in_trash(store.pool, now - PRESSED_GRACE):
            if used + trashed <= limit:
                break
            pressed.append(each)
            trashed -= each.size
        for_good(store, report, pressed, "let go, and its room is needed")


def _tell(store: Store) -> None:
    used, trashed = upkeep.sizes(store.pool)
    if used + trashed <= LARGE or upkeep.mark(store.pool, _TOLD):
        return
    upkeep.set_mark(store.pool, _TOLD, used + trashed)
    warnings.warn(
        f"the cache {store.folder} has grown to {(used + trashed) / 10**9:.1f} GB and has no budget: give it one with "
        "Cache(max_size=...), or let go of what is old with Cache.gc(max_age=...); this is said once",
        StoreWarning,
        stacklevel=2,
    )

"""Caches that are looked up after a call's own: what they have is copied up, so that the next call finds it here."""

from __future__ import annotations

from cachedeco.calls import notices
from cachedeco.calls.hits import find, hit
from cachedeco.calls.plan import ANY_VERSION
from cachedeco.errors import RegistryUnavailableError
from cachedeco.record import MISSING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cachedeco.calls.plan import Request
    from cachedeco.registry.claims import Hit
    from cachedeco.store import Store


def found(store: Store, request: Request) -> tuple[Store, Hit] | None:
    """The first of the other caches that has what this call may use, and the row there; None if none has."""
    for upstream in store.upstream:
        if not upstream.has_registry():
            continue
        # What was rejected here says nothing of versions there.
        below, seen, request.below = request.below, request.seen, ANY_VERSION
        try:
            row = find(upstream, request)
        except (RegistryUnavailableError, OSError) as error:
            notices.warn_once(upstream.folder, "upstream", f"this cache could not be looked up: {error}")
            continue
        finally:
            request.below, request.seen = below, seen
        if row is not None:
            return upstream, row
    return None


def copy_up(store: Store, request: Request) -> bool:
    """Copy what another cache has for this call; whether it is here by now."""
    place = found(store, request)
    if place is None or store.bring is None or store.mode == "read-only":
        return False
    upstream, row = place
    try:
        return store.bring(store, upstream, row[0])
    except OSError as error:
        message = f"what the cache {upstream.folder} has could not be copied: {error}"
        notices.warn_once(request.plan.name, "copy_up", message)
        return False


def load(store: Store, request: Request) -> Any:
    """The value that another cache has for this call, copied up first where that is possible; MISSING if none has."""
    if store.upstream and copy_up(store, request):
        value = hit(store, request)
        if value is not MISSING:
            return value
    if store.guard is not None:
        return MISSING  # what could not be verified here is not to be trusted elsewhere
    place = found(store, request)
    if place is None:
        return MISSING
    below, seen = request.below, request.seen
    try:
        return hit(place[0], request)
    except RegistryUnavailableError:
        return MISSING
    finally:
        request.below, request.seen = below, seen

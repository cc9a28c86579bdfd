"""Claims by hand: an item that its caller writes and ends, while whoever wants the same waits.

    best_or_claim -> there is one ------------------------------> that one
                  -> a thread or process is writing it: wait for it, look again
                  -> nobody: claim it; `commit` or `fail` end the claim, `abandon` lets it go

Notes:
    A claim is held from one call of the user to another, so no ``finally`` of ours can end it. The item that
    the user has ends it when it is garbage; the lock of the process ends it when the process does.
"""

from __future__ import annotations

import os
import time
from _thread import start_new_thread

from cachedeco import events, log
from cachedeco.calls.flights import Flight
from cachedeco.calls.miss import wait, wait_here
from cachedeco.errors import RegistryError
from cachedeco.registry import by_hand
from cachedeco.registry.by_hand import SCOPE
from cachedeco.registry.claims import Bytes, Claim
from cachedeco.registry.owner import live_tokens

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from cachedeco.record import Record
    from cachedeco.registry.by_hand import Handmade
    from cachedeco.store import Store

    Found = TypeVar("Found")

_held: dict[bytes, Flight] = {}


def best_or_claim(
    store: Store, wanted: Handmade, look: Callable[[], Found | None], token: bytes
) -> Found | Claim:
    """What `look` finds, by now or when who is writing it has finished; else a claim.

    Args:
        store: the cache folder.
        wanted: what is claimed.
        look: finds the item to use, or None.
        token: of the claim. The caller has it before there is one, to `abandon` it when Ctrl-C strikes on the way.

    Raises:
        WaitCycleError: who holds that claim waits, directly or through others, for this thread.
    """
    while True:
        found = look()
        if found is not None:
            return found
        mine = Flight(store.folder, wanted.key, SCOPE, wanted.uri)
        try:
            flight = mine.board()
            if flight is not mine:
                log.debug("waiting for %s in this process", wanted.uri)
                _tell("wait", store, wanted, None)
                wait_here(store, flight, None)
                continue
            outcome = _lead(store, wanted, mine, token, look)
            if isinstance(outcome, Claim):
                mine.claim = outcome.id
                _held[token] = mine
            return outcome
        finally:
            if token not in _held:
                mine.over = True
                mine.landed.release()
                mine.settle()
                if token in live_tokens:
                    # Claimed perhaps, and left by Ctrl-C or an error.
                    live_tokens.discard(token)
                    store.claims.release(token)


def is_by_hand(record: Record) -> bool:
    """Whether a record is or was a claim by hand."""
    return record.owner is not None and record.scope == SCOPE.hex()


def is_ours(record: Record) -> bool:
    """Whether this process holds the claim."""
    return bytes.fromhex(record.token) in _held


def commit(  # noqa: PLR0917 - as they were measured
    store: Store,
    record: Record,
    size: int,
    digest: bytes,
    signature: bytes,
    mac: bytes | None,
    *,
    durable: bool = False,
) -> bool:
    """Mark a claim READY, with `durable` so that a power cut does not take it back; False when it is no longer ours."""
    stored = Bytes(
        form="file", size=size, digest=digest, signature=signature, filename=record.filename, mac=mac
    )
    done = is_ours(record) and store.claims.commit(
        _claim_of(record), stored, [], duration=_since(record.created), attempts=0, durable=durable
    )
    _let_go(bytes.fromhex(record.token))
    return done


def fail(store: Store, record: Record, error: str | None) -> bool:
    """Mark a claim FAILED; False when it is no longer ours."""
    figures = {"duration": _since(record.created), "attempts": 0}
    done = is_ours(record) and store.claims.fail(_claim_of(record), "raised", error, **figures)
    _let_go(bytes.fromhex(record.token))
    return done


def let_go(store: Store, token: bytes) -> None:
    """End a claim of this process without a result; who waits for it takes over."""
    if token in _held:
        store.claims.release(token)
    _let_go(token)


def abandon(store: Store, token: bytes) -> None:
    """Let a claim go that nobody can end any more. Called by the garbage collector: takes no lock.

    The collector may strike inside a transaction or with any lock held, so the registry is told by another
    thread.
    """
    flight = _held.get(token)
    if flight is None:
        return  # it has ended, or this is a fork of the process that claimed
    _land(flight)
    live_tokens.discard(token)
    _held.pop(token, None)
    try:
        start_new_thread(_release, (store, token, flight))
    except RuntimeError:
        return  # the interpreter is about to end, and the lock of the process with it


def _release(store: Store, token: bytes, flight: Flight) -> None:
    flight.settle()
    try:
        store.claims.release(token)
    except RegistryError:
        return  # its token is not live: the next claim or wait of this process fails it


def _lead(
    store: Store, wanted: Handmade, flight: Flight, token: bytes, look: Callable[[], Found | None]
) -> Found | Claim:
    """Wait for another process's claim, or claim."""
    while True:
        seen = by_hand.newest_ready(store.pool, wanted.key)
        found = look()
        if found is not None:
            return found
        running = store.claims.running(wanted.key, SCOPE)
        if running is not None:
            log.debug("waiting for version %d of %s in another process", running.version, wanted.uri)
            _tell("wait", store, wanted, running.version)
            wait(store, flight, running, None)
            continue
        live_tokens.add(token)
        claim = by_hand.claim(store.pool, wanted, token, seen)
        if claim is not None:
            store.make_item_folder(wanted.key.hex(), claim.version, token.hex())
            log.debug("claimed version %d of %s", claim.version, wanted.uri)
            _tell("claim", store, wanted, claim.version)
            return claim


def _tell(kind: str, store: Store, wanted: Handmade, version: int | None) -> None:
    if events.listening:
        events.tell(kind, store.folder, wanted.uri, wanted.key.hex(), version=version)


def _claim_of(record: Record) -> Claim:
    return Claim(record.id, record.version, bytes.fromhex(record.token), bytes.fromhex(record.key))


def _since(created: int) -> int:
    return max(0, time.time_ns() // 1000 - created)


def _let_go(token: bytes) -> None:
    flight = _held.get(token)
    if flight is None:
        return
    _land(flight)
    live_tokens.discard(token)
    flight.settle()
    # Last: when Ctrl-C cuts this short, the item does the rest once it is garbage.
    _held.pop(token, None)


def _land(flight: Flight) -> None:
    if not flight.over:
        flight.over = True
        flight.landed.release()


def _after_fork_in_child() -> None:
    # The claims are the parent's: a child waits for them like any other process.
    for flight in _held.values():
        flight.over = True
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)

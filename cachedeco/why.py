"""Why a call is a hit or a miss: the nearest item there is, and what differs from it."""

from __future__ import annotations

import time

from cachedeco import policy
from cachedeco.item import CacheItem
from cachedeco.keys.describe import describe
from cachedeco.record import parse_mapping
from cachedeco.registry.items import Filter
from cachedeco.registry.ordering import NEWEST_FIRST
from cachedeco.status import Status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from cachedeco.calls.plan import Request
    from cachedeco.record import Record
    from cachedeco.registry.claims import Hit
    from cachedeco.store import Store

_LOOK_AT = 1000
"""So many of the newest items of a function are compared to find the nearest."""


_HOW = {
    "raised": "it raised",
    "abandoned": "whoever computed it was interrupted or died",
    "store": "its value could not be stored",
}
"""A failure's cause, for people."""


class Difference:
    """One thing in which the nearest item differs from the call.

    Attributes:
        name: of the argument (``argument x``) or of the part of the code (``body``, ``helper module.name``).
        before: what it was for the item; None when there was none.
        now: what it is for the call; None when there is none.
    """

    __slots__ = ("before", "name", "now")

    def __init__(self, name: str, before: str | None, now: str | None) -> None:
        self.name = name
        self.before = before
        self.now = now

    def __repr__(self) -> str:
        return f"Difference({self.name!r}, before={self.before!r}, now={self.now!r})"

    def lines(self) -> list[str]:
        """The difference for people."""
        before, now = self.before, self.now
        if before is not None and now is not None and ("\n" in before or "\n" in now):
            import difflib

            changes = difflib.unified_diff(
                before.splitlines(), now.splitlines(), "before", "now", lineterm="", n=2
            )
            return [f"  {self.name}:", *(f"    {line}" for line in changes)]
        return [
            f"  {self.name}: {'nothing' if before is None else before} -> {'nothing' if now is None else now}"
        ]


class Why:
    """The answer to "why is this call a hit, or a miss?".

    Attributes:
        hit: whether the call would load a stored value.
        cause: ``"hit"``, ``"computing"``, ``"failed"``, ``"code"``, ``"removed"``, ``"expired"``, ``"refused"``,
            ``"argument"`` or ``"never"``.
        differences: what differs from the nearest item.
        nearest: the item that comes closest; None when the function was never computed.
    """

    __slots__ = ("_sentence", "cause", "differences", "hit", "nearest")

    def __init__(
        self,
        cause: str,
        sentence: str,
        nearest: CacheItem | None = None,
        differences: tuple[Difference, ...] = (),
    ) -> None:
        self.hit = cause == "hit"
        self.cause = cause
        self.nearest = nearest
        self.differences = differences
        self._sentence = sentence

    def __repr__(self) -> str:
        return (
            f"Why(hit={self.hit}, cause={self.cause!r}, differences={self.differences}, "
            f"nearest={self.nearest})"
        )

    def __str__(self) -> str:
        lines = [self._sentence]
        for difference in self.differences:
            lines += difference.lines()
        if self.cause == "failed" and self.nearest is not None and self.nearest.error:
            lines += ["", self.nearest.error.rstrip()]
        return "\n".join(lines)


def explain(store: Store, request: Request, row: Hit | None) -> Why:
    """Explain one call.

    Args:
        store: the cache folder.
        request: the call.
        row: what the call would load, if anything.
    """
    name = request.plan.name
    if row is not None:
        record = store.items.get(row[0])
        nearest = None if record is None else CacheItem(record, store)
        return Why("hit", f"Hit: version {row[1]} of {name} is stored.", nearest)
    if store.claims.running(request.key, request.scope) is not None:
        return Why("computing", f"Miss: somebody is computing this call of {name} now.")
    known = store.items.search(Filter(key=request.key, status=tuple(Status)), order=NEWEST_FIRST)
    if known:
        return _of_same_key(store, request, known)
    return _of_other_arguments(store, request)


def explain_item(store: Store, record: Record) -> Why:
    """Explain why an item was computed, or made by hand, although there were others.

    Args:
        store: the cache folder.
        record: the item.
    """
    name, item = record.function or record.uri, CacheItem(record, store)
    if record.status == Status.FAILED:
        return Why(
            "failed", f"Version {record.version} of {name} failed: {_HOW[record.cause or 'raised']}.", item
        )
    if record.function is None:
        return Why("never", f"Version {record.version} of {name} was made by hand.", item)
    versions = store.items.search(
        Filter(key=bytes.fromhex(record.key), status=tuple(Status)), order=NEWEST_FIRST
    )
    before = next((each for each in versions if each.version < record.version), None)
    if before is None:
        return _of_first_version(store, record)
    return _of_later_version(store, record, before)


def _of_later_version(store: Store, record: Record, before: Record) -> Why:
    name = record.function or record.uri
    made = f"Version {record.version} of {name} was computed"
    if before.code != record.code and before.code and record.code:
        parts = (
            parse_mapping(store.items.code_parts(bytes.fromhex(each))) for each in (before.code, record.code)
        )
        differences = tuple(_part_differences(*parts))
        names = ", ".join(difference.name for difference in differences) or "code"
        sentence = f"{made} because version {before.version} was made by other code; what differs: {names}."
        return Why("code", sentence, CacheItem(before, store), differences)
    if before.status == Status.FAILED:
        return Why("failed", f"{made} because version {before.version} had failed.", CacheItem(before, store))
    if before.status != Status.READY:
        sentence = f"{made}; version {before.version} was set aside ({before.cause})."
        return Why("removed", sentence, CacheItem(before, store))
    sentence = (
        f"{made} although version {before.version} was there: it was refreshed, had expired or was refused."
    )
    return Why("refreshed", sentence, CacheItem(before, store))


def _of_first_version(store: Store, record: Record) -> Why:
    name = record.function or record.uri
    others = store.items.search(Filter(function=record.function), order=NEWEST_FIRST, limit=_LOOK_AT)
    found = _nearest([each for each in others if each.id < record.id], record.described())
    if found is None:
        return Why("never", f"It was the first call of {name} that is known.")
    nearest, differences = found
    names = ", ".join(difference.name for difference in differences)
    sentence = f"{name} was not known for these arguments; the nearest before it differs in {names}."
    return Why("argument", sentence, CacheItem(nearest, store), tuple(differences))


def _of_same_key(store: Store, request: Request, known: list[Record]) -> Why:
    name, scope = request.plan.name, request.scope.hex()
    same_code = [record for record in known if record.scope == scope]
    if same_code:
        newest = same_code[0]
        item = CacheItem(newest, store)
        if newest.status == Status.FAILED:
            sentence = f"Miss: the last try of {name} failed: {_HOW[newest.cause or 'raised']}."
            return Why("failed", sentence, item)
        if newest.status in (Status.TRASH, Status.DELETED):
            return Why(
                "removed", f"Miss: version {newest.version} of {name} was set aside ({newest.cause}).", item
            )
        return _of_unused(request, item)
    ready = [record for record in known if record.status == Status.READY and record.code is not None]
    if not ready:
        return Why("never", f"Miss: {name} was never computed for these arguments with this code.")
    differences = tuple(_code_differences(store, request, ready[0]))
    names = ", ".join(difference.name for difference in differences) or "code"
    sentence = f"Miss: version {ready[0].version} of {name} was made by other code; what differs: {names}."
    return Why("code", sentence, CacheItem(ready[0], store), differences)


def _of_unused(request: Request, item: CacheItem) -> Why:
    """Why a READY item of the right code is no hit."""
    options, what = request.plan.options, f"version {item.version} of {request.plan.name}"
    if not item.intact():
        return Why("removed", f"Miss: {what} cannot be used: its bytes are gone.", item)
    if not policy.is_fresh(item._record.ended, options.expires, time.time_ns() // 1000):  # noqa: SLF001 - microseconds
        return Why("expired", f"Miss: {what} has expired: it was committed at {item.committed}.", item)
    invalid = options.validate is not None and not options.validate(item)
    option = "validate" if invalid else "best"
    return Why("refused", f"Miss: {what} is stored, but the function's `{option}` does not take it.", item)


def _code_differences(store: Store, request: Request, record: Record) -> list[Difference]:
    before = parse_mapping(store.items.code_parts(bytes.fromhex(record.code or "")))
    return _part_differences(before, request.plan.code.parts(request.params))


def _part_differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[Difference]:
    names = [*now, *(name for name in before if name not in now)]
    return [
        Difference(name, before.get(name), now.get(name))
        for name in names
        if before.get(name) != now.get(name)
    ]


def _of_other_arguments(store: Store, request: Request) -> Why:
    plan = request.plan
    candidates = store.items.search(Filter(function=plan.name), order=NEWEST_FIRST, limit=_LOOK_AT)
    found = _nearest(candidates, describe(request.params, plan.selection.secrets))
    if found is None:
        return Why("never", f"Miss: {plan.name} was never computed.")
    record, differences = found
    names = ", ".join(difference.name for difference in differences)
    sentence = f"Miss: {plan.name} was never computed for these arguments; the nearest differs in {names}."
    return Why("argument", sentence, CacheItem(record, store), tuple(differences))


def _nearest(
    candidates: list[Record], now: Mapping[str, Mapping[str, Any]]
) -> tuple[Record, list[Difference]] | None:
    """Of candidates, the newest first, the one whose arguments differ least, and in what."""
    best: tuple[Record, list[Difference]] | None = None
    for record in candidates:
        differences = _argument_differences(record.described(), now)
        # Among equals the newest, which comes first; a READY one tells more than a failure.
        if differences and (best is None or _rank(record, differences) < _rank(*best)):
            best = (record, differences)
    return best


def _rank(record: Record, differences: list[Difference]) -> tuple[int, bool]:
    return len(differences), record.status != Status.READY


def _argument_differences(
    before: dict[str, dict[str, Any]], now: Mapping[str, Mapping[str, Any]]
) -> list[Difference]:
    differences = []
    for name in [*now, *(name for name in before if name not in now)]:
        old, new = before.get(name, {}), now.get(name, {})
        if old.get("digest") != new.get("digest"):
            shown = [each.get("preview", each.get("digest")) if each else None for each in (old, new)]
            differences.append(Difference(f"argument {name}", *shown))
    return differences

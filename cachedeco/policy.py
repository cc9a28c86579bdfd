"""What a call does next, decided from what it has seen. Pure: no clock, no registry, no file of its own."""

from __future__ import annotations

import enum

from cachedeco.status import Status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cachedeco.record import Record


class Ended(enum.Enum):
    """What the end of somebody else's claim means to those who waited for it."""

    RUNNING = "running"
    """It has not ended."""
    LOOK_AGAIN = "look again"
    """It is READY, or nobody computes any more: there is a hit, or a turn to take."""
    RAISED = "raised"
    """The function raised. Whoever waited gets that failure: they do not run it one after another."""
    UNSTORABLE = "unstorable"
    """The value could not be stored. Whoever waited computes for itself, all at once, without a claim."""


def end_of_claim(status: int | None, cause: str | None) -> Ended:
    """Decide what a waiter does, from the status and cause of the claim that it waits for.

    Args:
        status: of the item; None when its row is gone.
        cause: of a FAILED item.
    """
    if status == Status.WRITE:
        return Ended.RUNNING
    if status == Status.FAILED and cause == "raised":
        return Ended.RAISED
    if status == Status.FAILED and cause == "store":
        return Ended.UNSTORABLE
    return Ended.LOOK_AGAIN


def candidates(
    versions: Iterable[Record], *, form: str, code: str, code_counts: bool, prefer_code: bool
) -> list[Record]:
    """The READY items that a call may use as far as the code goes, the newest first.

    Args:
        versions: all versions of the key.
        form: of the bytes that the function produces.
        code: digest of the function's code.
        code_counts: leave out what other code made.
        prefer_code: put what this code made before what other code made.
    """
    usable = [
        record
        for record in versions
        if record.status == Status.READY
        and record.form == form
        and record.code is not None
        and (record.code == code or not code_counts)
    ]
    return sorted(
        usable, key=lambda record: (prefer_code and record.code == code, record.version), reverse=True
    )


def is_fresh(ended: int | None, expires: int | None, now: int) -> bool:
    """Whether an item has not expired.

    Args:
        ended: when it became READY, in microseconds.
        expires: how long it may be used from then on, in microseconds; None for ever.
        now: in microseconds.
    """
    return expires is None or ended is None or now < ended + expires


def is_cooling_down(failed: int | None, cooldown: float | None, now: int) -> bool:
    """Whether a failure is too young for another try.

    Args:
        failed: when the function raised, in microseconds; None if it did not.
        cooldown: seconds in which it is not tried again; None for none.
        now: in microseconds. A clock that was set back does not prolong a cooldown.
    """
    return failed is not None and cooldown is not None and 0 <= now - failed < cooldown * 1e6


def next_pause(pause: float, longest: float) -> float:
    """The pause after a pause between two looks at a running claim: it grows, up to the longest."""
    return min(pause * 1.6, longest)

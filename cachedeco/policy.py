"""What a call does next, decided from what it has seen. Pure: no clock, no registry, no file of its own."""

from __future__ import annotations

import enum

from cachedeco.status import Status


class Step(enum.Enum):
    """What a call does next."""

    HIT = "hit"
    """Load the READY item that was found."""
    WAIT = "wait"
    """Wait for the claim that was found, then look again."""
    COMPUTE = "compute"
    """Claim the key and run the function."""


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


def next_step(*, ready: bool, running: bool, refresh: bool) -> Step:
    """Decide on the look-up of one (key, scope).

    Args:
        ready: a READY item that this call may use was found.
        running: somebody's claim was found.
        refresh: the caller wants a new version, whatever there is.
    """
    if ready and not refresh:
        return Step.HIT
    return Step.WAIT if running else Step.COMPUTE


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


def next_pause(pause: float, longest: float) -> float:
    """The pause after a pause between two looks at a running claim: it grows, up to the longest."""
    return min(pause * 1.6, longest)

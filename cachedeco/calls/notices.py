"""What people and programs are told of a call: warnings, one per function and cause, events, and tracebacks."""

from __future__ import annotations

import warnings

from cachedeco import events
from cachedeco.errors import StoreWarning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cachedeco.calls.plan import Request
    from cachedeco.store import Store

_said: set[tuple[str, str]] = set()


def warn_once(function: str, cause: str, message: str) -> None:
    """Warn, unless this function has been warned about for this cause in this process.

    Args:
        function: its name for people.
        cause: tells one cause from another; not shown.
        message: what happened, and what it means for the caller.
    """
    if (function, cause) in _said:
        return
    _said.add((function, cause))
    warnings.warn(f"{function}: {message}", StoreWarning, stacklevel=_outside())


def tell(kind: str, store: Store, request: Request, **known: Any) -> None:
    """Tell who listens what happens to a call; see `cachedeco.events.Event`. To be called where somebody does."""
    events.tell(kind, store.folder, request.uri, request.key.hex(), function=request.plan.name, **known)


def traceback_text(error: BaseException) -> str:
    """The traceback as text, without this package's own frames at its top."""
    import traceback

    frame = error.__traceback__
    while frame is not None and frame.tb_frame.f_globals.get("__name__", "").startswith("cachedeco."):
        frame = frame.tb_next
    text = "".join(traceback.format_exception(type(error), error, frame or error.__traceback__))
    # A message may hold what is no text, such as a part of a file name; the registry takes text only.
    return text.encode("utf-8", "backslashreplace").decode()


def forget() -> None:
    """Warn anew; for tests, which share a process."""
    _said.clear()


def _outside() -> int:
    """Stack level of the nearest caller outside this package, seen from `warn_once`."""
    import sys

    level = 1
    frame = sys._getframe(1)  # noqa: SLF001 - the documented way is inspect, which costs 10 ms to import
    package = __name__.partition(".")[0]
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        frame = frame.f_back
        level += 1
    return level

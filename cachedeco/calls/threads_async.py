"""Work that would block an event loop, done in a thread and awaited."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from contextvars import copy_context
from functools import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    T = TypeVar("T")


async def in_thread(function: Callable[..., T], *args: Any) -> T:
    """Run a function in a thread of its own; a cancelled task waits for its end: nothing is cut in two."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[tuple[T | None, BaseException | None]] = loop.create_future()

    def run() -> None:
        result, error = None, None
        try:
            result = function(*args)
        except BaseException as raised:  # noqa: BLE001 - it is raised where it is awaited
            error = raised
        # No function of ours is called by the loop: Ctrl-C could strike it, and nobody would learn of the end.
        with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody awaits it
            loop.call_soon_threadsafe(done.set_result, (result, error))

    run_here = partial(copy_context().run, run)
    threading.Thread(target=run_here, name="cachedeco", daemon=True).start()
    cancelled: asyncio.CancelledError | None = None
    while not done.done():
        try:
            await asyncio.wait([done])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    result, failure = done.result()
    if failure is not None:
        raise failure
    return result  # type: ignore[return-value]  # there is one where nothing was raised

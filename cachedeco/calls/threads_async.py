"""Work that would block an event loop, done in a thread and awaited."""

from __future__ import annotations

import asyncio
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
    done: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            result = function(*args)
        except BaseException as error:  # noqa: BLE001 - it is raised where it is awaited
            _hand_over(loop, done, None, error)
        else:
            _hand_over(loop, done, result, None)

    run_here = partial(copy_context().run, run)
    threading.Thread(target=run_here, name="cachedeco", daemon=True).start()
    cancelled: asyncio.CancelledError | None = None
    while not done.done():
        try:
            await asyncio.wait([done])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        done.exception()  # looked at, so that nobody complains; the cancellation is what the caller gets
        raise cancelled
    return done.result()


def _hand_over(
    loop: asyncio.AbstractEventLoop, done: asyncio.Future[Any], result: Any, error: BaseException | None
) -> None:
    def settle() -> None:
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)

    try:
        loop.call_soon_threadsafe(settle)
    except RuntimeError:
        return  # the loop has been closed: nobody awaits it

"""Cached asynchronous generators: `streams` for ``async for``.

Notes:
    Items are written and read in the loop's thread, one at a time; the whole stream is stored in a thread of
    its own.
"""

from __future__ import annotations

from cachedeco.calls.streams import StreamCall
from cachedeco.calls.threads_async import in_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from typing import Any

    from cachedeco.calls.plan import Plan


async def stream_async(
    plan: Plan, args: tuple[Any, ...], kwargs: dict[str, Any], *, refresh: bool = False
) -> AsyncGenerator[Any, None]:
    """Call a cached asynchronous generator function: stream what is stored, or run it and store what it yields."""
    call = StreamCall(plan, args, kwargs, refresh=refresh)
    stored = call.open()
    if stored is not None:
        with stored:
            while not stored.over:
                call.refuse_sent((yield stored.value))
                call.advance(stored)
        return
    with call:
        source = plan.function(*args, **kwargs)
        try:
            while True:
                try:
                    item = await anext(source)
                except StopAsyncIteration:
                    break
                except Exception as error:
                    await in_thread(call.failed, error)
                    raise
                call.add(item)
                call.refuse_sent((yield item))
            await in_thread(call.publish, None)
        finally:
            await source.aclose()

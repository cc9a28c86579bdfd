"""The plain functions that `cached` makes: one for each kind of function, so that it stays of its kind.

The closure of each holds only itself: function and settings are read from its ``__dict__``. So it pickles by
reference like any function, and by value where the functions of a notebook have to.
"""

from __future__ import annotations

import functools

from cachedeco.calls.call import call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator
    from typing import Any

    from cachedeco.calls.plan import Plan

PLAIN, ASYNC, GENERATOR, ASYNC_GENERATOR = "plain", "async", "generator", "async generator"

_FLAGS = {
    0x20: GENERATOR,
    0x80: ASYNC,
    0x200: ASYNC_GENERATOR,
}  # CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR


def innermost(function: Any) -> Any:
    """The function inside partial objects and bound methods."""
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif hasattr(function, "__func__"):
            function = function.__func__
        else:
            return function


def kind_of(function: Callable[..., Any]) -> str:
    """What a call of a function gives: a value, an awaitable, an iterator or an asynchronous iterator."""
    code = getattr(innermost(function), "__code__", None)
    flags = 0 if code is None else code.co_flags
    return next((kind for flag, kind in _FLAGS.items() if flags & flag), PLAIN)


def dispatch(plan: Plan, args: tuple[Any, ...], kwargs: dict[str, Any], *, refresh: bool) -> Any:
    """Call a cached function of any kind; what it returns is awaited or iterated over as its kind is."""
    if plan.kind == PLAIN:
        return call(plan, args, kwargs, refresh=refresh)
    if plan.kind == ASYNC:
        from cachedeco.calls.call_async import call_async

        return call_async(plan, args, kwargs, refresh=refresh)
    if plan.kind == GENERATOR:
        from cachedeco.calls.streams import stream

        return stream(plan, args, kwargs, refresh=refresh)
    from cachedeco.calls.streams_async import stream_async

    return stream_async(plan, args, kwargs, refresh=refresh)


def wrap(function: Callable[..., Any], kind: str) -> Any:
    """Make the function that stands in for a cached one."""
    make = {PLAIN: _plain, ASYNC: _async, GENERATOR: _generator, ASYNC_GENERATOR: _async_generator}[kind]
    wrapper = functools.update_wrapper(make(), function)
    inner = innermost(function)
    if inner is not function:
        for name in ("__module__", "__name__", "__qualname__"):
            setattr(wrapper, name, getattr(inner, name))
    return wrapper


def _plain() -> Any:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return call(wrapper.__cachedeco__, args, kwargs)  # type: ignore[attr-defined]  # set by cached

    return wrapper


def _async() -> Any:
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        return await dispatch(wrapper.__cachedeco__, args, kwargs, refresh=False)  # type: ignore[attr-defined]  # as above

    return wrapper


def _generator() -> Any:
    def wrapper(*args: Any, **kwargs: Any) -> Generator[Any, None, Any]:
        return (yield from dispatch(wrapper.__cachedeco__, args, kwargs, refresh=False))  # type: ignore[attr-defined]  # as above

    return wrapper


def _async_generator() -> Any:
    async def wrapper(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        items = dispatch(wrapper.__cachedeco__, args, kwargs, refresh=False)  # type: ignore[attr-defined]  # as above
        try:
            sent = None
            while True:
                try:
                    item = await items.asend(sent)
                except StopAsyncIteration:
                    return
                sent = yield item
        finally:
            await items.aclose()

    return wrapper

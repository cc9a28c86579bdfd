"""Running the function itself: its attempts, its place for output files, and running it without the cache."""

from __future__ import annotations

from cachedeco.calls import notices

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cachedeco.calls.plan import Request


def run(request: Request, folder: str | None) -> Any:
    """Run the function, as often as its ``retry`` allows.

    Args:
        request: the call.
        folder: an empty folder for its output files; None for a function that returns a value.

    Returns:
        Its value; for a function with output files, their names.
    """
    retry = request.plan.options.retry
    if not isinstance(retry, int):
        return retry.copy()(_attempt, request, folder)
    while True:
        kwargs = _prepare(request, folder)
        try:
            return _taken(request, folder, request.plan.function(*request.args, **kwargs))
        except Exception:
            if request.attempts >= retry:
                raise


async def run_async(request: Request, folder: str | None) -> Any:
    """The same for a function that is awaited."""
    retry = request.plan.options.retry
    if not isinstance(retry, int):
        return await retry.copy()(_attempt_async, request, folder)
    while request.attempts < retry - 1:
        try:
            return await _attempt_async(request, folder)
        except Exception:  # noqa: BLE001, S112 - as above
            continue
    return await _attempt_async(request, folder)


def run_uncached(request: Request, why: str | None) -> Any:
    """Run the function without storing anything; its output files go to a temporary folder.

    Args:
        request: the call.
        why: said once per function; None when the user asked for it.
    """
    folder = _uncached_folder(request, why)
    return _given(request, folder, run(request, folder))


async def run_uncached_async(request: Request, why: str | None) -> Any:
    """The same for a function that is awaited."""
    folder = _uncached_folder(request, why)
    return _given(request, folder, await run_async(request, folder))


def _uncached_folder(request: Request, why: str | None) -> str | None:
    plan = request.plan
    if why is not None:
        notices.warn_once(plan.name, why.partition("(")[0], why)
    if plan.output is None:
        return None
    import tempfile

    folder = tempfile.mkdtemp(prefix="cachedeco-")
    plan.output.prepare(folder, request.names or {})
    return folder


def _given(request: Request, folder: str | None, value: Any) -> Any:
    output = request.plan.output
    return value if output is None or folder is None else output.given(folder, value)


def _attempt(request: Request, folder: str | None) -> Any:
    kwargs = _prepare(request, folder)
    return _taken(request, folder, request.plan.function(*request.args, **kwargs))


async def _attempt_async(request: Request, folder: str | None) -> Any:
    if folder is None:
        return await request.plan.function(*request.args, **_prepare(request, folder))
    # Emptying a folder and moving files into it can take long. Who awaits has loaded asyncio.
    from cachedeco.calls.threads_async import in_thread

    kwargs = await in_thread(_prepare, request, folder)
    return await in_thread(_taken, request, folder, await request.plan.function(*request.args, **kwargs))


def _prepare(request: Request, folder: str | None) -> dict[str, Any]:
    """The keyword arguments of an attempt, the place of its output among them."""
    request.attempts += 1
    output, kwargs = request.plan.output, request.kwargs
    if output is None or folder is None:
        return kwargs
    names = request.names or {}
    if request.attempts > 1:  # who made the folder has prepared it for the first
        output.prepare(folder, names)
    return kwargs if output.parameter is None else {**kwargs, output.parameter: output.given(folder, names)}


def _taken(request: Request, folder: str | None, returned: Any) -> Any:
    output = request.plan.output
    if output is None or folder is None:
        return returned
    keep = (*request.args, *request.kwargs.values())
    return output.take(folder, request.names or {}, returned, request.plan.name, keep)

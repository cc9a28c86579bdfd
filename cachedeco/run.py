"""Running the function itself: its attempts, its place for output files, and running it without the cache."""

from __future__ import annotations

from cachedeco import notices

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cachedeco.plan import Request


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
    while request.attempts < retry - 1:
        try:
            return _attempt(request, folder)
        except Exception:  # noqa: BLE001, S112 - the last attempt, below, raises what it raises
            continue
    return _attempt(request, folder)


def run_uncached(request: Request, why: str | None) -> Any:
    """Run the function without storing anything; its output files go to a temporary folder.

    Args:
        request: the call.
        why: said once per function; None when the user asked for it.
    """
    plan = request.plan
    if why is not None:
        notices.warn_once(plan.name, why.partition("(")[0], why)
    if plan.output is None:
        return run(request, None)
    import tempfile

    folder = tempfile.mkdtemp(prefix="cachedeco-")
    return plan.output.given(folder, run(request, folder))


def _attempt(request: Request, folder: str | None) -> Any:
    plan, output = request.plan, request.plan.output
    request.attempts += 1
    if output is None or folder is None:
        return plan.function(*request.args, **request.kwargs)
    names = request.names or {}
    output.prepare(folder, names)
    kwargs = request.kwargs
    if output.parameter is not None:
        kwargs = {**kwargs, output.parameter: output.given(folder, names)}
    returned = plan.function(*request.args, **kwargs)
    return output.take(folder, names, returned, plan.name)

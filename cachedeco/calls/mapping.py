"""Many calls of one function: what is stored is looked up in bulk, only what is missing is computed."""

from __future__ import annotations

from cachedeco.calls.hits import find, hit
from cachedeco.calls.plan import Request
from cachedeco.calls.progress import bar
from cachedeco.calls.refusals import refuse_without_object
from cachedeco.calls.upstream import found
from cachedeco.errors import MapError, OptionError
from cachedeco.record import MISSING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Executor
    from typing import Any

    from cachedeco.calls.plan import Plan

    Arguments = tuple[Any, ...]
    Outcome = tuple[int, Any, Exception | None]  # position, value, what it raised


class Calls:
    """A batch of calls, told apart into stored and missing.

    Args:
        function: the cached function.
        columns: an iterable per positional argument, as for the built-in `map`.
    """

    def __init__(self, function: Callable[..., Any], columns: Sequence[Iterable[Any]]) -> None:
        if not columns:
            raise OptionError("map and missing need at least one iterable of arguments")
        self.function = function
        self.arguments: list[Arguments] = list(zip(*columns, strict=False))
        self.plan: Plan = function.__cachedeco__  # type: ignore[attr-defined]  # set by cached
        if self.plan.kind != "plain":
            raise OptionError(
                f"{self.plan.name} is of the kind {self.plan.kind!r}; map and missing are for plain functions. "
                "Calls of an async function run side by side with asyncio.gather"
            )
        for arguments in self.arguments:
            refuse_without_object(function, arguments, {})
        self.requests = [Request(self.plan, arguments, {}) for arguments in self.arguments]
        self.missing = self._missing()

    def _missing(self) -> list[int]:
        """Positions of the calls without a stored result; of equal calls the first only."""
        store, plan = self.plan.store(), self.plan
        if plan.options.picks or plan.options.on_code_change == "warn":
            known = {request.key for request in self.requests if find(store, request) is not None}
        else:
            by_code: dict[bytes, list[bytes]] = {}
            for request in self.requests:
                by_code.setdefault(request.code if plan.code_counts else b"", []).append(request.key)
            known = {
                key
                for code, keys in by_code.items()
                for key in store.claims.ready(keys, code or None, plan.form)
            }
        if store.upstream:
            unknown = [request for request in self.requests if request.key not in known]
            known |= {request.key for request in unknown if found(store, request) is not None}
        positions: dict[tuple[bytes, bytes], int] = {}
        for position, request in enumerate(self.requests):
            if request.key not in known:
                positions.setdefault((request.key, request.scope), position)
        return list(positions.values())

    def outcomes(self, executor: Executor | None, n_jobs: int | None) -> Iterator[Outcome]:
        """Every call's value or exception, as they become known: the stored ones first.

        Args:
            executor: runs what is missing; None for the calling thread, or joblib.
            n_jobs: of joblib, which runs what is missing when this is neither None nor 1.
        """
        waiting: dict[tuple[bytes, bytes], list[int]] = {}
        missing = set(self.missing)
        computed = {(self.requests[position].key, self.requests[position].scope) for position in missing}
        for position, request in enumerate(self.requests):
            place = (request.key, request.scope)
            if place in computed:
                waiting.setdefault(place, []).append(position)
                continue
            yield self._stored(position)
        for position, value, error in self._computed(executor, n_jobs):
            request = self.requests[position]
            yield position, value, error
            for twin in waiting[request.key, request.scope]:
                if twin != position:
                    yield self._twin(twin, error)

    def _stored(self, position: int) -> Outcome:
        value = hit(self.plan.store(), self.requests[position])
        if value is not MISSING:
            return position, value, None
        return _try(self.function, position, self.arguments[position])

    def _twin(self, position: int, error: Exception | None) -> Outcome:
        # An equal call has been computed; its value is loaded anew, so that no two results are one object.
        return (position, None, error) if error is not None else self._stored(position)

    def _computed(self, executor: Executor | None, n_jobs: int | None) -> Iterator[Outcome]:
        tasks = [(self.function, position, self.arguments[position]) for position in self.missing]
        if executor is not None:
            yield from _through_executor(executor, tasks)
        elif n_jobs is not None and n_jobs != 1 and tasks:
            from joblib import Parallel, delayed  # type: ignore[import-untyped]  # it has no types

            parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered")
            yield from parallel(delayed(_try)(*task) for task in tasks)
        else:
            for task in tasks:
                yield _try(*task)


def map_calls(
    calls: Calls,
    *,
    n_jobs: int | None,
    executor: Executor | None,
    return_exceptions: bool,
    progress: bool | None,
) -> list[Any]:
    """The results of many calls in their order; see `cachedeco.verbs.map`."""
    results: list[Any] = [MISSING] * len(calls.arguments)
    failures: dict[int, Exception] = {}
    with bar(calls.plan.name, len(results), progress) as advance:
        for position, value, error in calls.outcomes(executor, n_jobs):
            results[position] = value if error is None else error
            if error is not None:
                failures[position] = error
            advance()
    if failures and not return_exceptions:
        raise _failed(calls, results, failures)
    return results


def map_as_completed(
    calls: Calls,
    *,
    n_jobs: int | None,
    executor: Executor | None,
    return_exceptions: bool,
    progress: bool | None,
) -> Iterator[tuple[int, Any]]:
    """Position and result of many calls, as they become known; see `cachedeco.verbs.map`."""
    failures: dict[int, Exception] = {}
    with bar(calls.plan.name, len(calls.arguments), progress) as advance:
        for position, value, error in calls.outcomes(executor, n_jobs):
            advance()
            if error is None or return_exceptions:
                yield position, value if error is None else error
            else:
                failures[position] = error
    if failures:
        raise _failed(calls, [], failures)


def _failed(calls: Calls, results: list[Any], failures: dict[int, Exception]) -> MapError:
    first = min(failures)
    error = MapError(
        f"{len(failures)} of {len(calls.arguments)} calls of {calls.plan.name} failed, the first with the arguments "
        f"{calls.arguments[first]!r}: {type(failures[first]).__name__}: {failures[first]}. The others are stored",
        failures=failures,
        results=results,
    )
    error.__cause__ = failures[first]
    return error


def _try(function: Callable[..., Any], position: int, arguments: Arguments) -> Outcome:
    try:
        return position, function(*arguments), None
    except Exception as error:  # noqa: BLE001 - one failing call must not lose the others
        return position, None, error


def _through_executor(
    executor: Executor, tasks: list[tuple[Callable[..., Any], int, Arguments]]
) -> Iterator[Outcome]:
    from concurrent.futures import as_completed

    futures = {executor.submit(function, *arguments): position for function, position, arguments in tasks}
    for future in as_completed(futures):
        error = future.exception()
        if error is None:
            yield futures[future], future.result(), None
        elif isinstance(error, Exception):
            yield futures[future], None, error
        else:
            raise error

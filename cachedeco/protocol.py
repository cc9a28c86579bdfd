"""What a cached function is for type checkers. At run time it is a plain function with these attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, Protocol, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor

    from cachedeco.item import CacheItem
    from cachedeco.status import Status
    from cachedeco.why import Why

P = ParamSpec("P")
Q = ParamSpec("Q")
S = TypeVar("S")
S_contra = TypeVar("S_contra", contravariant=True)
A = TypeVar("A")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Verbs(Protocol[P, R_co]):
    """What hangs on a function made by `cachedeco.cached`: every verb takes the arguments of a call."""

    __name__: str
    __qualname__: str
    __module__: str

    @property
    def __wrapped__(self) -> Callable[P, R_co]:
        """The plain function."""

    def item(self, *args: P.args, **kwargs: P.kwargs) -> CacheItem | None:
        """The item that a call would get, or None; never computes."""

    def items(self, *args: P.args, **kwargs: P.kwargs) -> list[CacheItem]:
        """Every version of the call's key, newest first."""

    def status(self, *args: P.args, **kwargs: P.kwargs) -> Status:
        """READY on a hit, else WRITE while somebody computes, else the newest's, else UNINITIALIZED."""

    def key(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """The key of the call, 32 hex digits."""

    def params(self, *args: P.args, **kwargs: P.kwargs) -> dict[str, Any]:
        """The named values that make the key, together with the uri."""

    def refresh(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Compute a new version, after whoever computes it now."""

    def remove(self, *args: P.args, **kwargs: P.kwargs) -> int:
        """Move all versions to TRASH; returns how many."""

    # Columns are not checked against the parameters: types cannot say "an iterable of each".
    @overload
    def map(
        self: Verbs[..., R],
        column: Iterable[Any],
        /,
        *columns: Iterable[Any],
        n_jobs: int | None = None,
        executor: Executor | None = None,
        as_completed: Literal[False] = False,
        return_exceptions: Literal[False] = False,
        progress: bool | None = None,
    ) -> list[R]: ...
    @overload
    def map(
        self: Verbs[..., R],
        column: Iterable[Any],
        /,
        *columns: Iterable[Any],
        n_jobs: int | None = None,
        executor: Executor | None = None,
        as_completed: Literal[False] = False,
        return_exceptions: bool,
        progress: bool | None = None,
    ) -> list[R | Exception]: ...
    @overload
    def map(
        self: Verbs[..., R],
        column: Iterable[Any],
        /,
        *columns: Iterable[Any],
        n_jobs: int | None = None,
        executor: Executor | None = None,
        as_completed: Literal[True],
        return_exceptions: Literal[False] = False,
        progress: bool | None = None,
    ) -> Iterator[tuple[int, R]]: ...
    @overload
    def map(
        self: Verbs[..., R],
        column: Iterable[Any],
        /,
        *columns: Iterable[Any],
        n_jobs: int | None = None,
        executor: Executor | None = None,
        as_completed: Literal[True],
        return_exceptions: bool,
        progress: bool | None = None,
    ) -> Iterator[tuple[int, R | Exception]]: ...

    @overload
    def missing(self, column: Iterable[A], /) -> list[A]: ...
    @overload
    def missing(
        self, column: Iterable[Any], second: Iterable[Any], /, *columns: Iterable[Any]
    ) -> list[tuple[Any, ...]]: ...

    def why(self, *args: P.args, **kwargs: P.kwargs) -> Why:
        """Say why the call is a hit or a miss; never computes."""


class TakesClass(Protocol[S_contra, Q, R_co]):
    """A function whose first parameter is a class."""

    def __call__(self, cls: type[S_contra], /, *args: Q.args, **kwargs: Q.kwargs) -> R_co:
        """Call it."""


class CachedFunction(Verbs[P, R_co], Protocol[P, R_co]):
    """A function made by `cachedeco.cached`."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Load the stored result, or compute it."""

    # Below @classmethod the class is bound. What stands before the dot is not seen by the verbs, so they take the
    # class, or the instance of a method, as any other argument: `Class.method.item(instance, 1)`.
    @overload
    def __get__(
        self: TakesClass[S, Q, R], instance: S | None, owner: type[S], /
    ) -> CachedClassMethod[Concatenate[type[S], Q], Q, R]: ...
    @overload
    def __get__(self, instance: None, owner: type, /) -> CachedFunction[P, R_co]: ...
    @overload
    def __get__(
        self: CachedFunction[Concatenate[S, Q], R_co], instance: S, owner: type | None = None, /
    ) -> Callable[Q, R_co]: ...


class CachedClassMethod(Verbs[P, R_co], Protocol[P, Q, R_co]):
    """A class method made by `cachedeco.cached`, below `classmethod`: its verbs take the class first."""

    def __call__(self, *args: Q.args, **kwargs: Q.kwargs) -> R_co:
        """Load the stored result, or compute it."""

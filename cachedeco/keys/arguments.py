"""From a call to its named arguments, and from those to the parameters that make the key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cachedeco.errors import OptionError
from cachedeco.keys.sentinels import Sentinels
from cachedeco.keys.signature import Shape, name_of, names_given, see_through
from cachedeco.record import MISSING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from cachedeco.keys.content import Memory
    from cachedeco.keys.markers import Marks
    from cachedeco.record import Missing


class Binder:
    """Binds calls of one function to its parameter names. Prepared once, then as cheap as a call.

    Wrappers are seen through as `inspect.signature` does: along ``__wrapped__``, up to a ``__signature__``.
    A partial object and a bound method contribute their own arguments, so that ``partial(f, 1)(2)`` is bound
    as ``f(1, 2)``.

    Args:
        function: a Python function, a bound method or a `functools.partial` of one.

    Raises:
        OptionError: the function is not written in Python, so its parameters cannot be relied on.

    Attributes:
        function: the Python function whose parameters are bound.
        bound: whether a partial object or a bound method contributes arguments.
        shape: the parameters by kind.
        names: all parameters, in the order of their declaration.
        revision: another number whenever code or defaults of the function have changed.

    Examples:
        >>> def f(x, y=2, *rest, z=3): ...
        >>> Binder(f).bind((1,), {"z": 4})
        {'x': 1, 'y': 2, 'rest': (), 'z': 4}
    """

    __slots__ = (
        "_args",
        "_code",
        "_defaults",
        "_kwargs",
        "_kwdefaults",
        "_signature_of",
        "_stub",
        "bound",
        "function",
        "names",
        "revision",
        "shape",
    )

    function: Any
    names: tuple[str, ...]

    def __init__(self, function: Callable[..., object]) -> None:
        self.function, self._signature_of, self._args, self._kwargs = see_through(function)
        self.bound = bool(self._args or self._kwargs)
        self.revision = 0
        self._prepare()

    def _prepare(self) -> None:
        function = self.function
        known = function.__code__, function.__defaults__, function.__kwdefaults__
        if self._signature_of is None:
            shape = Shape.of_code(function)
        else:
            import inspect

            shape = Shape.of_signature(inspect.signature(self._signature_of))
        names = shape.names()
        if not all(map(str.isidentifier, names)):
            raise OptionError(
                f"{name_of(function)} has a parameter without a name, as the body of a comprehension has; "
                "cache a function written with def or lambda"
            )
        self.shape, self.names, self._stub = shape, names, shape.stub(function)
        self.revision += 1
        # Last, so that another thread never uses the old stub for the new code.
        self._code, self._defaults, self._kwdefaults = known

    def refresh(self) -> int:
        """Look whether the function has changed, and return the revision."""
        function = self.function
        # Reloading tools put new code and defaults into living functions.
        if (
            function.__code__ is not self._code
            or function.__defaults__ is not self._defaults
            or function.__kwdefaults__ is not self._kwdefaults
        ):
            self._prepare()
        return self.revision

    def bind(self, args: tuple[object, ...], kwargs: dict[str, Any]) -> dict[str, object]:
        """Return all arguments of a call by name, defaults filled in, in the order of declaration.

        Args:
            args: the positional arguments.
            kwargs: the keyword arguments. It is not changed.

        Returns:
            A new dict. ``*args`` and ``**kwargs`` of the function are one entry each, a tuple and a dict.

        Raises:
            TypeError: the call does not fit the function; the message is the one of the call itself.
        """
        self.refresh()
        if self.bound:
            return self._stub(*self._args, *args, **{**self._kwargs, **kwargs})  # type: ignore[no-any-return]
        return self._stub(*args, **kwargs)  # type: ignore[no-any-return]

    def default(self, name: str) -> object | Missing:
        """Return the default of a parameter, MISSING when it has none.

        Args:
            name: a parameter; ``*args`` and ``**kwargs`` have no default.
        """
        shape = self.shape
        keywords: dict[str, object] = self._stub.__kwdefaults__ or {}
        if name in keywords:
            return keywords[name]
        defaults: tuple[object, ...] = self._stub.__defaults__ or ()
        ordered = shape.positional_only + shape.positional
        with_default = ordered[len(ordered) - len(defaults) :]
        return MISSING if name not in with_default else defaults[with_default.index(name)]

    def is_variadic(self, name: str) -> bool:
        """Say whether the name is that of ``*args`` or ``**kwargs``.

        Args:
            name: a parameter.
        """
        return name in {self.shape.var_positional, self.shape.var_keyword}

    def is_keyword(self, name: str) -> bool:
        """Say whether a caller can pass the parameter by its name.

        Args:
            name: a parameter.
        """
        return name in self.shape.positional or name in self.shape.keyword_only


class _Plan:
    """What a `Selection` does at each call. Made anew, and swapped in whole, when the function changed."""

    __slots__ = (
        "as_they_are",
        "marked",
        "names",
        "output_default",
        "removed",
        "revision",
        "secrets",
        "sentinels",
        "unresolved",
    )

    names: tuple[str, ...]
    removed: frozenset[str]
    revision: int
    secrets: frozenset[str]
    marked: tuple[tuple[str, Marks], ...]
    unresolved: dict[str, str | None]
    output_default: object
    as_they_are: bool
    sentinels: Sentinels


class Selection:
    """Chooses the arguments that make the key of a function's calls, and what stands for them in it.

    ``params`` selects, adds or computes; then ``ignore`` removes; then the markers of the annotations apply.

    Args:
        binder: of the function.
        params: names to use; or a mapping that is added to the arguments; or a function that gets all
            arguments (a dict of its own) and returns the mapping used in their place. Default: all arguments.
        ignore: names of arguments that do not count.
        output: the parameter that receives the output file. It never counts and callers never pass it.

    Raises:
        OptionError: an option names what does not exist, or the options contradict each other.

    Examples:
        >>> def f(x, y=2, verbose=False): ...
        >>> binder = Binder(f)
        >>> Selection(binder, ignore=("verbose",)).params(binder.bind((1,), {"verbose": True}))
        {'x': 1, 'y': 2}
    """

    __slots__ = ("_added", "_compute", "_plan", "_selected", "binder", "ignore", "output")

    def __init__(
        self,
        binder: Binder,
        *,
        params: Iterable[str]
        | Mapping[str, object]
        | Callable[[dict[str, object]], Mapping[str, object]]
        | None = None,
        ignore: Iterable[str] = (),
        output: str | None = None,
    ) -> None:
        self.binder, self.output = binder, output
        self._selected: tuple[str, ...] | None = None
        self._added: dict[str, object] = {}
        self._compute: Callable[[dict[str, object]], Mapping[str, object]] | None = None
        if isinstance(params, Mapping):
            self._added = dict(params)
        elif callable(params):
            self._compute = params
        elif params is not None:
            self._selected = names_given("params", params, binder.function)
        self.ignore = names_given("ignore", ignore, binder.function)
        self._plan = self._prepare()

    def __repr__(self) -> str:
        return f"<Selection of {name_of(self.binder.function)}: {self.names}>"

    @property
    def names(self) -> tuple[str, ...] | None:
        """Parameters of the function that count; None when ``params`` is a function, which alone knows."""
        return None if self._compute else self._plan.names

    @property
    def secrets(self) -> frozenset[str]:
        """Parameters that are marked with `Secret`."""
        return self._plan.secrets

    def _fail(self, problem: str) -> OptionError:
        return OptionError(f"{name_of(self.binder.function)}: {problem}")

    def _prepare(self) -> _Plan:
        binder = self.binder
        revision, binder_names = binder.revision, binder.names
        self._check_output()
        self._check_names()
        marks, unresolved = _read_hints(binder)
        self._check_marks(marks)
        removed = {*self.ignore, *(name for name, mark in marks.items() if mark.ignored)}
        if self.output is not None:
            removed.add(self.output)
        chosen = binder_names if self._selected is None else self._selected
        plan = _Plan()
        plan.revision, plan.unresolved, plan.removed = revision, unresolved, frozenset(removed)
        plan.names = tuple(name for name in binder_names if name in chosen and name not in removed)
        plan.secrets = frozenset(name for name, mark in marks.items() if mark.secret)
        plan.marked = tuple((name, mark) for name, mark in marks.items() if mark.replaces)
        plan.as_they_are = plan.names == binder_names and not (self._added or self._compute or plan.marked)
        plan.sentinels = Sentinels({name: binder.default(name) for name in binder_names})
        plan.output_default = MISSING if self.output is None else binder.default(self.output)
        return plan

    def _check_output(self) -> None:
        name, binder = self.output, self.binder
        if name is None:
            return
        if name not in binder.names:
            raise self._fail(f"with output=... it needs a parameter for the file: {name}: Path = OUTPUT")
        if not binder.is_keyword(name):
            raise self._fail(
                f"its parameter {name!r} must be one that can be passed by name: {name}: Path = OUTPUT"
            )
        if binder.default(name) is MISSING:
            raise self._fail(
                f"its parameter {name!r} needs a default, as callers never pass it: {name}: Path = OUTPUT"
            )

    def _check_names(self) -> None:
        names = self.binder.names
        for option, given in (("params", self._selected or ()), ("ignore", self.ignore)):
            for name in given:
                if name not in names and not (option == "ignore" and name in self._added):
                    has = ", ".join(names) or "none"
                    raise self._fail(f"{option} names {name!r}, but its parameters are: {has}")
                if name == self.output:
                    raise self._fail(
                        f"{option} names {name!r}, which takes the output file and never counts; remove it"
                    )
        for name in self._added:
            self._check_added("params", name)
        both = [name for name in self.ignore if name in self._added or name in (self._selected or ())]
        if both:
            raise self._fail(f"{both[0]!r} is both in params and in ignore; remove it from one of them")

    def _check_added(self, option: str, name: object) -> None:
        if not isinstance(name, str):
            raise self._fail(f"{option} has the name {name!r}; names are str")
        if name == self.output:
            raise self._fail(
                f"{option} adds {name!r}, which takes the output file and never counts; rename it"
            )
        if name.startswith("<"):
            raise self._fail(f"{option} adds {name!r}; names that start with '<' are reserved, rename it")
        if option == "params" and name in self.binder.names:
            raise self._fail(
                f"params adds {name!r}, but the function has a parameter of that name; rename it"
            )

    def _check_marks(self, marks: dict[str, Marks]) -> None:
        for name, mark in marks.items():
            if mark.ignored and name in (self._selected or ()):
                raise self._fail(f"params names {name!r}, which is marked NoKey; remove one of them")
            if mark.replaces and name == self.output:
                raise self._fail(f"{name!r} takes the output file and never counts; remove its {mark}")
            if mark.since is not MISSING and self.binder.is_variadic(name):
                raise self._fail(f"{name!r} collects arguments, which have no default; remove its Since(...)")

    def _current(self) -> _Plan:
        plan = self._plan
        if plan.unresolved or self.binder.revision != plan.revision:
            # What was missing when the function was decorated may have been defined since, below it.
            plan = self._prepare()
            from cachedeco.keys.hints import refuse

            refuse(self.binder.function, plan.unresolved)
            plan.unresolved = {}
            self._plan = plan
        return plan

    def chosen(self) -> tuple[str, ...] | None:
        """Return the names of the arguments that are the params as they stand, None where others are.

        Raises:
            OptionError: markers cannot be read.
        """
        plan = self._current()
        changed = self._added or self._compute or plan.marked or self.output is not None
        return None if changed else plan.names

    def params(self, arguments: dict[str, object], memory: Memory | None = None) -> dict[str, object]:
        """Return what makes the key of a call, by name.

        Args:
            arguments: of the call, from `Binder.bind`. Not changed; returned itself when all of it counts.
            memory: remembers the content of files; the default forgets when the process ends.

        Raises:
            TypeError: the caller passed the output file.
            KeyingError: a marked argument has no content, or its ``KeyBy`` function failed to give one.
            OSError: a file to be keyed by its content cannot be read.
        """
        plan = self._current()
        if plan.as_they_are:
            return plan.sentinels.replaced(arguments)
        if self.output is not None and arguments[self.output] is not plan.output_default:
            function = name_of(self.binder.function)
            raise TypeError(f"{function} must not be passed {self.output!r}: its path is chosen by the cache")
        if self._compute is not None:
            params = self._computed(self._compute, arguments, plan.removed)
        else:
            params = {name: arguments[name] for name in plan.names}
            params.update(self._added)
        for name, mark in plan.marked:
            if name in params:
                stand_in = mark.stand_in(params[name], name, memory, each=self.binder.is_variadic(name))
                if stand_in is MISSING:
                    del params[name]
                else:
                    params[name] = stand_in
        return plan.sentinels.replaced(params)

    def _computed(
        self,
        compute: Callable[[dict[str, object]], Mapping[str, object]],
        arguments: dict[str, object],
        removed: frozenset[str],
    ) -> dict[str, object]:
        given = compute({name: value for name, value in arguments.items() if name != self.output})
        if not isinstance(given, Mapping):
            raise self._fail(
                f"params(arguments) returned a {type(given).__qualname__}; it must return a mapping"
            )
        params = dict(given)
        for name in params:
            self._check_added("params(arguments)", name)
        for name in removed:
            params.pop(name, None)
        return params


def _read_hints(binder: Binder) -> tuple[dict[str, Marks], dict[str, str | None]]:
    annotations = getattr(binder.function, "__annotations__", None) or {}
    if all(type(each) is type for each in annotations.values()):
        return {}, {}  # plain types have no markers, and most functions have nothing else
    from cachedeco.keys.hints import read

    return read(binder.function, binder.names)

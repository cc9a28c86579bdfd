"""The parameters of a function: which callable declares them, and of what kinds they are."""

from __future__ import annotations

import functools
import types
from collections.abc import Iterable, Mapping

from cachedeco.errors import OptionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import inspect
    from collections.abc import Callable
    from typing import Any

_VARARGS = 0x04
_VARKEYWORDS = 0x08


def name_of(function: object) -> str:
    """Return ``module.qualname`` of a function, for messages.

    Args:
        function: any callable; what has no name is shown by its type.
    """
    qualname = getattr(function, "__qualname__", None) or f"<{type(function).__qualname__}>"
    module = getattr(function, "__module__", None)
    return f"{module}.{qualname}" if module else qualname


def names_given(option: str, given: object, function: Callable[..., object]) -> tuple[str, ...]:
    """Return the names of parameters that an option lists.

    Args:
        option: its name.
        given: what it was given.
        function: whose parameters they are, for messages.

    Raises:
        OptionError: they are not several str.
    """
    where = name_of(function)
    if isinstance(given, str):
        raise OptionError(
            f"{where}: {option} is the text {given!r}; write a tuple of names: {option}=({given!r},)"
        )
    if not isinstance(given, Iterable) or isinstance(given, (bytes, Mapping)):
        raise OptionError(f"{where}: {option} is a {type(given).__qualname__}; write a tuple of names")
    names = tuple(given)
    for name in names:
        if not isinstance(name, str):
            raise OptionError(f"{where}: {option} contains {name!r}; write the names of parameters, as str")
    return names


class Shape:
    """The parameters of a function, by kind, as its source declares them."""

    __slots__ = (
        "defaults",
        "keyword_only",
        "kwdefaults",
        "positional",
        "positional_only",
        "var_keyword",
        "var_positional",
    )

    positional_only: tuple[str, ...]
    positional: tuple[str, ...]
    var_positional: str | None
    keyword_only: tuple[str, ...]
    var_keyword: str | None
    defaults: tuple[Any, ...] | None
    kwdefaults: dict[str, Any] | None

    @classmethod
    def of_code(cls, function: types.FunctionType) -> Shape:
        """Read the parameters of a Python function, as it is now."""
        shape, code = cls(), function.__code__
        names, count = code.co_varnames, code.co_argcount
        shape.positional_only = names[: code.co_posonlyargcount]
        shape.positional = names[code.co_posonlyargcount : count]
        shape.keyword_only = names[count : count + code.co_kwonlyargcount]
        rest = iter(names[count + code.co_kwonlyargcount :])
        shape.var_positional = next(rest) if code.co_flags & _VARARGS else None
        shape.var_keyword = next(rest) if code.co_flags & _VARKEYWORDS else None
        shape.defaults = function.__defaults__
        shape.kwdefaults = function.__kwdefaults__
        return shape

    @classmethod
    def of_signature(cls, signature: inspect.Signature) -> Shape:
        """Read the parameters that a signature declares."""
        shape = cls()
        parameters = list(signature.parameters.values())

        def names(kind: object) -> tuple[str, ...]:
            return tuple(p.name for p in parameters if p.kind is kind)

        kinds = type(parameters[0].kind) if parameters else None
        if kinds is None:
            shape.positional_only = shape.positional = shape.keyword_only = ()
            shape.var_positional = shape.var_keyword = None
        else:
            shape.positional_only = names(kinds.POSITIONAL_ONLY)
            shape.positional = names(kinds.POSITIONAL_OR_KEYWORD)
            shape.keyword_only = names(kinds.KEYWORD_ONLY)
            shape.var_positional = next(iter(names(kinds.VAR_POSITIONAL)), None)
            shape.var_keyword = next(iter(names(kinds.VAR_KEYWORD)), None)
        given = {p.name: p.default for p in parameters if p.default is not p.empty}
        ordered = shape.positional_only + shape.positional
        shape.defaults = tuple(given[name] for name in ordered if name in given) or None
        shape.kwdefaults = {name: given[name] for name in shape.keyword_only if name in given} or None
        return shape

    def names(self) -> tuple[str, ...]:
        """Return all parameters in the order in which a ``def`` declares them."""
        names = self.positional_only + self.positional
        if self.var_positional is not None:
            names += (self.var_positional,)
        names += self.keyword_only
        return names if self.var_keyword is None else (*names, self.var_keyword)

    def stub(self, function: Callable[..., object]) -> types.FunctionType:
        """Make a function of these parameters that returns them as a dict.

        The interpreter binds and complains, exactly as for the function itself.
        """
        body = "{" + ", ".join(f"{name!r}: {name}" for name in self.names()) + "}"
        return self.lambda_of(body, {}, function)

    def lambda_of(
        self, body: str, used: dict[str, Any], function: Callable[..., object]
    ) -> types.FunctionType:
        """Make a function of these parameters with another body, which complains in the function's name.

        Args:
            body: an expression.
            used: what the expression uses besides the parameters.
            function: whose parameters these are.
        """
        # Only names that the interpreter itself accepted as parameters get in here.
        source = f"lambda {self._declared()}: {body}"
        made: types.FunctionType = eval(compile(source, "<arguments>", "eval"), used)  # noqa: S307
        made.__qualname__ = function.__qualname__
        made.__name__ = function.__name__
        made.__defaults__ = self.defaults
        made.__kwdefaults__ = self.kwdefaults
        return made

    def _declared(self) -> str:
        head = list(self.positional_only)
        if self.positional_only:
            head.append("/")
        head.extend(self.positional)
        if self.var_positional is not None:
            head.append("*" + self.var_positional)
        elif self.keyword_only:
            head.append("*")
        head.extend(self.keyword_only)
        if self.var_keyword is not None:
            head.append("**" + self.var_keyword)
        return ", ".join(head)


def see_through(
    function: Any,
) -> tuple[types.FunctionType, Callable[..., object] | None, tuple[object, ...], dict[str, Any]]:
    """Find the function whose parameters count, what has its signature if not itself, and bound arguments."""
    args: tuple[object, ...] = ()
    kwargs: dict[str, Any] = {}
    outer: types.FunctionType | None = None
    seen: set[int] = set()
    while id(function) not in seen:
        seen.add(id(function))
        if isinstance(function, types.MethodType):
            args, function = (function.__self__, *args), function.__func__
        elif isinstance(function, functools.partial):
            args, kwargs = (*function.args, *args), {**function.keywords, **kwargs}
            function = function.func
        elif isinstance(function, types.FunctionType):
            outer = function
            if "__signature__" in function.__dict__:
                return outer, outer, args, kwargs
            if "__wrapped__" not in function.__dict__:
                return outer, None, args, kwargs
            function = function.__dict__["__wrapped__"]
        elif not isinstance(function, type) and "__wrapped__" in getattr(function, "__dict__", {}):
            function = function.__dict__["__wrapped__"]  # lru_cache and other callables written in C
        elif outer is None:
            raise OptionError(_refusal(function))
        else:
            return outer, function if _has_signature(function) else None, args, kwargs
    raise OptionError(f"{name_of(function)} wraps itself: its __wrapped__ attributes run in a circle")


def _has_signature(function: Any) -> bool:
    import inspect

    try:
        inspect.signature(function)
    except (TypeError, ValueError):
        return False
    return True


def _refusal(function: object) -> str:
    what = f"{name_of(function)} cannot be cached: "
    if isinstance(function, (staticmethod, classmethod)):
        kind = type(function).__name__
        return f"{what}it is a {kind} object; put @cached below @{kind}, next to the def"
    if isinstance(function, property):
        return f"{what}it is a property; put @cached below @property, next to the def"
    if isinstance(function, type):
        return f"{what}it is a class; cache a function that makes and returns the object"
    if callable(function):
        return (
            f"{what}it is of type {type(function).__qualname__}, not a Python function, so neither its "
            "parameters nor its code can be read; wrap it: def f(x): return ..."
        )
    return f"{what}it is of type {type(function).__qualname__}, which cannot be called"

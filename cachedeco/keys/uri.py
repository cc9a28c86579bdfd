"""Names of families of results, and names of output files, made from the arguments of a call."""

from __future__ import annotations

import os
import sys

from cachedeco.errors import OptionError
from cachedeco.keys.signature import name_of
from cachedeco.scripts import MAIN, main_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from cachedeco.keys.arguments import Binder, Selection

_LONGEST = 255


def default_uri(function: Callable[..., object]) -> str:
    """Return ``py://package.module/qualname`` of a function.

    ``__main__`` becomes the name under which the script would be imported, so that a function has one name
    whether its module is run or imported.

    Args:
        function: with the attributes of a function, or a partial object of one.
    """
    while not hasattr(function, "__qualname__") and hasattr(function, "func"):
        function = function.func
    module = getattr(function, "__module__", None) or "__main__"
    if module in MAIN:
        module = main_name(_main_globals(function))
    return f"py://{module}/{getattr(function, '__qualname__', type(function).__qualname__)}"


def _main_globals(function: Any) -> dict[str, Any]:
    """Return the globals of the script: the innermost wrapped function's, for wrappers live elsewhere."""
    seen: set[int] = set()
    while function is not None and id(function) not in seen:
        seen.add(id(function))
        names = getattr(function, "__globals__", None)
        if names is not None and names.get("__name__") in MAIN:
            return names  # type: ignore[no-any-return]
        function = getattr(function, "__wrapped__", None) or getattr(function, "__func__", None)
    return vars(sys.modules["__main__"])


class _Template:
    """Text with ``{argument}`` or ``{argument:format}`` in it.

    Args:
        text: the template.
        what: for messages: the option and the function it belongs to.

    Attributes:
        names: the arguments in it, in order.
    """

    __slots__ = ("names", "parts", "what")

    def __init__(self, text: str, what: str) -> None:
        self.what = what
        self.parts: list[tuple[str, str | None, str]] = []
        if "{" not in text and "}" not in text:
            self.parts.append((text, None, ""))
        else:
            self._parse(text)
        self.names = tuple(name for _, name, _ in self.parts if name is not None)

    def _parse(self, text: str) -> None:
        from string import Formatter

        try:
            parsed = list(Formatter().parse(text))
        except ValueError as error:
            raise OptionError(
                f"{self.what}: {text!r} is no template: {error}; write {{{{ for a brace"
            ) from error
        for literal, name, form, conversion in parsed:
            if name is not None and not name.isidentifier():
                raise OptionError(
                    f"{self.what}: {text!r} has the field {{{name}}}; only plain argument names can be used, "
                    "as {name} or {name:format}. For anything else write a function of the arguments"
                )
            if conversion:
                raise OptionError(f"{self.what}: {text!r} has the conversion !{conversion}; leave it out")
            if form and "{" in form:
                raise OptionError(f"{self.what}: {text!r} has a field inside of the format of {{{name}}}")
            self.parts.append((literal, name, form or ""))

    def fields(self, arguments: dict[str, object]) -> list[str]:
        """Return the text of each of `names`.

        Args:
            arguments: of the call.

        Raises:
            OptionError: an argument has no text that would be the same in each process.
        """
        return [self._field(name, arguments[name], form) for _, name, form in self.parts if name is not None]

    def _field(self, name: str, value: object, form: str) -> str:
        kind = type(value)
        if kind is str and not form:
            return value  # type: ignore[return-value]  # mypy does not narrow by the exact type
        if not _has_stable_text(value):
            raise OptionError(
                f"{self.what}: the argument {name!r} is a {kind.__qualname__}, which has no fixed text; "
                "write a function of the arguments that makes one"
            )
        try:
            return format(value, form)
        except (TypeError, ValueError) as error:
            raise OptionError(
                f"{self.what}: the argument {name!r}, a {kind.__qualname__}, "
                f"does not fit the format {form!r}: {error}"
            ) from error

    def render(self, arguments: dict[str, object]) -> str:
        """Return the text with the arguments filled in.

        Args:
            arguments: of the call.
        """
        fields = iter(self.fields(arguments))
        return "".join(literal if name is None else literal + next(fields) for literal, name, _ in self.parts)

    def check(self, selection: Selection | None, binder: Binder) -> None:
        """Refuse names that are no arguments, do not count, or are secret.

        Args:
            selection: of the function, if there is one.
            binder: of the function.

        Raises:
            OptionError: there is such a name.
        """
        for name in self.names:
            if name not in binder.names:
                has = ", ".join(binder.names) or "none"
                raise OptionError(f"{self.what} names {name!r}, but the parameters are: {has}")
            if binder.is_variadic(name):
                raise OptionError(
                    f"{self.what} names {name!r}, which collects arguments and has no text of its own"
                )
            if selection is None:
                continue
            if selection.names is None:
                raise OptionError(
                    f"{self.what} names {name!r}, but params is a function, which may leave it out; "
                    "make this option a function of the arguments as well"
                )
            if name not in selection.names:
                raise OptionError(
                    f"{self.what} names {name!r}, which is not in the params, so different calls would meet. "
                    "Add it to the params or remove it here"
                )
            if name in selection.secrets:
                raise OptionError(
                    f"{self.what} names {name!r}, which is marked Secret; it would be written down"
                )


def _has_stable_text(value: object) -> bool:
    """Say whether the text of a value is the same in each process: no address, no order of a set."""
    if value is None or isinstance(value, (str, int, float)):
        return True
    for module, names in _SCALARS.items():
        # Of a module that nobody has imported, there are no values.
        if (loaded := sys.modules.get(module)) is not None and isinstance(
            value, tuple(getattr(loaded, name) for name in names)
        ):
            return True
    return False


_SCALARS = {
    "datetime": ("date", "time", "timedelta"),
    "decimal": ("Decimal",),
    "enum": ("Enum",),
    "fractions": ("Fraction",),
    "numpy": ("number", "bool_", "datetime64", "timedelta64"),
    "pathlib": ("PurePath",),
    "uuid": ("UUID",),
}
"""Types besides None, str, int and float whose text says all and always the same."""


class Uri:
    """Gives the uri of each call of a function.

    Args:
        function: the function as the user sees it.
        uri: a template, or a function that takes all arguments (a dict of its own) and returns the uri; None
            for ``py://module/qualname``.
        selection: of the function.

    Raises:
        OptionError: the template cannot be read, or names what is not among the params.

    Examples:
        >>> from cachedeco.keys.arguments import Binder, Selection
        >>> def f(year, month): ...
        >>> uri = Uri(f, "https://example.org/{year}/{month:02d}.csv", Selection(Binder(f)))
        >>> uri.render({"year": 2013, "month": 1})
        'https://example.org/2013/01.csv'
    """

    __slots__ = ("_compute", "_output", "_template", "_where", "constant")

    def __init__(
        self,
        function: Callable[..., object],
        uri: str | Callable[[dict[str, object]], str] | None,
        selection: Selection,
    ) -> None:
        self._where = f"the uri of {name_of(function)}"
        self.constant: str | None = None
        self._compute: Callable[[dict[str, object]], str] | None = None
        self._output = selection.output
        if uri is None:
            self.constant = default_uri(function)
        elif isinstance(uri, str):
            self._template = _Template(uri, self._where)
            self._template.check(selection, selection.binder)
            if not self._template.names:
                self.constant = self._template.render({})
                self._check(self.constant)
        elif callable(uri):
            self._compute = uri
        else:
            raise OptionError(f"{self._where} is {uri!r}; write a str, or a function that returns one")

    def render(self, arguments: dict[str, object]) -> str:
        """Return the uri of a call.

        Args:
            arguments: of the call, from `Binder.bind`.

        Raises:
            OptionError: the uri is empty, is no str, or an argument in it has no fixed text.
        """
        if self.constant is not None:
            return self.constant
        if self._compute is None:
            return self._check(self._template.render(arguments))
        return self._check(
            self._compute({name: arguments[name] for name in arguments if name != self._output})
        )

    def _check(self, uri: object) -> str:
        if not isinstance(uri, str):
            raise OptionError(
                f"{self._where}: the function returned a {type(uri).__qualname__}; it must return a str"
            )
        if not uri:
            raise OptionError(f"{self._where} is empty; write a text that names the results")
        return str(uri)


class FileName:
    """Gives the name of the output file of each call of a function.

    Args:
        template: a file name with ``{argument}`` or ``{argument:format}`` in it.
        binder: of the function.
        selection: of the function; if given, names must be among the params.

    Raises:
        OptionError: the template cannot be read, has folders in it, or names what it must not.

    Examples:
        >>> from cachedeco.keys.arguments import Binder
        >>> def f(year, output): ...
        >>> FileName("report_{year}.csv", Binder(f)).render({"year": 2013, "output": None})
        'report_2013.csv'
    """

    __slots__ = ("_template", "_what")

    def __init__(self, template: str, binder: Binder, selection: Selection | None = None) -> None:
        self._what = f"the output of {name_of(binder.function)}"
        if not isinstance(template, str):
            raise OptionError(
                f"{self._what} is {template!r}; write a file name, such as output='report_{{year}}.csv'"
            )
        self._template = _Template(template, self._what)
        self._template.check(selection, binder)
        literal = "".join(part for part, _, _ in self._template.parts)
        if problem := _problem(literal):
            raise OptionError(
                f"{self._what} is {template!r}: {problem}; write the name of one file, without folders"
            )
        if not self._template.names:
            self._check(literal)

    def render(self, arguments: dict[str, object]) -> str:
        """Return the file name for a call.

        Args:
            arguments: of the call, from `Binder.bind`.

        Raises:
            OptionError: what comes out is not the name of one file.
        """
        for name, text in zip(self._template.names, self._template.fields(arguments), strict=True):
            if problem := _problem(text):
                raise OptionError(
                    f"{self._what}: the argument {name!r} is {text[:60]!r}: {problem}; "
                    "it cannot be part of a file name"
                )
        return self._check(self._template.render(arguments))

    def _check(self, name: str) -> str:
        if name in {"", ".", ".."}:
            raise OptionError(
                f"{self._what} comes out as {name!r}, which is no file name; add some text to it"
            )
        try:
            size = len(os.fsencode(name))
        except UnicodeEncodeError as error:
            raise OptionError(
                f"{self._what} comes out as {name!r}, which no file can be called: {error}"
            ) from error
        if size > _LONGEST:
            raise OptionError(
                f"{self._what} comes out as {name[:60]!r}..., {size} bytes; file names have up to {_LONGEST}"
            )
        return name


def _problem(text: str) -> str:
    """Say what in a text cannot be in a file name; nothing if all can."""
    if "/" in text or "\\" in text:
        return "it has a slash or backslash in it"
    if any(character < " " or character == "\x7f" for character in text):
        return "it has a control character in it"
    return ""

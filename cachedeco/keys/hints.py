"""Finds the markers in the annotations of a function, be they objects or text."""

from __future__ import annotations

import builtins
import types

from cachedeco.errors import OptionError
from cachedeco.keys.markers import Marks
from cachedeco.keys.signature import name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


def read(
    function: types.FunctionType, names: Iterable[str]
) -> tuple[dict[str, Marks], dict[str, str | None]]:
    """Read the markers of a function's parameters.

    Annotations are text under ``from __future__ import annotations``. Text is looked up in the function's
    globals and enclosing variables, also when it is but a name (``InFile = Annotated[Path, ContentKey]``).
    A type that exists for type checkers only does not matter, as long as the markers themselves exist.

    Args:
        function: the Python function with the annotations.
        names: its parameters.

    Returns:
        The marks by parameter; and the parameters whose annotation names what does not exist (yet), with the
        text of the annotation if a marker may hide in there, else None.

    Raises:
        OptionError: markers contradict each other, or one sits where it would have no effect.
    """
    marks: dict[str, Marks] = {}
    unresolved: dict[str, str | None] = {}
    annotations = getattr(function, "__annotations__", None) or {}
    for name in names:
        annotation = annotations.get(name)
        if annotation is None or type(annotation) is type:
            continue
        reader = _Reader(function)
        try:
            reader.visit(annotation, outermost=True)
        except OptionError as error:
            raise OptionError(f"{name_of(function)}: the annotation of {name!r}: {error}") from None
        if str(reader.marks):
            marks[name] = reader.marks
        if reader.incomplete:
            unresolved[name] = str(annotation) if reader.doubtful else None
    return marks, unresolved


def refuse(function: types.FunctionType, unresolved: dict[str, str | None]) -> None:
    """Complain of annotations in which a marker may hide that does not exist at run time.

    Args:
        function: the Python function with the annotations.
        unresolved: from `read`.

    Raises:
        OptionError: there is one.
    """
    for name, text in unresolved.items():
        if text is not None:
            raise OptionError(
                f"{name_of(function)}: the annotation {text!r} of {name!r} cannot be resolved, so its "
                "markers cannot be read; import all that it names at run time, not under TYPE_CHECKING or "
                "inside of another function, or take the markers out and use the options params and ignore"
            )


class _Unknown:
    """Stands in an annotation for a name that does not exist. Takes part in all that annotations do."""

    def __init__(self, *parts: object) -> None:
        self.__args__ = parts

    def __getattr__(self, name: str) -> _Unknown:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __getitem__(self, item: object) -> _Unknown:
        return _Unknown(*item) if isinstance(item, tuple) else _Unknown(item)

    def __or__(self, other: object) -> _Unknown:
        return _Unknown(self, other)

    __ror__ = __or__

    def __call__(self, *_args: object, **_kwargs: object) -> _Unknown:
        return self


class _Names(dict[str, object]):
    """The names that an annotation can use; the ones that do not exist are `_Unknown`."""

    def __init__(self, function: types.FunctionType) -> None:
        super().__init__({p.__name__: p for p in getattr(function, "__type_params__", ())})
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            try:
                self[name] = cell.cell_contents
            except ValueError:  # the variable has no value yet
                continue
        self.globals = function.__globals__
        self.incomplete = False

    def __missing__(self, name: str) -> object:
        if name in self.globals:
            return self.globals[name]
        if hasattr(builtins, name):
            return getattr(builtins, name)
        self.incomplete = True
        return _Unknown()


class _Reader:
    """Walks through one annotation and collects its markers.

    Attributes:
        marks: what was found.
        incomplete: a name does not exist.
        doubtful: a marker may hide behind such a name.
    """

    def __init__(self, function: types.FunctionType) -> None:
        self.names = _Names(function)
        self.marks = Marks()
        self.incomplete = self.doubtful = False
        self.seen: set[int] = set()

    def visit(self, annotation: Any, *, outermost: bool) -> None:
        """Look for markers in an annotation, and in what is inside of it."""
        texts: set[str] = set()
        while isinstance(annotation, str) or hasattr(annotation, "__forward_arg__"):
            text = annotation if isinstance(annotation, str) else annotation.__forward_arg__
            if text in texts:  # a variable that holds its own name
                return
            texts.add(text)
            annotation = self.resolve(text)
        if annotation is None or isinstance(annotation, type) or id(annotation) in self.seen:
            return
        self.seen.add(id(annotation))
        metadata = getattr(annotation, "__metadata__", None)
        if isinstance(metadata, tuple):
            for marker in metadata:
                self.mark(marker, outermost=outermost)
            self.visit(annotation.__origin__, outermost=outermost)
        elif type(annotation).__name__ == "TypeAliasType":
            self.visit(self.value_of(annotation), outermost=outermost)
        else:
            self.visit_arguments(annotation, outermost=outermost)

    def value_of(self, alias: Any) -> Any:
        """Return what a ``type X = ...`` stands for, None when it names what is not there."""
        try:
            return alias.__value__
        except Exception:  # noqa: BLE001  # whatever the expression raises, it is no annotation
            self.names.incomplete = self.incomplete = self.doubtful = True
            return None

    def mark(self, marker: object, *, outermost: bool) -> None:
        """Take note of a marker; refuse one that has no effect where it is."""
        if isinstance(marker, _Unknown):
            self.doubtful = True
            return
        if outermost:
            self.marks.add(marker)
            return
        inner = Marks()
        inner.add(marker)
        if str(inner):
            raise OptionError(
                f"{inner} sits inside of another type, where it has no effect; "
                "put it around the whole annotation"
            )

    def visit_arguments(self, annotation: Any, *, outermost: bool) -> None:
        """Look for markers in the arguments of a generic type or a union; an optional one counts as its type."""
        arguments = getattr(annotation, "__args__", None)
        origin = getattr(annotation, "__origin__", None)
        if not isinstance(arguments, tuple) or getattr(origin, "_name", None) == "Literal":
            return
        union = isinstance(annotation, types.UnionType) or getattr(origin, "_name", None) == "Union"
        inner = [argument for argument in arguments if argument is not None and argument is not type(None)]
        optional = union and outermost and len(inner) == 1 and len(inner) < len(arguments)
        before = str(self.marks)
        for argument in inner:
            self.visit(argument, outermost=optional)
        if optional and str(self.marks) != before:
            self.marks.optional = True

    def resolve(self, text: str) -> Any:
        """Return what the text of an annotation means; `_Unknown` when it cannot be told."""
        if text.isidentifier():  # nearly all are; nothing is compiled for them
            found: object = self.names[text]
        else:
            try:
                found = eval(text, self.names.globals, self.names)  # noqa: S307  # the program's own
            except Exception:  # noqa: BLE001  # whatever the expression raises, it is no annotation
                self.names.incomplete = True
                self.doubtful = "Annotated" in text
                found = _Unknown()
        self.incomplete = self.names.incomplete
        return found

"""What a code digest rests on, checked at each call: by identity where that is proof, else by content."""

from __future__ import annotations

from operator import is_, itemgetter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import CellType, FunctionType
    from typing import Any

EMPTY = object()


class Watch:
    """Everything that must stay as it is for a digest to stay valid.

    Filled while the digest is computed, then closed by `finish`. The objects are held, so that an address
    that is used again cannot pass for what was there before.
    """

    __slots__ = (
        "_absent",
        "_bindings",
        "_cells",
        "_data_cells",
        "_functions",
        "_members",
        "_missing",
        "_more",
        "_spaces",
        "_uses",
        "_values",
    )

    def __init__(self) -> None:
        self._bindings: dict[int, tuple[Mapping[str, object], dict[str, object]]] = {}
        self._absent: dict[int, tuple[Mapping[str, object], set[str]]] = {}
        self._uses: dict[int, tuple[FunctionType, object, object, object]] = {}
        self._cells: list[tuple[CellType, object]] = []
        self._data_cells: list[tuple[CellType, Callable[[object], bool]]] = []
        self._members: dict[int, tuple[Mapping[Any, object], tuple[object, ...]]] = {}
        self._values: list[tuple[Callable[[], object], object]] = []
        # The same again, arranged for speed by `finish`.
        self._spaces: tuple[tuple[Mapping[str, object], Callable[[Any], Any], tuple[object, ...]], ...] = ()
        self._missing: tuple[tuple[Callable[[Any], bool], frozenset[str]], ...] = ()
        self._functions: tuple[tuple[FunctionType, object, object, object], ...] = ()
        self._more = False

    def binding(self, space: Mapping[str, object], name: str, value: object) -> None:
        """`space[name]` stays this very object."""
        self._bindings.setdefault(id(space), (space, {}))[1][name] = value

    def absent(self, space: Mapping[str, object], name: str) -> None:
        """`space` goes on having no such name."""
        self._absent.setdefault(id(space), (space, set()))[1].add(name)

    def function(self, function: FunctionType) -> None:
        """The function keeps its code and its defaults; autoreload replaces them in place."""
        keywords = function.__kwdefaults__
        self._uses[id(function)] = (function, function.__code__, function.__defaults__, keywords)
        if keywords:
            for name, value in keywords.items():
                self.binding(keywords, name, value)

    def functions(self) -> list[FunctionType]:
        """Return the functions that are watched."""
        return [entry[0] for entry in self._functions]

    def cell(self, cell: CellType, value: object) -> None:
        """The cell holds this very object, or nothing for `EMPTY`."""
        self._cells.append((cell, value))

    def data_cell(self, cell: CellType, is_code: Callable[[object], bool]) -> None:
        """The cell goes on holding a value that is no code."""
        self._data_cells.append((cell, is_code))

    def members(self, mapping: Mapping[Any, object]) -> None:
        """The mapping keeps its values, in their order."""
        self._members[id(mapping)] = (mapping, tuple(mapping.values()))

    def value(self, measure: Callable[[], object], result: object) -> None:
        """Measuring again gives the same result."""
        self._values.append((measure, result))

    def finish(self) -> None:
        """Arrange what is watched so that each namespace is read in one step."""
        spaces = []
        for space, names in self._bindings.values():
            # `itemgetter` returns a tuple only for two names or more.
            keys = list(names) * (2 if len(names) == 1 else 1)
            spaces.append((space, itemgetter(*keys), tuple(names[key] for key in keys)))
        self._spaces = tuple(spaces)
        self._missing = tuple(
            (space.keys().isdisjoint, frozenset(names)) for space, names in self._absent.values()
        )
        self._functions = tuple(self._uses.values())
        self._more = bool(self._members or self._cells or self._data_cells or self._values)

    def holds(self) -> bool:
        """Tell whether nothing has changed."""
        try:
            for space, read, values in self._spaces:
                if not all(map(is_, read(space), values)):
                    return False
        except KeyError:
            return False
        for has_none_of, names in self._missing:
            if not has_none_of(names):
                return False
        for function, code, defaults, keywords in self._functions:
            if (
                function.__code__ is not code
                or function.__defaults__ is not defaults
                or function.__kwdefaults__ is not keywords
            ):
                return False
        return not self._more or self._rest_holds()

    def _rest_holds(self) -> bool:
        for mapping, values in self._members.values():
            if len(mapping) != len(values) or not all(map(is_, mapping.values(), values)):
                return False
        if any(contents(cell) is not value for cell, value in self._cells):
            return False
        if any(is_code(contents(cell)) for cell, is_code in self._data_cells):
            return False
        return all(measure() == result for measure, result in self._values)


def contents(cell: CellType) -> object:
    """Return what a cell holds, `EMPTY` if it holds nothing."""
    try:
        return cell.cell_contents
    except ValueError:
        return EMPTY

"""Functions that the words of a command name, and their arguments."""

from __future__ import annotations

import os
import sys

from cachedeco.cli.screen import UsageError
from cachedeco.errors import CachedecoError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


class NoFunctionError(CachedecoError, LookupError):
    """The module cannot be imported, or has no such cached function."""


def is_function(name: str) -> bool:
    """Whether a name is ``MODULE:FUNCTION``, and no uri."""
    return ":" in name and "://" not in name


def function(name: str) -> Any:
    """The cached function of ``MODULE:FUNCTION``; the module by its name, or a script by its path.

    Raises:
        NoFunctionError: the module cannot be imported, or has no such cached function.
    """
    from importlib import import_module

    place, _, wanted = name.rpartition(":")
    add_working_directory()
    if place.endswith(".py"):
        folder, file = os.path.split(os.path.abspath(place))
        sys.path.insert(0, folder)
        place = file.removesuffix(".py")
    try:
        found: Any = import_module(place)
        for part in wanted.split("."):
            found = getattr(found, part)
    except ImportError as error:
        raise NoFunctionError(f"{place} cannot be imported: {error}") from error
    except AttributeError as error:
        raise NoFunctionError(f"{place} has no {wanted}") from error
    if "__cachedeco__" not in getattr(found, "__dict__", {}):
        raise NoFunctionError(f"{name} is not decorated with @cached")
    return found


def add_working_directory() -> None:
    """Let modules be imported from the working directory, as ``python`` does."""
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)


def arguments_of(words: Sequence[str]) -> tuple[list[object], dict[str, object]]:
    """Arguments of a call: ``3 name=x year=2024``. What Python reads as a literal is one, the rest is text.

    Raises:
        UsageError: a positional argument follows one with a name.
    """
    positional: list[object] = []
    named: dict[str, object] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if equals and name.isidentifier():
            named[name] = _literal(value)
        elif named:
            raise UsageError(f"the argument {word!r} has no name and comes after one that has")
        else:
            positional.append(_literal(word))
    return positional, named


def _literal(word: str) -> object:
    from ast import literal_eval

    try:
        return literal_eval(word)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return word

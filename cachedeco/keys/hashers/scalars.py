"""Single values of the standard library: numbers, names, paths, patterns, enumerations."""

from __future__ import annotations

from cachedeco.keys.dispatch import loaded
from cachedeco.keys.node import Node, class_tag, header
from cachedeco.keys.plain import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Callable
    from decimal import Decimal
    from enum import Enum
    from fractions import Fraction
    from pathlib import PurePath
    from typing import Any
    from uuid import UUID


def _decimal(value: Decimal) -> Node:
    # The text of a decimal is exact: it tells 1.0 from 1.00, and one NaN from another.
    return Node(header("Decimal", str(value)))


def _fraction(value: Fraction) -> Node:
    return Node(header("Fraction", int(value.numerator), int(value.denominator)))


def _uuid(value: UUID) -> Node:
    return Node(header("UUID", int(value.int)))


def _path(value: PurePath) -> Node:
    return Node(header("path", type(value).__name__, str(value)))


def _pattern(value: re.Pattern[Any]) -> Node:
    return Node(header("re.Pattern", int(value.flags)), (value.pattern,), label=lambda _: ".pattern")


def _enum(value: Enum) -> Node:
    # A member is known by its name. Its value counts where that is content; it may also be a mere object().
    head = header("enum", class_tag(type(value)), None if value._name_ is None else str(value._name_))
    return Node(head + (encode(value._value_) or b""))


_CLASSES: tuple[tuple[str, str, Callable[[Any], Node]], ...] = (
    ("decimal", "Decimal", _decimal),
    ("fractions", "Fraction", _fraction),
    ("uuid", "UUID", _uuid),
    ("pathlib", "PurePosixPath", _path),
    ("pathlib", "PureWindowsPath", _path),
    ("pathlib", "PosixPath", _path),
    ("pathlib", "WindowsPath", _path),
    ("re", "Pattern", _pattern),
)


def find(kind: type) -> Callable[[Any], Node] | None:
    """Return what takes values of one of these classes apart; a subclass is taken apart by its state."""
    for module, name, hasher in _CLASSES:
        if kind is loaded(module, name):
            return hasher
    enum = loaded("enum", "Enum")
    return _enum if enum is not None and issubclass(kind, enum) else None

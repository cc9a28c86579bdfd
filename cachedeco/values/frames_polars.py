"""Frames of polars, as Arrow tables and back."""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

polars: Any = import_module("polars")

FRAME = "polars.DataFrame"


def kind_of(value: object) -> str:
    """Which of the kinds of this module a value is, or nothing."""
    return FRAME if type(value) is polars.DataFrame else ""


def take_apart(value: Any) -> tuple[Any, dict[str, Any]]:
    """The table of a frame, and what the table cannot say about it."""
    unknown = [name for name, dtype in value.schema.items() if dtype == polars.Object]
    if unknown:
        raise TypeError(f"column {unknown[0]!r} holds Python objects")
    return value.to_arrow(), {}


def rebuild(table: Any, _details: dict[str, Any]) -> Any:
    """The frame that `take_apart` was given."""
    return polars.from_arrow(table)


def difference(value: Any, back: Any) -> str:
    """How `back` differs from `value`, or nothing."""
    for name, dtype in value.schema.items():
        if back.schema.get(name) != dtype:
            return f"column {name!r} would come back as {back.schema.get(name)}, and is {dtype}"
    if back.columns != value.columns:
        return "its columns would change"
    return "" if back.equals(value, null_equal=True) else "its values would change"

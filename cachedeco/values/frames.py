"""Frames and tables as Arrow tables that know what they were.

The schema's metadata carries one entry of ours, so that each comes back as the kind that it was.
"""

from __future__ import annotations

import json  # noqa: TID253 - whoever stores frames has long loaded more
import sys
from importlib import import_module

from cachedeco.values.contract import DamagedError, MissingSerializerError, UnstorableError, refuse_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

pyarrow: Any = import_module("pyarrow")  # it ships no types

ENTRY = b"cachedeco"
WANTED = "frames of pandas and polars, pandas.Series, pyarrow.Table and pyarrow.RecordBatch"


def to_table(value: object, serializer: str, through: Callable[[Any], Any]) -> Any:
    """The Arrow table for a value, once it has been turned back and found to be the same.

    Args:
        value: a frame or a table.
        serializer: its name, for messages.
        through: gives the table that a format would give back for a table.

    Raises:
        UnstorableError: it is no frame, or would not come back as it is; the reason is in the message.
    """
    kind, table, details = _taken_apart(value, serializer)
    metadata = {**(table.schema.metadata or {}), ENTRY: json.dumps({"kind": kind, **details}).encode()}
    table = table.replace_schema_metadata(metadata)
    reason = _difference(kind, value, from_table(through(table)))
    if reason:
        raise UnstorableError(
            f"the serializer {serializer!r} would not give back this {kind} as it is: {reason}. "
            "Use serializer='pickle' for it",
            type_name=kind,
        )
    return table


def from_table(table: Any) -> Any:
    """The value that `to_table` was given.

    Raises:
        MissingSerializerError: the library that it belongs to is not installed.
        DamagedError: the table is none of ours.
    """
    metadata = dict(table.schema.metadata or {})
    try:
        details = json.loads(metadata.pop(ENTRY))
        kind = details["kind"]
    except (KeyError, ValueError, TypeError) as error:
        raise DamagedError("the stored table does not say what kind of frame it was") from error
    table = table.replace_schema_metadata(metadata or None)
    if kind == "pyarrow.Table":
        return table
    if kind == "pyarrow.RecordBatch":
        return _one_batch(table)
    library = str(kind).partition(".")[0]
    if library not in ("pandas", "polars"):
        raise DamagedError(f"the stored table says that it was a {kind}, which was never stored")
    try:
        frames = import_module(f"cachedeco.values.frames_{library}")
    except ModuleNotFoundError as error:
        raise MissingSerializerError(
            f"the item was stored as {kind}; that needs {error.name}: install cachedeco[{library}]"
        ) from error
    return frames.rebuild(table, details)


def _taken_apart(value: object, serializer: str) -> tuple[str, Any, dict[str, Any]]:
    if type(value) is pyarrow.Table:
        return "pyarrow.Table", value, {}
    if type(value) is pyarrow.RecordBatch:
        return "pyarrow.RecordBatch", pyarrow.Table.from_batches([value]), {}
    for library in ("pandas", "polars"):
        if library in sys.modules:
            frames = import_module(f"cachedeco.values.frames_{library}")
            kind = frames.kind_of(value)
            if kind:
                try:
                    return (kind, *frames.take_apart(value))
                except (TypeError, ValueError, NotImplementedError, pyarrow.ArrowException) as error:
                    raise UnstorableError(
                        f"the serializer {serializer!r} cannot store this {kind}: "
                        f"{' '.join(str(error).split())}. Use serializer='pickle' for it",
                        type_name=kind,
                    ) from error
    raise refuse_type(serializer, WANTED, value)


def _one_batch(table: Any) -> Any:
    batches = table.combine_chunks().to_batches()
    if batches:
        return batches[0]
    return pyarrow.RecordBatch.from_pylist([], schema=table.schema)


def _difference(kind: str, value: Any, back: Any) -> str:
    """How a value differs from what came back, or nothing."""
    if kind.startswith("pyarrow."):
        for field, found in zip(value.schema, back.schema, strict=True):
            if not found.equals(field, check_metadata=True):
                return f"{field} would come back as {found}"
        return "" if back.schema.equals(value.schema, check_metadata=True) else "its metadata would change"
    frames = import_module(f"cachedeco.values.frames_{kind.partition('.')[0]}")
    return str(frames.difference(value, back))

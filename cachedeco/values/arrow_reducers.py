"""How slices of Arrow data are pickled: without the rows around them."""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

pyarrow: Any = import_module("pyarrow")  # it ships no types

LARGE = 64 * 1024


def reduce_table(table: Any) -> Any:
    """Reduce a table or a record batch; a small part of large memory is copied out of it first."""
    held = table.get_total_buffer_size()
    if held >= LARGE and held >= 2 * table.nbytes:
        table = _compact(table)
    return table.__reduce_ex__(5)


def reduce_array(array: Any) -> Any:
    """Reduce a chunked array, as `reduce_table` does."""
    held = array.get_total_buffer_size()
    if held >= LARGE and held >= 2 * array.nbytes:
        table = pyarrow.table({"": array})
        array = _compact(table).column(0)
    return array.__reduce_ex__(5)


def _compact(table: Any) -> Any:
    """The same rows in memory of their own: the stream format writes only what a slice shows."""
    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write(table)
    with pyarrow.ipc.open_stream(sink.getvalue()) as reader:
        return reader.read_all() if isinstance(table, pyarrow.Table) else reader.read_next_batch()

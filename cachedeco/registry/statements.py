"""Reads the named statements of a ``.sql`` file.

A statement begins below a line ``-- name: its_name`` and ends at the next such line or the end of the file.
Other comment lines are for the reader and are dropped, so that SQLite's statement cache sees bare SQL.
"""

from __future__ import annotations

import os

_FOLDER = os.path.dirname(__file__)
_MARK = "-- name: "


def read(name: str) -> str:
    """The whole text of a file of this folder."""
    with open(os.path.join(_FOLDER, name), encoding="utf-8") as file:
        return file.read()


def parse(text: str) -> dict[str, str]:
    r"""Split a text into its named statements.

    Args:
        text: what a ``.sql`` file holds.

    Returns:
        Name of each statement -> its SQL.

    Raises:
        ValueError: a name stands twice, or names nothing.

    Examples:
        >>> parse("-- name: one\n-- why it is there\nSELECT 1\n")
        {'one': 'SELECT 1'}
    """
    statements: dict[str, str] = {}
    for block in ("\n" + text).split("\n" + _MARK)[1:]:
        name, _, body = block.partition("\n")
        sql = "\n".join(line for line in body.splitlines() if line.strip() and not line.startswith("--"))
        if name.strip() in statements or not sql:
            raise ValueError(f"the statement {name.strip()!r} is empty or stands twice")
        statements[name.strip()] = sql
    return statements


QUERIES = parse(read("queries.sql"))
"""The statements of ``queries.sql`` by name."""

"""Bringing a registry from an older schema to the newest, in numbered steps.

Notes:
    Another process may go on with the older library meanwhile. So a step either adds what older statements do not
    name, or takes away what they do: then they fail, and `Pool` finds the newer schema and says so.
"""

from __future__ import annotations

import os
import sqlite3

from cachedeco.registry import statements

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def migrations() -> list[str]:
    """The steps from version 1 of the schema to the newest, in order."""
    folder = os.path.join(os.path.dirname(__file__), "migrations")
    names = sorted(name for name in os.listdir(folder) if name.endswith(".sql"))
    return [statements.read(os.path.join("migrations", name)) for name in names]


def migrate(con: sqlite3.Connection, steps: list[str]) -> None:
    """Apply the steps that a registry lacks, in one transaction: it has the old schema or the new one.

    Args:
        con: a connection outside a transaction.
        steps: all steps after version 1, in order.
    """
    con.execute("BEGIN IMMEDIATE")
    try:
        # Asked again under the write lock: another process may have migrated meanwhile.
        version = con.execute("PRAGMA user_version").fetchone()[0]
        for number, step in enumerate(steps[version - 1 :], start=version + 1):
            for statement in split(step):
                con.execute(statement)
            con.execute(f"PRAGMA user_version = {number:d}")
        con.execute("COMMIT")
    finally:
        if con.in_transaction:
            con.execute("ROLLBACK")


def split(script: str) -> Iterator[str]:
    """Split a script into statements; `sqlite3.Connection.executescript` would commit before the first."""
    *pieces, rest = script.split(";")
    statement = ""
    for piece in pieces:
        statement += piece + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if (statement + rest).strip():
        yield statement + rest

"""Changing records that exist: set aside, brought back, deleted, described anew."""

from __future__ import annotations

import time

from cachedeco.registry.statements import QUERIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from cachedeco.registry.claims import Attribute
    from cachedeco.registry.pool import Pool


def trash(pool: Pool, ids: Sequence[int], *, unowned_writes: bool) -> list[int]:
    """Take records out of sight, all in one transaction. A running claim is left alone.

    Args:
        pool: connections to the registry.
        ids: numbers of the records.
        unowned_writes: also what is being written by hand and has no owner.

    Returns:
        Numbers of those that it was done to.
    """
    now = time.time_ns() // 1000

    def work(con: sqlite3.Connection) -> list[int]:
        done = []
        for id_ in ids:
            touched = con.execute(QUERIES["trash"], ("removed", now, id_)).rowcount
            if not touched and unowned_writes:
                touched = con.execute(QUERIES["trash_unowned"], (now, id_)).rowcount
            if touched:
                done.append(id_)
        return done

    return pool.write(work)


def restore(pool: Pool, id_: int) -> bool:
    """Bring a record back from the trash as what it was; False when it is not there."""
    return pool.update(QUERIES["restore"], (id_,)) == 1


def pin(pool: Pool, id_: int, *, pinned: bool) -> bool:
    """Note whether a record is kept from clean-ups; False when it is gone."""
    return pool.update(QUERIES["pin"], (int(pinned), id_)) == 1


def delete(pool: Pool, ids: Iterable[int], *, forget: bool) -> None:
    """Note that the bytes of trashed records are about to go.

    Args:
        pool: connections to the registry.
        ids: numbers of the records.
        forget: delete the records too.
    """

    def work(con: sqlite3.Connection) -> None:
        for id_ in ids:
            con.execute(QUERIES["delete"], (id_,))
            if forget:
                con.execute(QUERIES["forget"], (id_,))

    pool.write(work)


class Changes:
    """What is to be said anew of some records.

    Args:
        attributes: rows to add or to put in place of those with the same name.
        removed: (namespace, name) of attributes to drop; one without a namespace also as a whole namespace.
        label: the new one in a tuple; an empty tuple leaves it as it is.
        ext: likewise.
    """

    def __init__(
        self,
        *,
        attributes: Sequence[Attribute] = (),
        removed: Sequence[tuple[str, str]] = (),
        label: tuple[()] | tuple[str | None] = (),
        ext: tuple[()] | tuple[str | None] = (),
    ) -> None:
        self.attributes = attributes
        self.removed = removed
        self.label = label
        self.ext = ext


def describe(pool: Pool, ids: Iterable[int], said: Changes) -> None:
    """Change what is said of records, all in one transaction."""

    def work(con: sqlite3.Connection) -> None:
        for id_ in ids:
            if said.label:
                con.execute(QUERIES["set_label"], (*said.label, id_))
            if said.ext:
                con.execute(QUERIES["set_ext"], (*said.ext, id_))
            _attributes(con, id_, said)

    pool.write(work)


def _attributes(con: sqlite3.Connection, id_: int, said: Changes) -> None:
    for namespace, name in said.removed:
        con.execute(QUERIES["drop_attribute"], (id_, namespace, name))
        if not namespace:
            con.execute(QUERIES["drop_namespace"], (id_, name))
    for attribute in said.attributes:
        namespace, name = attribute[0], attribute[1]
        # A name is a value or a namespace, never both: what it was before goes.
        if namespace:
            con.execute(QUERIES["drop_attribute"], (id_, "", namespace))
        else:
            con.execute(QUERIES["drop_namespace"], (id_, name))
        con.execute(QUERIES["replace_attribute"], (id_, *attribute))

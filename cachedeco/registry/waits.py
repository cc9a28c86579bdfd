"""Who waits for what, of those who hold claims: noted so that circles across processes are found.

Notes:
    Transactions happen one after another, and a wait is noted and looked at in one of them. So of the waits that
    close a circle the last one finds it, and nobody has to be told.
"""

from __future__ import annotations

from cachedeco.registry.statements import QUERIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cachedeco.registry.connection import Connection
    from cachedeco.registry.pool import Pool


class Link:
    """A claim in a circle.

    Attributes:
        item: number of the item.
        owner: number of its owner.
        name: of its function, or the uri of a claim by hand.
    """

    __slots__ = ("item", "name", "owner")

    def __init__(self, item: int, owner: int, name: str) -> None:
        self.item = item
        self.owner = owner
        self.name = name


def note(pool: Pool, wait: bytes, holding: list[int], key: bytes, scope: bytes) -> list[Link]:
    """Note a wait, unless it is noted already, and look for a circle that it closes.

    Args:
        pool: connections to the registry.
        wait: 16 random bytes, to withdraw it by.
        holding: numbers of the claims that do not end while it lasts.
        key: of what is waited for.
        scope: of what is waited for.

    Returns:
        The circle: what is waited for, what that waits for, and so on to one of `holding`. Empty if there is none.
    """

    def work(con: Connection) -> list[Link]:
        con.execute(QUERIES["forget_waits"])
        for item in holding:
            con.execute(QUERIES["note_wait"], (item, wait, key, scope))
        return _circle(con, holding)

    return pool.write(work)


def withdraw(pool: Pool, wait: bytes) -> None:
    """Take a wait back: it has ended."""
    pool.write(lambda con: con.execute(QUERIES["withdraw_wait"], (wait,)))


def _circle(con: Connection, holding: list[int]) -> list[Link]:
    """The way from the first of some claims, over what each one waits for, back to any of them."""
    ways = [[link] for link in _awaited(con, holding[0])]
    seen = set()
    for way in ways:  # which grows meanwhile
        last = way[-1].item
        if last in holding:
            return way
        if last not in seen:
            seen.add(last)
            ways.extend([*way, link] for link in _awaited(con, last))
    return []


def _awaited(con: Connection, item: int) -> list[Link]:
    return [Link(*row) for row in con.execute(QUERIES["awaited"], (item,))]

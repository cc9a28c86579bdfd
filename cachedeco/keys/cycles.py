"""Digests of values that contain themselves.

Such values cannot be digested from the leaves upwards. Instead, all values of one cycle get a colour from
what they are, then again and again from the colours of their parts, until no further round tells more of
them apart. Values of one colour cannot be told apart by following references, however far. So cycles of equal
shape get equal digests, wherever one enters them and however often a part of them is copied.
"""

from __future__ import annotations

from xxhash import xxh3_128_digest

from cachedeco.keys.node import node_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cachedeco.keys.walk import Frame

_UNKNOWN = bytes(16)
# Where a node's digest has the length of its header stands a number that no header reaches.
_CYCLE = b"\0" + b"\xff" * 8


def resolve(members: Sequence[Frame]) -> tuple[list[bytes], dict[bytes, bytes]]:
    """Digest all values of one cycle.

    Args:
        members: their frames. A part is the digest of a value outside the cycle, or the number of a member.

    Returns:
        The digests of the members, in order, and the digest by the form that an equal value outside the cycle
        has (`v = [v]` equals its shallow copy `[v]`).
    """
    numbers = [member.number for member in members]
    colors = _repaint(members, dict.fromkeys(numbers, _UNKNOWN))
    while True:
        finer = _repaint(members, colors)
        if len(set(finer.values())) == len(set(colors.values())):
            break
        colors = finer
    # A finer colour commits to a value's header and to the colours of its parts: together they are the cycle.
    shape = b"".join(sorted({colors[number] + finer[number] for number in numbers}))
    signature = xxh3_128_digest(shape)
    digests = {number: xxh3_128_digest(_CYCLE + signature + colors[number]) for number in numbers}
    unfolded = _repaint(members, digests)
    return [digests[number] for number in numbers], {unfolded[number]: digests[number] for number in numbers}


def _repaint(members: Sequence[Frame], colors: dict[int, bytes]) -> dict[int, bytes]:
    return {
        member.number: node_digest(
            member.header,
            member.group,
            [part if isinstance(part, bytes) else colors[part] for part in member.digests],
        )
        for member in members
    }

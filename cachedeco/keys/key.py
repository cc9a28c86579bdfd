"""The key: 128 bits of the scheme, the uri and the parameters."""

from __future__ import annotations

import marshal

from xxhash import xxh3_128_digest

from cachedeco.errors import KeyingError
from cachedeco.keys import fingerprint, plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Head = tuple[bytes, tuple[str, ...]]

SCHEME = 1
"""Number of the way in which uri and parameters are put together. It is in each key."""

SCHEMES = f"cachedeco key {SCHEME}.{fingerprint.SCHEME}"
"""Names the ways in which keys and digests of values are made: keys of other ones are of no use here."""

_HEADS_KEPT = 512
_heads: dict[tuple[str, tuple[str, ...]], Head] = {}


def make_key(uri: str, params: Mapping[str, object]) -> bytes:
    """Return the key of a uri and its parameters.

    It depends on the values alone: not on the order of the parameters, the process, its hash seed, or whether
    a value is the same object or an equal copy.

    Args:
        uri: names the family of results.
        params: the named values.

    Returns:
        16 bytes.

    Raises:
        KeyingError: a value cannot be part of a key; the message has the parameter and the way to the part.

    Examples:
        >>> make_key("demo://a", {"x": 1, "y": 2}) == make_key("demo://a", {"y": 2, "x": 1})
        True
        >>> make_key("demo://a", {"x": 1}) == make_key("demo://a", {"x": True})
        False
    """
    head, names = head_of(uri, tuple(params))
    encoded = plain.encode(tuple([params[name] for name in names]))
    return make_walked_key(uri, params) if encoded is None else xxh3_128_digest(head + encoded)


def make_walked_key(uri: str, params: Mapping[str, object]) -> bytes:
    """Return the key of a uri and parameters that are not all plain, as `make_key` does.

    Args:
        uri: names the family of results.
        params: the named values.

    Raises:
        KeyingError: a value cannot be part of a key; the message has the parameter and the way to the part.
    """
    head, names = head_of(uri, tuple(params))
    digests = fingerprint.digests({name: params[name] for name in names})
    # Plain encodings never begin with a zero byte, so that the two kinds cannot meet.
    return xxh3_128_digest(head + b"\0" + marshal.dumps(tuple(digests.values()), plain.MARSHAL))


def head_of(uri: str, order: tuple[str, ...]) -> tuple[bytes, tuple[str, ...]]:
    """Return what the keys of a uri and of parameters of these names begin with, and the order of the values.

    Args:
        uri: names the family of results.
        order: the names, in any order.

    Raises:
        KeyingError: a name is not a str.
    """
    if type(uri) is not str:
        raise KeyingError(f"the uri is a {type(uri).__qualname__}; it must be a str", path="uri")
    return _heads.get((uri, order)) or _lay_out(uri, order)


def _lay_out(uri: str, order: tuple[str, ...]) -> Head:
    for name in order:
        if type(name) is not str:
            raise KeyingError(f"the name {name!r} of a parameter is not a str", path=str(name))
    names = tuple(sorted(order))
    if len(_heads) >= _HEADS_KEPT:
        _heads.clear()
    head = _heads[uri, order] = marshal.dumps((SCHEMES, uri, *names), plain.MARSHAL), names
    return head


def param_digests(params: Mapping[str, object]) -> dict[str, bytes]:
    """Return the digest of each parameter, as `fingerprint.digest` gives it.

    Args:
        params: the named values.

    Raises:
        KeyingError: as `make_key`.
    """
    return fingerprint.digests(params)

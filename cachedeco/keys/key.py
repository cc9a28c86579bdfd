"""The key: 128 bits of the scheme, the uri and the parameters."""

from __future__ import annotations

import marshal

from xxhash import xxh3_128_digest

from cachedeco.errors import KeyingError
from cachedeco.keys import fingerprint, plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

SCHEME = 1
"""Number of the way in which uri and parameters are put together. It is in each key."""

_SCHEMES = f"cachedeco key {SCHEME}.{fingerprint.SCHEME}"


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
    flat: list[Any] = [_SCHEMES, uri]
    try:
        names = sorted(params)
    except TypeError:
        raise _no_name(next(name for name in params if type(name) is not str)) from None
    for name in names:
        if type(name) is not str:
            raise _no_name(name)
        flat.append(name)
        flat.append(params[name])
    encoded = plain.encode(tuple(flat)) if type(uri) is str else None
    if encoded is None:
        encoded = _encode_digests(uri, params)
    return xxh3_128_digest(encoded)


def _encode_digests(uri: str, params: Mapping[str, object]) -> bytes:
    """Return an encoding of which the values are the digests: for values that are not plain."""
    if type(uri) is not str:
        raise KeyingError(f"the uri is a {type(uri).__qualname__}; it must be a str", path="uri")
    flat: list[Any] = [_SCHEMES, uri]
    for name in sorted(params):
        flat += name, fingerprint.digest(params[name], name)
    # Plain encodings never begin with a zero byte, so that the two kinds cannot meet.
    return b"\0" + marshal.dumps(tuple(flat), plain.MARSHAL)


def param_digests(params: Mapping[str, object]) -> dict[str, bytes]:
    """Return the digest of each parameter, as `fingerprint.digest` gives it.

    Args:
        params: the named values.

    Raises:
        KeyingError: as `make_key`.
    """
    return {name: fingerprint.digest(value, name) for name, value in params.items()}


def _no_name(name: object) -> KeyingError:
    return KeyingError(f"the name {name!r} of a parameter is not a str", path=str(name))

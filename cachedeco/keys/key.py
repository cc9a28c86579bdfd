"""The key: 128 bits of the scheme, the uri and the parameters."""

from __future__ import annotations

import marshal
from functools import partial
from operator import itemgetter

from xxhash import xxh3_128_digest

from cachedeco.errors import KeyingError
from cachedeco.keys import fingerprint, plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Layout = tuple[bytes, Callable[[Mapping[str, object]], tuple[object, ...]]]

SCHEME = 1
"""Number of the way in which uri and parameters are put together. It is in each key."""

_SCHEMES = f"cachedeco key {SCHEME}.{fingerprint.SCHEME}"
_LAYOUTS_KEPT = 512
_layouts: dict[tuple[str, tuple[str, ...]], Layout] = {}


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
    if type(uri) is not str:
        raise KeyingError(f"the uri is a {type(uri).__qualname__}; it must be a str", path="uri")
    order = tuple(params)
    layout = _layouts.get((uri, order)) or _lay_out(uri, order)
    head, values_of = layout
    values = values_of(params)
    encoded = plain.encode(values)
    if encoded is None:
        digests = tuple(fingerprint.digest(params[name], name) for name in sorted(params))
        # Plain encodings never begin with a zero byte, so that the two kinds cannot meet.
        encoded = b"\0" + marshal.dumps(digests, plain.MARSHAL)
    return xxh3_128_digest(head + encoded)


def _lay_out(uri: str, order: tuple[str, ...]) -> Layout:
    """What the keys of a uri and of parameters in this order have in common: their head, and how to sort values."""
    for name in order:
        if type(name) is not str:
            raise KeyingError(f"the name {name!r} of a parameter is not a str", path=str(name))
    names = sorted(order)
    head = marshal.dumps((_SCHEMES, uri, *names), plain.MARSHAL)
    # An itemgetter of one name gives its value instead of a tuple.
    values_of = itemgetter(*names) if len(names) > 1 else partial(_few_values, names)
    if len(_layouts) >= _LAYOUTS_KEPT:
        _layouts.clear()
    layout = _layouts[uri, order] = head, values_of
    return layout


def _few_values(names: list[str], params: Mapping[str, object]) -> tuple[object, ...]:
    return tuple(params[name] for name in names)


def param_digests(params: Mapping[str, object]) -> dict[str, bytes]:
    """Return the digest of each parameter, as `fingerprint.digest` gives it.

    Args:
        params: the named values.

    Raises:
        KeyingError: as `make_key`.
    """
    return {name: fingerprint.digest(value, name) for name, value in params.items()}

"""From a value to the digest that it has in a key."""

from __future__ import annotations

from xxhash import xxh3_128, xxh3_128_digest

from cachedeco.keys.plain import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

SCHEME = 1
"""Number of the encoding. It is part of every key: another encoding finds nothing of this one's."""

_LARGE = 1 << 20


def fingerprint(value: object) -> str:
    """Return the digest that a value has in a key.

    Equal values of one type have equal fingerprints, in every process and on every machine. All of the value
    counts; nothing is sampled.

    Args:
        value: nearly anything: plain values, dates, enums, dataclasses, functions, arrays, frames, tensors,
            and objects that can be pickled.

    Returns:
        32 hexadecimal digits.

    Raises:
        KeyingError: a part of the value has no content to make a key of (a lock, an open file, a generator).
            The message says which, and what can be done.

    Examples:
        >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
        True
        >>> fingerprint(1) == fingerprint(True)
        False
    """
    return digest(value).hex()


def digest(value: object, name: str = "value") -> bytes:
    """Return the 16 bytes of `fingerprint`.

    Args:
        value: as for `fingerprint`.
        name: what the value is called in an error, where a path such as ``rows[3].logger`` begins.

    Raises:
        KeyingError: a part of the value has no content to make a key of.
    """
    found = _plain_digest(value)
    return digests({name: value})[name] if found is None else found


def _plain_digest(value: object) -> bytes | None:
    if type(value) is bytes and _LARGE < len(value) < 1 << 31:
        stream = xxh3_128(b"s" + len(value).to_bytes(4, "little"))  # what marshal would write, without a copy
        stream.update(value)
        return stream.digest()
    encoded = encode(value)
    return None if encoded is None else xxh3_128_digest(encoded)


def digests(values: Mapping[str, object]) -> dict[str, bytes]:
    """Return the digest of each of several values, as `digest` gives it.

    Only where two classes of one name have instances among the values (a cell of a notebook has been run
    again) they are more than that: then the code of such a class counts for each of its instances, lest they
    could change places.

    Args:
        values: by the name that each has in an error.

    Raises:
        KeyingError: a part of a value has no content to make a key of.
    """
    found: dict[str, bytes] = {}
    walked: dict[str, object] = {}
    for name, value in values.items():
        plain = _plain_digest(value)
        found[name] = plain or b""
        if plain is None:
            walked[name] = value
    if walked:
        from cachedeco.keys.walk import walk

        found |= walk(walked)
    return found


def register_hasher(type_: type, function: Callable[[Any], object]) -> None:
    """Say what stands for the values of a type, and of its subclasses, in a key.

    The type of the value still counts: values of two types are never equal. A ``__cachedeco_key__`` method of
    the value goes first. A later registration for the same type replaces an earlier one.

    Args:
        type_: the type. Not one of the plain types (str, list, dict...), which are never asked about.
        function: is given a value and returns something simpler, for example a tuple of its attributes.

    Raises:
        OptionError: the type is a plain one, or one of the two is not what it should be.

    Examples:
        >>> class Client:
        ...     def __init__(self, address):
        ...         self.address, self.connection = address, open
        >>> register_hasher(Client, lambda client: client.address)
        >>> fingerprint(Client("a")) == fingerprint(Client("b"))
        False
    """
    from cachedeco.keys.dispatch import register

    register(type_, function)

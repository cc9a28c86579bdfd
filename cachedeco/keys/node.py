"""What a hasher says about a value: a header that is written as it is, and parts that are walked in turn."""

from __future__ import annotations

from marshal import dumps

from xxhash import xxh3_128, xxh3_128_digest

from cachedeco.keys.names import full_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

SEQUENCE, BAG, MAPPING = 0, 1, 2
"""How parts count: in order, in any order, as pairs in any order."""

MARSHAL = 2
PIECE = 1 << 24
"""Bytes of a value that is not laid out as it is written are copied in pieces of about this size."""


class UnkeyableError(Exception):
    """Raised by a hasher: the reason why a value cannot be part of a key, as the end of a sentence."""


class Node:
    """One value, taken apart.

    Attributes:
        header: the type tag and everything about the value that is not in its parts.
        parts: values to be walked.
        group: how the parts count: SEQUENCE, BAG or MAPPING (keys and values in turn).
        label: gives the path of the part of that index, relative to this value. By default its index.
        costly: whether it is worth remembering that this value was seen.
    """

    __slots__ = ("costly", "group", "header", "label", "parts")

    def __init__(
        self,
        header: bytes,
        parts: Sequence[Any] = (),
        group: int = SEQUENCE,
        label: Callable[[int], str] | None = None,
        *,
        costly: bool = False,
    ) -> None:
        self.header = header
        self.parts = parts
        self.group = group
        self.label = label
        self.costly = costly


def header(tag: str, *facts: Any) -> bytes:
    """Write a type tag and facts about a value so that they can be told apart again.

    Args:
        tag: what kind of value it is; each hasher uses its own.
        facts: None, and exact bool, int, float, str, bytes and tuples of these. Nothing else may be given:
            marshal would take anything that offers a buffer for bytes.
    """
    return dumps((tag, *facts), MARSHAL)


def class_tag(kind: type) -> tuple[str, ...] | tuple[str, str, bytes]:
    """Return what says whose instance a value is.

    The class's code is not in it, for that counts as code. A class made inside a function is the exception:
    each call makes another one of the same name, so only its code and what it closes over tell them apart.
    """
    name = full_name(kind)
    if "<locals>" not in name[1]:
        return name
    return (*name, class_digest(kind))


def library_tag(kind: type, library: str) -> tuple[Any, ...]:
    """Return the class tag of a library's value: the library's own classes move between its modules."""
    if str(kind.__module__).partition(".")[0] == library:
        return library, str(kind.__name__)
    return class_tag(kind)


def class_digest(kind: type) -> bytes:
    """Return the digest of a class's code."""
    from cachedeco.keys.code import class_digest as digest_code

    return bytes(digest_code(kind))


def content_digest(*buffers: Any) -> bytes:
    """Return the digest of contiguous buffers, one after the other, without copying them."""
    stream = xxh3_128()
    for buffer in buffers:
        stream.update(buffer)
    return stream.digest()


def node_digest(head: bytes, group: int, digests: Sequence[bytes]) -> bytes:
    """Return the digest of a node, given those of its parts.

    The zero byte in front sets it apart from every plain encoding.
    """
    if group == BAG:
        digests = sorted(digests)
    elif group == MAPPING:
        digests = sorted(map(bytes.__add__, digests[::2], digests[1::2]))
    frame = b"\0" + len(head).to_bytes(8, "little") + head + group.to_bytes(1, "little")
    return xxh3_128_digest(frame + b"".join(digests))


def names_label(names: Sequence[str]) -> Callable[[int], str]:
    """Label parts with attribute names."""
    return lambda index: f".{names[index]}"


def keys_label(keys: Sequence[Any]) -> Callable[[int], str]:
    """Label the parts of a mapping, keys and values in turn."""

    def label(index: int) -> str:
        key = keys[index // 2]
        shown = (
            repr(key)
            if type(key) in (str, int, bytes, bool, float, type(None))
            else f"<{type(key).__name__}>"
        )
        return f"[{shown}]" if index % 2 else f".keys()[{index // 2}]"

    return label

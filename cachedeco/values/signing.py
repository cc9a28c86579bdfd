"""Signatures of stored bytes: HMAC-SHA256 over what they are and where they belong.

A signature holds the scheme's number and 32 bytes. What is signed is the purpose, each fact with its kind and length
before it, and the SHA-256 of the content: no two different things are signed as the same text, and a signature of one
item is none of another.
"""

from __future__ import annotations

import hashlib
import hmac
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import BinaryIO, NoReturn

    from typing_extensions import Buffer

    Fact = bytes | str | int | None

SCHEME = 1
LENGTH = 33

_CHUNK = 1 << 20


class Signer:
    """Signs and verifies with one key, which it never shows.

    Args:
        key: any bytes but none; 32 random ones are best.

    Examples:
        >>> signer = Signer(b"a key that only we know")
        >>> mac = signer.sign("value", ["uri", 1, None], content_digest(b"content"))
        >>> signer.is_right(mac, "value", ["uri", 1, None], content_digest(b"content"))
        True
        >>> signer.is_right(mac, "value", ["uri", 2, None], content_digest(b"content"))
        False
    """

    __slots__ = ("_keyed",)

    def __init__(self, key: bytes) -> None:
        if not key:
            raise ValueError("a key to sign with cannot be empty")
        self._keyed = hmac.new(key, digestmod="sha256")

    def __repr__(self) -> str:
        return "Signer(...)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not pickled: it would lie in a file or travel over a network")

    def sign(self, purpose: str, facts: Sequence[Fact], content: bytes) -> bytes:
        """The signature of a content.

        Args:
            purpose: what it is; one of another purpose is not valid.
            facts: what else must not change, in a fixed order.
            content: 32 bytes, its SHA-256.
        """
        mac = self._keyed.copy()
        for fact in (SCHEME, purpose, *facts, content):
            mac.update(_framed(fact))
        return bytes((SCHEME,)) + mac.digest()

    def is_right(self, signature: object, purpose: str, facts: Sequence[Fact], content: bytes) -> bool:
        """Whether a signature is that of a content; see `sign`."""
        return isinstance(signature, bytes) and hmac.compare_digest(
            signature, self.sign(purpose, facts, content)
        )


def content_digest(data: Buffer) -> bytes:
    """SHA-256 of bytes."""
    return hashlib.sha256(data).digest()


def file_digest(file: BinaryIO) -> bytes:
    """SHA-256 of what is left of a file."""
    total = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        total.update(chunk)
    return total.digest()


def tree_digest(entries: Iterable[tuple[str, str, bytes]]) -> bytes:
    """SHA-256 that stands for a folder.

    Args:
        entries: of everything in it, in any order: path inside it, kind, digest or target of a link.
    """
    total = hashlib.sha256()
    for path, kind, content in sorted((os.fsencode(path), kind, content) for path, kind, content in entries):
        for part in (path, kind, content):
            total.update(_framed(part))
    return total.digest()


def _framed(fact: Fact) -> bytes:
    if fact is None:
        return b"n"
    if isinstance(fact, bytes):
        kind, content = b"b", fact
    elif isinstance(fact, str):
        kind, content = b"s", fact.encode("utf-8", "surrogatepass")
    else:
        # A row that somebody has written may hold anything.
        kind, content = b"i" if type(fact) is int else b"o", repr(fact).encode()
    return kind + len(content).to_bytes(8, "little") + content

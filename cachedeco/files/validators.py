"""Whether a local file is still the one that a server has, by what the server says of its own."""

from __future__ import annotations

import hashlib
import os

from cachedeco.errors import OptionError
from cachedeco.files.freshness import VALIDATORS, by_name, is_encoded, moment, same_etag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Verdict = tuple[bool | None, str]

_CHUNK = 1 << 20


def check_freshness(
    local_path: str | os.PathLike[str],
    remote_headers: Mapping[str, str],
    local_metadata: Mapping[str, Any],
    method: str = "auto",
) -> tuple[bool, str]:
    """Whether a local file is the one that a server has.

    Args:
        local_path: of the file.
        remote_headers: of the server's answer, in any spelling, as `get_remote_headers` gives them.
        local_metadata: ``etag``, ``last_modified``, ``sha256`` and ``size``, as far as they are known; as
            `metadata_from_item` gives them.
        method: ``"etag"``, ``"modified"``, ``"hash"`` or ``"size"``; or ``"auto"`` for the first of the first three
            that both sides know. An equal size alone proves nothing then; another size does.

    Returns:
        Whether it is, and why. False where nobody can tell.

    Raises:
        OptionError: there is no such method.

    Examples:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile() as file:
        ...     check_freshness(file.name, {"ETAG": 'W/"1"'}, {"etag": '"1"'})
        (True, 'the entity tags agree')
    """
    if method not in {"auto", *VALIDATORS}:
        raise OptionError(f"method={method!r}: it is 'auto' or one of {', '.join(map(repr, VALIDATORS))}")
    path = os.fspath(local_path)
    if not os.path.isfile(path):
        return False, f"there is no file {path}"
    remote = by_name(remote_headers.items())
    if not remote:
        return False, "the server has said nothing"
    if method != "auto":
        verdict, reason = _BY_METHOD[method](path, remote, local_metadata)
        return bool(verdict), reason
    size, reason = _by_size(path, remote, local_metadata)
    if size is False:
        return False, reason
    for each in ("etag", "modified", "hash"):
        verdict, why = _BY_METHOD[each](path, remote, local_metadata)
        if verdict is not None:
            return verdict, why
    return False, f"{reason}, and that alone proves nothing" if size else "there is nothing to compare"


def _by_etag(path: str, remote: Mapping[str, str], local: Mapping[str, Any]) -> Verdict:
    del path
    ours, theirs = local.get("etag"), remote.get("etag")
    if not ours or not theirs:
        return None, "an entity tag is not known"
    same = same_etag(str(ours), theirs)
    return same, f"the entity tags {'agree' if same else 'differ'}"


def _by_date(path: str, remote: Mapping[str, str], local: Mapping[str, Any]) -> Verdict:
    del path
    ours, theirs = moment(str(local.get("last_modified") or "")), moment(remote.get("last-modified", ""))
    if ours is None or theirs is None:
        return None, "a date of change is not known"
    # An older one is another file too: somebody has put back what was there before.
    return ours == theirs, f"the dates of change {'agree' if ours == theirs else 'differ'}"


def _by_hash(path: str, remote: Mapping[str, str], local: Mapping[str, Any]) -> Verdict:
    if is_encoded(remote):
        return None, "the server's digest is that of the compressed file"
    for name, digest in _digests(remote):
        ours = _hex(str(local.get(name) or "")) or _digest(path, name)
        return ours == digest, f"the {name} digests {'agree' if ours == digest else 'differ'}"
    return None, "the server tells no digest"


def _by_size(path: str, remote: Mapping[str, str], local: Mapping[str, Any]) -> Verdict:
    del local
    length = remote.get("content-length", "")
    if not (length.isascii() and length.isdigit()) or is_encoded(remote):
        return None, "the server does not tell the size of the file"
    ours = os.path.getsize(path)
    return ours == int(length), f"the sizes {'agree' if ours == int(length) else 'differ'}"


_BY_METHOD = {"etag": _by_etag, "modified": _by_date, "hash": _by_hash, "size": _by_size}


def _digests(remote: Mapping[str, str]) -> list[tuple[str, bytes]]:
    """The digests that a server tells, the best first, in the notations that are in use."""
    found = [
        ("sha256", _hex(remote.get("x-checksum-sha256", ""))),
        ("sha256", _base64(remote.get("x-amz-checksum-sha256", ""))),
    ]
    for header in ("repr-digest", "digest", "x-goog-hash"):
        for each in remote.get(header, "").split(","):
            name, _, value = each.strip().partition("=")
            kind = {"sha-256": "sha256", "md5": "md5"}.get(name.lower())
            if kind:
                found.append((kind, _base64(value.strip(":"))))
    md5 = remote.get("content-md5", "")
    found += [("md5", _base64(md5)), ("md5", _hex(md5))]
    sizes = {"sha256": 32, "md5": 16}
    return sorted(
        [(name, digest) for name, digest in found if digest and len(digest) == sizes[name]],
        key=lambda each: each[0] != "sha256",
    )


def _base64(text: str) -> bytes | None:
    from base64 import b64decode

    try:
        return b64decode(text.strip(), validate=True) or None
    except ValueError:
        return None


def _hex(text: str) -> bytes | None:
    try:
        return bytes.fromhex(text.strip()) or None
    except ValueError:
        return None


def _digest(path: str, name: str) -> bytes:
    total = hashlib.new(name, usedforsecurity=False)
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            total.update(chunk)
    return total.digest()

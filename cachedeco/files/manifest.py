"""Manifests: what the registry says of an item, once more beside its bytes, for the day it is lost.

    <folder>/items/ab/<name>/       the bytes of an item
    <folder>/items/ab/<name>.json   its manifest; only items with files have one

A manifest is written before its item is moved into place and replaced as a whole when the item is described
anew. An item in the trash has none, so that what somebody removed never comes back by itself. Nobody reads
manifests but a rebuild, and it believes none that does not say what its place and its checksum say.
"""

from __future__ import annotations

import contextlib
import os
import stat

import xxhash

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SCHEME = 1
"""Version of the format; manifests of another one are passed over."""

EXT = ".json"

LARGEST = 64 << 20
"""Bytes above which something is no manifest."""

_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_READ |= getattr(os, "O_NONBLOCK", 0)  # a pipe that somebody has put there must not stop a rebuild


class Manifest:
    """What has to be known of an item to put it back into a registry.

    Attributes are the columns of its row; ``attributes`` are (namespace, name, kind, stored value).
    """

    FIELDS = (
        "key", "uri", "version", "status", "scope", "code", "token", "form", "serializer", "compression",
        "size", "digest", "mac", "filename", "created", "ended", "duration", "attempts", "pinned",
        "function", "params", "ext", "label", "attributes",
    )  # fmt: skip
    __slots__ = FIELDS

    attributes: list[tuple[str, str, str, Any]]
    created: int
    digest: bytes | None
    filename: str
    form: str
    key: bytes
    params: str
    size: int
    status: int
    token: bytes
    uri: str
    version: int

    def __init__(self, **fields: Any) -> None:
        for name in self.FIELDS:
            setattr(self, name, fields[name])

    @property
    def name(self) -> str:
        """Of the item's folder."""
        return f"{self.key.hex()}-{self.version}-{self.token.hex()}"


def dump(manifest: Manifest) -> bytes:
    """A manifest as text, with its checksum."""
    body = _text({name: plain(getattr(manifest, name)) for name in Manifest.FIELDS} | {"scheme": SCHEME})
    return f'{{"checksum":"{xxhash.xxh3_128_hexdigest(body.encode())}","item":{body}}}\n'.encode()


def parse(data: bytes) -> Manifest:
    """The inverse of `dump`.

    Raises:
        ValueError: it is no manifest of this scheme, or not what was written.
    """
    import json

    try:
        outer = json.loads(data)
        item = outer["item"]
        if (
            xxhash.xxh3_128_hexdigest(_text(item).encode()) != outer["checksum"]
            or item.pop("scheme") != SCHEME
        ):
            raise ValueError("its checksum or its scheme is another one")
        return _checked(Manifest(**{name: original(value) for name, value in item.items()}))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"it is no manifest: {error!r}") from error


def write(final: str, manifest: Manifest, *, new: bool = False, sync: bool = False) -> None:
    """Put a manifest beside an item's folder, in the place of an earlier one.

    Args:
        final: path of the item's folder.
        manifest: what to write.
        new: there is none yet. Half of it, should this process be killed, is told by its checksum, and the item is not
            READY then.
        sync: see that it survives a power cut; its folder is the caller's concern.

    Raises:
        OSError: it cannot be written; then what was there is there.
    """
    path = final + EXT
    part = path if new else f"{path}.{os.urandom(4).hex()}.part"
    try:
        with open(part, "xb", buffering=0) as file:
            data = memoryview(dump(manifest))
            while data:
                data = data[file.write(data) or 0 :]
            os.chmod(part, 0o444)  # as the values: whoever may see them may see this
            if sync:
                os.fsync(file.fileno())
        if not new:
            os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise


def remove(final: str) -> None:
    """Delete the manifest beside an item's folder, if there is one."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(final + EXT)


def read(path: str) -> Manifest:
    """Read a manifest.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not what was written, or not in its place.
    """
    descriptor = os.open(path, _READ)
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST:
            raise ValueError("it is no manifest: no file, or too large")
        manifest = parse(file.read())
    if os.path.basename(path) != manifest.name + EXT:
        raise ValueError("it is that of another item")
    return manifest


def _text(item: dict[str, Any]) -> str:
    import json

    return json.dumps(item, sort_keys=True, separators=(",", ":"))


def plain(value: Any) -> Any:
    """A value of a record in a form that JSON can hold."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value


def original(value: Any) -> Any:
    """The inverse of `plain`."""
    if isinstance(value, dict):
        return bytes.fromhex(value["hex"])
    if isinstance(value, list):
        return [original(each) for each in value]
    return value


_KINDS: dict[str, tuple[type, ...]] = {
    "key": (bytes,),
    "token": (bytes,),
    "scope": (bytes,),
    "uri": (str,),
    "form": (str,),
    "filename": (str,),
    "params": (str,),
    "version": (int,),
    "status": (int,),
    "size": (int,),
    "created": (int,),
    "attempts": (int,),
    "pinned": (int,),
    "attributes": (list,),
    "digest": (bytes, type(None)),
    "code": (bytes, type(None)),
    "mac": (bytes, type(None)),
    "ended": (int, type(None)),
    "duration": (int, type(None)),
}
_TEXT_OR_NONE = (str, type(None))
_LENGTH = 16


def _checked(manifest: Manifest) -> Manifest:
    """Refuse what could lead out of the item's folder, or what no registry takes."""
    for name in Manifest.FIELDS:
        value = getattr(manifest, name)
        if not isinstance(value, _KINDS.get(name, _TEXT_OR_NONE)):
            raise TypeError(f"{name} is {value!r}")
    if len(manifest.key) != _LENGTH or len(manifest.token) != _LENGTH or manifest.version < 1:
        raise ValueError("key, token or version cannot be right")
    names = [manifest.filename]
    if manifest.form == "files":
        import json

        names = list(json.loads(manifest.filename).values())
    for name in names:
        if not isinstance(name, str) or name in {"", ".", ".."} or {"/", os.sep, "\0"} & set(name):
            raise ValueError(f"{name!r} is no name of a file")
    manifest.attributes = [tuple(each) for each in manifest.attributes]
    if any(list(map(type, each[:3])) != [str] * 3 or len(each) != 4 for each in manifest.attributes):  # noqa: PLR2004 - namespace, name, kind, value
        raise ValueError("an attribute is none")
    return manifest

"""An item that an archive offers: what is said of it, believed only as far as it makes sense.

The archive may come from anybody. What is checked here leads nowhere outside an item's folder, fits into a registry
and can be read by those who look at items. Whether the bytes are what is said, and whether loading them runs code, is
asked by who takes them.
"""

from __future__ import annotations

import time

from cachedeco.changes import checked_name
from cachedeco.errors import OptionError
from cachedeco.exporting import FIELDS
from cachedeco.files.folder import is_plain
from cachedeco.files.manifest import original
from cachedeco.registry.attributes import decode
from cachedeco.status import CAUSES, Status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from cachedeco.files.bundle import Part

_DIGEST_BYTES, _SIGNATURE_BYTES = 16, 33
_LONGEST = 1 << 20
"""Characters of a text in a record, but for errors and params."""
_LARGEST_INLINE = 1 << 20
_END = 1 << 62
_KINDS = frozenset("bool bytes date datetime float int json long nan none str".split())
_STORED = (str, int, float, bytes, type(None))

_TEXT_OR_NONE = (str, type(None))
_BYTES_OR_NONE = (bytes, type(None))
_INT_OR_NONE = (int, type(None))
_TYPES: dict[str, tuple[type, ...]] = {
    "key": (bytes,), "uri": (str,), "version": (int,), "status": (int,), "scope": (bytes,), "code": _BYTES_OR_NONE,
    "token": (bytes,), "form": _TEXT_OR_NONE, "serializer": _TEXT_OR_NONE, "compression": _TEXT_OR_NONE,
    "size": _INT_OR_NONE, "digest": _BYTES_OR_NONE, "mac": _BYTES_OR_NONE, "filename": _TEXT_OR_NONE,
    "created": (int,), "ended": _INT_OR_NONE, "duration": _INT_OR_NONE, "attempts": (int,),
    "function": _TEXT_OR_NONE, "params": (str,), "ext": _TEXT_OR_NONE, "label": _TEXT_OR_NONE, "attributes": (list,),
}  # fmt: skip


class Offered:
    """An item in an archive.

    Args:
        known: what is said of it.
        parts: its bytes.

    Attributes:
        row: columns of its record, with the text of its uri and its ``attributes``.
        parts: of its value or files; numbers as in the archive -> part.
        arguments: number and part of its stored arguments; None where there are none.
        error: the traceback of a failure.
        code_parts: the texts behind the digest of its code.
        sealed: whether its arguments stand behind a signature.

    Raises:
        ValueError: what is said makes no sense.
    """

    __slots__ = ("arguments", "code_parts", "error", "parts", "row", "sealed")

    def __init__(self, known: dict[str, Any], parts: Sequence[Part]) -> None:
        try:
            self.row = {name: original(known[name]) for name in FIELDS}
            self._check_types()
            self._check_values()
            self._check_texts()
        except (KeyError, TypeError, AttributeError, RecursionError, OverflowError, OptionError) as error:
            raise ValueError(f"what is said of it makes no sense: {error!r}") from error
        self.row["cause"] = known.get("cause")
        self.error = _text_or_none(known.get("error"))
        self.code_parts = _code_parts(known.get("code_parts"))
        self.sealed = known.get("sealed") is True
        numbered = list(enumerate(parts, 1))
        arguments = [each for each in numbered if each[1].role == "arguments"]
        if len(arguments) > 1:
            raise ValueError("it has arguments twice")
        self.arguments = arguments[0] if arguments else None
        self.parts = {number: part for number, part in numbered if part.role != "arguments"}
        if self.row["status"] == Status.READY:
            self._check_bytes()
        elif self.parts or self.row["cause"] not in CAUSES:
            raise ValueError("it has failed, and has bytes or no cause")

    def _check_types(self) -> None:
        for name, kinds in _TYPES.items():
            if type(self.row[name]) not in kinds:
                raise TypeError(f"{name} is {self.row[name]!r}")

    def _check_values(self) -> None:
        row = self.row
        if len(row["key"]) != _DIGEST_BYTES or len(row["token"]) != _DIGEST_BYTES or row["version"] < 1:
            raise ValueError("key, token or version cannot be right")
        if row["status"] not in {Status.READY, Status.FAILED}:
            raise ValueError("it is neither READY nor FAILED")
        if any(len(row[name] or b"") > _LONGEST for name in ("scope", "code")):
            raise ValueError("scope or code cannot be right")
        if row["mac"] is not None and len(row["mac"]) != _SIGNATURE_BYTES:
            raise ValueError("its signature cannot be right")
        for name in ("version", "size", "created", "ended", "duration", "attempts"):
            if not 0 <= (row[name] or 0) < _END:
                raise ValueError(f"{name} is {row[name]}")
        # What comes from the future would be fresh until then.
        now = time.time_ns() // 1000
        row["created"] = min(row["created"], now)
        row["ended"] = None if row["ended"] is None else min(row["ended"], now)

    def _check_texts(self) -> None:
        row = self.row
        for name in ("uri", "label", "function", "serializer", "compression", "params", "ext", "filename"):
            # A registry takes no text that cannot be encoded.
            size = len((row[name] or "").encode())
            if size > _LONGEST and name != "params":
                raise ValueError(f"{name} is too long")
        import json

        checked_name(row["ext"], "ext")
        params = json.loads(row["params"])
        if (
            not row["uri"]
            or not isinstance(params, dict)
            or not all(isinstance(each, dict) for each in params.values())
        ):
            raise ValueError("uri or params cannot be right")
        row["attributes"] = [tuple(each) for each in row["attributes"]]
        for namespace, name, kind, stored in row["attributes"]:
            fits = isinstance(namespace, str) and isinstance(name, str) and name and kind in _KINDS
            if not fits or type(stored) not in _STORED:
                raise ValueError(f"the attribute {name!r} is none")
            for text in (namespace, name, stored):
                if isinstance(text, str):
                    text.encode()
            if isinstance(stored, int) and not -_END <= stored < _END:
                raise ValueError(f"the attribute {name!r} is too large")
        decode(row["attributes"])

    def _check_bytes(self) -> None:
        """See that there are the parts that an item of its form has, and that they stay in its place."""
        row, parts = self.row, list(self.parts.values())
        if (
            row["form"] not in {"value", "stream", "file", "files"}
            or row["size"] is None
            or row["ended"] is None
        ):
            raise ValueError(f"its form is {row['form']!r}, its size {row['size']!r}")
        if row["digest"] is None or len(row["digest"]) != _DIGEST_BYTES:
            raise ValueError("it has no digest")
        if row["form"] in {"value", "stream"} and not row["serializer"]:
            raise ValueError("it is a value without a serializer")
        if row["filename"] is None:
            if row["form"] in {"file", "files"} or [each.role for each in parts] != ["inline"]:
                raise ValueError("it has no file, and no small value either")
            if parts[0].size > _LARGEST_INLINE:
                raise ValueError("it is too large for a registry")
            return
        self._check_names(_tree(parts))

    def _check_names(self, paths: dict[str, str]) -> None:
        row = self.row
        if row["form"] == "files":
            import json

            names = json.loads(row["filename"])
            if not isinstance(names, dict) or not names or not all(map(is_plain, names.values())):
                raise ValueError(f"{row['filename']!r} are no names of files")
            if paths[""] != "folder" or not all(name in paths for name in names.values()):
                raise ValueError("its files are not there")
            return
        if not is_plain(row["filename"]):
            raise ValueError(f"{row['filename']!r} is no name of a file")
        if paths[""] != "file" and row["form"] != "file":
            raise ValueError("it is a value in a folder")


def _tree(parts: Sequence[Part]) -> dict[str, str]:
    """Path -> role of files and folders, each of which lies in a folder that is there.

    Raises:
        ValueError: one does not, or could lie elsewhere.
    """
    found: dict[str, str] = {}
    for each in parts:
        above, _, name = each.path.rpartition("/")
        if each.role not in {"file", "folder"} or each.path in found:
            raise ValueError(f"{each.path!r} is no file or folder, or is there twice")
        if found and (found.get(above) != "folder" or not is_plain(name)):
            raise ValueError(f"{each.path!r} does not lie in the item's folder")
        if not found and each.path:
            raise ValueError("its place is missing")
        found[each.path] = each.role
    if not found:
        raise ValueError("it has no files")
    return found


def _code_parts(given: object) -> str | None:
    """The texts behind a digest of code, if they are such; they are only shown."""
    import json

    try:
        parts = json.loads(given) if isinstance(given, str) else None
        fits = isinstance(parts, dict) and all(isinstance(each, str) for each in parts.values())
    except (ValueError, RecursionError):
        return None
    return _text_or_none(given) if fits else None


def _text_or_none(given: object) -> str | None:
    return given.encode("utf-8", "replace").decode() if isinstance(given, str) else None

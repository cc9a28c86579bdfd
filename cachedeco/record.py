"""What one row of the registry says of an item, and the value that stands for "there is none"."""

from __future__ import annotations

import enum

from cachedeco.status import Status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final


class Missing(enum.Enum):
    """Type of `MISSING`."""

    MISSING = "MISSING"

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing.MISSING
"""Stands for absence wherever None is a value."""


class _Output(enum.Enum):
    OUTPUT = "OUTPUT"

    def __repr__(self) -> str:
        return "OUTPUT"


if TYPE_CHECKING:
    from pathlib import Path

    OUTPUT: Path
else:
    OUTPUT = _Output.OUTPUT
"""Default of the parameter in which a function with ``output=`` gets its path; callers never pass one."""


_TEXT, _NUMBER, _BYTES = (str, type(None)), (int, type(None)), (bytes, type(None))

_KINDS: tuple[type | tuple[type, ...], ...] = (
    int, bytes, str, int, int, bytes, bytes, _NUMBER, _TEXT, _TEXT, _NUMBER, _BYTES, _TEXT, int, _NUMBER, _NUMBER,
    int, _TEXT, _BYTES, _TEXT, _TEXT, _TEXT, str, _TEXT, _TEXT, int, _BYTES,
)  # fmt: skip
"""Of the columns of the statement named ``record``, in its order."""

_LENGTH = 16
_MOMENTS = range(-62_135_596_800_000_000, 253_402_300_800_000_000)
"""Microseconds that are a time of Python: the years 1 to 9999."""


class Record:
    """One item as the registry knew it when it was read.

    Attributes:
        id: number of the row; never reused.
        key: the 32 hex digits of its key.
        uri: names the family of results that the item belongs to.
        version: 1, 2, 3... of its key.
        status: its `Status`.
        scope: digest of the code that makes two computations the same work; empty when the code does not
            count.
        token: 32 random hex digits; the item's folder is named after them.
        owner: number of the process that computed or computes it; None when it was made by hand.
        form: ``"value"``, ``"file"``, or None while it has no bytes.
        serializer: name of the serializer of a value.
        size: bytes.
        digest: 32 hex digits, XXH3-128 of the bytes.
        filename: name inside the item's folder; None for a value kept in the registry.
        created: microseconds since 1970, UTC.
        ended: the same, of becoming READY or FAILED.
        duration: microseconds that the function ran.
        attempts: how often the function was tried; 0 for an item made by hand.
        cause: why it is FAILED or TRASH.
        code: digest of the code that made it.
        ext: file name extension, without the dot.
        label: free text.
        function: module and qualified name of the function.
        params: JSON text that describes the parameters.
        error: the traceback of a failure.
        compression: of a value, and the size of its content, as in ``zstd:1234``; None for none.
        pinned: whether no clean-up may remove it.
        signature: state of its file when its digest was last found right, see `cachedeco.files.check`.
    """

    __slots__ = (
        "attempts",
        "cause",
        "code",
        "compression",
        "created",
        "digest",
        "duration",
        "ended",
        "error",
        "ext",
        "filename",
        "form",
        "function",
        "id",
        "key",
        "label",
        "owner",
        "params",
        "pinned",
        "scope",
        "serializer",
        "signature",
        "size",
        "status",
        "token",
        "uri",
        "version",
    )

    id: int
    key: str
    uri: str
    version: int
    status: Status
    scope: str
    token: str
    owner: int | None
    form: str | None
    serializer: str | None
    size: int | None
    digest: str | None
    filename: str | None
    created: int
    ended: int | None
    duration: int | None
    attempts: int
    cause: str | None
    code: str | None
    ext: str | None
    label: str | None
    function: str | None
    params: str
    error: str | None
    compression: str | None
    pinned: bool
    signature: bytes | None

    def __init__(self, row: tuple[Any, ...]) -> None:
        """Take a row of the statement named ``record``.

        Raises:
            ValueError: it makes no sense: somebody, or the disk, has damaged it.
        """
        if len(row) != len(_KINDS) or not all(map(isinstance, row, _KINDS)):
            raise ValueError("a column has a value of another type")
        (
            self.id,
            key,
            self.uri,
            self.version,
            status,
            scope,
            token,
            self.owner,
            self.form,
            self.serializer,
            self.size,
            digest,
            self.filename,
            self.created,
            self.ended,
            self.duration,
            self.attempts,
            self.cause,
            code,
            self.ext,
            self.label,
            self.function,
            self.params,
            self.error,
            self.compression,
            pinned,
            self.signature,
        ) = row
        if len(key) != _LENGTH or len(token) != _LENGTH or self.version < 1:
            raise ValueError("its key, token or version cannot be right")
        if self.created not in _MOMENTS or (self.ended is not None and self.ended not in _MOMENTS):
            raise ValueError("its times cannot be right")
        self.key = key.hex()
        self.pinned = bool(pinned)
        self.status = Status(status)
        self.scope = scope.hex()
        self.token = token.hex()
        self.digest = None if digest is None else digest.hex()
        self.code = None if code is None else code.hex()

    def described(self) -> dict[str, dict[str, Any]]:
        """What `params` says of each parameter; of those whose description is damaged nothing."""
        return {name: each for name, each in parse_mapping(self.params).items() if isinstance(each, dict)}


def parse_mapping(text: str | None) -> dict[str, Any]:
    """What a JSON object holds; empty where there is none, or where the text is damaged."""
    import json

    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}

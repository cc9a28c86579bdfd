"""How the value of a call is encoded: by which serializer, and whether its file is compressed."""

from __future__ import annotations

from cachedeco.values import table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cachedeco.calls.plan import Request
    from cachedeco.store import Store
    from cachedeco.values.contract import Packed


def encode(store: Store, request: Request, value: object) -> tuple[str, str, Packed]:
    """The name of a serializer, a file extension, and the encoding.

    Raises:
        UnstorableError: the value cannot be stored so, or would not come back exactly.
        MissingSerializerError: a library that is needed is not installed.
    """
    options, guard = request.plan.options, store.guard
    name = options.serializer or store.serializer
    choose = table.choose if guard is None else guard.choose
    serializer = choose(value) if name == "auto" else table.get(name)
    if guard is not None and table.runs_code(serializer):
        guard.refuse_pickle(f"what serializer={serializer.name!r} stores")
    ext, encoding = serializer.ext, serializer.pack(value)
    compress = options.compress or store.compress
    if compress == "none":
        return serializer.name, ext, encoding
    from cachedeco.values.compression import EXTENSIONS, Compressed

    bounded = guard is not None and guard.signer is None
    return serializer.name, ext + EXTENSIONS[compress], Compressed(compress, encoding, bounded=bounded)

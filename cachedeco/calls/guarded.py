"""Loading and signing what a call stores, in a cache whose guard verifies what is loaded.

A module of its own, imported late: a cache without a guard never needs it.
"""

from __future__ import annotations

from cachedeco.guard import Stored

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hashlib import _Hash as Hash

    from cachedeco.calls.plan import Request
    from cachedeco.guard import Guard
    from cachedeco.registry.claims import Bytes, Claim, Hit
    from cachedeco.store import Store


def stored(store: Store, request: Request, row: Hit, path: str) -> Stored:
    """A READY item as its signature speaks of it.

    Args:
        store: the cache folder.
        request: the call.
        row: of the item.
        path: of its bytes; empty where they are in the row.
    """
    # Where the code counts, only a signature that speaks of this call's code is right.
    code, mac = (request.code, row[9]) if request.plan.code_counts else store.items.seal(row[0])
    return Stored(
        key=request.key,
        version=row[1],
        form=request.plan.form,
        serializer=row[3],
        compression=row[10],
        filename=row[6],
        code=code,
        mac=mac,
        data=row[7],
        path=path,
    )


def sign(guard: Guard, request: Request, claim: Claim, made: Bytes, content: Hash | str) -> None:
    """Sign what is about to be committed.

    Args:
        guard: of the cache.
        request: the call.
        claim: of the item.
        made: what the commit will record; gets the signature.
        content: the bytes' digest as `Guard.hash` made it, or the path of an output file or folder.
    """
    facts = Stored(
        key=request.key,
        version=claim.version,
        form=made.form,
        serializer=made.serializer,
        compression=made.compression,
        filename=made.filename,
        code=request.code,
        path=content if isinstance(content, str) else "",
    )
    made.mac = guard.sign_files(facts) if isinstance(content, str) else guard.sign(facts, content.digest())

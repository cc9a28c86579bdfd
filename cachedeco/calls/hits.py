"""Hits: which READY item a call gets, and loading it."""

from __future__ import annotations

import contextlib
import os
import time
from io import BufferedReader, BytesIO

from xxhash import xxh3_128_digest

from cachedeco.calls import notices
from cachedeco.calls.outputs import read_names
from cachedeco.calls.plan import ANY_VERSION
from cachedeco.errors import OptionError, RegistryUnavailableError
from cachedeco.events import listening
from cachedeco.files.folder import is_plain, item_name
from cachedeco.record import MISSING
from cachedeco.trust import refuse_links
from cachedeco.values import table
from cachedeco.values.contract import DamagedError, MissingSerializerError, UnloadableError
from cachedeco.values.reading import open_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO

    from cachedeco.calls.plan import Request
    from cachedeco.guard import Stored
    from cachedeco.record import Record
    from cachedeco.registry.claims import Hit
    from cachedeco.store import Store

_MOST_CHECKED = 100_000


def hit(store: Store, request: Request) -> Any:
    """Load the best READY item that can be loaded; MISSING when there is none."""
    request.below = ANY_VERSION  # what was stored since the last look counts too
    if request.plan.options.picks:
        return _found(store, request)
    memory, name = store.memory, request.hit_name()
    remembered = memory.get(name)
    if remembered is not None:
        if remembered.value is not MISSING:
            store.uses.counts[remembered.row[0]] += 1
            if listening:
                _tell_hit(store, request, remembered.row)
            return remembered.value
        value = _try(store, request, remembered.row)
        if value is not MISSING:
            return value
    ticket = memory.ticket(request.key)
    if ticket is None:
        store.pool.keep_due_uses()  # a look at the slots does so
    row = newest_ready(store, request, request.below)
    if row is None:
        return MISSING
    value = _try(store, request, row)
    if value is MISSING:
        return _found(store, request)
    if ticket is not None:
        memory.keep(name, ticket, row, value)
    return value


def _found(store: Store, request: Request) -> Any:
    """Load the best READY item that can be loaded, as the registry has it now."""
    while True:
        row = best(store, request, request.below)
        if row is None:
            return MISSING
        value = _try(store, request, row)
        if value is not MISSING:
            return value


def find(store: Store, request: Request, *, verify: bool = True) -> Hit | None:
    """The row that `hit` would load, as far as one can tell without loading it.

    Args:
        store: the cache folder.
        request: the call.
        verify: pass over what is not signed in a cache that is; who loads it finds out himself, and says so.
    """
    below = request.below
    while True:
        row = best(store, request, below)
        if row is None or _is_whole(store, request, row, verify=verify):
            return row
        below = row[1]


def stale(store: Store, request: Request) -> Any:
    """Load the newest item that passes the function's check, expired or not; MISSING when there is none."""
    below = request.below
    while True:
        row = newest_ready(store, request, below)
        if row is None:
            return MISSING
        value = _try(store, request, row) if _is_valid(store, request, row) else MISSING
        if value is not MISSING:
            return value
        below = row[1]


def best(store: Store, request: Request, below: int) -> Hit | None:
    """The best READY item below a version, by all rules of the function."""
    if request.plan.options.picks:
        return _picked(store, request, below)
    return newest_ready(store, request, below)


def load(store: Store, request: Request, row: Hit) -> Any:
    """The value of a READY item.

    Raises:
        FileNotFoundError: its bytes are gone.
        DamagedError: they are not what was stored.
        UnloadableError: they are, but cannot become a value in this process.
        MissingSerializerError: the serializer, or a library that it needs, is not installed.
    """
    path = check(store, request, row)
    serializer, data = row[3] or "", row[7]
    form, output = request.plan.form, request.plan.output
    if store.guard is not None:
        facts = _guarded(store, request, row, path)
        if output is None:
            return store.guard.load(facts, mmap=_maps(store, request))
        store.guard.check(facts)
    elif data is not None and row[10] is None:
        return table.stored(serializer).unpack(data)
    if output is not None:
        return output.given(
            path if form == "files" else os.path.dirname(path), read_names(form, row[6] or "")
        )
    if row[10] is not None:
        from cachedeco.values import compression

        return compression.load(table.stored(serializer), row[10], path if data is None else data, row[4])
    return table.stored(serializer).load(path, mmap=_maps(store, request))


def _maps(store: Store, request: Request) -> bool:
    wanted = request.plan.options.mmap
    return store.mmap if wanted is None else wanted


def check(store: Store, request: Request, row: Hit) -> str:
    """See that the bytes of a READY item are what was stored; where they are, or an empty text for the registry.

    A file that nothing has touched since its digest was last found right is not read.

    Raises:
        FileNotFoundError: they are gone.
        DamagedError: they are not what was stored.
    """
    try:
        if row[7] is not None:
            if type(row[7]) is not bytes or xxh3_128_digest(row[7]) != row[5]:
                raise DamagedError(f"the value in the registry is not what was stored as version {row[1]}")
            return ""
        from cachedeco.files.check import examine, look

        path, signature = path_of(store, request, row), row[8]
        size, now = look(path, store.trust.look(store.folder, path))
        if size != row[4]:
            raise DamagedError(f"{path} has {size} bytes, {row[4]} were stored")
        thorough = request.plan.options.verify == "digest"
        if thorough or (now != signature and now != store.checked.get(row[2])):
            found = examine(path, size, row[5], None, thorough=True)
            if found is None:
                raise DamagedError(f"the content of {path} is not what was stored")
            if found != signature:
                _remember(store, row, found)
    except (TypeError, AttributeError, ValueError) as error:
        if isinstance(error, DamagedError):
            raise
        raise DamagedError(f"the record of version {row[1]} is damaged: {error}") from error
    return path


def _remember(store: Store, row: Hit, signature: bytes) -> None:
    """Note in what state a file was found right, so that nobody reads it again for that reason alone."""
    if len(store.checked) >= _MOST_CHECKED:
        store.checked.clear()
    store.checked[row[2]] = signature
    if store.mode == "read-only":
        return
    # Who cannot write reads the file once a process.
    with contextlib.suppress(RegistryUnavailableError):
        store.claims.sign(row[0], row[2], signature)


def _is_whole(store: Store, request: Request, row: Hit, *, verify: bool) -> bool:
    """Whether the bytes of a row are what was stored, as far as one can tell without loading them."""
    try:
        path = check(store, request, row)
        if verify and store.guard is not None:
            store.guard.check(_guarded(store, request, row, path))
    except (OSError, DamagedError, OptionError, MissingSerializerError):
        return False
    return True


def newest_ready(store: Store, request: Request, below: int) -> Hit | None:
    """The newest READY item that the function's policy on code lets this call use."""
    plan = request.plan
    row = None
    if plan.options.on_code_change != "ignore":
        row = store.claims.best(request.key, request.code, plan.form, below)
    if row is None and not plan.code_counts:
        row = store.claims.best_of_any_code(request.key, plan.form, below)
    return row


def _picked(store: Store, request: Request, below: int) -> Hit | None:
    """The item that expiry, check and choice of the function leave, in this order."""
    from cachedeco import policy

    plan, options = request.plan, request.plan.options
    now = time.time_ns() // 1000
    versions = [record for record in store.items.versions(request.key) if record.version < below]
    usable = policy.candidates(
        versions,
        form=plan.form,
        code=request.code.hex(),
        code_counts=plan.code_counts,
        prefer_code=options.on_code_change == "warn",
    )
    if usable:
        # What this call has seen and may leave: the claim looks for newer ones only.
        request.seen = max(request.seen, *(record.version for record in usable))
    fresh = [record for record in usable if policy.is_fresh(record.ended, options.expires, now)]
    chosen = _chosen(store, request, fresh)
    return None if chosen is None else store.claims.by_id(chosen.id)


def _chosen(store: Store, request: Request, fresh: list[Record]) -> Record | None:
    plan, options = request.plan, request.plan.options
    items = ((record, plan.make_item(record, store)) for record in fresh)
    valid = (pair for pair in items if options.validate is None or options.validate(pair[1]))
    if options.best is None:
        return next((record for record, _ in valid), None)
    offered = list(valid)
    choice = options.best([item for _, item in offered]) if offered else None
    if choice is None:
        return None
    for record, item in offered:
        if item == choice:
            return record
    raise OptionError(f"{plan.name}: best(...) returned {choice!r}, which is none of the items that it got")


def _try(store: Store, request: Request, row: Hit) -> Any:
    """Load a row; MISSING, and out of the way of this call, when that fails.

    Raises:
        MissingSerializerError: it could be loaded, but for something that is not installed.
    """
    try:
        value = load(store, request, row)
    except MissingSerializerError as error:
        # To compute for an hour what is there, for want of a package, is nothing to do unasked.
        raise MissingSerializerError(
            f"{request.plan.name}: version {row[1]} is stored, but {error}; or compute it anew with refresh(...)",
            serializer=row[3],
        ) from error
    except (OSError, UnloadableError, DamagedError, OptionError) as error:
        reject(store, request, row, error)
        return MISSING
    count_hit(store, request, row)
    return value


def count_hit(store: Store, request: Request, row: Hit) -> None:
    """Note that a stored result is used, for the statistics and for who listens."""
    store.uses.counts[row[0]] += 1
    if listening:
        _tell_hit(store, request, row)
    warn_of_other_code(store, request, row)


def _tell_hit(store: Store, request: Request, row: Hit) -> None:
    notices.tell("hit", store, request, version=row[1], size=row[4])


def _is_valid(store: Store, request: Request, row: Hit) -> bool:
    validate = request.plan.options.validate
    if validate is None:
        return True
    record = store.items.get(row[0])
    return record is not None and bool(validate(request.plan.make_item(record, store)))


def reject(store: Store, request: Request, row: Hit, error: Exception) -> None:
    """Take an item that could not be loaded out of the way: of this call, or of all if it is lost or damaged."""
    request.reject(row[1])
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        _set_aside(store, request, row, "lost")
    elif isinstance(error, DamagedError) and not _is_as_recorded(store, request, row):
        _set_aside(store, request, row, "damaged")
    else:
        # Another environment may still read it, so it stays; an older version may do for this one.
        message = f"version {row[1]} is stored but cannot be loaded here: {error}"
        notices.warn_once(request.plan.name, type(error).__name__, message)


def _is_as_recorded(store: Store, request: Request, row: Hit) -> bool:
    """Whether the bytes have the digest that was recorded: then it is their class that has changed."""
    try:
        if row[7] is not None:
            return type(row[7]) is bytes and xxh3_128_digest(row[7]) == row[5]
        from cachedeco.files.check import examine

        return examine(path_of(store, request, row), row[4], row[5], None, thorough=True) is not None
    except (OSError, TypeError, AttributeError, ValueError):
        return False


def path_of(store: Store, request: Request, row: Hit) -> str:
    """Where the bytes of a READY item are: its file, or the folder of its files.

    Raises:
        DamagedError: the row speaks of a place outside the item's folder.
    """
    try:
        folder = os.path.join(store.folder, item_name(request.key.hex(), row[1], row[2].hex()))
    except (ValueError, AttributeError) as error:
        raise DamagedError(f"version {row[1]!r} has no place: {error}") from error
    if request.plan.form == "files":
        return folder
    if not is_plain(row[6]):
        raise DamagedError(f"{row[6]!r} is no name of a file in the item's folder")
    return os.path.join(folder, row[6] or "")


def open_stream(store: Store, request: Request, row: Hit) -> BinaryIO:
    """The stored items of a generator, to be read; the caller closes it.

    Raises:
        OSError: they are lost, or not to be trusted.
        DamagedError: they are not what was stored.
    """
    path = check(store, request, row)
    if store.guard is not None:
        return store.guard.open_stream(_guarded(store, request, row, path))
    return BytesIO(row[7]) if row[7] is not None else BufferedReader(open_value(path))


def _guarded(store: Store, request: Request, row: Hit, path: str) -> Stored:
    from cachedeco.calls.guarded import stored

    return stored(store, request, row, path)


def _set_aside(store: Store, request: Request, row: Hit, cause: str) -> None:
    """Take an item that is lost or damaged out of the sight of look-ups."""
    if store.mode == "read-only":
        return
    from cachedeco.files import manifest

    try:
        store.claims.trash(row[0], cause)
        if listening:
            notices.tell("evict", store, request, version=row[1], reason=cause)
        final = store.item_folder(request.key.hex(), row[1], row[2].hex())
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            refuse_links(store.folder, os.path.dirname(final))
            manifest.remove(final)
    except (OSError, TypeError, AttributeError, ValueError) as error:
        notices.warn_once(
            request.plan.name, cause, f"version {row[1]} is {cause} and could not be set aside: {error}"
        )


def warn_of_other_code(store: Store, request: Request, row: Hit) -> None:
    """Say that a result of other code is used, where the function's policy on code is to say so."""
    plan = request.plan
    if plan.options.on_code_change != "warn":
        return
    same = store.claims.best(request.key, request.code, plan.form, row[1] + 1)
    if same is None or same[0] != row[0]:
        message = f"version {row[1]} was made by other code and is used all the same (on_code_change='warn')"
        notices.warn_once(plan.name, f"code {request.code.hex()}", message)

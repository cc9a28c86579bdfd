"""Keeping the manifests beside the values in step with what the registry says of items."""

from __future__ import annotations

import contextlib
import os
import warnings

from cachedeco.errors import StoreWarning
from cachedeco.files import manifest
from cachedeco.files.manifest import Manifest
from cachedeco.status import Status
from cachedeco.trust import refuse_links

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cachedeco.store import Store


def keep(store: Store, ids: Iterable[int]) -> None:
    """Write the manifests of items anew, after their records were changed.

    What is not READY or has no file gets none. One that cannot be written costs a warning: it is needed only if the
    registry is lost as well.

    Args:
        store: the cache folder.
        ids: numbers of the records.
    """
    for id_ in ids:
        found = store.items.manifest(id_)
        if found is None:
            continue
        row, attributes = found
        each = Manifest(**dict(zip(Manifest.FIELDS, (*row, attributes), strict=True)))
        try:
            final = store.item_folder(each.key.hex(), each.version, each.token.hex())
        except (AttributeError, ValueError):
            continue  # a damaged record has no place
        try:
            if each.status == Status.READY and each.form is not None and each.filename is not None:
                refuse_links(store.folder, os.path.dirname(final))
                manifest.write(final, each, sync=store.durability == "full")
            else:
                _remove(store, final)
        except OSError as error:
            _complain(final, error)


def drop(store: Store, key: str, versions: Iterable[tuple[int, str]]) -> None:
    """Delete the manifests of items that went to the trash, so that no rebuild brings them back.

    Args:
        store: the cache folder.
        key: 32 hex digits.
        versions: version and token of each.
    """
    for version, token in versions:
        final = store.item_folder(key, version, token)
        try:
            _remove(store, final)
        except OSError as error:
            _complain(final, error)


def _remove(store: Store, final: str) -> None:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        refuse_links(store.folder, os.path.dirname(final))
        manifest.remove(final)


def _complain(final: str, error: OSError) -> None:
    message = f"the manifest {final}{manifest.EXT} could not be brought up to date: {error}"
    warnings.warn(message, StoreWarning, stacklevel=3)

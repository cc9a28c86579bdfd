"""The cache folder: which paths it has, and making it.

    <folder>/registry/            the registry, and nothing else
    <folder>/owners/              one lock file a writing process
    <folder>/items/ab/<name>/     the bytes of an item; ab are the first digits of the key
    <folder>/items/ab/<name>.part/   the same while it is being written

A name holds key, version and the item's random token, so no two writers ever share a path. All paths are
derived, none is stored, so the folder can be moved.
"""

from __future__ import annotations

import contextlib
import os

from cachedeco.errors import RegistryUnavailableError

_TAG = """Signature: 8a477f597d28d172789f06886806bc55
# This folder is a cache made by cachedeco. Backup programs may leave it out (https://bford.info/cachedir/).
"""


def prepare(folder: str) -> None:
    """Make a cache folder, for its owner only, or accept an existing one.

    Args:
        folder: absolute path.

    Raises:
        RegistryUnavailableError: there is something else at that path, or the folder cannot be made.
    """
    if os.path.isdir(folder):
        return
    try:
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, mode=0o700)
        if not os.path.isdir(folder):
            raise NotADirectoryError(f"{folder} is a file")
        _write_new(os.path.join(folder, "CACHEDIR.TAG"), _TAG)
        _write_new(os.path.join(folder, ".gitignore"), "*\n")
    except OSError as error:
        raise RegistryUnavailableError(
            f"cannot make the cache folder {folder}: {error}; choose another one with path= or CACHEDECO_DIR",
            path=folder,
        ) from error


def item_name(key: str, version: int, token: str) -> str:
    """Path of an item's own folder, relative to the cache folder.

    Args:
        key: 32 hex digits.
        version: of that key.
        token: 32 hex digits.

    Examples:
        >>> item_name("ab" * 16, 3, "12" * 16)
        'items/ab/abababababababababababababababab-3-12121212121212121212121212121212'
    """
    return os.path.join("items", key[:2], f"{key}-{version}-{token}")


def _write_new(path: str, text: str) -> None:
    with contextlib.suppress(FileExistsError), open(path, "x", encoding="utf-8") as file:
        file.write(text)

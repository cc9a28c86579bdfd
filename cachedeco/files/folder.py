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

from cachedeco.errors import RegistryUnavailableError, UntrustedCacheError
from cachedeco.trust import Trust

_TAG = """Signature: 8a477f597d28d172789f06886806bc55
# This folder is a cache made by cachedeco. Backup programs may leave it out (https://bford.info/cachedir/).
"""


def prepare(folder: str, trust: Trust | None = None) -> None:
    """Make a cache folder, or accept an existing one that nobody else can write to.

    Args:
        folder: absolute path without links.
        trust: whose it may be; by default its owner's only.

    Raises:
        RegistryUnavailableError: there is something else at that path, or the folder cannot be made.
        UntrustedCacheError: another user owns it, or a folder above it, or may write there.
    """
    trust = trust or Trust()
    trust.check_above(folder)
    try:
        if not os.path.isdir(folder):
            _make(folder, trust)
        elif trust.shared:
            trust.share(folder)
    except UntrustedCacheError:
        raise
    except OSError as error:
        raise RegistryUnavailableError(
            f"cannot make the cache folder {folder}: {error}; choose another one with path= or CACHEDECO_DIR",
            path=folder,
        ) from error
    trust.check(folder)


def _make(folder: str, trust: Trust) -> None:
    _make_above(os.path.dirname(folder))
    # Another process may be making it too.
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder, mode=0o700)
        trust.admit_folder(folder)
    if not os.path.isdir(folder):
        raise NotADirectoryError(f"{folder} is a file")
    _write_new(os.path.join(folder, "CACHEDIR.TAG"), _TAG)
    _write_new(os.path.join(folder, ".gitignore"), "*\n")


def _make_above(folder: str) -> None:
    """Make the folders above, as the umask has it, but never so that others may write there."""
    if not os.path.isdir(folder):
        _make_above(os.path.dirname(folder))
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, mode=0o755)


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
    return os.path.join("items", key[:2], f"{key}-{version:d}-{token}")


def is_plain(name: object) -> bool:
    """Whether a name from the registry names something inside one folder, and nothing elsewhere."""
    return (
        isinstance(name, str)
        and name not in {"", ".", ".."}
        and "\0" not in name
        and "/" not in name
        and os.path.basename(name) == name
    )


def _write_new(path: str, text: str) -> None:
    with contextlib.suppress(FileExistsError), open(path, "x", encoding="utf-8") as file:
        file.write(text)

"""What lies in a cache folder, whatever the registry says."""

from __future__ import annotations

import os

from cachedeco.files.manifest import EXT


def item_folders(folder: str) -> dict[str, str]:
    """The folders of items: name -> absolute path. What else lies there is passed over.

    Args:
        folder: the cache folder.
    """
    found: dict[str, str] = {}
    top = os.path.join(folder, "items")
    for first in _folders(top):
        for entry in _folders(first.path):
            found[entry.name] = entry.path
    return found


def _folders(path: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []  # deleted by somebody meanwhile, or never made


def manifests(folder: str, *, unfinished: bool = False) -> list[str]:
    """Absolute paths of all manifests.

    Args:
        folder: the cache folder.
        unfinished: those that somebody is writing, or has left half written.
    """
    found: list[str] = []
    for first in _folders(os.path.join(folder, "items")):
        try:
            names = os.listdir(first.path)
        except FileNotFoundError:
            continue
        found += [
            os.path.join(first.path, name) for name in names if _is_manifest(name, unfinished=unfinished)
        ]
    return found


def _is_manifest(name: str, *, unfinished: bool) -> bool:
    return name.endswith(".part") and EXT + "." in name if unfinished else name.endswith(EXT)

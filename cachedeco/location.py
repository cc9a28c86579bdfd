"""Where a cache lies when nobody says where."""

from __future__ import annotations

import os

from cachedeco.errors import OptionError
from cachedeco.settings import DIRECTORY_VARIABLE

_ROOT_MARKS = ("pyproject.toml", ".git")


def folder_of(path: str | os.PathLike[str] | None, pkg: str | None) -> str:
    """The absolute path of a cache folder.

    Args:
        path: the folder; ``~`` and relative paths are resolved now, not when the folder is used.
        pkg: name of an application whose cache folder in the user's account is meant.

    Raises:
        OptionError: both are given, or one of them is empty or of a wrong type.
    """
    if path is not None and pkg is not None:
        raise OptionError("Cache(path=..., pkg=...): give one of them")
    if pkg is not None:
        if not isinstance(pkg, str) or not pkg or pkg != os.path.basename(pkg) or pkg in {".", ".."}:
            raise OptionError(f"Cache(pkg={pkg!r}): the name of an application is one part of a path")
        from platformdirs import user_cache_dir

        return os.path.realpath(user_cache_dir(pkg))
    if path is None:
        return os.path.realpath(default_folder())
    try:
        name = os.fspath(path)
    except TypeError as error:
        raise OptionError(f"Cache(path=...): a path is a str or Path, not a {type(path).__name__}") from error
    if not isinstance(name, str) or not name:
        raise OptionError(f"Cache(path={path!r}): a path is a str or Path that is not empty")
    return os.path.realpath(os.path.expanduser(name))


def default_folder() -> str:
    """The folder of the default cache: ``CACHEDECO_DIR``, or one folder per project in the user's account.

    The project root is the nearest folder from the working directory upwards with a ``pyproject.toml`` or a
    ``.git``, else the working directory. A digest of its path keeps two copies of a project apart.
    """
    given = os.environ.get(DIRECTORY_VARIABLE)
    if given:
        return os.path.expanduser(given)
    import xxhash
    from platformdirs import user_cache_dir

    root = project_root(os.path.realpath(os.getcwd()))
    digest = xxhash.xxh3_64_hexdigest(os.fsencode(root))
    return os.path.join(user_cache_dir("cachedeco"), f"{os.path.basename(root) or 'root'}-{digest}")


def project_root(start: str) -> str:
    """The nearest folder upwards that looks like the root of a project, else the folder itself.

    Args:
        start: absolute path of a folder.
    """
    folder = start
    while True:
        if any(os.path.exists(os.path.join(folder, mark)) for mark in _ROOT_MARKS):
            return folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return start
        folder = parent

"""Whose code it is: the user's, an installed package's, this library's, or the standard library's.

A file's place decides, not a name: what lies in `site-packages` or `dist-packages` and belongs to a
distribution is a package, what lies in the standard library's folder is standard, everything else is the
user's: editable installs, scripts, cells, archives, what has no file.
"""

from __future__ import annotations

import os
import sys

from xxhash import xxh3_128_hexdigest

from cachedeco.scripts import MAIN, main_name, module_name, script_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FunctionType, ModuleType

    # Kind, name and version; the last two are empty but for packages.
    Origin = tuple[str, str, str]

STANDARD = ("standard", "", "")
OWN = ("own", "", "")
USER = ("user", "", "")

_LIBRARY_FOLDERS = ("site-packages", "dist-packages")
_METADATA_SUFFIXES = (".dist-info", ".egg-info")
_OWN_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_PYTHON = f"python{sys.version_info[0]}.{sys.version_info[1]}"
_STANDARD_FOLDERS = (
    os.path.dirname(os.__file__) + os.sep,
    os.path.dirname(os.path.realpath(os.__file__)) + os.sep,
    os.path.join(sys.base_exec_prefix, sys.platlibdir, _PYTHON) + os.sep,
    os.path.join(sys.base_exec_prefix, "DLLs") + os.sep,
)

_COMPILED = (".so", ".pyd", ".dll")
_contents: dict[str, str] = {}
_origins: dict[str, Origin] = {}
_versions: dict[tuple[str, str], str] = {}


def of_file(filename: str) -> Origin:
    """Return `(kind, package, version)` of the code in a file."""
    origin = _origins.get(filename)
    if origin is None:
        origin = _origins[filename] = _of_path(os.path.abspath(filename))
    return origin


def _of_path(path: str) -> Origin:
    if path.startswith(_OWN_FOLDER):
        return OWN
    parts = path.split(os.sep)
    places = [index for index, part in enumerate(parts[:-1]) if part in _LIBRARY_FOLDERS]
    if places:
        folder = os.sep.join(parts[: places[-1] + 1])
        top = parts[places[-1] + 1].partition(".")[0]
        version = version_of(folder, top)
        # Files that somebody laid there by hand have no version that could stand for them.
        return ("package", top, version) if version else USER
    return STANDARD if path.startswith(_STANDARD_FOLDERS) else USER


def of_function(function: FunctionType) -> Origin:
    """Return the origin of a function's code, wherever a wrapper claims to come from."""
    filename = function.__code__.co_filename
    if filename.startswith("<"):
        return STANDARD if filename.startswith("<frozen ") else of_namespace(function.__globals__)
    return of_file(filename)


def of_namespace(namespace: Mapping[str, object]) -> Origin:
    """Return the origin of a module from its globals."""
    filename = namespace.get("__file__")
    if isinstance(filename, str):
        return of_file(filename)
    name = namespace.get("__name__")
    if not isinstance(name, str) or name == "__main__":
        return USER
    spec = namespace.get("__spec__")
    folders = getattr(spec, "submodule_search_locations", None)
    for folder in folders or ():
        return of_file(os.path.join(folder, "__init__.py"))
    top = name.partition(".")[0]
    return STANDARD if top in sys.stdlib_module_names or name.startswith("namedtuple_") else USER


def of_module(module: ModuleType) -> Origin:
    """Return the origin of a module."""
    return of_namespace(vars(module))


# What `make_dataclass` and code run in a bare namespace make says that it comes from here.
_BORROWED = frozenset(("builtins", "types"))
_MADE_AT_RUN_TIME = 1 << 9  # Py_TPFLAGS_HEAPTYPE


def of_class(cls: type) -> Origin:
    """Return the origin of a class, by the module that it names; of one that came by value, by its script."""
    module = getattr(cls, "__module__", None)
    if module in MAIN:
        script = script_of(cls)
        return USER if script is None else of_namespace(script)
    made_at_run_time = module in _BORROWED and cls.__flags__ & _MADE_AT_RUN_TIME
    if made_at_run_time and getattr(sys.modules[str(module)], cls.__name__, None) is not cls:
        return USER
    return of_module_name(module)


def of_module_name(name: object) -> Origin:
    """Return the origin of a module by its name; one that is not loaded is taken for the user's."""
    if not isinstance(name, str):
        return USER
    module = sys.modules.get(name) or sys.modules.get(name.partition(".")[0])
    if module is not None:
        return of_namespace(vars(module))
    return STANDARD if name.partition(".")[0] in sys.stdlib_module_names else USER


def compiled_content(name: object) -> str:
    """Return a digest of the file of a compiled module of the user's, an empty text for other modules."""
    module = sys.modules.get(name) if isinstance(name, str) else None
    filename = getattr(module, "__file__", None)
    if not isinstance(filename, str) or not filename.endswith(_COMPILED) or of_file(filename)[0] != "user":
        return ""
    if filename not in _contents:
        try:
            with open(filename, "rb") as stream:
                _contents[filename] = xxh3_128_hexdigest(stream.read())
        except OSError:
            _contents[filename] = "unreadable"
    return _contents[filename]


def version_of(folder: str, top: str) -> str:
    """Return the version of the distribution that a top-level module in a library folder belongs to.

    Returns:
        The versions joined where several distributions share the name, an empty text where there is none.
    """
    known = _versions.get((folder, top))
    if known is None:
        known = _versions[folder, top] = _find_version(folder, top)
    return known


def _find_version(folder: str, top: str) -> str:
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(_METADATA_SUFFIXES))
    except OSError:
        return ""
    wanted = top.lower()
    found = [name for name in names if name.partition("-")[0].lower().replace(".", "_") == wanted]
    found = found or [name for name in names if _holds(os.path.join(folder, name), top)]
    return ", ".join(_version_in(name) for name in found)


def _version_in(name: str) -> str:
    parts = name.rpartition(".")[0].split("-")
    return parts[1] if len(parts) > 1 else "unknown"


def _holds(metadata: str, top: str) -> bool:
    """Tell whether a distribution has the top-level module, by its list of files."""
    for list_name in ("RECORD", "top_level.txt", "installed-files.txt"):
        try:
            with open(os.path.join(metadata, list_name), "rb") as stream:
                content = b"\n" + stream.read().replace(b"../", b"") + b"\n"
        except OSError:
            continue
        start = b"\n" + top.encode()
        if any(start + end in content for end in (b"/", b".", b"\n", b"\r\n")):
            return True
    return False


def module_title(namespace: Mapping[str, object]) -> str:
    """Return a module's name, the same when it runs as a script and when a worker imports it.

    Spawned workers know a script as `__mp_main__`, importers know it by the name of its file.
    """
    name = namespace.get("__name__")
    if not isinstance(name, str):
        return "?"
    return main_name(namespace) if name in MAIN else name


def class_title(cls: type) -> str:
    """Return `module.qualname` of a class, its module named as `module_title` does."""
    name = getattr(cls, "__module__", None)
    if name in MAIN:
        return f"{module_name(cls)}.{cls.__qualname__}"
    module = sys.modules.get(name) if isinstance(name, str) else None
    title = module_title(vars(module)) if module is not None else str(name)
    return f"{title}.{cls.__qualname__}"

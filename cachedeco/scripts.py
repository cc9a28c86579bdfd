"""What belongs to a script, in whatever process it turns up: its own, a child, or a worker that got it by value.

While a script runs its module is called ``__main__``, which says nothing to any other process. Here it goes
by the name under which it would be imported, so that keys and stored values mean the same everywhere.
"""

from __future__ import annotations

import os
import sys
from weakref import WeakKeyDictionary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import FunctionType
    from typing import Any

MAIN = frozenset({"__main__", "__mp_main__"})
"""What the module of a script is called while it runs, in its own process and in one that it has spawned."""

# Where the functions of a class are: itself, in a static or class method, a property, a decorator's wrapper.
_HOLDERS = ("__func__", "fget", "__wrapped__")

PROCESS = os.urandom(8)
"""Tells who sends a function by value from others that run a script of the same name."""

_packages: dict[str, str] = {}
# The classes of scripts that were met here, and the scripts' names.
_modules: WeakKeyDictionary[type, str] = WeakKeyDictionary()
# The functions that came by value, the newest last, and the processes that they came from. Their globals have
# the classes that they use.
_sent: WeakKeyDictionary[FunctionType, bytes] = WeakKeyDictionary()
last_script: list[str] = []
"""The script of the newest of them; empty where nothing came by value."""


def main_name(names: Mapping[str, object]) -> str:
    """Return the name under which a script would be imported; ``__main__`` for what nobody can import.

    Args:
        names: the globals of the script.
    """
    package = names.get("__package__")
    # Since Python 3.13 the interactive prompt leaves its own module's names behind.
    if package == "_pyrepl":
        return "__main__"
    spec, file = getattr(names.get("__spec__"), "name", None), names.get("__file__")
    # Profilers and debuggers that run a script give it a spec without a name of its own.
    if isinstance(spec, str) and spec not in MAIN:
        return spec
    if not isinstance(file, str) or not file:
        return "__main__"
    stem = os.path.splitext(os.path.basename(file))[0]
    # A function sent to a worker process by value has lost its __spec__, but not its package.
    package = package or _package_of(os.path.dirname(os.path.abspath(file)))
    return f"{package}.{stem}" if package else stem


def own_name() -> str:
    """Return the name under which the script of this process would be imported, see `main_name`."""
    return main_name(vars(sys.modules["__main__"]))


def module_name(named: Any) -> str:
    """Return the module of a class or function, that of a script as `main_name` gives it."""
    module = str(named.__module__)
    if module not in MAIN:
        return module
    found = _modules.get(named) if isinstance(named, type) else None
    if found is not None:
        return found
    names = script_of(named)
    if names is None:
        # A class that came by value and has no function that knows the script: an enumeration, say.
        if not last_script:
            return own_name()
        found = last_script[0]
    else:
        found = main_name(names)
    if isinstance(named, type):
        _modules[named] = found
    return found


def script_of(named: Any) -> Mapping[str, object] | None:
    """Return the globals of the script that a class or function of ``__main__`` was written in.

    Returns:
        None for a class without functions that is not in this process's own script.
    """
    for function in _functions_of(named):
        # What came by value (cloudpickle) still knows its script, even where the process runs another one.
        found: Any = getattr(function, "__globals__", None)
        if isinstance(found, dict) and found.get("__name__") in MAIN:
            return found
    own = sys.modules["__main__"]
    name = getattr(named, "__qualname__", named.__name__)  # type variables have no qualified name
    return vars(own) if find_by_name("__main__", name) is named else None


def find_by_name(module: str, qualname: str) -> object:
    """Return what an imported module has under a name, or None."""
    return _follow(sys.modules.get(module), qualname)


def remember_sent(function: FunctionType, process: bytes) -> None:
    """Note a function of a script that has come here by value.

    Args:
        function: with the globals that came with it.
        process: the `PROCESS` that it came from.
    """
    _sent[function] = process
    last_script[:] = [main_name(function.__globals__)]


def named(script: str, qualname: str) -> object:
    """Return the class or function that a stored value has from a script. Stored values call this.

    Nothing is imported: importing a script may run all of it.

    Args:
        script: as `main_name` gives it.
        qualname: the name in the script.

    Raises:
        AttributeError: the script is not this process's own, nor imported here, or lacks the name; or
            two scripts of one name have sent functions here, each with its own thing of that name.
    """
    found = find(script, qualname)
    if found is None:
        what = "a notebook or prompt" if script in MAIN else f"the script {script}"
        raise AttributeError(
            f"the value is made with {qualname} of {what}, which this process neither runs nor has imported"
        )
    return found


def find(script: str, qualname: str) -> object:
    """Return what `named` does, or None."""
    own = find_by_name("__main__", qualname) if own_name() == script else None
    if own is not None and sys.modules["__main__"].__name__ == "__main__":
        return own
    # A spawned worker may have imported the script, and all the same get functions with its classes by value.
    found = _find_sent(script, qualname)
    if found is None:
        found = _find_met(script, qualname, own)
    if found is None:
        found = own
    if found is None and script not in MAIN:
        found = find_by_name(script, qualname)
    return found


def _find_met(script: str, qualname: str, own: object) -> object:
    """Return the one class of that name that was met here, but for the script's own as this process has it."""
    met = [
        cls
        for cls, name in tuple(_modules.items())
        if cls.__qualname__ == qualname and name == script and cls is not own
    ]
    return met[0] if len(met) == 1 else None


def _find_sent(script: str, qualname: str) -> object:
    """Return what the functions of a script that came by value call by a name; None if it is not one thing."""
    newest: dict[bytes, object] = {}
    top, _, rest = qualname.partition(".")
    for function, process in tuple(_sent.items()):
        names = function.__globals__
        if top in names and main_name(names) == script:
            newest[process] = _follow(names[top], rest)
    found = {id(value): value for value in newest.values() if value is not None}
    return found.popitem()[1] if len(found) == 1 else None


def _follow(value: object, qualname: str) -> object:
    for step in qualname.split(".") if qualname else ():
        value = getattr(value, step, None)
    return value


def _functions_of(named: Any) -> Iterator[object]:
    for member in (named, *tuple(getattr(named, "__dict__", {}).values())):
        yield member
        for holder in _HOLDERS:
            yield getattr(member, holder, None)


def _package_of(folder: str) -> str:
    """Return the package that a folder is; an empty text for a folder that is none."""
    known = _packages.get(folder)
    if known is None:
        known = ""
        if os.path.isfile(os.path.join(folder, "__init__.py")):
            above, name = os.path.split(folder)
            outer = _package_of(above)
            known = f"{outer}.{name}" if outer else name
        _packages[folder] = known
    return known

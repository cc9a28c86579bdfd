"""Output files: where a function writes them, what is checked when it returns, what the caller gets.

Four kinds: one file, a folder, several files by name, and a file or folder that the function made elsewhere
and returned. A kind names the entries of the item's folder; the first three are told to the function
beforehand.
"""

from __future__ import annotations

import os

from cachedeco.errors import MissingOutputError, OptionError
from cachedeco.files.folder import is_plain
from cachedeco.keys.uri import FileName
from cachedeco.values.contract import DamagedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from typing import Any

    from cachedeco.keys.arguments import Binder, Selection

PARAMETER = "output"
"""The parameter in which a function with ``output=`` gets the path that it writes to."""

RETURNED = "return"
"""As the option ``output``: the function returns the path of what it made, which is moved in."""


def parameter_of(option: object) -> str | None:
    """The parameter of a function with that option that gets the place of its output; None for none."""
    return None if option is None or option == RETURNED else PARAMETER


class Output:
    """What a function with ``output=`` produces.

    Args:
        option: a template of a file name, one that ends in ``/`` for a folder, or a mapping of names to
            templates.
        binder: of the function.
        selection: of its arguments; templates name only those that count.

    Attributes:
        form: ``"file"`` for a file or folder, ``"files"`` for several, as the registry records it.
        parameter: the function's parameter that gets the place; None when the function returns one.

    Raises:
        OptionError: a template names what does not exist, or two files would have one name.
    """

    def __init__(self, option: str | Mapping[str, str], binder: Binder, selection: Selection) -> None:
        self.parameter = parameter_of(option)
        self._templates: dict[str, FileName] = {}
        if isinstance(option, str):
            self.form = "file"
            self._is_folder = option.endswith("/")
            if self.parameter is not None:
                self._templates[""] = FileName(option.removesuffix("/"), binder, selection)
            return
        self.form, self._is_folder = "files", False
        if not hasattr(option, "items") or not option:
            raise OptionError(
                f"output={option!r}: it is a file name, a mapping of names to file names, or 'return'"
            )
        for name, template in option.items():
            if (
                not isinstance(name, str)
                or not name
                or not isinstance(template, str)
                or template.endswith("/")
            ):
                raise OptionError(f"output={option!r}: it maps names to file names, both text")
            self._templates[name] = FileName(template, binder, selection)
        if len({*option.values()}) != len(option):
            raise OptionError(f"output={option!r}: two files would have one name")

    def names(self, arguments: dict[str, object]) -> dict[str, str]:
        """The entries of the item's folder for one call: name in the mapping (or ``""``) -> file name.

        Raises:
            OptionError: an argument cannot be part of a file name, or two files get one name.
        """
        names = {name: template.render(arguments) for name, template in self._templates.items()}
        if len(set(names.values())) != len(names):
            raise OptionError(f"output: two files would have one name: {names}")
        return names

    def given(self, folder: str, names: Mapping[str, str]) -> Path | dict[str, Path]:
        """What stands for the output: the path of the file or folder, or a dict of paths.

        Args:
            folder: the folder that they lie in.
            names: their names.
        """
        from pathlib import Path

        if self.form == "files":
            return {name: Path(folder, file) for name, file in names.items()}
        return Path(folder, names[""])

    def prepare(self, folder: str, names: Mapping[str, str]) -> None:
        """Empty the place for an attempt, and make the folder of a folder output."""
        import shutil

        for entry in os.listdir(folder):
            path = os.path.join(folder, entry)
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)
        if self._is_folder:
            os.mkdir(os.path.join(folder, names[""]))

    def take(
        self, folder: str, names: dict[str, str], returned: Any, function: str, keep: Iterable[object] = ()
    ) -> dict[str, str]:
        """Check that the function left its output, or move in what it returned.

        Args:
            folder: where its output is, or goes.
            names: of the files.
            returned: by the function.
            function: its name, for messages.
            keep: arguments of the call; one whose path is returned is copied, not moved: it is the caller's.

        Returns:
            The names, now also of what was moved in.

        Raises:
            MissingOutputError: a file was not written, or what was returned is no path of one.
        """
        if self.parameter is None:
            return {"": _move_in(folder, returned, function, keep=keep)}
        exists = os.path.isdir if self._is_folder else os.path.isfile
        for file in names.values():
            path = os.path.join(folder, file)
            if not exists(path) or os.path.islink(path):
                raise MissingOutputError(
                    f"{function} returned without writing its output {file!r}; write to the path that it "
                    f"gets as `{PARAMETER}`",
                    filename=file,
                )
        return names


def recorded(names: Mapping[str, str]) -> str:
    """Names as one text for the registry: that of the one file or folder, or a JSON object."""
    if "" in names:
        return names[""]
    import json

    return json.dumps(dict(names), ensure_ascii=False)


def read_names(form: str, text: str) -> dict[str, str]:
    """The inverse of `recorded`.

    Raises:
        DamagedError: it is not what `recorded` gives, or speaks of a file outside the item's folder.
    """
    if form != "files":
        return {"": text}
    import json

    try:
        names: dict[str, str] = json.loads(text)
        plain = all(map(is_plain, names.values()))
    except (ValueError, AttributeError, RecursionError):
        plain = False
    if not plain:
        raise DamagedError(f"{text[:80]!r} are no names of files in the item's folder")
    return names


def _move_in(folder: str, returned: Any, function: str, *, keep: Iterable[object]) -> str:
    """Move what a function returned the path of into its item's folder; its name there."""
    import shutil

    try:
        path = _found(folder, returned)
    except (TypeError, ValueError) as error:
        raise MissingOutputError(
            f"{function} has output='return' and returned no path of a file or folder that it made: {error}",
            filename=returned if isinstance(returned, str) else "",
        ) from None
    name = os.path.basename(path)
    target = os.path.join(folder, name)
    kept = {os.path.abspath(each) for each in keep if isinstance(each, (str, os.PathLike))}
    if not _is_cached(path) and path not in kept:
        shutil.move(path, target)
    elif os.path.isdir(path):
        shutil.copytree(path, target, symlinks=True)
    else:
        shutil.copyfile(path, target)
    return name


def _found(folder: str, returned: Any) -> str:
    """The absolute path of what a function returned; raises for what must not be moved."""
    given: str | bytes = os.fspath(returned)
    if isinstance(given, bytes):
        raise TypeError("paths are text, not bytes")
    path = os.path.abspath(given)
    if not given or os.path.islink(path) or not (os.path.isfile(path) or os.path.isdir(path)):
        raise ValueError(f"there is no file or folder {given!r}")
    # A slip such as Path("") or a bare folder name must not carry off the user's whole project.
    real = os.path.join(os.path.realpath(path), "")
    for kept in (folder, os.getcwd(), os.path.expanduser("~")):
        if os.path.join(os.path.realpath(kept), "").startswith(real):
            raise ValueError(f"{path} is not moved, for {kept} lies in it")
    return path


def _is_cached(path: str) -> bool:
    """Whether a file or folder lies in a cache, as the output of another cached function does: that stays."""
    parent = os.path.dirname(path)
    while parent != os.path.dirname(parent):
        if os.path.basename(parent) == "items" and os.path.isfile(
            os.path.join(os.path.dirname(parent), "registry", "registry.db")
        ):
            return True
        parent = os.path.dirname(parent)
    return False

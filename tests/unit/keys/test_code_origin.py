"""Whose code it is: by the place of its file."""

from __future__ import annotations

import collections
import json
import os
import sys
import types

import numpy as np
import pytest

from cachedeco.keys import code_origin

LIBRARY = ("lib", "python3.11", "site-packages")


def install(folder, name, *, metadata="", record="", text=""):
    """Lay a package into a library folder, as an installer does."""
    package = folder.joinpath(name)
    package.mkdir(parents=True)
    package.joinpath("__init__.py").write_text(text, encoding="utf-8")
    if metadata:
        folder.joinpath(metadata).mkdir()
        folder.joinpath(metadata, "RECORD").write_text(record, encoding="utf-8")
    return str(package / "__init__.py")


def test_file_in_the_project_is_the_users(tmp_path):
    """A file outside library folders is the user's code, also where an editable install points to it."""
    assert code_origin.of_file(str(tmp_path / "src" / "module.py")) == code_origin.USER


def test_environment_within_the_project_is_a_library(tmp_path):
    """A virtual environment that lies in the project folder holds packages."""
    filename = install(tmp_path.joinpath(".venv", *LIBRARY), "pack", metadata="pack-1.2.dist-info")
    assert code_origin.of_file(filename) == ("package", "pack", "1.2")


def test_project_within_an_environment_is_the_users(tmp_path):
    """A source folder beside the libraries of an environment is the user's code."""
    assert code_origin.of_file(str(tmp_path / ".venv" / "src" / "mine" / "module.py")) == code_origin.USER


def test_package_under_another_distribution_name_is_found(tmp_path):
    """The list of files tells which distribution a module is of."""
    folder = tmp_path.joinpath(*LIBRARY)
    filename = install(folder, "yaml", metadata="PyYAML-6.0.dist-info", record="yaml/__init__.py,,\n")
    install(folder, "other", metadata="other-2.dist-info", record="other/__init__.py,,\nother/yaml/x.py,,\n")
    assert code_origin.of_file(filename) == ("package", "yaml", "6.0")


def test_namespace_of_several_distributions_has_all_their_versions(tmp_path):
    """A name that distributions share stands for all of them."""
    folder = tmp_path.joinpath(*LIBRARY)
    filename = install(folder, "shared", metadata="shared_a-1.dist-info", record="shared/a.py,,\n")
    folder.joinpath("shared_b-2.dist-info").mkdir()
    folder.joinpath("shared_b-2.dist-info", "RECORD").write_text("shared/b.py,,\n", encoding="utf-8")
    assert code_origin.of_file(filename) == ("package", "shared", "1, 2")


@pytest.mark.parametrize("name", ["Pack-3.1-py3.11.egg-info", "pack-3.1.dist-info"])
def test_old_metadata_is_read(tmp_path, name):
    """Metadata folders of either kind name the version."""
    filename = install(tmp_path.joinpath(*LIBRARY), "pack", metadata=name)
    assert code_origin.of_file(filename) == ("package", "pack", "3.1")


def test_file_laid_into_a_library_folder_by_hand_is_the_users(tmp_path):
    """What belongs to no distribution has no version, so its code counts itself."""
    filename = install(tmp_path.joinpath("lib", "python3", "dist-packages"), "loose")
    assert code_origin.of_file(filename) == code_origin.USER


def test_standard_library_is_standard():
    """Modules, functions and classes of the standard library are nobody's code."""
    assert code_origin.of_function(json.dumps) == code_origin.STANDARD
    assert code_origin.of_class(collections.OrderedDict) == code_origin.STANDARD
    assert code_origin.of_class(int) == code_origin.STANDARD
    assert code_origin.of_module(sys) == code_origin.STANDARD
    assert code_origin.of_module(os.path) == code_origin.STANDARD


def test_installed_package_has_its_version():
    """Modules, functions and classes of a package have its version."""
    expected = ("package", "numpy", np.__version__)
    assert code_origin.of_module(np.linalg) == expected
    assert code_origin.of_function(np.linalg.norm.__wrapped__) == expected
    assert code_origin.of_class(np.ndarray) == expected


def test_library_itself_is_not_the_users():
    """This library's own code does not count, wherever it is installed."""
    assert code_origin.of_function(code_origin.of_file) == code_origin.OWN


def test_module_of_the_user_may_have_a_standard_name(tmp_path):
    """A file's place decides, not its name."""
    module = types.ModuleType("statistics")
    module.__file__ = str(tmp_path / "statistics.py")
    assert code_origin.of_module(module) == code_origin.USER


def test_compiled_module_of_the_user_counts_by_its_content(tmp_path, monkeypatch):
    """An extension in the project has no code to look at but its file."""
    contents = []
    for number in (1, 2):
        module = types.ModuleType("fast")
        module.__file__ = str(tmp_path / f"fast{number}.so")
        (tmp_path / f"fast{number}.so").write_bytes(bytes([number]))
        monkeypatch.setitem(sys.modules, "fast", module)
        contents.append(code_origin.compiled_content("fast"))
    assert contents[0] != contents[1]
    assert code_origin.compiled_content("numpy") == code_origin.compiled_content("json") == ""


@pytest.mark.parametrize(
    ("namespace", "title"),
    [
        ({"__name__": "package.module"}, "package.module"),
        ({"__name__": "__main__", "__file__": "/a/script.py"}, "script"),
        ({"__name__": "__mp_main__", "__file__": "/a/script.py"}, "script"),
        ({"__name__": "__main__", "__spec__": types.SimpleNamespace(name="package.tool")}, "package.tool"),
        (
            {"__name__": "__main__", "__spec__": types.SimpleNamespace(name="package.__main__")},
            "package.__main__",
        ),
        ({"__name__": "__main__"}, "__main__"),
        ({}, "?"),
    ],
)
def test_script_has_one_name_however_it_runs(namespace, title):
    """A script, its import and its spawned workers share a module name."""
    assert code_origin.module_title(namespace) == title

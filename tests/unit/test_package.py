"""The package as a whole: its public names, its version, the size of its modules."""

from __future__ import annotations

import ast
import copy
import importlib
import importlib.metadata
import pathlib
import pickle

import pytest

import cachedeco
from cachedeco import errors

FOLDER = pathlib.Path(cachedeco.__file__).parent
MODULES = sorted(FOLDER.rglob("*.py"))
LONGEST = 400


def short(path):
    return path.relative_to(FOLDER).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=short)
def test_module_is_short(path):
    """A module that grows past its size has two subjects."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("path", MODULES, ids=short)
def test_module_begins_with_its_purpose(path):
    """Every module has a docstring, then the import that makes annotations free."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    if len(tree.body) > 1:
        assert ast.unparse(tree.body[1]) == "from __future__ import annotations"


def test_no_module_is_a_grab_bag():
    """A name that says nothing collects what nobody found a place for."""
    assert not {"utils", "util", "helpers", "common", "misc"} & {path.stem for path in MODULES}


@pytest.mark.parametrize("name", cachedeco.__all__)
def test_public_name_can_be_imported(name):
    """Every name that the package promises is there and documented, also the ones that are loaded late."""
    assert getattr(cachedeco, name) is not None
    if name != "OUTPUT":
        assert getattr(cachedeco, name).__doc__


def test_public_names_are_promised_once():
    """No name stands twice in the list of public names."""
    assert len(cachedeco.__all__) == len(set(cachedeco.__all__))


def test_unknown_name_is_an_attribute_error():
    """Late loading does not swallow misspelled names."""
    with pytest.raises(AttributeError, match="has no attribute 'cahced'"):
        _ = cachedeco.cahced


def test_version_is_that_of_the_distribution():
    """There is one version, and pyproject.toml has it."""
    assert cachedeco.__version__ == importlib.metadata.version("cachedeco")


def test_marked_as_typed():
    """Type checkers read the annotations only with this file."""
    assert (FOLDER / "py.typed").is_file()


ERRORS = sorted(
    (
        each
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, errors.CachedecoError)
    ),
    key=lambda each: each.__name__,
)


@pytest.mark.parametrize("error", [each for each in ERRORS if each is not errors.CachedecoError])
def test_error_has_two_parents(error):
    """Whoever catches the built-in error catches ours too."""
    assert error.__name__.endswith("Error")
    assert any(
        parent.__module__ == "builtins" and parent not in (Exception, BaseException, object)
        for parent in error.__mro__
    )


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize(
    "travel", [copy.copy, lambda each: pickle.loads(pickle.dumps(each))], ids=["copy", "pickle"]
)
def test_error_travels(error, travel):
    """Message and facts of an error arrive in another process."""
    there = travel(error("a sentence", place="rows[3]"))
    assert type(there) is error
    assert str(there) == "a sentence"
    assert there.place == "rows[3]"

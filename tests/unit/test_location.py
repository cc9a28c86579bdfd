"""Where a cache lies when nobody says where."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cachedeco import Cache, OptionError
from cachedeco.location import default_folder, folder_of, project_root


@pytest.fixture
def account(tmp_path, monkeypatch):
    """A user's account of its own, and no variable that says where."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "account"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CACHEDECO_DIR")
    return tmp_path


def test_the_variable_decides(tmp_path, monkeypatch):
    """Also with a tilde."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CACHEDECO_DIR", "~/here")
    assert folder_of(None, None) == os.path.realpath(tmp_path / "here")


def test_an_empty_variable_is_none(account, monkeypatch):
    """As if it were not set."""
    monkeypatch.setenv("CACHEDECO_DIR", "")
    assert default_folder().startswith(str(account / "account"))


def test_each_project_has_a_folder_of_its_own(account, monkeypatch):
    """Two copies of a project never share results, though they have one name."""
    found = set()
    for place in ("one", "two"):
        project = account / place / "project"
        (project / "deep" / "er").mkdir(parents=True)
        (project / "pyproject.toml").write_text("")
        for folder in (project, project / "deep", project / "deep" / "er"):
            monkeypatch.chdir(folder)
            found.add(default_folder())
    assert len(found) == 2
    assert all(os.path.basename(name).startswith("project-") for name in found)


def test_the_nearest_mark_counts(tmp_path):
    """A project inside another is one of its own; without a mark it is the folder itself."""
    (tmp_path / "outer" / "inner" / "x").mkdir(parents=True)
    (tmp_path / "outer" / ".git").mkdir()
    assert project_root(str(tmp_path / "outer" / "inner" / "x")) == str(tmp_path / "outer")
    (tmp_path / "outer" / "inner" / "pyproject.toml").write_text("")
    assert project_root(str(tmp_path / "outer" / "inner" / "x")) == str(tmp_path / "outer" / "inner")


def test_a_relative_path_is_resolved_at_once(tmp_path, monkeypatch):
    """A later change of the working directory does not move the cache."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    cache = Cache("cache")
    monkeypatch.chdir(tmp_path / "b")
    cache.create("u")
    cache.close()
    assert (tmp_path / "a" / "cache" / "registry").is_dir()
    assert cache.path == os.path.realpath(tmp_path / "a" / "cache")


def test_a_tilde_is_the_users_home(tmp_path, monkeypatch):
    """As in a shell."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert folder_of("~/cache", None) == os.path.realpath(tmp_path / "cache")
    assert folder_of(Path("~/cache"), None) == os.path.realpath(tmp_path / "cache")


def test_an_application_has_its_folder_in_the_account(account):
    """As platforms have it."""
    assert folder_of(None, "my_app") == os.path.realpath(account / "account" / "my_app")


@pytest.mark.parametrize("pkg", ["", ".", "..", "a/b", "/etc", 5], ids=repr)
def test_the_name_of_an_application_is_one_part_of_a_path(pkg):
    """Nothing else."""
    with pytest.raises(OptionError, match="pkg="):
        folder_of(None, pkg)


@pytest.mark.parametrize("path", ["", 5, b"bytes", ["x"], True], ids=repr)
def test_a_path_is_a_text_that_is_not_empty(path):
    """The error says what it was."""
    with pytest.raises(OptionError, match="path"):
        folder_of(path, None)


def test_two_places_contradict_each_other(tmp_path):
    """One has to be left out."""
    with pytest.raises(OptionError, match="give one of them"):
        Cache(tmp_path, pkg="app")


def test_two_names_of_one_folder_are_one_cache(tmp_path):
    """Links are followed, so that threads meet."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert Cache(tmp_path / "link").path == Cache(tmp_path / "real").path

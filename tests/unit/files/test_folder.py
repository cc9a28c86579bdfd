"""The cache folder: made for its owner only, marked, and laid out so that it can be moved."""

from __future__ import annotations

import os

import pytest

from cachedeco import RegistryError
from cachedeco.files.folder import item_name, prepare


def test_a_new_folder_is_its_owners_alone(tmp_path):
    """Whatever the umask says."""
    before = os.umask(0)
    try:
        prepare(str(tmp_path / "a" / "b"))
    finally:
        os.umask(before)
    assert os.stat(tmp_path / "a" / "b").st_mode & 0o777 == 0o700


def test_backups_and_git_leave_it_out(tmp_path):
    """It is marked for both."""
    prepare(str(tmp_path / "cache"))
    tag = (tmp_path / "cache" / "CACHEDIR.TAG").read_text(encoding="utf-8")
    assert tag.startswith("Signature: 8a477f597d28d172789f06886806bc55\n")
    assert (tmp_path / "cache" / ".gitignore").read_text(encoding="utf-8") == "*\n"


def test_an_existing_folder_is_left_as_it_is(tmp_path):
    """It may hold other things, and may not be writable."""
    (tmp_path / "mine").mkdir(mode=0o755)
    prepare(str(tmp_path / "mine"))
    assert os.listdir(tmp_path / "mine") == []


def test_a_file_in_its_place_is_named(tmp_path):
    """The error says where, what, and the way out."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(
        RegistryError, match=r"cannot make the cache folder .*file.*choose another one with path="
    ):
        prepare(str(tmp_path / "file"))


def test_a_file_on_the_way_is_named(tmp_path):
    """Also further up."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(RegistryError, match="CACHEDECO_DIR"):
        prepare(str(tmp_path / "file" / "cache"))


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_place_that_may_not_be_written_to_is_named(tmp_path):
    """With the system's reason."""
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(RegistryError, match="Permission denied"):
        prepare(str(tmp_path / "closed" / "cache"))


def test_names_of_items_fan_out_and_differ():
    """By key, version and token; relative to the folder."""
    key, token = "ab" + "0" * 30, "1" * 32
    names = {item_name(key, 1, token), item_name(key, 2, token), item_name(key, 1, "2" * 32)}
    assert len(names) == 3
    assert all(name.startswith(os.path.join("items", "ab", "ab")) for name in names)

"""Who may write to a cache folder: what is refused, what a group shares, and that links are not followed."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from cachedeco import Cache, OptionError, cached
from cachedeco.errors import StoreWarning, UntrustedCacheError
from cachedeco.trust import LinkError, Trust, refuse_links

pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has no such owners and modes")
needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can act as another user"
)

STRANGER, FRIEND, GROUP = 54_321, 54_322, 54_320


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


@pytest.fixture
def umask():
    """Sets the umask, and puts it back."""
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


def filled(path, **options):
    """A cache with a small value, a large one, and an item made by hand."""
    with Cache(path, **options) as cache:
        cached(cache=cache)(large)(1)
        cached(cache=cache)(small)(1)
        item = cache.best_or_new("by hand", filename="a.txt")
        item.path.write_text("text")
        item.ready()
    return Path(path)


def small(number):
    return number


def large(number):
    return b"x" * 9000


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o007])
def test_everything_is_its_owners_alone(tmp_path, umask, mask):
    """Whatever the umask says; and it can be opened again."""
    umask(mask)
    path = filled(tmp_path / "above" / "cache")
    assert mode(path) == 0o700
    folders = [each for each in path.rglob("*") if each.is_dir()]
    assert {mode(each) for each in folders} == {0o700}
    assert not any(mode(each) & 0o022 for each in [path.parent, *path.glob("*/*")])
    with Cache(path) as cache:
        assert len(cache) == 3


@pytest.mark.parametrize("permission", [0o777, 0o770, 0o707, 0o720, 0o702, 0o1777, 0o2770])
def test_a_folder_that_others_may_write_to_is_refused(tmp_path, permission):
    """In one sentence with what, why and the ways out."""
    path = filled(tmp_path / "cache")
    path.chmod(permission)
    with pytest.raises(UntrustedCacheError) as caught:
        Cache(path)
    text = str(caught.value)
    assert "\n" not in text
    for part in (str(path), "written to by other users", "chmod 700", "shared='group'", "signing_key="):
        assert part in text
    assert "CACHEDECO_TRUST_FOLDER=1" in text
    assert isinstance(caught.value, PermissionError)


@pytest.mark.parametrize("part", ["registry", "registry/registry.db", "owners", "items"])
def test_a_part_that_others_may_write_to_is_refused(tmp_path, part):
    """What is opened by its name alone counts as the folder does."""
    path = filled(tmp_path / "cache")
    (path / part).chmod(0o777)
    with pytest.raises(UntrustedCacheError, match=part):
        Cache(path)


def test_a_cached_function_says_so_too(tmp_path):
    """It does not run quietly with what others may have written."""
    path = filled(tmp_path / "cache")
    path.chmod(0o777)
    with pytest.raises(UntrustedCacheError):
        cached(cache=path)(small)


def test_a_readable_folder_is_accepted(tmp_path):
    """Reading runs no code."""
    path = filled(tmp_path / "cache")
    path.chmod(0o755)
    with Cache(path) as cache:
        assert len(cache) == 3


def test_a_parent_that_others_may_write_to_is_refused(tmp_path):
    """They could put another folder in its place; nothing is made there."""
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(UntrustedCacheError, match=r"open above it can be written to"):
        Cache(tmp_path / "open" / "a" / "cache")
    assert not os.listdir(tmp_path / "open")


def test_a_sticky_parent_of_root_or_ours_is_accepted(tmp_path):
    """As the system's folder for temporary files: there nobody can move what is another's."""
    (tmp_path / "sticky").mkdir()
    (tmp_path / "sticky").chmod(0o1777)
    filled(tmp_path / "sticky" / "cache")


@needs_root
@pytest.mark.parametrize("which", ["", "..", "registry", "registry/registry.db", "owners", "items"])
def test_what_another_user_owns_is_refused(tmp_path, which):
    """The folder, a folder above it, or a part of it; root has no exception."""
    path = filled(tmp_path / "above" / "cache")
    os.chown(path / which, STRANGER, 0)
    with pytest.raises(UntrustedCacheError, match=f"belongs to the user {STRANGER}"):
        Cache(path)


@needs_root
def test_a_sticky_parent_of_another_user_is_refused(tmp_path):
    """Its owner can move what lies there all the same."""
    (tmp_path / "sticky").mkdir()
    (tmp_path / "sticky").chmod(0o1777)
    os.chown(tmp_path / "sticky", STRANGER, 0)
    with pytest.raises(UntrustedCacheError, match="belongs to"):
        Cache(tmp_path / "sticky" / "cache")


@needs_root
def test_a_parent_of_a_group_with_other_members_is_refused(tmp_path):
    """A group of one's own is no other user."""
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab").chmod(0o775)
    filled(tmp_path / "lab" / "mine")
    os.chown(tmp_path / "lab", 0, GROUP)
    with pytest.raises(UntrustedCacheError, match="lab above it"):
        Cache(tmp_path / "lab" / "mine")


@needs_root
def test_a_value_of_another_user_is_not_loaded(tmp_path):
    """Such as a hard link to a file of theirs; the call computes, and says so once."""
    path = filled(tmp_path / "cache")
    (value,) = path.glob("items/*/*/value.pickle")
    os.chown(value, STRANGER, 0)
    with Cache(path) as cache:
        function = cached(cache=cache)(large)
        with pytest.warns(StoreWarning, match="belongs to"):
            assert function(1) == large(1)
        assert len(function.items(1)) == 2


@pytest.mark.parametrize("level", ["items/*", "items/*/*"])
def test_a_value_in_a_folder_that_others_may_write_to_is_not_loaded(tmp_path, level):
    """They could have put another item of ours in its place; the call computes, and says so once."""
    path = filled(tmp_path / "cache")
    for folder in path.glob(level):
        if folder.is_dir():
            folder.chmod(0o777)
    with Cache(path) as cache:
        function = cached(cache=cache)(large)
        with pytest.warns(StoreWarning, match="written to by other users"):
            assert function(1) == large(1)
        assert function.item(1) is None or level == "items/*/*", "stored anew in a folder of its own"


@needs_root
def test_a_manifest_of_another_user_is_not_believed(tmp_path):
    """It would bring an item into a rebuilt registry."""
    path = filled(tmp_path / "cache")
    for manifest in path.glob("items/*/*.json"):
        os.chown(manifest, STRANGER, 0)
    shutil.rmtree(path / "registry")
    with Cache(path) as cache:
        assert cache.search() == []


@pytest.mark.parametrize("value", ["1", "true", "yes"])
def test_one_variable_says_that_the_folder_is_trusted(tmp_path, monkeypatch, value):
    """For root in a container, where numbers of users mean nothing."""
    path = filled(tmp_path / "cache")
    path.chmod(0o777)
    monkeypatch.setenv("CACHEDECO_TRUST_FOLDER", value)
    with Cache(path) as cache:
        assert len(cache) == 3
    monkeypatch.setenv("CACHEDECO_TRUST_FOLDER", "0")
    with pytest.raises(UntrustedCacheError):
        Cache(path)


def test_a_signing_key_makes_writers_irrelevant(tmp_path):
    """What they write is not loaded."""
    path = filled(tmp_path / "cache", signing_key="key")
    path.chmod(0o777)
    with Cache(path, signing_key="key") as cache:
        assert len(cache) == 3


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_a_shared_folder_is_its_groups_too(tmp_path, umask, mask):
    """Folders, the registry and what SQLite puts beside it, lock files and values; whatever the umask says."""
    umask(mask)
    cache = Cache(tmp_path / "cache", shared="group")
    path = Path(cache.path)

    def several(output):
        umask(mask)
        output["a"].write_text("a")
        output["b"].mkdir()
        (output["b"] / "c").write_text("c")
        return output

    from cachedeco import OUTPUT

    def write(output=OUTPUT):
        several({"a": output / "a", "b": output / "b"})

    cached(cache=cache)(large)(1)
    cached(cache=cache, output="folder/")(write)()
    files = [each for each in path.rglob("*") if each.is_file() and each.parent != path]
    assert {each.name for each in files} >= {
        "registry.db",
        "registry.db-wal",
        "registry.db-shm",
        "value.pickle",
    }
    for each in files:
        written = each.suffix == ".lock" or each.parent.name == "registry"
        assert mode(each) == (0o660 if written else 0o444), each
    assert mode(path / "maintenance.lock") == 0o660
    assert {mode(each) for each in [path, *path.rglob("*")] if each.is_dir()} == {0o2770}
    cache.close()


def test_a_shared_folder_is_refused_without_saying_so(tmp_path):
    """Each process says itself that it trusts the group."""
    filled(tmp_path / "cache", shared="group")
    with pytest.raises(UntrustedCacheError, match="shared='group'"):
        Cache(tmp_path / "cache")


@pytest.mark.parametrize("permission", [0o2777, 0o2772, 0o3777])
def test_a_shared_folder_that_everybody_may_write_to_is_refused(tmp_path, permission):
    """A group is not everybody."""
    path = filled(tmp_path / "cache", shared="group")
    path.chmod(permission)
    with pytest.raises(UntrustedCacheError, match="written to by other users"):
        Cache(path, shared="group")


def test_a_folder_made_for_its_owner_is_not_shared_silently(tmp_path):
    """The error says the command that shares it; an empty folder is opened at once."""
    path = filled(tmp_path / "cache")
    with pytest.raises(UntrustedCacheError, match="chmod -R g\\+rwX"):
        Cache(path, shared="group")
    (tmp_path / "empty").mkdir(mode=0o700)
    Cache(tmp_path / "empty", shared="group")
    assert mode(tmp_path / "empty") == 0o2770


@pytest.mark.parametrize("shared", ["all", True, "Group", 0o770])
def test_other_ways_of_sharing_do_not_exist(tmp_path, shared):
    """The error names the one that does."""
    with pytest.raises(OptionError, match="'group'"):
        Cache(tmp_path / "cache", shared=shared)


MEMBER = """
    import os, sys, warnings
    folder, own, user, number, mask, *groups = sys.argv[1:]
    from cachedeco import Cache, cached

    def large(number):
        print("computing")
        return b"x" * 9000 + bytes([number])

    large.__module__ = "shared_work"

    def work(place, number):
        with Cache(place, shared="group") as cache:
            function = cached(cache=cache)(large)
            function(number)
            function.remove(0)
            cache.remove(key=function.key(3), disk=True)

    # Everything is imported before the user changes: Python itself may lie where only root reads.
    stdout, sys.stdout = sys.stdout, open(os.devnull, "w")
    work(own, 3)
    sys.stdout = stdout
    os.setgroups([int(group) for group in groups])
    os.setgid(int(user))
    os.setuid(int(user))
    os.umask(int(mask, 8))
    work(folder, int(number))
"""


@needs_root
@pytest.mark.parametrize("mask", ["000", "077"])
def test_two_users_of_a_group_work_in_one_folder(tmp_path, mask):
    """Each finds, and may set aside, what the other has stored; a third user may not even look."""
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(MEMBER))
    with tempfile.TemporaryDirectory() as top:  # that of the test is root's alone
        folder = Path(top, "cache")
        folder.mkdir()
        os.chown(folder, FRIEND, GROUP)
        folder.chmod(0o2770)
        Path(top).chmod(0o711)

        def run(user, groups, number):
            arguments = [folder, tmp_path / f"own-{user}-{number}", user, number, mask, *groups]
            done = subprocess.run(
                [sys.executable, program, *map(str, arguments)],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                capture_output=True,
                text=True,
                check=False,
            )
            return done.stdout.split(), done.stderr

        assert run(FRIEND, [GROUP], 1) == (["computing"], "")
        assert run(STRANGER, [GROUP], 1) == ([], "")
        assert run(STRANGER, [GROUP], 2) == (["computing"], "")
        assert run(FRIEND, [GROUP], 2) == ([], "")
        assert run(FRIEND, [GROUP], 3) == (["computing"], "")
        assert run(STRANGER, [GROUP], 3) == (["computing"], "")
        assert "Permission denied" in run(54_399, [], 1)[1]


def test_links_on_the_way_are_not_followed(tmp_path):
    """Wherever they stand; the cache folder itself may be reached by one."""
    (tmp_path / "top" / "a" / "b").mkdir(parents=True)
    (tmp_path / "top" / "link").symlink_to(tmp_path / "top" / "a")
    top = str(tmp_path / "top")
    assert stat.S_ISDIR(refuse_links(top, f"{top}/a/b").st_mode)
    assert stat.S_ISDIR(refuse_links(top, top).st_mode)
    for path in (f"{top}/link", f"{top}/link/b"):
        with pytest.raises(LinkError, match="link, and links in a cache folder are not followed"):
            refuse_links(top, path)
        with pytest.raises(LinkError):
            Trust().look(top, path)
    with pytest.raises(LinkError):
        Trust().make_folder(top, f"{top}/link/new")
    assert not (tmp_path / "top" / "a" / "new").exists()


@pytest.mark.parametrize("part", ["registry", "registry/registry.db", "owners", "items"])
@pytest.mark.parametrize("options", [{}, {"signing_key": "k"}, {"shared": "group"}], ids=str)
def test_a_link_in_the_place_of_a_part_is_refused(tmp_path, part, options):
    """Also where it does not matter who writes: what lies elsewhere would be changed."""
    path = filled(tmp_path / "cache", **options)
    os.rename(path / part, tmp_path / "elsewhere")
    (path / part).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UntrustedCacheError, match="is a link"):
        Cache(path, **options)


LOGS = ["registry/registry.db-wal", "registry/registry.db-shm", "registry/registry.db-journal"]


@pytest.mark.parametrize("part", [*LOGS, "maintenance.lock"])
def test_a_link_where_sqlite_or_a_lock_would_write_is_refused(tmp_path, part):
    """Else the file that it leads to would be written to, or deleted."""
    path = filled(tmp_path / "cache")
    outside = tmp_path / "outside"
    outside.write_text("somebody's file")
    (path / part).unlink(missing_ok=True)
    (path / part).symlink_to(outside)
    with pytest.raises(UntrustedCacheError, match="is a link"):
        Cache(path)
    assert outside.read_text() == "somebody's file"


@pytest.mark.parametrize("part", LOGS)
def test_a_link_to_a_log_that_is_put_there_later_is_refused_too(tmp_path, part):
    """Whenever a connection is opened."""
    cache = Cache(filled(tmp_path / "cache"))
    Path(cache.path, part).symlink_to(tmp_path / "outside")
    with pytest.raises(UntrustedCacheError, match="is a link"):
        len(cache)
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("part", ["registry", "registry/registry.db"])
def test_a_link_that_is_put_there_later_is_refused_too(tmp_path, part):
    """Whenever a connection is opened."""
    path = filled(tmp_path / "cache")
    cache = Cache(path)
    os.rename(path / part, tmp_path / "elsewhere")
    (path / part).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UntrustedCacheError, match="is a link"):
        len(cache)


@pytest.mark.parametrize("level", [0, 1, 2, 3], ids=["items", "first digits", "item", "value"])
def test_a_link_to_a_value_counts_as_lost(tmp_path, level):
    """The call computes again, and writes nothing where the link leads to."""
    path = filled(tmp_path / "cache")
    cache = Cache(path)
    function = cached(cache=cache)(large)
    (value,) = path.glob("items/*/*/value.pickle")
    place = [value, *value.parents][3 - level]
    os.rename(place, tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    before = sorted((tmp_path / "elsewhere").rglob("*"))
    assert function.item(1) is None
    if level <= 1:
        with pytest.warns(StoreWarning, match="is a link"):
            assert function(1) == large(1)
    else:
        assert function(1) == large(1)
    assert sorted((tmp_path / "elsewhere").rglob("*")) == before
    cache.close()


def test_links_to_output_files_count_as_lost(tmp_path, cache):
    """The caller gets the path of a file that the cache has, never of one elsewhere."""
    from cachedeco import OUTPUT

    def write(output=OUTPUT):
        output.write_text("mine")

    function = cached(cache=cache, output="a.txt")(write)
    path = function()
    os.unlink(path)
    (tmp_path / "secret").write_text("mine")
    path.symlink_to(tmp_path / "secret")
    again = function()
    assert again != path
    assert not again.is_symlink()


def test_links_in_the_place_of_a_file_made_by_hand_are_not_opened(tmp_path, cache):
    """Neither loaded, nor opened, nor the best."""
    item = cache.create("u", filename="a.txt")
    item.path.write_text("text")
    item.ready()
    os.rename(item.path, tmp_path / "elsewhere")
    item.path.symlink_to(tmp_path / "elsewhere")
    assert cache.best("u") is None
    for use in (item.load, item.open):
        with pytest.raises(LinkError):
            use()

"""Network file systems are told from the mount table and refused."""

from __future__ import annotations

import pytest

from cachedeco import Cache, RegistryError, cached
from cachedeco.registry import filesystem

LINE = "{n} 1 0:{n} / {point} rw,relatime shared:1 - {kind} source rw"


def table(*mounts):
    return "\n".join(LINE.format(n=n, point=point, kind=kind) for n, (point, kind) in enumerate(mounts, 20))


@pytest.fixture
def mounts(tmp_path, monkeypatch):
    """Hands in a mount table in which tmp_path lies on a file system of the given kind."""

    def hand_in(kind):
        path = tmp_path / "mountinfo"
        path.write_text(table(("/", "ext4"), (str(tmp_path.resolve()), kind)), encoding="utf-8")
        monkeypatch.setattr(filesystem, "_MOUNTS", str(path))

    return hand_in


def test_the_longest_mount_point_counts():
    """A path belongs to the innermost mount above it."""
    mounts = table(("/", "ext4"), ("/home", "nfs4"), ("/home/me/scratch", "xfs"))
    assert [filesystem.kind(path, mounts) for path in ("/x", "/home/me", "/home/me/scratch/a")] == [
        "ext4",
        "nfs4",
        "xfs",
    ]


def test_a_mount_point_is_a_folder_not_a_prefix():
    """``/home2`` is not on ``/home``."""
    assert filesystem.kind("/home2/a", table(("/", "ext4"), ("/home", "nfs"))) == "ext4"


def test_a_later_mount_covers_an_earlier_one():
    """Of two mounts on one point the later line is what one sees."""
    assert filesystem.kind("/data/x", table(("/", "ext4"), ("/data", "ext4"), ("/data", "cifs"))) == "cifs"


def test_a_blank_in_a_mount_point_is_escaped():
    """The kernel writes blanks as octal numbers."""
    assert filesystem.kind("/my data/x", table(("/", "ext4"), (r"/my\040data", "nfs"))) == "nfs"


def test_a_table_that_does_not_tell_is_no_answer():
    """Of nonsense nothing is concluded."""
    assert filesystem.kind("/a", "") == ""
    assert filesystem.kind("/a", "one two\n - \n") == ""


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "fuse.sshfs", "9p", "virtiofs", "lustre", "ceph"])
def test_a_network_file_system_is_refused_with_the_reason(tmp_path, mounts, kind):
    """The error names the folder, the kind and the way out."""
    mounts(kind)
    with pytest.raises(RegistryError, match=f"network file system \\({kind}\\).*CACHEDECO_DIR") as caught:
        Cache(tmp_path / "cache").search()
    assert str(tmp_path) in str(caught.value)


def test_a_call_says_so_too(tmp_path, mounts):
    """A cached function does not run quietly without its cache there."""
    mounts("nfs")
    function = cached(cache=tmp_path / "cache")(lambda: 1)
    with pytest.raises(RegistryError, match="network file system"):
        function()


def test_an_existing_registry_is_refused_too(tmp_path, mounts):
    """What one host made on its local disk another host sees over the network."""
    mounts("ext4")
    with Cache(tmp_path / "cache") as cache:
        cache.create("u")
    mounts("nfs4")
    with pytest.raises(RegistryError, match="network file system"):
        Cache(tmp_path / "cache").search()


def test_nothing_is_written_to_a_refused_file_system(tmp_path, mounts):
    """A refusal leaves no registry behind."""
    mounts("nfs")
    with pytest.raises(RegistryError):
        Cache(tmp_path / "cache").search()
    assert not list((tmp_path / "cache").glob("registry/*"))


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "zfs"])
def test_a_local_file_system_is_accepted(tmp_path, mounts, kind):
    """A file system of this kernel keeps locks."""
    mounts(kind)
    with Cache(tmp_path / "cache") as cache:
        assert cache.search() == []


def test_without_a_mount_table_nothing_is_refused(tmp_path, monkeypatch):
    """Other systems have no such table."""
    monkeypatch.setattr(filesystem, "_MOUNTS", str(tmp_path / "none"))
    with Cache(tmp_path / "cache") as cache:
        assert cache.search() == []

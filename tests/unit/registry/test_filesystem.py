"""Network file systems are told from the mount table and refused."""

from __future__ import annotations

import os

import pytest

from cachedeco import Cache, RegistryError, cached
from cachedeco.registry import filesystem


def table(*mounts):
    """A mount table; of each mount the point, the type, and the parent where it is not the innermost one above."""
    lines = []
    for number, (point, kind, *parent) in enumerate(mounts):
        above = [n for n in range(number) if f"{point}/".startswith(mounts[n][0].rstrip("/") + "/")]
        over = parent[0] if parent else max(above, key=lambda n: (len(mounts[n][0]), n), default=-1)
        lines.append(
            f"{20 + number} {20 + over} 0:{number} / {point} rw,relatime shared:1 - {kind} source rw"
        )
    return "\n".join(lines)


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


def test_what_is_mounted_on_a_folder_hides_what_was_mounted_below(tmp_path):
    """The look-up goes through the later mount and never sees the earlier one."""
    mounts = table(("/", "ext4"), ("/data/disk", "xfs"), ("/data", "nfs", 0))
    assert filesystem.kind("/data/disk/cache", mounts) == "nfs"
    mounts = table(("/", "ext4"), ("/data", "nfs"), ("/data/disk", "xfs"))
    assert filesystem.kind("/data/disk/cache", mounts) == "xfs"


def test_in_a_chroot_the_root_need_not_be_in_the_table():
    """Only what is mounted below it is."""
    assert filesystem.kind("/mnt/x/y", "40 7 0:1 / /mnt/x rw - nfs4 source rw") == "nfs4"
    assert filesystem.kind("/home", "40 7 0:1 / /mnt/x rw - nfs4 source rw") == ""


def test_a_root_that_is_its_own_parent_ends_the_search():
    """As the first mount of a machine is."""
    assert filesystem.kind("/x", "1 1 0:1 / / rw - rootfs rootfs rw") == "rootfs"


def test_a_bind_mount_has_the_type_of_what_it_shows():
    """The root inside the other file system does not matter."""
    line = r"41 20 0:5 /export/a\040b /srv/c\134d rw - nfs4 host:/export rw"
    assert filesystem.kind("/srv/c\\d/e", table(("/", "ext4")) + "\n" + line) == "nfs4"


def test_this_machine_says_where_its_own_folders_lie(tmp_path):
    """The real table can be read."""
    if not os.path.exists("/proc/self/mountinfo"):
        pytest.skip("this system has no such table")
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        found = file.read()
    assert filesystem.kind("/proc/self", found) == "proc"
    assert filesystem.kind(os.path.realpath(tmp_path), found)


NETWORK = [
    "nfs", "nfs3", "nfs4", "cifs", "smb2", "smb3", "smbfs", "ncpfs", "afs", "kafs", "coda", "9p", "drvfs", "virtiofs",
    "vboxsf", "vmhgfs", "fuse.vmhgfs-fuse", "fuse.sshfs", "fuse.s3fs", "fuse.gcsfuse", "fuse.goofys", "fuse.rclone",
    "fuse.davfs2", "davfs", "fuse.glusterfs", "glusterfs", "fuse.ceph-fuse", "ceph", "lustre", "gpfs", "beegfs",
    "ocfs2", "gfs2", "orangefs", "pvfs2", "wekafs", "panfs", "fuse.juicefs", "fuse.mountpoint-s3", "fuse.grpcfuse",
    "fuse", "fuse.something_new", "cvmfs",
]  # fmt: skip


@pytest.mark.parametrize("kind", NETWORK)
def test_such_file_systems_are_no_place_for_a_cache(kind):
    """Their locks need not hold between hosts; of what is served by an unknown program nobody knows."""
    assert filesystem.is_network(kind)


@pytest.mark.parametrize("kind", ["nfs", "fuse.sshfs", "9p"])
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


@pytest.mark.parametrize(
    "kind", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "zfs", "fuseblk", "fuse.fuse-overlayfs"]
)
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

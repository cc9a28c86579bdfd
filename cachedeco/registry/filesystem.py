"""Network file systems: told from the mount table, and refused.

SQLite's and our locks are kept by one kernel. On a file system that several hosts share they are silently
not exclusive, or exclusive on one host only, and two writers would corrupt the registry.
"""

from __future__ import annotations

import os

from cachedeco.errors import RegistryError

_NETWORK = frozenset(
    {
        "9p", "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "cvmfs", "davfs", "drvfs",
        "gfs", "gfs2", "glusterfs", "gpfs", "kafs", "lizardfs", "lustre", "mmfs", "moosefs",
        "ncpfs", "nfs", "nfs3", "nfs4", "ocfs2", "orangefs", "panfs", "pvfs2", "quobyte", "smb2", "smb3", "smbfs",
        "vboxsf", "virtiofs", "vmhgfs", "wekafs",
    }
)  # fmt: skip

_LOCAL_FUSE = frozenset(
    {
        "fuse.bindfs", "fuse.encfs", "fuse.ext2", "fuse.ext3", "fuse.ext4", "fuse.fuse-overlayfs", "fuse.gocryptfs",
        "fuse.lxcfs", "fuse.mergerfs", "fuse.ntfs", "fuse.ntfs-3g", "fuse.overlayfs", "fuse.unionfs", "fuse.zfs",
        "fuseblk",
    }
)  # fmt: skip
"""What a program shows of local disks. Of any other program we do not know that it keeps locks."""

_MOUNTS = "/proc/self/mountinfo"


def kind(path: str, table: str) -> str:
    r"""Type of the file system that a path lies on.

    Args:
        path: an absolute path without symbolic links.
        table: the mount table in the form of Linux's ``/proc/self/mountinfo``.

    Returns:
        For example ``"ext4"``; empty when the table does not tell.

    Examples:
        >>> table = "36 1 8:1 / / rw - ext4 /dev/x rw\n40 36 0:5 / /mnt/my\\040data rw - nfs4 srv:/x rw"
        >>> kind("/mnt/my data/cache", table), kind("/mnt/my", table)
        ('nfs4', 'ext4')
    """
    mounts = [
        mount for mount in map(_mount, table.splitlines()) if mount is not None and _is_in(path, mount.point)
    ]
    ids = {mount.id for mount in mounts}
    # Down from the root as a look-up goes: what is mounted on a folder hides what was mounted below it before.
    above = [mount for mount in mounts if mount.parent not in ids or mount.parent == mount.id]
    found = ""
    while above:
        shortest = min(len(mount.point) for mount in above)
        here = [mount for mount in above if len(mount.point) == shortest][-1]
        found = here.kind
        above = [mount for mount in mounts if mount.parent == here.id != mount.id]
    return found


class _Mount:
    """One line of the mount table."""

    def __init__(self, id_: str, parent: str, point: str, kind_: str) -> None:
        self.id = id_
        self.parent = parent
        self.point = point
        self.kind = kind_


def _mount(line: str) -> _Mount | None:
    left, _, right = line.partition(" - ")
    fields = left.split(" ")
    if len(fields) <= 4 or not right:  # noqa: PLR2004 - the mount point is the fifth field
        return None
    point = fields[4]
    if "\\" in point:
        import re

        # The kernel writes blanks and backslashes of a mount point as octal escapes.
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), point)
    return _Mount(fields[0], fields[1], point, right.split(" ")[0])


def _is_in(path: str, point: str) -> bool:
    return path == point or path.startswith(point.rstrip("/") + "/")


def is_network(found: str) -> bool:
    """Whether locks on a file system of that type cannot be relied on.

    Examples:
        >>> is_network("nfs4"), is_network("ext4"), is_network("fuse.sshfs"), is_network("fuse.ntfs-3g")
        (True, False, True, False)
    """
    return found in _NETWORK or (found.startswith("fuse") and found not in _LOCAL_FUSE)


def kind_of(folder: str) -> str:
    """Type of the file system that a folder lies on; empty where the system does not tell."""
    try:
        with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
            table = file.read()
    except OSError:
        return ""  # no such table on this system: nothing to judge by
    return kind(os.path.realpath(folder), table)


def refuse_network(folder: str) -> None:
    """Raise for a folder on a network file system.

    Args:
        folder: an existing folder.

    Raises:
        RegistryError: the folder lies on a network file system.
    """
    found = kind_of(folder)
    if is_network(found):
        raise RegistryError(
            f"the cache folder {folder} lies on a network file system ({found}), or on one served like it, "
            "where file locks do not hold between hosts; choose a local folder, for example through CACHEDECO_DIR",
            path=folder,
        )

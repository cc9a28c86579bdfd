"""Network file systems: told from the mount table, and refused.

SQLite's and our locks are kept by one kernel. On a file system that several hosts share they are silently
not exclusive, or exclusive on one host only, and two writers would corrupt the registry.
"""

from __future__ import annotations

import os
import re

from cachedeco.errors import RegistryError

_NETWORK = frozenset(
    {
        "9p", "afs", "beegfs", "ceph", "cifs", "coda", "cvmfs", "davfs", "drvfs",
        "fuse.ceph-fuse", "fuse.gcsfuse", "fuse.glusterfs", "fuse.goofys", "fuse.juicefs",
        "fuse.mountpoint-s3", "fuse.rclone", "fuse.s3fs", "fuse.sshfs",
        "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "pvfs2",
        "smb2", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs", "wekafs",
    }
)  # fmt: skip

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
    best = ("", "")
    for line in table.splitlines():
        left, _, right = line.partition(" - ")
        fields = left.split(" ")
        if len(fields) > 4 and right:  # noqa: PLR2004 - the mount point is the fifth field
            # The kernel writes blanks and backslashes of a mount point as octal escapes.
            point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
            inside = path == point or path.startswith(point.rstrip("/") + "/")
            # A later line of the same mount point covers an earlier one.
            if inside and len(point) >= len(best[0]):
                best = (point, right.split(" ")[0])
    return best[1]


def refuse_network(folder: str) -> None:
    """Raise for a folder on a network file system.

    Args:
        folder: an existing folder.

    Raises:
        RegistryError: the folder lies on a network file system.
    """
    try:
        with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
            table = file.read()
    except OSError:
        return  # no such table on this system: nothing to judge by
    found = kind(os.path.realpath(folder), table)
    if found in _NETWORK:
        raise RegistryError(
            f"the cache folder {folder} lies on a network file system ({found}), where file locks do not "
            "hold between hosts; choose a local folder, for example through CACHEDECO_DIR",
            path=folder,
        )

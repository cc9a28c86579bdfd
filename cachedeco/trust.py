"""Who may write to a cache folder: what its folders and files are made with, and what is refused when it is opened.

Values may be pickles, and a pickle is a program. So what another user owns or may write to is refused, unless that is
what the user asked for: a folder shared with a group, signed values, or a variable that says that the folder is to be
trusted. A planted link is refused in any case: it would lead reading and writing out of the folder.
"""

from __future__ import annotations

import contextlib
import os
import stat

from cachedeco.errors import CachedecoError, OptionError, UntrustedCacheError
from cachedeco.settings import TRUST_VARIABLE, is_on

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

GROUP = "group"
"""As the option ``shared``: the members of the folder's group work in it together."""

_DATABASE = os.path.join("registry", "registry.db")
REGISTRY_FILES = (_DATABASE, f"{_DATABASE}-wal", f"{_DATABASE}-shm", f"{_DATABASE}-journal")
"""What SQLite opens."""

PARTS = ("registry", *REGISTRY_FILES, "owners", "items", "maintenance.lock")
"""What lies in a cache folder and is opened by its name alone."""

_OTHERS = stat.S_IWOTH
_NOT_OURS = stat.S_IWGRP | stat.S_IWOTH
_SHARED_FOLDER, _SHARED_FILE = 0o2770, 0o660
_PRIVATE_FOLDER, _PRIVATE_FILE = 0o700, 0o600
_REMEMBERED = 4096


class LinkError(CachedecoError, FileNotFoundError):
    """A link stands where a folder or file of the cache should be: what was there is lost."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class Trust:
    """What one opened cache folder asks of the owners and modes of its files.

    Args:
        shared: None for a folder of one user, or `GROUP`.
        signed: whether values are signed, so that it does not matter who writes.

    Attributes:
        shared: whether a group works in it.
        users: numbers of the users whose files are believed; None for anybody's.

    Raises:
        OptionError: `shared` is something else.
    """

    __slots__ = ("_looks", "_passed", "shared", "users")

    def __init__(self, shared: str | None = None, *, signed: bool = False) -> None:
        if shared not in {None, GROUP}:
            raise OptionError(f"Cache(shared={shared!r}): it is None or {GROUP!r}")
        self.shared = shared == GROUP
        # Windows has no such owners and modes.
        self._looks = not signed and hasattr(os, "geteuid") and not is_on(os.environ.get(TRUST_VARIABLE))
        self.users = frozenset({os.geteuid(), 0}) if self._looks and not self.shared else None
        self._passed: set[str] = set()

    def check_above(self, folder: str) -> None:
        """Look at the folders above a cache folder: who may write there can put another folder in its place.

        Args:
            folder: an absolute path without links; it need not exist yet.

        Raises:
            UntrustedCacheError: another user owns one of them, or may write to it.
        """
        if not self._looks:
            return
        ours, at = {os.geteuid(), 0}, os.path.dirname(folder)
        while True:
            with contextlib.suppress(FileNotFoundError):
                found = os.lstat(at)
                if found.st_uid not in ours:
                    raise _refusal(folder, f"{at} above it belongs to {_user(found.st_uid)}", found)
                writable = found.st_mode & _OTHERS or (
                    not self.shared and found.st_mode & stat.S_IWGRP and not _is_private(found.st_gid)
                )
                if writable and not found.st_mode & stat.S_ISVTX:
                    raise _refusal(folder, f"{at} above it can be written to by other users", found)
            if at == os.path.dirname(at):
                return
            at = os.path.dirname(at)

    def check(self, folder: str) -> None:
        """Look at an existing cache folder and at what is opened in it by name.

        Args:
            folder: an absolute path without links.

        Raises:
            UntrustedCacheError: another user owns it or may write to it, or a link stands in the place of a part.
        """
        self._check_one(folder, folder)
        for part in PARTS:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                self.check_part(folder, os.path.join(folder, part))

    def check_part(self, folder: str, path: str) -> None:
        """Look at one folder or file inside the cache folder.

        Raises:
            UntrustedCacheError: as in `check`.
            FileNotFoundError: it is not there.
        """
        if stat.S_ISLNK(os.lstat(path).st_mode):
            raise UntrustedCacheError(
                f"{path} is a link, and links in a cache folder are not followed: somebody put it there, or moved "
                "what it was; delete the link, or move the whole cache folder"
            )
        self._check_one(folder, path)

    def look(self, top: str, path: str) -> os.stat_result:
        """What is at a path in the cache folder, whose owner is believed and to which no link leads.

        Where nobody else can write, the way to a folder is looked at once.

        Raises:
            LinkError: a link stands there or on the way.
            UntrustedCacheError: it is another user's, or lies in a folder that is or that others may write to.
            FileNotFoundError: it is not there.
        """
        if self.users is None:
            return refuse_links(top, path)
        self._pass(top, path[: path.rfind(os.sep)])
        found = os.lstat(path)
        if stat.S_ISLNK(found.st_mode):
            raise _link(path)
        if found.st_uid not in self.users:
            raise UntrustedCacheError(f"{path} belongs to {_user(found.st_uid)}, so it is not loaded")
        return found

    def make_folder(self, top: str, path: str, *, exist_ok: bool = False) -> None:
        """Make a folder inside the cache folder, with those on the way to it; whatever the umask says.

        What stands in its place, or on the way, and is no folder is put aside.

        Args:
            top: the cache folder; made too if somebody removed it.
            path: below it.
            exist_ok: whether it may exist; otherwise that is a FileExistsError.

        Raises:
            LinkError: a link stands on the way.
            UntrustedCacheError: a folder on the way is another user's, or others may write to it.
            OSError: it cannot be made.
        """
        above = os.path.dirname(path)
        try:
            self._pass(top, above)
            self._make(path, exist_ok=exist_ok)
        except LinkError:
            raise
        except (FileNotFoundError, NotADirectoryError):
            for each in (top, *_steps(top, above)):
                self._make(each, exist_ok=True)
            refuse_links(top, above)
            self._make(path, exist_ok=exist_ok)
        if exist_ok:
            refuse_links(top, path)

    def admit_folder(self, path: str) -> None:
        """Give a folder that we have made its mode."""
        os.chmod(path, _SHARED_FOLDER if self.shared else _PRIVATE_FOLDER)

    def share(self, folder: str) -> None:
        """Open an existing folder for its group: an empty one of ours; one with content was made for its owner.

        Raises:
            UntrustedCacheError: it was made for its owner alone.
        """
        found = os.stat(folder)
        if found.st_mode & _SHARED_FOLDER == _SHARED_FOLDER:
            return
        if os.listdir(folder):
            raise UntrustedCacheError(
                f"the cache folder {folder} was made for its owner alone; to share it with its group, run "
                f"chmod -R g+rwX {folder} && find {folder} -type d -exec chmod g+s {{}} +, or choose another path"
            )
        self.admit_folder(folder)

    def admit_file(self, path: str) -> None:
        """Give a file that we have made, and that is written to for as long as the cache lives, its mode."""
        os.chmod(path, self.file_mode)

    @property
    def file_mode(self) -> int:
        """Of a file that is written to for as long as the cache lives."""
        return _SHARED_FILE if self.shared else _PRIVATE_FILE

    def _pass(self, top: str, folder: str) -> None:
        """Refuse links on the way to a folder: each time, or once where nobody else can put them there."""
        if self.users is None:
            refuse_links(top, folder)
        elif folder not in self._passed:
            for step in _steps(top, folder):
                self._judge(top, step, _no_link(step))
            if len(self._passed) >= _REMEMBERED:
                self._passed.clear()
            self._passed.add(folder)

    def _make(self, path: str, *, exist_ok: bool) -> None:
        try:
            os.mkdir(path, _PRIVATE_FOLDER)
        except FileExistsError:
            if not exist_ok:
                raise
            from cachedeco.obstacles import clear_for_folder

            if clear_for_folder(path):
                self._make(path, exist_ok=True)
        else:
            if self.shared:
                self.admit_folder(path)

    def _check_one(self, folder: str, path: str) -> None:
        if self._looks:
            self._judge(folder, path, os.lstat(path))

    def _judge(self, folder: str, path: str, found: os.stat_result) -> None:
        if self.users is not None and found.st_uid not in self.users:
            raise _refusal(folder, f"{path} belongs to {_user(found.st_uid)}", found)
        if found.st_mode & (_OTHERS if self.shared else _NOT_OURS):
            raise _refusal(folder, f"{path} can be written to by other users", found)


def refuse_links(top: str, path: str) -> os.stat_result:
    """Look at every step from the cache folder to a path in it.

    Returns:
        What is at the path.

    Raises:
        LinkError: one of them is a link.
        FileNotFoundError: one of them is missing.
    """
    found = None
    for step in _steps(top, path):
        found = _no_link(step)
    return os.lstat(path) if found is None else found


def _no_link(path: str) -> os.stat_result:
    found = os.lstat(path)
    if stat.S_ISLNK(found.st_mode):
        raise _link(path)
    return found


def _link(path: str) -> LinkError:
    return LinkError(f"{path} is a link, and links in a cache folder are not followed")


def _steps(top: str, path: str) -> Iterable[str]:
    at = len(top)
    while (at := path.find(os.sep, at + 1)) > 0:
        yield path[:at]
    if path != top:
        yield path


def _refusal(folder: str, what: str, found: os.stat_result) -> UntrustedCacheError:
    return UntrustedCacheError(
        f"the cache folder {folder} is not used, for {what}, and whoever writes to a cache can run code in your "
        f"process: make it yours alone (chmod 700), choose another path, share it with a group "
        f"(Cache(shared='group'), chmod 2770) or sign its values (signing_key=); where you know that nobody else is "
        f"there, as in a container, set {TRUST_VARIABLE}=1",
        owner=found.st_uid,
        mode=stat.S_IMODE(found.st_mode),
    )


def _user(number: int) -> str:
    import pwd

    try:
        return f"the user {pwd.getpwuid(number).pw_name}"
    except KeyError:
        return f"the user {number}"


def _is_private(group: int) -> bool:
    """Whether a group has no member but this user, as where each user has a group of his own."""
    import grp
    import pwd

    if group == 0:
        return True  # root's
    try:
        me = pwd.getpwuid(os.geteuid())
        members = set(grp.getgrgid(group).gr_mem)
    except KeyError:
        return False
    return group == me.pw_gid and grp.getgrgid(group).gr_name == me.pw_name and members <= {me.pw_name}

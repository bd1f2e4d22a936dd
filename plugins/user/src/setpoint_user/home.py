"""Home directories, made of a skeleton and removed.

One is made under another name, where nobody but root can reach it, and renamed when it is whole: a crash leaves no
half of it that would be taken for a home.
"""

import os
import re
import stat
from typing import TYPE_CHECKING

from setpoint import Refused
from setpoint.paths import WRITABLE_BY_OTHERS, is_guarded

if TYPE_CHECKING:
    from setpoint.accounts import Tables
    from setpoint.accounts import User as Account
    from setpoint_user import User
    from setpoint_user.found import Found

LOGIN_DEFS = "/etc/login.defs"
UMASK = 0o022  # as useradd(8) has it if nothing is said


def make(user: "User", there: "Found") -> None:
    """Make the home directory of a user who exists; one that is there meanwhile is left alone.

    Raises:
        Refused: something else is at its place, or others could swap what is made.
        OSError: it cannot be made.

    """
    if there.user is None or there.has_home:
        return
    path = os.path.normpath(there.user.homedir)
    parent = os.path.dirname(path)
    files = user.host.files
    if files.status(path, follow=True) is not None:
        raise Refused(f"{path} is no directory", "remove it, or declare another homedir")
    _refuse_parent(parent, files.status(parent, follow=True))
    unfinished = f"{parent.rstrip('/')}/.{user.name}.setpoint-unfinished"
    if files.status(unfinished) is not None:
        files.remove(unfinished, recursive=True)
    files.make_directory(unfinished, mode=0o700)
    _copy(user, user.skeleton, unfinished, there.user)
    files.set_attributes(unfinished, mode=_mode(), owner=there.user.uid, group=there.user.gid)
    files.rename(unfinished, path)


def remove(user: "User", there: "Found", tables: "Tables") -> None:
    """Remove the home directory of a user who exists, if it is nobody else's.

    Raises:
        Refused: it is not the user's own directory.
        OSError: the user has processes, or something cannot be removed.

    """
    assert there.user is not None
    path = os.path.normpath(there.user.homedir)
    found = user.host.files.status(path)
    if found is None:
        return
    keep = "remove it yourself, or set remove_home: false"
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != there.user.uid:
        raise Refused(f"{path} is not a directory of user {user.name!r}", keep)
    if others := _who_lives_in(path, tables) - {user.name}:
        raise Refused(f"the home directory of user {min(others)!r} is in {path}", keep)
    if pids := _processes(there.user.uid):
        raise OSError(f"user {user.name!r} must have no processes, found {pids[0]}; end them first")
    user.host.files.remove(path, recursive=True)


def _who_lives_in(path: str, tables: "Tables") -> set[str]:
    """Return the names of the users whose home directory is `path` or below it."""
    users = filter(None, map(tables.user, tables.users))
    return {
        user.name for user in users if f"{os.path.normpath(user.homedir)}/".startswith(f"{path}/")
    }


def _refuse_parent(parent: str, found: os.stat_result | None) -> None:
    """Refuse a directory in which no home can be made, or others could swap it meanwhile."""
    if found is None:
        raise Refused(f"there is no directory {parent} to make the home in", "declare it")
    is_open = found.st_uid != os.geteuid() or found.st_mode & WRITABLE_BY_OTHERS
    if is_open or not is_guarded(os.path.realpath(parent)):
        cure = "make the home directory yourself, or let root alone write there"
        raise Refused(f"others than root may write to {parent}, where the home belongs", cure)


def _copy(user: "User", source: str, target: str, account: "Account") -> None:
    """Copy what is in the directory `source` to `target`; devices and the like are left out."""
    files = user.host.files
    owner, group = account.uid, account.gid
    if files.status(source, follow=True) is None:
        return
    for name in files.names(source, follow=True):
        this, that = f"{source}/{name}", f"{target}/{name}"
        found = files.status(this)
        if found is None:
            continue
        mode = stat.S_IMODE(found.st_mode)
        if stat.S_ISDIR(found.st_mode):
            files.make_directory(that, mode=mode, owner=owner, group=group)
            _copy(user, this, that, account)
        elif stat.S_ISLNK(found.st_mode):
            files.symlink(that, files.target(this), owner=owner, group=group)
        elif stat.S_ISREG(found.st_mode):
            files.write(that, files.read(this), mode=mode, owner=owner, group=group)


def _mode() -> int:
    """Return the mode of a new home directory: HOME_MODE, else what UMASK leaves, of login.defs(5)."""
    try:
        with open(LOGIN_DEFS, encoding="utf-8", errors="replace") as file:
            said = dict(re.findall(r"(?m)^(HOME_MODE|UMASK)\s+([0-7]+)\s*$", file.read()))
    except FileNotFoundError:
        said = {}
    return int(said.get("HOME_MODE", "0"), 8) or 0o777 & ~int(said.get("UMASK", f"{UMASK:o}"), 8)


def _processes(uid: int) -> list[int]:
    """Return the ids of the processes that run as `uid`."""
    found = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            if os.stat(f"/proc/{name}").st_uid == uid:
                found.append(int(name))
        except OSError:
            continue  # it has just ended
    return found

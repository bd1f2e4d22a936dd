"""What the machine has of a user."""

import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from setpoint.accounts import Shadow, Tables
from setpoint.accounts import User as Account
from setpoint_user.differences import to_date
from setpoint_user.hashes import is_locked

if TYPE_CHECKING:
    from setpoint_user import User


class Found(NamedTuple):
    """What there is of a user.

    user: the line of passwd(5); None if there is no such user.
    shadow: the line of shadow(5); None also if nothing declared is in there.
    groups: the names of the groups that the user is in, the primary one left out.
    gids: the numbers of the groups that are declared, by name; those that do not exist are missing.
    is_local: whether the files have the user, and not LDAP say.
    has_home: whether the home directory is there; true also if that does not matter.
    """

    user: Account | None
    shadow: Shadow | None
    groups: frozenset[str]
    gids: dict[str, int]
    is_local: bool
    has_home: bool = True


def look(user: "User", tables: Tables) -> Found:
    """Return what the files say of `user`.

    Raises:
        Refused: what is declared stands where only root may read.

    """
    account = tables.user(user.name)
    declared = (name for name in (user.group, *(user.groups or ())) if name)
    groups = {name: group.gid for name in declared if (group := tables.group(name))}
    is_secret = user.password is not None or user.locked is not None or bool(user.expiry)
    shadow = tables.shadow(user.name) if is_secret and user.state == "exists" else None
    return Found(account, shadow, tables.groups_of(user.name), groups, account is not None)


def complete(user: "User", there: Found) -> Found:
    """Return `there` with what takes time to find out: what the name service knows, and the home directory."""
    if there.user is None:
        there = there._replace(user=_ask(user.name))
    if user.group and user.group not in there.gids:
        there = there._replace(gids={**there.gids, **_ask_for_group(user.group)})
    if user.create_home and user.state == "exists":
        home = home_of(user, there)
        there = there._replace(has_home=bool(home) and _is_directory(user, home))
    return there


def home_of(user: "User", there: Found) -> str:
    """Return where the home directory is or is to be; nothing if only useradd(8) knows."""
    if user.homedir or there.user is None:
        return user.homedir
    return there.user.homedir


def as_declared(user: "User", there: Found) -> "User":
    """Return what makes the account what it is now, of what `user` manages; all of it if that removes it."""
    account = there.user
    assert account is not None
    everything = user.state == "absent"
    was = type(user)(user.name)
    if everything or user.uid is not None:
        was.uid, was.allow_duplicate_uid = account.uid, user.allow_duplicate_uid
    if user.gid is not None or user.group or (everything and not _has_own_group(account)):
        was.gid = account.gid
    if everything or user.groups is not None:
        was.groups, was.membership = tuple(sorted(there.groups)), "exact"
    for param in ("homedir", "shell"):
        if everything or getattr(user, param):
            setattr(was, param, getattr(account, param))
    if everything or user.comment is not None:
        was.comment = account.comment
    if there.shadow:
        was.expiry = to_date(there.shadow.expiry) if user.expiry else ""
        was.locked = is_locked(there.shadow.password) if user.locked is not None else None
    return was


def _has_own_group(account: Account) -> bool:
    """Whether the primary group has the name of the user: it goes with the user, and is made again with it."""
    import grp

    try:
        return grp.getgrgid(account.gid).gr_name == account.name
    except KeyError:
        return False


def _ask(name: str) -> Account | None:
    """Return the user that the name service knows."""
    import pwd

    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(name, entry.pw_uid, entry.pw_gid, entry.pw_gecos, entry.pw_dir, entry.pw_shell)


def _ask_for_group(name: str) -> dict[str, int]:
    import grp

    try:
        return {name: grp.getgrnam(name).gr_gid}
    except KeyError:
        return {}


def _is_directory(user: "User", path: str) -> bool:
    status = user.host.files.status(os.path.normpath(path), follow=True)
    return status is not None and stat.S_ISDIR(status.st_mode)

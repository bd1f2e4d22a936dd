"""The tools that make the account as declared, and in which order.

Whoever is killed between two of them has left a user with fewer attributes than declared, which the next check finds:
the account first, then its password, then the home directory. It goes the other way round: as long as the user exists,
it is known that there is something to remove.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from setpoint import Refused
from setpoint.accounts import Accounts, Tables, Tools
from setpoint.accounts.tools import refuse_others
from setpoint.errors import suggest
from setpoint_user import found, home
from setpoint_user.differences import NEVER, wanted_groups, wanted_password
from setpoint_user.found import Found
from setpoint_user.hashes import is_open_to

if TYPE_CHECKING:
    from setpoint_user import User


async def keep(user: "User", attributes: set[str]) -> None:
    """Make the user, or those of its attributes that differ."""
    refuse_others()
    tables, there = await _look(user)
    run = user.host.shared(Tools).run
    if there.user and not there.is_local and attributes != {"create_home"}:
        raise Refused(*_foreign(user))
    _refuse_what_cannot_be(user, attributes, tables, there)
    words = _words(user, attributes, there)
    if there.user is None:
        await run(user, ["useradd", "-M", *_of_making(user, tables), *words, "--", user.name])
    elif words:
        await run(user, ["usermod", *words, "--", user.name])
    password = wanted_password(user)
    if password is not None and attributes & {"password", "locked"}:
        await run(user, ["chpasswd", "-e"], stdin=f"{user.name}:{password}\n")
    if "create_home" in attributes or (user.create_home and there.user is None):
        _, there = await _look(user)
        await user.host.in_thread(home.make, user, there)


async def remove(user: "User") -> None:
    """Remove the user, after what is to go with it."""
    refuse_others()
    tables, there = await _look(user)
    if not there.is_local:
        raise Refused(*_foreign(user))
    mail = []
    if user.remove_home:
        await user.host.in_thread(home.remove, user, there, tables)
        mail = ["-r"]
    await user.host.shared(Tools).run(user, ["userdel", *mail, "--", user.name])


async def _look(user: "User") -> tuple[Tables, Found]:
    tables = await user.host.shared(Accounts).read()
    return tables, await user.host.in_thread(found.complete, user, found.look(user, tables))


def _foreign(user: "User") -> tuple[str, str]:
    why = f"user {user.name!r} comes from the name service, not from /etc/passwd"
    return why, "change it where it is kept, LDAP say, or declare members of a group"


def _of_making(user: "User", tables: Tables) -> list[str]:
    """Return what useradd(8) alone takes."""
    words = ["-r"] if user.system else []
    if user.gid is None and not user.group:
        words += ["-g", user.name] if tables.group(user.name) else ["-U"]
    return words


def _words(user: "User", attributes: set[str], there: Found) -> list[str]:
    """Return the options that useradd(8) and usermod(8) have in common, for what differs."""
    words = []
    if "uid" in attributes:
        words += ["-u", str(user.uid), *(["-o"] if user.allow_duplicate_uid else [])]
    if attributes & {"gid", "group"}:
        words += ["-g", user.group or str(user.gid)]
    if "groups" in attributes:
        words += _of_groups(user, there)
    if "homedir" in attributes:
        words += ["-d", user.homedir.rstrip("/") or "/"]
    if "shell" in attributes:
        words += ["-s", user.shell]
    if "comment" in attributes:
        words += ["-c", user.comment or ""]
    if "expiry" in attributes:
        words += ["-e", "" if user.expiry == NEVER else user.expiry]
    if "locked" in attributes and wanted_password(user) is None:
        words += ["-L" if user.locked else "-U"]
    return words


def _of_groups(user: "User", there: Found) -> list[str]:
    wanted = wanted_groups(user, there)
    if there.user is None or user.membership == "exact":
        return ["-G", ",".join(sorted(wanted))]
    return ["-a", "-G", ",".join(sorted(wanted - there.groups))]


def _refuse_what_cannot_be(
    user: "User", attributes: set[str], tables: Tables, there: Found
) -> None:
    """Say what stands against it in words that name who and what, before a tool gives a number.

    Raises:
        Refused: the uid is taken, a group is missing, or there is no password to unlock.

    """
    if "uid" in attributes:
        _refuse_taken(user, tables)
    if user.group and user.group not in there.gids:
        raise Refused(*_missing(user, user.group, tables))
    for group in user.groups or ():
        if tables.group(group) is None:
            raise Refused(*_missing(user, group, tables))
    if "gid" in attributes and user.gid is not None and not _has_group(tables, user.gid):
        raise Refused(f"there is no group with gid {user.gid}", "declare one")
    to_unlock = "locked" in attributes and not user.locked and wanted_password(user) is None
    if to_unlock and not (there.shadow and is_open_to(there.shadow.password)):
        raise Refused("there is no password to unlock", "declare one with password")


def _refuse_taken(user: "User", tables: Tables) -> None:
    """Refuse a number that another user has."""
    if user.uid is None or user.allow_duplicate_uid:
        return
    for name in tables.users_with(user.uid):
        if name != user.name:
            cure = "choose another, or set allow_duplicate_uid: true"
            raise Refused(f"uid {user.uid} is that of user {name!r}", cure)


def _missing(user: "User", group: str, tables: Tables) -> tuple[str, str]:
    """Return what to say of a group that is not in /etc/group."""
    import grp

    try:
        grp.getgrnam(group)
    except KeyError:
        known: Iterable[str] = {*tables.groups, *user.host.peers(user, "group")} - {group}
        return f"there is no group {group!r}", suggest(group, known) or "declare it"
    return (
        f"group {group!r} comes from the name service, not from /etc/group",
        "add the user where it is kept, LDAP say",
    )


def _has_group(tables: Tables, gid: int) -> bool:
    import grp

    if tables.groups_with(gid):
        return True
    try:
        grp.getgrgid(gid)
    except KeyError:
        return False
    return True

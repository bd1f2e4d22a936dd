"""Whose things become: names of users and groups as numbers, modes as bits."""

import grp
import os
import pwd
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from setpoint import Refused
from setpoint_archive.tree import Belongings

if TYPE_CHECKING:
    from setpoint_archive import Archive


def belongings(archive: "Archive") -> Belongings:
    """Return whose the things of `archive` become.

    Raises:
        Refused: there is no such user or group, or only root may give things to it.

    """
    owner = _number("user", archive.owner, pwd.getpwnam, os.geteuid())
    group = _number("group", archive.group, grp.getgrnam, os.getegid())
    return Belongings(owner, group, int(archive.mode, 8) if archive.mode else None)


def _number(what: str, name: str, look_up: Callable[[str], Any], own: int) -> int:
    """Return the number of `name`; -1 if it is empty."""
    if not name:
        return -1
    try:
        number = int(name) if name.isdecimal() else int(look_up(name)[2])
    except KeyError:
        raise Refused(f"{what} must be one of this host, not {name!r}", "create it first") from None
    if os.geteuid() != 0 and number != own and (what == "user" or number not in os.getgroups()):
        raise Refused(f"only root may give things to {what} {name!r}", "run as root")
    return number

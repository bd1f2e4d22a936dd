"""Owner, mode and extended attributes of files: given, taken over, refused."""

import os
import stat
from contextlib import suppress

from setpoint.errors import Refused
from setpoint.paths import WRITABLE_BY_OTHERS, Place

CAPABILITIES = "security.capability"  # of the old content: a write(2) takes them away too


def adorn(fd: int, mode: int | None, owner: int, group: int) -> None:
    """Give what is open as `fd` its owner, group and mode."""
    if owner != -1 or group != -1:
        os.fchown(fd, owner, group)
    if mode is not None:
        os.fchmod(fd, mode)  # last: chown(2) clears set-uid


def replaced(place: Place) -> os.stat_result | None:
    """Return the status of the file whose attributes the new one gets; None if there is none.

    In a directory like /tmp a file of somebody else does not count: it would get what we write.
    """
    try:
        old = place.look()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(old.st_mode):
        return None
    strange = old.st_uid not in (0, os.geteuid())
    return None if strange and place.look_around().st_mode & stat.S_ISVTX else old


def take_over(fd: int, old: os.stat_result, place: Place) -> None:
    """Give `fd` the owner, group and extended attributes of the file there, as far as we may."""
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        with suppress(PermissionError):
            os.fchown(fd, -1, old.st_gid)
            os.fchown(fd, old.st_uid, -1)
    source = place.open(os.O_PATH)
    try:
        with suppress(OSError):  # not every file system has them, not all may be set
            for name in os.listxattr(f"/proc/self/fd/{source}"):
                if name != CAPABILITIES:
                    os.setxattr(fd, name, os.getxattr(f"/proc/self/fd/{source}", name))
    finally:
        os.close(source)


def refuse_borrowed(path: object, fd: int, place: Place) -> None:
    """Refuse to change a file with several names, if others may have given it this one."""
    found = os.fstat(fd)
    if found.st_nlink == 1 or not stat.S_ISREG(found.st_mode):
        return
    around = place.look_around()
    if around.st_uid not in (0, os.geteuid()) or around.st_mode & WRITABLE_BY_OTHERS:
        raise Refused(
            f"{path} has {found.st_nlink} names, and others may write to its directory",
            "remove it, so that a file of its own is made",
        )

"""What lies below a directory, as a value: two of them are equal if nothing has changed."""

import os
import stat
from hashlib import sha256
from typing import NamedTuple

from setpoint.temporaries import is_temporary


class Entry(NamedTuple):
    """A file, directory, link or other thing.

    holds: where a link leads, else the digest of what is in a file; empty for all others.
    stamp: which inode it is and when it was modified, ns; (0, 0) where that is not looked at.
    """

    mode: int
    owner: int
    group: int
    holds: str
    stamp: tuple[int, int]


def snapshot(directory: str, without: str, *, stamps: bool = False) -> dict[str, Entry]:
    """Return what lies below `directory`, by path.

    Args:
        directory: absolute; nothing is found if it is not there.
        without: the path of what is left out, with all that is in it.
        stamps: tell also what was written again just as it had been.

    """
    found: dict[str, Entry] = {}
    for parent, below, names in os.walk(directory):
        below[:] = [name for name in below if os.path.join(parent, name) != without]
        if parent == without:
            names = below[:] = []
        for name in (*below, *names):
            path = os.path.join(parent, name)
            found[os.path.relpath(path, directory)] = _entry(path, stamps)
    return found


def unfinished(*directories: str) -> list[str]:
    """Return what was left below `directories` by writers that never finished."""
    return [
        os.path.join(parent, name)
        for directory in directories
        for parent, _, names in os.walk(directory)
        for name in names
        if is_temporary(name)
    ]


def _entry(path: str, stamps: bool) -> Entry:
    status = os.lstat(path)
    holds = ""
    if stat.S_ISLNK(status.st_mode):
        holds = os.readlink(path)
    elif stat.S_ISREG(status.st_mode):
        with open(path, "rb") as file:
            holds = sha256(file.read()).hexdigest()
    stamp = (status.st_ino, status.st_mtime_ns) if stamps else (0, 0)
    return Entry(status.st_mode, status.st_uid, status.st_gid, holds, stamp)

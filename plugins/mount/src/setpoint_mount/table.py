"""What is mounted, as the kernel tells it.

Source: proc_pid_mountinfo(5), statx(2).
"""

import ctypes
import errno
import os
import re
from typing import NamedTuple

_AT_FDCWD, _NO_AUTOMOUNT, _DONT_SYNC = -100, 0x800, 0x4000
_MNT_ID, _IS_ROOT = 0x1000, 0x2000

_statx = ctypes.CDLL(None, use_errno=True).statx
_OCTAL = re.compile(r"\\([0-7]{3})")


class _Status(ctypes.Structure):
    """The two fields of `struct statx` that are wanted, where the kernel puts them."""

    _fields_ = (
        ("before", ctypes.c_uint64),
        ("attributes", ctypes.c_uint64),
        ("between", ctypes.c_uint64 * 16),
        ("mount", ctypes.c_uint64),
        ("after", ctypes.c_uint64 * 13),
    )


class Entry(NamedTuple):
    """One mounted file system.

    number: its mount id; several may be mounted at one point, one over the other.
    device: major and minor number, "254:0".
    root: which directory of the file system is mounted; "/" if it is not a bind mount.
    point: where it is mounted.
    flags: options of the mount: ro, nosuid.
    options: options of the file system: size=64k.
    """

    number: int
    device: str
    root: str
    point: str
    flags: tuple[str, ...]
    type: str
    source: str
    options: tuple[str, ...]


def entries() -> list[Entry]:
    """Return all that is mounted below our root."""
    with open("/proc/thread-self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        return [_parse(line) for line in file]


def top(point: str) -> Entry | None:
    """Return what is mounted at `point` and seen there, not under something else; None if nothing is.

    Nothing is opened for that: it would keep the file system busy.

    Raises:
        OSError: it cannot be looked at.

    """
    number = _mount_id(point)
    return next((entry for entry in entries() if entry.number == number), None)


def unescape(word: str) -> str:
    """Return `word` of mountinfo or fstab with its blanks, which are octal numbers there."""
    return _OCTAL.sub(lambda found: chr(int(found[1], 8)), word)


def _parse(line: str) -> Entry:
    before, _, after = line.rstrip("\n").partition(" - ")
    number, _, device, root, point, flags = before.split(" ")[:6]
    type_, source, options = after.split(" ", 2)
    return Entry(
        int(number),
        device,
        unescape(root),
        unescape(point),
        tuple(flags.split(",")),
        type_,
        unescape(source),
        tuple(map(unescape, options.split(","))),
    )


def _mount_id(point: str) -> int:
    """Return the id of what is mounted at `point`, symlinks followed; 0 if nothing is.

    A server that does not answer is not asked.
    """
    found = _Status()
    flags = _NO_AUTOMOUNT | _DONT_SYNC
    if _statx(_AT_FDCWD, os.fsencode(point), flags, _MNT_ID, ctypes.byref(found)) != 0:
        error = ctypes.get_errno()
        if error in (errno.ENOENT, errno.ENOTDIR):
            return 0
        raise OSError(error, os.strerror(error), point)
    return int(found.mount) if found.attributes & _IS_ROOT else 0

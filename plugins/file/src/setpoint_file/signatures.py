"""Signatures: what a stat says of a file, so that one that is untouched need not be read.

Equal signatures prove that nothing was written only if a later write must have left another time.
The kernel's clock for files stands still for up to 10 ms, so a signature is worth nothing until
that time is over; on the file systems where Linux 6.13 made it finer for files that were looked at
(Documentation/filesystems/multigrain-ts.rst) it is at once. Elsewhere, on a network say, the times
are another machine's: there every check reads.
"""

import ctypes
import os
from operator import attrgetter
from typing import NamedTuple

COARSE = 20_000_000  # nanoseconds: two ticks at 100 Hz
SECOND = 1_000_000_000

_EXT, _BTRFS, _XFS, _TMPFS = 0xEF53, 0x9123683E, 0x58465342, 0x01021994
_LOCAL = {_EXT, _BTRFS, _XFS, _TMPFS, 0x794C7630, 0x858458F6, 0xF2F52010, 0x2FC12FC1, 0xCA451A4E}
_MULTIGRAIN = {_EXT, _BTRFS, _XFS, _TMPFS}
_release = tuple(int(part) for part in os.uname().release.split(".")[:2] if part.isdecimal())
_libc = ctypes.CDLL(None, use_errno=True)

# Whatever is written, permitted or renamed leaves another time of change; no one can set it.
signature = attrgetter("st_ctime_ns", "st_ino", "st_size")


class Medium(NamedTuple):
    """What a directory lies on.

    local: a file system of this machine, in memory or on a disk that is quick and has our clock.
    grain: nanoseconds in which two writes may leave the same time.
    """

    local: bool
    grain: int


_media: dict[str, Medium] = {}


def medium(directory: str) -> Medium:
    """Return what `directory` lies on, or where it would be made; remembered if it is there."""
    known = _media.get(directory)
    if known is not None:
        return known
    try:
        found = _look(directory)
    except (FileNotFoundError, NotADirectoryError):
        return medium(os.path.dirname(directory.rstrip("/")) or "/")
    except OSError:  # this user may not look, say: a check will tell, and need not be quick
        return Medium(local=False, grain=COARSE)
    if len(_media) > 4096:
        _media.clear()
    _media[directory] = found
    return found


def is_settled(status: os.stat_result, directory: str, now: int) -> bool:
    """Whether every write after `status` was taken leaves another signature.

    Args:
        status: of a file.
        directory: where the file is.
        now: the wall clock in nanoseconds, read before `status` was taken; 0 if it was not.

    """
    on = _media.get(directory) or medium(directory)
    grain = on.grain if status.st_ctime_ns % SECOND else 2 * SECOND  # whole seconds: an old disk
    return on.local and (not grain or now - status.st_ctime_ns >= grain)


def _look(directory: str) -> Medium:
    """Ask statfs(2), whose answer begins with the number of the kind of file system."""
    answer = (ctypes.c_ulong * 64)()
    if _libc.statfs(os.fsencode(directory), answer):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), directory)
    kind = answer[0] & 0xFFFFFFFF
    fine = _release >= (6, 13) and kind in _MULTIGRAIN and (kind != _EXT or _is_ext4(directory))
    return Medium(kind in _LOCAL, 0 if fine else COARSE)


def _is_ext4(directory: str) -> bool:
    """Whether it is ext4, and not one of the older ones that statfs(2) does not tell from it."""
    device = os.stat(directory).st_dev
    place = f"{os.major(device)}:{os.minor(device)}"
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
        return any(line.split()[2] == place and " - ext4 " in line for line in mounts)

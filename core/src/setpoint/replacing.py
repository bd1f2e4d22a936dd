"""The steps by which a file takes the place of another: filled, adorned, put there.

Whatever goes wrong before the last step, the old file has not been touched.
"""

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from operator import attrgetter

from setpoint.errors import Refused
from setpoint.paths import WRITABLE_BY_OTHERS, Place

NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
CAPABILITIES = "security.capability"  # of the old content: a write(2) takes them away too

_content_and_owner = attrgetter("st_mtime_ns", "st_size", "st_mode", "st_uid", "st_gid")


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
    return old if is_ours(old) or not place.look_around().st_mode & stat.S_ISVTX else None


def is_ours(old: os.stat_result) -> bool:
    """Whether `old` is a file of root or of this process, which may hand its attributes down."""
    return stat.S_ISREG(old.st_mode) and (old.st_uid == 0 or old.st_uid == os.geteuid())


def kept_mode(old: os.stat_result) -> int:
    """Return the mode of `old` for a new file: without set-uid if its owner cannot be kept."""
    mode = stat.S_IMODE(old.st_mode)
    if os.geteuid() in (0, old.st_uid):
        return mode
    return mode & ~(stat.S_ISUID | stat.S_ISGID)


def fill(fd: int, data: bytes | Iterable[bytes]) -> None:
    """Write all of `data`; a disk that fills up writes less first and fails then."""
    for piece in (data,) if isinstance(data, bytes) else data:
        done = os.write(fd, piece)
        while done < len(piece):
            done += os.write(fd, piece[done:])


def take_over(fd: int, old: os.stat_result, place: Place) -> None:
    """Give `fd` the owner, group and extended attributes of the file there, as far as we may."""
    _take_over_owner(fd, old)
    if place.fd is None:
        _take_over_attributes(fd, place.name, follow=False)
        return
    source = place.open(os.O_PATH)
    try:
        _take_over_attributes(fd, f"/proc/self/fd/{source}", follow=True)
    finally:
        os.close(source)


def _take_over_owner(fd: int, old: os.stat_result) -> None:
    """Give `fd` the owner and group of `old`, as far as we may."""
    made = os.fstat(fd)  # in a set-gid directory its group is not ours
    if made.st_uid == old.st_uid and made.st_gid == old.st_gid:
        return
    with suppress(PermissionError):
        os.fchown(fd, -1, old.st_gid)
        os.fchown(fd, old.st_uid, -1)


def _take_over_attributes(fd: int, path: str, *, follow: bool) -> None:
    """Give `fd` the extended attributes of what is at `path`, as far as we may."""
    try:
        for name in os.listxattr(path, follow_symlinks=follow):
            if name != CAPABILITIES:
                os.setxattr(fd, name, os.getxattr(path, name, follow_symlinks=follow))
    except OSError:
        pass  # not every file system has them, not all may be set


def adorn(fd: int, mode: int | None, owner: int, group: int) -> None:
    """Give what is open as `fd` its owner, group and mode."""
    if owner != -1 or group != -1:
        os.fchown(fd, owner, group)
    if mode is not None:
        os.fchmod(fd, mode)  # last: chown(2) clears set-uid


def put(fd: int, temporary: str, place: Place, fsync: bool) -> os.stat_result | None:
    """Rename the finished file; return its status if that is for sure of what was written."""
    if fsync:
        os.fsync(fd)
    made = os.fstat(fd)  # after this a write gets a time of its own, where the clock is fine
    place.replace(temporary)
    found = os.fstat(fd)
    if fsync:
        directory = place.open_directory()
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    return found if _content_and_owner(made) == _content_and_owner(found) else None


def write_anew(
    place: Place,
    temporary: str,
    data: bytes | Iterable[bytes],
    mode: int | None,
    owner: int,
    group: int,
    old: os.stat_result | None,
    fsync: bool,
) -> os.stat_result | None:
    """Put a file that holds `data` at `place`, in the place of `old` if that is to be kept; return what `put` does."""
    if old is not None and mode is None:
        mode = kept_mode(old)
    fd = os.open(temporary, NEW, 0o666 if mode is None else 0o600, dir_fd=place.fd)
    try:
        fill(fd, data)
        if old is not None:
            take_over(fd, old, place)
        adorn(fd, mode, owner, group)
        return put(fd, temporary, place, fsync)
    except BaseException:
        place.remove(temporary)
        raise
    finally:
        os.close(fd)


def write_at_once(
    path: str, temporary: str, data: bytes, mode: int, old: os.stat_result | None
) -> os.stat_result | None:
    """Take all these steps for a file whose directory is guarded, and return what `put` does.

    Written out, without a `Place` and a call for each step: of a small file those cost more than
    the system calls, and most files are small.
    """
    fd = os.open(temporary, NEW, 0o600)
    try:
        done = os.write(fd, data)
        if done < len(data):
            fill(fd, data[done:])
        if old is not None:
            _take_over_owner(fd, old)
            _take_over_attributes(fd, path, follow=False)
        os.fchmod(fd, mode)
        made = os.fstat(fd)
        os.rename(temporary, path)
        found = os.fstat(fd)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    finally:
        os.close(fd)
    return found if _content_and_owner(made) == _content_and_owner(found) else None


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

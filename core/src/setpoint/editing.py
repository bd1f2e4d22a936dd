"""Files of which a part is ours: read, changed, and put back as a whole, so that nobody's part is lost.

Edits of one file by this process wait for each other, whichever resources they are for. If somebody else writes to the
file between the reading and the putting back, the edit begins anew. What remains is the moment of the rename itself.
"""

import errno
import os
from collections.abc import Callable
from threading import Lock
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from setpoint.files import Files
from setpoint.paths import read_regular

Edit = Callable[[bytes | None], bytes | None]

TRIES = 20  # so often others may be quicker

_locks: WeakValueDictionary[str, Lock] = WeakValueDictionary()  # by the path of the file itself
_guard = Lock()


class Found(NamedTuple):
    """A file as it was read: the path that it really has, its status then, and all that it held."""

    path: str
    status: os.stat_result
    data: bytes


def read(files: Files, path: str) -> bytes | None:
    """Return what the file at `path` holds, symlinks of root and ours followed; None if it is missing.

    Raises:
        Refused: it is no regular file, or a symlink of somebody else leads there.
        OSError: it cannot be read.

    """
    found = _look(files, path)
    return found.data if found else None


def edit(
    files: Files,
    path: str,
    change: Edit,
    *,
    mode: int | None = None,
    owner: int = -1,
    group: int = -1,
) -> None:
    """Put in the place of the file at `path` what `change` makes of it; owner, mode and attributes stay.

    A symlink that root or this process owns is followed: it stays, and the file that it leads to is replaced.

    Args:
        files: of the host.
        path: the file, absolute; its directory must exist.
        change: gets all that the file holds, None if it is missing; returns what it is to hold, None for no file.
            It is called again if somebody else was quicker, and must depend on nothing but what it gets.
        mode: the permission bits of a file that is made; None as the umask has it.
        owner: the user of that file; -1 is this process's.
        group: its group, likewise.

    Raises:
        Refused: it is no regular file, or a symlink of somebody else leads there.
        FileNotFoundError: it would be made, but its directory is missing or a symlink is there.
        OSError: it cannot be read or written, or others keep writing to it.

    """
    with _lock(os.path.realpath(path)):
        for _ in range(TRIES):
            found = _look(files, path)
            before = found.data if found else None
            after = change(before)
            if after == before:
                return
            if _is_unchanged(files, path, found):
                if found is None:
                    _make(files, path, after, mode=mode, owner=owner, group=group)
                else:
                    _replace(files, found, after)
                return
    raise OSError(errno.EBUSY, "others keep writing to it, let them finish", path)


def _lock(path: str) -> Lock:
    with _guard:
        lock = _locks.get(path)
        if lock is None:
            lock = _locks[path] = Lock()
        return lock


def _look(files: Files, path: str) -> Found | None:
    try:
        fd = files.open(path, follow=True)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        status = os.fstat(fd)  # before reading: who writes meanwhile makes it differ
        return Found(os.readlink(f"/proc/self/fd/{fd}"), status, read_regular(path, fd))
    finally:
        os.close(fd)


def _is_unchanged(files: Files, path: str, found: Found | None) -> bool:
    """Whether nobody has put or written anything there since it was `found`."""
    now = files.status(path, follow=True)
    if now is None or found is None:
        return now is None and found is None
    return _identity(now) == _identity(found.status)


def _identity(status: os.stat_result) -> tuple[int, ...]:
    times = status.st_mtime_ns, status.st_ctime_ns
    return status.st_dev, status.st_ino, status.st_size, *times


def _make(files: Files, path: str, after: bytes | None, **attributes: Any) -> None:
    if files.status(path) is not None:
        raise FileNotFoundError(errno.ENOENT, "this symlink leads nowhere, remove it", path)
    assert after is not None  # it differs from what is there, which is nothing
    files.write(path, after, **attributes)


def _replace(files: Files, found: Found, after: bytes | None) -> None:
    if after is None:
        files.remove(found.path)
    else:
        files.write(found.path, after, keep=True)

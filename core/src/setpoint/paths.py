"""Paths, walked so that nobody can lead us elsewhere while we walk.

A program that runs as root and opens `/home/ann/app/config` by its name trusts ann: between two
system calls she can put a symlink to `/etc` where `app` was. Two answers, the cheap one first:

- If nobody but root and we can swap a part of the path, its name is as good as a descriptor.
- Else the directory is opened once, and each symlink on the way looked at: only those that root or
  we own are followed. What follows is relative to that descriptor, which stays what it is whatever
  is done to the names.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress

import msgspec

from setpoint import oserrors
from setpoint.errors import Refused
from setpoint.openat2 import (
    AT_FDCWD,
    BENEATH,
    NO_MAGICLINKS,
    NO_SYMLINKS,
    UNKNOWN,
    openat2,
)

CHUNK = 1 << 18  # bytes that are read at once
MOST_LINKS = 40  # as the kernel has it: path_resolution(7)
WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC  # does not hang, gets no terminal


def absolute(path: str | os.PathLike[str]) -> str:
    """Return `path` as seen from the working directory of now; its `..` are left to the kernel.

    Raises:
        OSError: the working directory has gone, and `path` is relative to it.

    """
    text = os.fspath(path)
    return text if text.startswith("/") else os.path.join(os.getcwd(), text)


def is_guarded(directory: str) -> bool:
    """Whether nobody but root and we could put something else in the place of `directory`.

    Raises:
        OSError: a part of it is missing or is not to be seen.

    """
    ours = (0, os.geteuid())
    directory = directory.rstrip("/")
    above: os.stat_result | None = None
    for end in (*_ends(directory), len(directory)):
        found = os.lstat(directory[:end] or "/")
        if not stat.S_ISDIR(found.st_mode) or (above and not _keeps(above, found, ours)):
            return False
        above = found
    return True


def _ends(directory: str) -> list[int]:
    """Return where each part of `directory` but the last ends."""
    return [i for i, letter in enumerate(directory) if letter == "/"]


def _keeps(above: os.stat_result, entry: os.stat_result, ours: tuple[int, int]) -> bool:
    """Whether the directory `above` lets only `ours` rename or remove `entry`."""
    if above.st_uid not in ours:
        return False
    if not above.st_mode & WRITABLE_BY_OTHERS:
        return True
    return bool(above.st_mode & stat.S_ISVTX) and entry.st_uid in ours


def open_path(path: str, flags: int = 0) -> int:
    """Return a descriptor (O_PATH) of what `path` names; close it.

    Args:
        path: absolute.
        flags: more flags for open(2): O_DIRECTORY.

    Raises:
        Refused: a symlink on the way belongs to neither root nor us.
        OSError: it is not there, or may not be reached.

    Source: openat2(2), path_resolution(7), systemd's chase.c.

    """
    try:
        return openat2(
            AT_FDCWD, path, os.O_PATH | os.O_CLOEXEC | flags, NO_MAGICLINKS | NO_SYMLINKS
        )
    except OSError as error:
        if error.errno in (errno.ELOOP, *UNKNOWN):
            return _walk(path, flags)
        raise


def open_beneath(root: int, path: str) -> int:
    """Return a descriptor (O_PATH) of what `path` names below a directory; close it.

    Args:
        root: a descriptor of the directory. Links are followed as long as none leads out of it.
        path: relative; may come from a stranger.

    Raises:
        OSError: it is not there, may not be reached, or is not below the directory.

    Source: openat2(2).

    """
    try:
        return openat2(root, path, os.O_PATH | os.O_CLOEXEC, NO_MAGICLINKS | BENEATH)
    except OSError as error:
        if error.errno not in UNKNOWN:
            raise
    return _walk_beneath(root, path)


def _walk_beneath(root: int, path: str) -> int:
    """Open `path` part by part; follow no link."""
    if path.startswith("/") or ".." in path.split("/"):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
    fd = os.dup(root)
    for part in reversed(_parts(path)):
        try:
            step = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
        finally:
            os.close(fd)
        fd = step
    if stat.S_ISLNK(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
    return fd


def open_behind(path: str) -> int:
    """Return a descriptor to read the regular file that `path` names, links followed."""
    fd = open_path(path)
    try:
        refuse_special(path, os.fstat(fd))
        return os.open(f"/proc/self/fd/{fd}", READ)
    finally:
        os.close(fd)


def look_behind(path: str) -> os.stat_result:
    """Return the status of what `path` names, links followed."""
    fd = open_path(path)
    try:
        return os.fstat(fd)
    finally:
        os.close(fd)


def read_regular(path: object, fd: int) -> bytes:
    """Return all that `fd` holds, which is open for `path`; raise Refused if it is no file."""
    found = os.fstat(fd)
    refuse_special(path, found)
    data = os.read(fd, found.st_size + 1)  # one more than there should be tells that this is all
    return data if len(data) == found.st_size else b"".join((data, *chunks(fd)))


def chunks(fd: int) -> Iterator[bytes]:
    """Yield what is left to read from `fd`, `CHUNK` bytes at a time."""
    while piece := os.read(fd, CHUNK):
        yield piece


def refuse_special(path: object, found: os.stat_result) -> None:
    """Refuse what is no regular file: to open a device may move something."""
    if not stat.S_ISREG(found.st_mode):
        raise Refused(f"{path} is not a regular file")


def _walk(path: str, flags: int) -> int:
    """Open `path` part by part; follow a symlink only if root or we own it."""
    todo = _parts(path)
    links = 0
    fd = os.open("/", os.O_PATH | os.O_CLOEXEC)
    try:
        while todo:
            part = todo.pop()
            step = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
            if stat.S_ISLNK(os.fstat(step).st_mode):
                links += 1
                target = _target(step, path, part, links)
                step = os.open(
                    "/" if target[0] == "/" else ".", os.O_PATH | os.O_CLOEXEC, dir_fd=fd
                )
                todo += _parts(target)
            os.close(fd)
            fd = step
        return os.open(f"/proc/self/fd/{fd}", os.O_PATH | os.O_CLOEXEC | flags)
    finally:
        os.close(fd)


def _parts(path: str) -> list[str]:
    """Return the parts of `path`, the last one first."""
    return [part for part in reversed(path.split("/")) if part]


def _target(link: int, path: str, part: str, links: int) -> str:
    """Return where the symlink open as `link` leads, and close it.

    Raises:
        Refused: it is not one to follow.
        OSError: there were too many on the way to `path`.

    """
    try:
        if links > MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        owner = os.fstat(link).st_uid
        if owner not in (0, os.geteuid()):
            raise Refused(
                f"{path} leads through the symlink {part!r}, which user {owner} can turn elsewhere",
                "write the path without it, or let root own the link",
            )
        return os.readlink("", dir_fd=link)  # of the link that was looked at, not of its name
    finally:
        os.close(link)


class Place(msgspec.Struct, frozen=True, gc=False):
    """A path whose directory nobody can swap while this is open.

    name: the path, relative to `fd`.
    parent: its directory, with a slash at the end.
    prefix: what makes another name in there relative to `fd`: the directory, or nothing.
    fd: the directory; None if it is guarded, so that its name is as good, and quicker.
    """

    name: str
    parent: str
    prefix: str
    fd: int | None = None

    def __enter__(self) -> "Place":
        return self

    def __exit__(self, _: object, error: object, __: object) -> None:
        if self.fd is not None:
            os.close(self.fd)
        if isinstance(error, OSError):
            oserrors.name(error, self.path)

    @property
    def path(self) -> str:
        """The path, as people know it."""
        return self.name if self.fd is None else f"{self.parent}{self.name}"

    def look(self) -> os.stat_result:
        """Return the status of what is there, of a link itself."""
        return os.stat(self.name, dir_fd=self.fd, follow_symlinks=False)

    def look_around(self) -> os.stat_result:
        """Return the status of the directory."""
        return os.stat(self.prefix or ".", dir_fd=self.fd)

    def open(self, flags: int) -> int:
        """Open what is there; a link fails, but with O_PATH, which gives the link itself."""
        return os.open(self.name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.fd)

    def open_directory(self) -> int:
        """Open the directory to list or to sync it."""
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        return os.open(self.prefix or ".", flags, dir_fd=self.fd)

    def replace(self, other: str) -> None:
        """Put here what lies at `other`, relative to `fd`."""
        os.rename(other, self.name, src_dir_fd=self.fd, dst_dir_fd=self.fd)

    def remove(self, other: str) -> None:
        """Remove the file or link at `other`, relative to `fd`; nothing if there is none."""
        with suppress(FileNotFoundError):
            os.unlink(other, dir_fd=self.fd)

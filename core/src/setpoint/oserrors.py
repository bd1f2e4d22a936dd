"""What the kernel refuses, in words for people: the path that they know, why, and what to do.

An `OSError` of a file that is being written names a temporary file, or one relative to a descriptor. `naming` has it
name what was asked for; `told` says it.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from setpoint.errors import text_of

UNFINISHED = ".setpoint-"  # how the names of unfinished files begin
DESCRIPTORS = "/proc/self/fd/"


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Have errors of the system that are raised inside a `with` name `path`, if they name nothing that people know."""
    try:
        yield
    except OSError as error:
        name(error, path)
        raise


def name(error: OSError, path: str) -> None:
    """Have `error` name `path`, if it names nothing that people know."""
    if error.errno is None or is_known(error.filename):
        return
    error.filename = path
    del error.filename2  # the other one of two is unfinished, or as little known


def is_known(filename: object) -> bool:
    """Whether this is a path by which people know a file: nothing relative, no descriptor, nothing unfinished."""
    if not isinstance(filename, str) or not filename.startswith("/"):
        return False
    unfinished = filename.rpartition("/")[2].startswith(UNFINISHED)
    return not unfinished and not filename.startswith(DESCRIPTORS)


def told(error: OSError) -> str:
    """Return what `error` says, on one line, and what to do where that is known; empty if it says nothing."""
    if error.errno is None or error.strerror is None or type(error).__str__ is not OSError.__str__:
        return text_of(error)
    where = " -> ".join(str(one) for one in (error.filename, error.filename2) if one is not None)
    why, cure = error.strerror, ""
    if why == os.strerror(error.errno):  # else somebody has said more than the kernel does
        why, cure = why[:1].lower() + why[1:], _cure(error)
        if error.errno == errno.EBUSY and _is_mount(where):
            why = "it is a mount of its own, as containers have some, so no other file can take its place"
            cure = "unmount it, or change the file that is mounted there where it comes from"
    said = f"{where}: {why}" if where else why
    return f"{said}; {cure}" if cure else said


def _cure(error: OSError) -> str:
    if isinstance(error, PermissionError):
        if os.geteuid():
            return "run as root"
        return "see with lsattr whether it is immutable" if error.errno == errno.EPERM else ""
    if error.errno == errno.EROFS:
        return "mount its file system so that it can be written to"
    return "make room" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""


def _is_mount(path: str) -> bool:
    """Whether something is mounted at `path`. Source: proc_pid_mountinfo(5)."""
    with suppress(OSError), open("/proc/self/mountinfo", "rb") as mounts:
        return any(_unescaped(line.split(b" ")[4]) == os.fsencode(path) for line in mounts)
    return False


def _unescaped(field: bytes) -> bytes:
    for octal in (b"040", b"011", b"012", b"134"):
        field = field.replace(b"\\" + octal, bytes([int(octal, 8)]))
    return field

"""openat2(2), which Python has no name for: to open a path and say what may be on the way."""

import ctypes
import errno
import os

AT_FDCWD = -100
NO_MAGICLINKS, NO_SYMLINKS, BENEATH = 0x02, 0x04, 0x08
UNKNOWN = (errno.ENOSYS, errno.EPERM)  # how it fails where it is missing; EPERM is seccomp's word

_NUMBER = 437  # on every architecture: the table of numbers is common since Linux 5.1


class _OpenHow(ctypes.Structure):
    """`struct open_how` of openat2(2)."""

    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.restype = ctypes.c_long
_syscall.argtypes = [
    ctypes.c_long,
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.POINTER(_OpenHow),
    ctypes.c_size_t,
]


def openat2(directory: int, path: str, flags: int, resolve: int) -> int:
    """Return a descriptor of what `path` names; close it.

    Args:
        directory: a descriptor that a relative path begins at, or AT_FDCWD.
        path: as open(2) has it.
        flags: those of open(2).
        resolve: what must not be on the way: NO_SYMLINKS, NO_MAGICLINKS, and BENEATH for what leads out of `directory`.

    Raises:
        OSError: it cannot be opened, or there is such a thing on the way.
        ValueError: there is a NUL in the path.

    """
    if "\0" in path:
        raise ValueError(f"path {path!r} must not have a NUL in it")
    how = _OpenHow(flags, 0, resolve)
    fd: int = _syscall(_NUMBER, directory, os.fsencode(path), how, ctypes.sizeof(how))
    if fd < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), path)
    return fd

"""The kernel's side of watching: one inotify descriptor, and which file systems tell it nothing.

Source: inotify(7), inotify_add_watch(2), statfs(2), linux/magic.h.
"""

import ctypes
import os
import struct
import sys
from collections.abc import Callable

MODIFY, ATTRIB, CLOSE_WRITE = 0x2, 0x4, 0x8
MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x40, 0x80, 0x100, 0x200
DELETE_SELF, MOVE_SELF, UNMOUNT, OVERFLOW, IGNORED = 0x400, 0x800, 0x2000, 0x4000, 0x8000
ONLYDIR, EXCL_UNLINK, MASK_ADD, ISDIR = 0x0100_0000, 0x0400_0000, 0x2000_0000, 0x4000_0000

NAMES = CREATE | DELETE | MOVED_FROM | MOVED_TO | DELETE_SELF | MOVE_SELF | ONLYDIR
ENTRIES = NAMES | ATTRIB  # for those who want all entries of a directory
FULL = ENTRIES | MODIFY | CLOSE_WRITE | EXCL_UNLINK  # for those who want what is in them too

# After one of these a name may stand for another thing: a file, a link, a directory, nothing.
RENAMED = CREATE | DELETE | MOVED_FROM | MOVED_TO | DELETE_SELF | MOVE_SELF
RENAMED |= UNMOUNT | OVERFLOW | IGNORED

HEADER = struct.Struct("iI4xI")  # watch descriptor, mask, cookie (of no use here), length of name
HEADER_SIZE = HEADER.size
_CHUNK = 256 * 1024  # some 8,000 events, half of what the kernel's queue holds by default

_libc = ctypes.CDLL(None, use_errno=True)
_add_watch = _libc.inotify_add_watch
_add_watch.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32)
_statfs = _libc.statfs
_statfs.argtypes = (ctypes.c_char_p, ctypes.c_void_p)

# fmt: off
_REMOTE = frozenset((  # what others change there gives no event here, but files have true times
    0x6969, 0x517B, 0xFE534D42, 0xFF534D42, 0x65735546, 0x01021997,  # NFS, SMB, two CIFS, FUSE, 9P
    0x00C36400, 0x5346414F, 0x6B414653, 0x73757245, 0x0BD00BD0,  # Ceph, AFS twice, Coda, Lustre
    0x47504653, 0x01161970, 0x7461636F, 0x786F4256, 0x00C0FFEE,  # GPFS, GFS2, OCFS2, vboxsf, hostfs
))
_PSEUDO = frozenset((  # the kernel's own: neither events nor times tell that the content differs
    0x9FA0, 0x62656572, 0x64626720, 0x74726163,  # proc, sysfs, debugfs, tracefs
    0x73636673, 0x62656570, 0x0027E0EB, 0x63677270,  # securityfs, configfs, cgroup, cgroup2
))
# fmt: on

_ENCODING = sys.getfilesystemencoding()
_NULS = tuple(bytes(16 - over) for over in range(16))

LISTING = b"/"  # stands for all names of a directory; no file can have it


def padded(name: str) -> bytes:
    """Return `name` as it stands in an event: bytes, with 1 to 16 NULs up to a multiple of 16."""
    raw = name.encode(_ENCODING, "surrogateescape")  # as os.fsencode does, in a third of the time
    return raw + _NULS[len(raw) % 16]


def silence(path: str) -> str:
    """Return why there are no events from `path`: it is "remote" or "pseudo"; "" if there are."""
    found = (ctypes.c_long * 32)()  # struct statfs has at most 120 bytes; f_type comes first
    if _statfs(os.fsencode(path), found) != 0:
        return ""
    magic = found[0] & 0xFFFF_FFFF
    return "remote" if magic in _REMOTE else "pseudo" if magic in _PSEUDO else ""


class Inotify:
    """One inotify descriptor, opened when the first watch is added.

    Args:
        opened: called with the descriptor when it has been opened.

    """

    def __init__(self, opened: Callable[[int], None]) -> None:
        self.fd = -1
        self._opened = opened

    def add(self, path: str, mask: int) -> int:
        """Watch the directory at `path`; return its descriptor, the same one for the same inode.

        Raises:
            OSError: no directory there, no permission, out of watches (ENOSPC) or of instances
                (EMFILE).

        """
        if self.fd < 0:
            self._open()
        watch: int = _add_watch(self.fd, os.fsencode(path), mask)
        if watch < 0:
            raise _failure(path)
        return watch

    def remove(self, watch: int) -> None:
        """End `watch`; it may have ended already, with its directory."""
        if self.fd >= 0:
            _libc.inotify_rm_watch(self.fd, watch)

    def read(self) -> bytes:
        """Return the next events, as many as fit in 256 KiB; empty if there are none."""
        try:
            return os.read(self.fd, _CHUNK) if self.fd >= 0 else b""
        except BlockingIOError:
            return b""

    def close(self) -> None:
        """Close the descriptor, and with it end all watches."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def _open(self) -> None:
        fd = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if fd < 0:
            raise _failure("inotify")
        self.fd = fd
        self._opened(fd)


def _failure(path: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), path)

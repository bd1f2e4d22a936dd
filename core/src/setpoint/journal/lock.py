"""The lock that makes one engine at a time the owner of a journal."""

import fcntl
import os
import struct
import sys
import time

import msgspec

from setpoint.errors import JournalError


class Owner(msgspec.Struct, frozen=True):
    """The process that keeps a journal, or kept it last.

    since: seconds since 1970.
    boot: the kernel's id of the boot it ran in; empty if the kernel does not say.
    """

    pid: int
    host: str
    command: str
    since: float
    boot: str

    def __str__(self) -> str:
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        return f"pid {self.pid} on {self.host} since {since} ({self.command})"


def this_process(since: float) -> Owner:
    """Return the owner that this process is, from `since` (seconds since 1970) on."""
    command = (
        " ".join(sys.argv).encode(errors="backslashreplace").decode()
    )  # names of files are bytes
    return Owner(os.getpid(), os.uname().nodename, command, since, boot_id())


def boot_id() -> str:
    """Return what tells this boot of the machine from others; empty if the kernel does not say."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


class Lock:
    """A lock on the file `path`, which the kernel gives back when its process is gone.

    It is a lock of the open file (fcntl(2), F_OFD_SETLK). Unlike with flock(2) one can ask whether
    it is held without taking it, so that nobody who only looks keeps an engine from starting.
    Unlike F_SETLK it also keeps two engines of one process apart. Children do not inherit it.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._file = -1

    def take(self, owner: Owner) -> None:
        """Take the lock for `owner`.

        Raises:
            JournalError: another one has it; the message tells who.
            OSError: the file cannot be opened.

        """
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.fcntl(file, fcntl.F_OFD_SETLK, _whole_file())
            text = msgspec.json.encode(owner)
            os.pwrite(file, text, 0)
            os.ftruncate(file, len(text))
        except BlockingIOError:
            found = _read_owner(file)
            os.close(file)
            raise _in_use(self.path, found) from None
        except OSError:
            os.close(file)
            raise
        self._file = file

    def release(self) -> None:
        """Give the lock back, if it is held."""
        if self._file >= 0:
            # Closing is not enough: a child that is being started has it open until it has begun.
            fcntl.fcntl(self._file, fcntl.F_OFD_SETLK, _whole_file(fcntl.F_UNLCK))
            os.close(self._file)
            self._file = -1


def is_held(path: str) -> bool:
    """Whether some process has the lock at `path`, which need not exist.

    Raises:
        OSError: the file cannot be read.

    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        answer = fcntl.fcntl(file, fcntl.F_OFD_GETLK, _whole_file())
    finally:
        os.close(file)
    return int.from_bytes(answer[:2], sys.byteorder) != fcntl.F_UNLCK


def holder(path: str) -> Owner | None:
    """Return who has the lock at `path`; None if nobody has, or that cannot be told at this moment.

    Raises:
        OSError: the file cannot be read.

    """
    if not is_held(path):
        return None
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return _read_owner(file)
    finally:
        os.close(file)


def _whole_file(kind: int = fcntl.F_WRLCK) -> bytes:
    return struct.pack("@hhqqi4x", kind, os.SEEK_SET, 0, 0, 0)  # struct flock, 64 bit


def _in_use(path: str, owner: Owner | None) -> JournalError:
    return JournalError(
        f"{path}: the journal is in use by {owner or 'another engine'};"
        " stop that one, or choose another place with --prefix"
    )


def _read_owner(file: int) -> Owner | None:
    try:
        return msgspec.json.decode(os.pread(file, 65536, 0), type=Owner)
    except (OSError, msgspec.DecodeError):  # it is being written at this moment
        return None

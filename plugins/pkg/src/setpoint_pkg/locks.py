"""Who else is at work: the locks of dpkg and apt, and waiting until they are free.

The kernel tells nobody who does not ask for a lock that it was given back; and who asks, has it. So they are looked at
twice a second, which does not take them.

Source: fcntl(2), F_GETLK; dpkg(1) and apt-get(8) for the files.
"""

import asyncio
import fcntl
import os
import struct
from contextlib import suppress
from typing import NamedTuple

from setpoint_pkg.backend import Tell

FILES = (
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/dpkg/lock",
    "/var/lib/apt/lists/lock",
    "/var/cache/apt/archives/lock",
)
PAUSE = 0.5
_FLOCK = "hhqqi"  # type, whence, start, length, process


class Holder(NamedTuple):
    """Somebody who holds a lock; pid 0 is a process that is not seen from here."""

    path: str
    pid: int

    def __str__(self) -> str:
        return f"{self.path}, which is held by {_command(self.pid)} (pid {self.pid})"


def holder() -> Holder | None:
    """Return who holds one of the locks; None if they are free."""
    for path in FILES:
        with suppress(FileNotFoundError):
            pid = _holder(path)
            if pid is not None:
                return Holder(path, pid)
    return None


async def wait_until_free(tell: Tell) -> None:
    """Wait until all locks are free, and tell for whom."""
    told = None
    while (found := holder()) is not None:
        if found != told:
            tell(f"waits for {found}")
            told = found
        await asyncio.sleep(PAUSE)


def _holder(path: str) -> int | None:
    asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        answer = fcntl.fcntl(fd, fcntl.F_GETLK, asked.ljust(struct.calcsize(_FLOCK + "0q"), b"\0"))
    finally:
        os.close(fd)
    kind, _, _, _, pid = struct.unpack_from(_FLOCK, answer)
    return None if kind == fcntl.F_UNLCK else max(pid, 0)


def _command(pid: int) -> str:
    with suppress(OSError), open(f"/proc/{pid}/comm", errors="replace") as file:
        return file.read().strip()
    return "a process"

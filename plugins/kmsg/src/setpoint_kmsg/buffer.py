"""The kernel's ring buffer, read through /dev/kmsg without ever waiting; and where a reader is in it.

The buffer is of fixed size and the newest record overwrites the oldest, read or not. The kernel tells a reader that was
overtaken once (EPIPE) and goes on with the oldest record that is left; how many were lost, only the sequence numbers
tell.

Source: the kernel's Documentation/ABI/testing/dev-kmsg.
"""

import os
from typing import NamedTuple

from setpoint.errors import Refused

DEVICE = "/dev/kmsg"
NUMBER = os.makedev(1, 11)  # of that device everywhere
CURE = "if this is a container, give it that device"
SIZE = 8192  # bytes of the longest record; one that does not fit is lost (EINVAL)


class RingBuffer:
    """The kernel's log, at its oldest record.

    Raises:
        Refused: there is no such device, or we may not read it.

    """

    def __init__(self) -> None:
        self._fd = open_device(os.O_RDONLY | os.O_NONBLOCK)

    def fileno(self) -> int:
        """Return the descriptor, which is readable when there is a record."""
        return self._fd

    def rewind(self) -> None:
        """Go to the oldest record."""
        os.lseek(self._fd, 0, os.SEEK_SET)

    def skip_cleared(self) -> None:
        """Go to the oldest record since somebody cleared the log (dmesg -C)."""
        os.lseek(self._fd, 0, os.SEEK_DATA)

    def skip_all(self) -> None:
        """Go behind the newest record."""
        os.lseek(self._fd, 0, os.SEEK_END)

    def read(self) -> bytes | None:
        """Return the next record; None if there is none yet."""
        while True:
            try:
                return os.read(self._fd, SIZE)
            except BlockingIOError:
                return None
            except BrokenPipeError:  # overtaken: the next record is the oldest that is left
                continue

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._fd)


def open_device(flags: int) -> int:
    """Return a descriptor of /dev/kmsg.

    Raises:
        Refused: it is not there, is something else, or may not be opened like this.

    """
    must = f"the kernel's log must be at {DEVICE}"
    try:
        descriptor = os.open(DEVICE, flags | os.O_CLOEXEC)
        if os.fstat(descriptor).st_rdev == NUMBER:
            return descriptor
        os.close(descriptor)
        raise Refused(f"{must}, which is something else", CURE)
    except FileNotFoundError:
        raise Refused(f"{must}, which is not there", CURE) from None
    except PermissionError:
        cure = "run as root, or with the capability SYSLOG in a place that has the device"
        if flags & os.O_ACCMODE == os.O_RDONLY:
            may = f"the kernel's log may be read by root only (kernel.dmesg_restrict is {restricted()})"
        else:
            may, cure = "the kernel's log may be written by root only", "run as root"
        raise Refused(f"{may}, not by user {os.geteuid()}", cure) from None


def restricted() -> str:
    """Return the setting that hides the log from others than root: "0" or "1"; "?" if it is hidden too."""
    try:
        with open("/proc/sys/kernel/dmesg_restrict") as file:
            return file.read().strip()
    except OSError:
        return "?"


class Gap(NamedTuple):
    """Records that were overwritten before they could be read.

    first, last: their first and their last sequence number.
    lost: how many they are; fewer than from first to last if some in between were read.
    """

    first: int
    last: int
    lost: int

    def __str__(self) -> str:
        """Return it as a person reads it."""
        numbers = f"sequence {self.first} to {self.last}"
        return f"missed {self.lost:,} kernel messages, {numbers}: overwritten before they were read"


class Track:
    """Where a reader is: what comes next, and what it never got.

    Args:
        begin: the first sequence number that it takes.
        known: what is missing before this one is no loss; None says so of all before the first that it gets.

    next: the sequence number that it takes next.
    missed: how many records it lost.
    gap: those that it lost since it was last asked; None if there are none.

    """

    def __init__(self, begin: int = 0, known: int | None = None) -> None:
        self.next = begin
        self.missed = 0
        self.gap: Gap | None = None
        self._known = known

    def take(self, sequence: int) -> bool:
        """Return whether the record with that number is to be taken, and go on behind it."""
        if sequence < self.next:
            return False
        expected = sequence if self._known is None else max(self.next, self._known)
        if sequence > expected:
            self._lose(expected, sequence - 1)
        self.next = sequence + 1
        self._known = max(expected, self.next)
        return True

    def _lose(self, first: int, last: int) -> None:
        lost = last - first + 1
        self.missed += lost
        self.gap = (
            Gap(self.gap.first, last, self.gap.lost + lost) if self.gap else Gap(first, last, lost)
        )

    @property
    def known(self) -> int:
        """The sequence number before which nothing will ever be lost again; to begin with after a restart."""
        return max(self.next, self._known or 0)

    def tell(self) -> Gap | None:
        """Return what was lost since the last call."""
        gap, self.gap = self.gap, None
        return gap

"""Where a reader was when it last ran, so that the next one goes on there and repeats nothing.

Sequence numbers mean something until the next boot only. So the file need not survive that the power goes, and what a
killed process has written in one go is there: to write the same few bytes in place costs a microsecond and no rename.

    95c34b4b-a64a-4c23-b4a1-3e7154420e11 00000000000000000000 00000000000000100347
"""

import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from types import TracebackType

FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
LENGTH = 79  # bytes


class Mark(NamedTuple):
    """A place in the log of one boot, by sequence numbers.

    begin: the first record that counts.
    next: the first that was not read yet.
    """

    begin: int
    next: int


class Position:
    """A mark that is kept in a file, 0600.

    Args:
        path: the file, in a directory of our own.

    Raises:
        OSError: it cannot be opened, or made.

    """

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, FLAGS, 0o600)
        self._boot = boot()
        self._kept: Mark | None = None

    def __enter__(self) -> "Position":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: "TracebackType | None",
    ) -> None:
        os.close(self._fd)

    def recall(self) -> Mark | None:
        """Return what was kept; the begin of the log, if that was in an earlier boot; None before the first time."""
        words = os.pread(self._fd, LENGTH, 0).decode(errors="replace").split()
        if not words:
            return None
        if len(words) != 3 or words[0] != self._boot or not all(map(str.isdecimal, words[1:])):
            return Mark(0, 0)
        return Mark(int(words[1]), int(words[2]))

    def keep(self, mark: Mark) -> None:
        """Keep `mark`, if it is another one.

        Raises:
            OSError: it cannot be written.

        """
        if mark != self._kept:
            os.pwrite(self._fd, f"{self._boot} {mark.begin:020} {mark.next:020}\n".encode(), 0)
            self._kept = mark


def boot() -> str:
    """Return what tells this boot from all others."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()

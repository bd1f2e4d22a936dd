"""What is printed, and what becomes of it when it cannot be written."""

import errno
import os
from io import BufferedWriter, FileIO, TextIOWrapper
from typing import TYPE_CHECKING, TextIO

from setpoint.oserrors import naming, told

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

STDOUT = "<stdout>"
GONE = (errno.EPIPE, errno.EIO)  # nobody reads the pipe any more; the terminal was closed


class _Named(FileIO):
    """Has errors of the system name stdout: else nobody knows which file it was that is not written."""

    def write(self, data: "ReadableBuffer", /) -> int:
        with naming(STDOUT):
            return super().write(data)


def named(stream: TextIOWrapper) -> TextIOWrapper:
    """Return what writes where `stream` does, with errors that name `STDOUT`.

    A name may hold what the terminal has no letter for: that is spelt out.
    """
    raw = _Named(stream.fileno(), "w", closefd=False)
    return TextIOWrapper(
        raw if stream.write_through else BufferedWriter(raw),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def lead_nowhere(stream: TextIO) -> None:
    """Lose what is written to `stream` from now on, and what it still holds."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def unwritten(error: OSError) -> str:
    """Return why what is printed cannot be written, and what to do."""
    return told(OSError(error.errno, error.strerror))

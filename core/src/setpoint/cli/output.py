"""What is printed, and what becomes of it when it cannot be written."""

import errno
import os
import sys
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


def set_up() -> None:
    """Have errors of stdout name it; what a terminal has no letter for is spelt out, as a name may hold it."""
    if isinstance(sys.__stdout__, TextIOWrapper):  # else it was closed
        sys.stdout = _named(sys.__stdout__)
    if isinstance(sys.stderr, TextIOWrapper):
        sys.stderr.reconfigure(errors="backslashreplace")


def print_rest() -> None:
    """Write what is left of the output; what cannot be written was told, and Python is not to try it once more."""
    try:
        sys.stdout.flush()
    except OSError:
        lead_nowhere(sys.stdout)


def _named(stream: TextIOWrapper) -> TextIOWrapper:
    """Return what writes where `stream` does, with errors that name `STDOUT`."""
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

"""Work in a child process: there it may change who it is, and what disk it has."""

import ctypes
import os
import signal
from collections.abc import Callable

import pytest

Work = Callable[[], object]

FSOPEN, FSCONFIG, FSMOUNT = 430, 431, 432  # on every architecture
SET_STRING, CREATE = 1, 6

libc = ctypes.CDLL(None, use_errno=True)


@pytest.fixture
def as_child() -> Callable[[Work], str]:
    """Return a function that returns what `work` says in a child process."""
    return said_by_child


@pytest.fixture
def on_small_disk() -> Callable[[Work, str], str]:
    """Return a function that returns what `work` says where "/" is an empty disk of `size`.

    There are no modules on it: what `work` needs is to be imported before.
    """

    def run(work: Work, size: str) -> str:
        def moved() -> object:
            os.fchdir(small_disk(size))
            os.chroot(".")
            return work()

        return said_by_child(moved)

    return run


def said_by_child(work: Work) -> str:
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            answer = str(work())
        except BaseException as error:
            answer = f"{type(error).__name__}: {error}"
        os.write(writing, answer.encode())
        os._exit(0)
    os.close(writing)
    try:
        with os.fdopen(reading) as pipe:
            return pipe.read()
    finally:
        os.kill(pid, signal.SIGKILL)  # it has ended, unless this test took too long
        os.waitpid(pid, 0)


def small_disk(size: str) -> int:
    """Return a descriptor of a tmpfs that is mounted nowhere: it goes when that is closed.

    Needs no namespace and no mount point; nobody else sees it. Source: fsopen(2), fsmount(2).
    """
    disk = done(libc.syscall(FSOPEN, b"tmpfs", 0))
    done(libc.syscall(FSCONFIG, disk, SET_STRING, b"size", size.encode(), 0))
    done(libc.syscall(FSCONFIG, disk, CREATE, None, None, 0))
    return done(libc.syscall(FSMOUNT, disk, 0, 0))


def done(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result

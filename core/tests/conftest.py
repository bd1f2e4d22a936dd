"""Work in a child process: there it may change who it is, and what disk it has."""

import ctypes
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

Work = Callable[[], object]

FSOPEN, FSCONFIG, FSMOUNT = 430, 431, 432  # on every architecture
SET_STRING, CREATE = 1, 6
SHARED, SMALL = "/dev/shm", 1 << 28  # where a container has 64 MiB; a machine has much more

libc = ctypes.CDLL(None, use_errno=True)


@pytest.fixture
def compiled_once(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let processes of this test share what Python compiles, so that not each does it anew."""
    compiled = tmp_path_factory.getbasetemp() / "compiled"
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(compiled))
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)


@pytest.fixture
def as_child() -> Callable[[Work], str]:
    """Return a function that returns what `work` says in a child process."""
    return said_by_child


@pytest.fixture
def on_small_disk() -> Callable[[Work, int], str]:
    """Return a function that returns what `work` says where "/" is empty, with room for `size` bytes.

    There are no modules on it: what `work` needs is to be imported before.
    """

    def run(work: Work, size: int) -> str:
        def moved() -> object:
            os.fchdir(disk)
            os.chroot(".")
            return work()

        with small_disk(size) as disk:
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


@contextmanager
def small_disk(size: int) -> Iterator[int]:
    """Yield a descriptor of the top of such a disk."""
    with ExitStack() as stack:
        try:
            disk = detached_disk(size)
        except OSError:  # a container that may mount nothing; what it has in /dev/shm is its own
            disk = os.open(stack.enter_context(corner_of(SHARED, size)), os.O_RDONLY)
        stack.callback(os.close, disk)
        yield disk


def detached_disk(size: int) -> int:
    """Return a descriptor of a tmpfs that is mounted nowhere: it goes when that is closed.

    Needs no namespace and no mount point; nobody else sees it. Source: fsopen(2), fsmount(2).
    """
    disk = done(libc.syscall(FSOPEN, b"tmpfs", 0))
    try:
        done(libc.syscall(FSCONFIG, disk, SET_STRING, b"size", str(size).encode(), 0))
        done(libc.syscall(FSCONFIG, disk, CREATE, None, None, 0))
        return done(libc.syscall(FSMOUNT, disk, 0, 0))
    finally:
        os.close(disk)


@contextmanager
def corner_of(disk: str, size: int) -> Iterator[str]:
    """Yield a directory on `disk`, all room of which is taken but `size` bytes."""
    found = os.statvfs(disk)
    room = found.f_bavail * found.f_frsize
    assert size < room < SMALL, f"{disk} has {room} bytes left: too few, or somebody else's"
    with tempfile.TemporaryFile(dir=disk) as file, tempfile.TemporaryDirectory(dir=disk) as corner:
        os.posix_fallocate(file.fileno(), 0, room - size)
        yield corner


def done(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result

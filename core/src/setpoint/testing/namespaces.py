"""Parts of the machine that belong to one test: directories, the hostname, the network.

What a kind changes as root is changed for real, by the real tools, but in namespaces that the thread which runs the
tests enters and leaves again. Threads and programs that are started meanwhile live in them too; those that were started
before do not. An overlay makes a directory private: everything is there, and what is written goes to memory.
"""

import ctypes
import errno
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

NEWNS, NEWUTS, NEWNET = 0x00020000, 0x04000000, 0x40000000  # unshare(2)
MS_REC, MS_PRIVATE = 0x4000, 0x40000  # mount(2)
MNT_DETACH = 2
_NAMES = {NEWNS: "mnt", NEWUTS: "uts", NEWNET: "net"}

_libc = ctypes.CDLL(None, use_errno=True)


class Namespaces:
    """The namespaces of the calling thread, to enter others and to come back.

    Source: namespaces(7), mount_namespaces(7), and the kernel's Documentation/filesystems/overlayfs.rst.
    """

    def __init__(self) -> None:
        self._before: dict[int, int] = {}  # which sort, and a descriptor of ours
        self._root = os.open("/", os.O_PATH | os.O_CLOEXEC)
        self._directory = os.open(".", os.O_PATH | os.O_CLOEXEC)

    def private(self, *directories: str, uts: bool = False, net: bool = False) -> None:
        """Make `directories` private; with `uts` the hostname, with `net` the network too.

        May be called again for more.

        Args:
            directories: absolute paths; links are followed. With none, mounts still are private.
            uts: an own hostname and domain name.
            net: an own network, with nothing but a loopback that is down.

        Raises:
            OSError: this may not be done here; PermissionError if we are not root.

        """
        wanted = NEWNS | (NEWUTS if uts else 0) | (NEWNET if net else 0)
        self._enter(wanted & ~sum(self._before))
        for directory in directories:
            self._overlay(os.path.realpath(directory))

    def _enter(self, sorts: int) -> None:
        """Enter new namespaces of `sorts`; what is mounted in there is not seen outside."""
        for sort in [sort for sort in _NAMES if sort & sorts]:
            path = f"/proc/thread-self/ns/{_NAMES[sort]}"
            self._before[sort] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        _call("unshare", sorts)
        if sorts & NEWNS:
            _make_private()

    def _overlay(self, directory: str) -> None:
        """Mount a writable copy of `directory` over it."""
        with tempfile.TemporaryDirectory() as scratch:
            mount("tmpfs", scratch, "tmpfs", "mode=755")
            for name in ("upper", "work"):
                os.mkdir(os.path.join(scratch, name))
            options = f"lowerdir={directory},upperdir={scratch}/upper,workdir={scratch}/work"
            try:
                mount("overlay", directory, "overlay", options)
            finally:
                _call("umount2", scratch.encode(), MNT_DETACH)

    def leave(self) -> None:
        """Go back to the namespaces of before; what was private is gone when its last user is."""
        for sort, descriptor in self._before.items():
            _join(descriptor, sort)
            os.close(descriptor)
        self._before.clear()
        os.fchdir(self._root)  # entering a mount namespace leads to its root, which may not be ours
        os.chroot(".")
        os.fchdir(self._directory)

    def close(self) -> None:
        """Go back, and give back what is held."""
        if self._before:
            self.leave()
        os.close(self._root)
        os.close(self._directory)


def mount(source: str, target: str, type_: str, options: str = "", flags: int = 0) -> None:
    """Attach `source` at `target`, as the system call of this name."""
    _call("mount", source.encode(), target.encode(), type_.encode(), flags, options.encode())


def _make_private() -> None:
    """Cut all mounts of this namespace off from those they were copied from."""
    with open("/proc/thread-self/mountinfo") as mounts:
        points = [line.split()[4] for line in mounts]
    for point in points:  # "/" is none where we are in a chroot
        target = point.encode().decode("unicode_escape")
        with suppress(OSError):  # under another one that hides it
            _call("mount", None, target.encode(), None, MS_PRIVATE, None)


def _call(name: str, *args: Any) -> None:
    ctypes.set_errno(0)
    if getattr(_libc, name)(*args) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _join(descriptor: int, sort: int) -> None:
    """Enter a namespace, as soon as no thread that is just ending shares our directory."""
    deadline = time.monotonic() + 5
    while True:
        try:
            return _call("setns", descriptor, sort)
        except OSError as error:
            if error.errno != errno.EINVAL or time.monotonic() > deadline:
                raise
            time.sleep(0.001)


@pytest.fixture
def private() -> Iterator[Callable[..., None]]:
    """Make directories, the hostname or the network private until the test ends: `private("/etc", uts=True)`."""
    if os.geteuid() != 0:
        pytest.skip("only root may enter namespaces")
    namespaces = Namespaces()
    yield namespaces.private
    namespaces.close()

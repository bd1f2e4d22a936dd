"""A booted systemd for tests: real, and gone without a trace when the tests end.

It is PID 1 of its own namespaces (processes, mounts, network, host name, cgroups) over an overlay of this machine's /,
with a system bus and a journal: what is installed here is there, and nothing that is done in there reaches this
machine. It takes half a second to boot, once for all tests, so a test gives its units names of its own.

Needs root, a Linux 5.11 and the packages `systemd` and `dbus`.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from setpoint.testing import booting

BOOT = 15  # seconds; half a one where nothing else runs
NAMESPACES = {"mnt": booting.MOUNT, "uts": booting.UTS, "ipc": booting.IPC, "net": booting.NET}
FSOPEN, FSCONFIG, FSMOUNT, OPEN_TREE, MOVE_MOUNT = 430, 431, 432, 428, 429  # everywhere the same
CREATE, CLONE_TREE, EMPTY_PATH, HERE = 6, 1, 4, -100


class Systemd:
    """A systemd that runs.

    pid: of its PID 1, as seen from here.
    root: its /, as seen from here; its files can be read, written and watched below it.
    bus: the address of its system bus, for DBUS_SYSTEM_BUS_ADDRESS.
    """

    def __init__(self, pid: int, temporary: Path) -> None:
        self.pid, self._temporary = pid, temporary
        self.root = Path(f"/proc/{pid}/root")
        self.bus = f"unix:path={self.root}/run/dbus/system_bus_socket"

    @property
    def namespaces(self) -> dict[str, str]:
        """The files of its namespaces by name ("mnt", "pid" ...), for setns(2)."""
        directory = f"/proc/{self.pid}/ns"
        return {name: f"{directory}/{name}" for name in (*NAMESPACES, "pid", "cgroup")}

    def command(self, argv: Sequence[str]) -> list[str]:
        """Return the command that runs `argv` in there."""
        flags = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup")
        return ["nsenter", f"--target={self.pid}", *flags, "--", *argv]

    def run(self, argv: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a program in there, and return how it ended and what it wrote.

        Args:
            argv: the program with its arguments: `[sys.executable, "-c", "..."]` is this Python.
            options: of `subprocess.run`; by default output is text and kept, a failure raised.

        """
        defaults = {"check": True, "capture_output": True, "text": True, "timeout": BOOT}
        return subprocess.run(self.command(argv), **{**defaults, **options})

    def unit(self, name: str, text: str) -> Path:
        """Write the file of a unit, and return its path as seen from here.

        A unit that systemd knows already has to be loaded anew, `run(["systemctl", "daemon-reload"])`.
        """
        path = self.root / "etc/systemd/system" / name
        path.write_text("\n".join(line.strip() for line in text.splitlines()) + "\n")
        return path

    def session(self, user: int = 0) -> None:
        """Start the systemd of a user, with a bus at its usual place, /run/user/N/bus. Not from `inside`.

        Needs the package `dbus-user-session`.
        """
        self.run(["systemctl", "start", f"user@{user}.service"])

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Have this thread, and those that it starts, see its files, host name and network.

        Then "/etc", the system bus, the journal are its own, under their usual paths. Processes
        stay those of this machine, and so do /proc and the directories of `tmp_path`.
        """
        kept = {name: os.open(f"/proc/thread-self/ns/{name}", os.O_RDONLY) for name in NAMESPACES}
        here = os.open(".", os.O_RDONLY)
        root = os.open("/", os.O_RDONLY)
        try:
            self._enter()
            yield
        finally:
            join(kept)
            os.fchdir(root)
            os.chroot(".")
            os.fchdir(here)
            for descriptor in (*kept.values(), here, root):
                os.close(descriptor)

    def _enter(self) -> None:
        temporary = checked(
            booting.libc.syscall(
                OPEN_TREE, HERE, os.fsencode(self._temporary), CLONE_TREE | os.O_CLOEXEC
            )
        )
        theirs = {name: os.open(self.namespaces[name], os.O_RDONLY) for name in NAMESPACES}
        try:
            join(theirs)
            checked(
                booting.libc.unshare(booting.MOUNT)
            )  # what is mounted now is for this thread only
            booting.mount("none", "/", flags=booting.RECURSIVE | booting.PRIVATE)
            booting.mount("proc", "/proc", "proc")
            os.makedirs(self._temporary, exist_ok=True)
            target = os.fsencode(self._temporary)
            checked(booting.libc.syscall(MOVE_MOUNT, temporary, b"", HERE, target, EMPTY_PATH))
        finally:
            for descriptor in (*theirs.values(), temporary):
                os.close(descriptor)


def checked(result: int) -> int:
    """Return the result of a call into libc, or raise its error."""
    booting.done(result)
    return result


def join(namespaces: dict[str, int]) -> None:
    """Move this thread into the namespaces that are open as these descriptors."""
    checked(
        booting.libc.unshare(booting.FS)
    )  # else threads that share our / would stand in the way
    for name, descriptor in namespaces.items():
        checked(booting.libc.setns(descriptor, NAMESPACES[name]))


@contextmanager
def new_cgroup() -> Iterator[str]:
    """Yield the directory of a new cgroup, in a hierarchy that is mounted nowhere.

    So it does not matter whether and where this machine has cgroups of version 2 mounted. Those of test runs that were
    killed are removed.
    """
    context = checked(booting.libc.syscall(FSOPEN, b"cgroup2", 0))
    checked(booting.libc.syscall(FSCONFIG, context, CREATE, None, None, 0))
    hierarchy = checked(booting.libc.syscall(FSMOUNT, context, 0, 0))
    os.close(context)
    root = Path(f"/proc/{os.getpid()}/fd/{hierarchy}")
    for left in root.glob("setpoint-*-*"):
        with suppress(OSError):  # somebody else removes it too
            if is_left_behind(left):
                remove_cgroup(left)
    cgroup = root / f"setpoint-{os.getpid()}-{time.monotonic_ns()}"
    try:
        cgroup.mkdir()
        yield str(cgroup)
    finally:
        remove_cgroup(cgroup)
        os.close(hierarchy)


def is_left_behind(cgroup: Path) -> bool:
    """Whether who made a cgroup is gone, and nothing is in it."""
    maker = cgroup.name.split("-")[1]
    return (
        not Path("/proc", maker).exists()
        and "populated 0" in (cgroup / "cgroup.events").read_text()
    )


def remove_cgroup(cgroup: Path) -> None:
    """Remove a cgroup, which nothing is in, with those below it."""
    for directory, _, _ in os.walk(cgroup, topdown=False):
        os.rmdir(directory)


@contextmanager
def booted(directory: Path, temporary: Path, *, udev: bool = False) -> Iterator[Systemd]:
    """Boot a systemd, and end it with all that runs in it.

    Args:
        directory: an empty one to work in.
        temporary: what `Systemd.inside` is to see of this machine, writable.
        udev: whether udevd can run; then /sys is writable, as on a real machine.

    Raises:
        RuntimeError: it did not boot; with what it printed.

    """
    (directory / "console").touch()
    with new_cgroup() as cgroup, (directory / "console").open("a") as console:
        paths = {sys.prefix, sys.base_prefix, *filter(os.path.isdir, sys.path)}
        program = [sys.executable, "-I", booting.__file__, str(directory), cgroup]
        process = subprocess.Popen(
            [*program, "rw" if udev else "ro", *sorted(paths)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=console, text=True,
        )  # fmt: skip
        with process:
            pid = 0
            try:
                pid = first_process(process)
                wait_until_booted(pid, process)
                yield Systemd(pid, temporary)
            except RuntimeError as error:
                error.add_note((directory / "console").read_text())
                raise
            finally:
                with suppress(ProcessLookupError):
                    os.kill(pid or process.pid, signal.SIGKILL)  # the kernel ends the others first


def first_process(process: "subprocess.Popen[str]") -> int:
    """Return the pid of PID 1."""
    assert process.stdout
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("systemd did not start")
    return int(line)


def wait_until_booted(pid: int, process: "subprocess.Popen[str]") -> None:
    """Return when its default target is reached; there is no event for that which reaches us."""
    deadline = time.monotonic() + BOOT
    root = Path(f"/proc/{pid}/root")
    while not (root / "run/booted").exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"systemd did not boot in {BOOT} s")
        time.sleep(0.01)


def skip_without(**programs: str) -> None:
    """Skip a test, with the reason, where it cannot have a systemd: `programs` by package."""
    if os.geteuid():
        pytest.skip("needs root: a systemd of its own")
    missing = [package for package, program in programs.items() if not os.path.exists(program)]
    if missing:
        pytest.skip(f"needs what is not installed: apt install {' '.join(missing)}")


@pytest.fixture(scope="session")
def systemd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Systemd]:
    """A booted systemd, the same one for all tests."""
    skip_without(systemd=booting.SYSTEMD, dbus="/usr/bin/dbus-daemon")
    with booted(tmp_path_factory.mktemp("systemd"), tmp_path_factory.getbasetemp()) as one:
        yield one


@pytest.fixture(scope="session")
def systemd_udev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Systemd]:
    """A booted systemd with udevd, the same one for all tests; `udevadm trigger` is not called."""
    udevd = "/usr/lib/systemd/systemd-udevd"
    skip_without(systemd=booting.SYSTEMD, dbus="/usr/bin/dbus-daemon", udev=udevd)
    with booted(tmp_path_factory.mktemp("udev"), tmp_path_factory.getbasetemp(), udev=True) as one:
        one.run(["systemctl", "start", "systemd-udevd.service"])
        yield one


@pytest.fixture
def inside_systemd(systemd: Systemd) -> Iterator[Systemd]:
    """Run the test inside the booted systemd (`Systemd.inside`)."""
    with systemd.inside():
        yield systemd

"""Which processes there are, which of them are meant, and which are never touched.

A pid alone does not say which process is meant: the kernel gives it to another one later. The pid
together with the start time does, until the next boot. The kernel's own line about a process
(`/proc/PID/stat`) has both, in clock ticks since boot, which no step of the wall clock moves.
Whatever costs more than that line (a long name, the command line, the user) is read through psutil,
and only of processes that may be meant.
"""

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

KERNEL_THREAD = 0x00200000  # PF_KTHREAD
CUT = 15  # bytes that the kernel keeps of a name
LONGEST = 4096  # characters of a command line that are searched


class Entry(NamedTuple):
    """One process, as the kernel tells it.

    name: as in /proc/PID/comm, at most 15 bytes.
    state: the kernel's letter: R S D run or wait, T is stopped, t held by a debugger, Z X have
        ended.
    start: ticks from boot to its start; with the pid it tells one process from all others.

    Source: proc_pid_stat(5).
    """

    pid: int
    name: str
    state: str
    parent: int
    flags: int
    start: int

    @property
    def identity(self) -> tuple[int, int]:
        """What tells it from every other process until the next boot."""
        return self.pid, self.start

    @property
    def is_paused(self) -> bool:
        """Whether it is stopped, by a signal or a debugger."""
        return self.state in "Tt"

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended; what has ended may wait in the table for its parent."""
        return self.state not in "ZX"


def read(pid: int) -> Entry | None:
    """Return the process that has `pid` now; None if there is none, or it is hidden from us."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            line = file.read()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    before, _, after = line.rpartition(b")")  # a name may hold blanks and parentheses
    name = before.partition(b"(")[2].decode(errors="replace")
    fields = after.split()
    state, parent, flags, start = (fields[i] for i in (0, 1, 6, 19))
    return Entry(pid, name, state.decode(), int(parent), int(flags), int(start))


def ancestry(pid: int) -> Iterator[int]:
    """Yield `pid`, its parent and so on, up to the first process of the machine."""
    while pid > 0 and (entry := read(pid)) is not None:
        yield pid
        pid = entry.parent


def untouchable() -> frozenset[int]:
    """Return the pids that are never sent a signal, so that nobody saws off the branch he sits on.

    The first process; this one and all it descends from, so its shell, its terminal and the
    service that started it; the leader of its session and all that one descends from.
    """
    return frozenset({1, *ancestry(os.getpid()), *ancestry(os.getsid(0))})


class Selection(NamedTuple):
    """Which processes are meant: those that fit in every regard that is given.

    name: the whole name; empty fits every one.
    pattern: searched in the name; None fits every one.
    whole: search the pattern in the command line, its arguments joined by blanks, instead.
    pid: the pid; 0 fits every one.
    user: name or number of the effective user; empty fits every one, one that does not exist none.
    """

    name: str = ""
    pattern: re.Pattern[str] | None = None
    whole: bool = False
    pid: int = 0
    user: str = ""

    def fits(self, entry: Entry) -> bool:
        """Return whether `entry` is meant; not whether it may be touched."""
        if not entry.is_alive or self.pid not in (0, entry.pid):
            return False
        if self.name and self.name != full_name(entry):
            return False
        if self.pattern and not self.pattern.search(self._searched(entry)):
            return False
        return not self.user or user_number(self.user) == effective_user(entry.pid)

    def _searched(self, entry: Entry) -> str:
        return (self.whole and command_line(entry.pid)[:LONGEST]) or full_name(entry)


def scan(selection: Selection) -> list[Entry]:
    """Return the processes that are meant and may be touched, by pid. Blocks some milliseconds."""
    import psutil

    spared = untouchable()
    pids = (selection.pid,) if selection.pid else psutil.pids()
    entries = (read(pid) for pid in pids if pid not in spared)
    return [entry for entry in entries if entry and is_ordinary(entry) and selection.fits(entry)]


def fits_untouchable(selection: Selection) -> bool:
    """Return whether `selection` means something that is never touched."""
    entries = (read(pid) for pid in untouchable())
    return any(entry and selection.fits(entry) for entry in entries)


def is_ordinary(entry: Entry) -> bool:
    """Return whether `entry` is a program rather than a thread of the kernel."""
    return not entry.flags & KERNEL_THREAD


def full_name(entry: Entry) -> str:
    """Return the name; where the kernel has cut it, the file name of the first argument."""
    if len(entry.name.encode()) < CUT:
        return entry.name
    import psutil

    try:
        return psutil.Process(entry.pid).name()
    except psutil.Error:
        return entry.name


def command_line(pid: int) -> str:
    """Return the arguments of the process joined by blanks; "" if they cannot be known."""
    import psutil

    try:
        return " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return ""


def effective_user(pid: int) -> int | None:
    """Return the number of the user with whose rights the process runs; None if it has ended."""
    import psutil

    try:
        return psutil.Process(pid).uids().effective
    except psutil.Error:
        return None


def user_number(user: str) -> int:
    """Return the number of `user`, a name or a number; -1 if there is no such user."""
    import pwd

    if user.isdecimal():
        return int(user)
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return -1

"""Which processes there are, and which of them fit: the kernel's table in /proc, read without loss.

A pid alone does not say which process is meant: the kernel gives it to another one later. The pid
together with the start time does, until the next boot. The kernel's own line about a process
(`/proc/PID/stat`) has both, in clock ticks since boot, which no step of the wall clock moves.
Whatever costs more than that line (a long name, the command line, the user) is read only of
processes that may fit.
"""

import os
import re
from signal import SIGSTOP
from typing import NamedTuple

CUT = 15  # bytes that the kernel keeps of a name
LONGEST = 4096  # characters of a command line that are searched
LOOKS = 10  # at the table, for one list of it; the second finds something on a busy machine only
VFORK = ("kernel_clone", "wait_for_vfork_done", "_do_fork")  # functions, of several kernels


class Entry(NamedTuple):
    """One process, as the kernel tells it.

    name: as in /proc/PID/comm, at most 15 bytes.
    state: the kernel's letter: R S D run or wait, T is stopped, t held by a debugger, Z X have
        ended. T also for one that waits in vfork(2) and will stop before its next step, because
        the child it waits for may be stopped too, and then neither moves.
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


class Selection(NamedTuple):
    """Which processes are meant: those that fit in every regard that is given.

    name: the whole name; empty fits every one.
    pattern: searched in the name; None fits every one.
    whole: search the pattern in the command line, its arguments joined by blanks, instead.
    pid: the pid; 0 fits every one.
    user: name or number of the effective user; empty fits every one, one that does not exist none.
    start: the start time that tells the process with `pid` from later ones; 0 fits every one.
    """

    name: str = ""
    pattern: re.Pattern[str] | None = None
    whole: bool = False
    pid: int = 0
    user: str = ""
    start: int = 0

    def pinned(self) -> "Selection":
        """Return it for just the process that has `pid` now, none if nobody has; as is without."""
        entry = read(self.pid) if self.pid else None
        return self._replace(start=entry.start if entry else -1) if self.pid else self

    def fits(self, entry: Entry) -> bool:
        """Return whether `entry` is meant; one that has ended is not."""
        if not entry.is_alive or self.pid not in (0, entry.pid):
            return False
        if self.start not in (0, entry.start):
            return False
        if self.name and self.name != full_name(entry):
            return False
        if self.pattern and not self.pattern.search(self._searched(entry)):
            return False
        return not self.user or user_number(self.user) == effective_user(entry.pid)

    def _searched(self, entry: Entry) -> str:
        return (self.whole and command_line(entry.pid)[:LONGEST]) or full_name(entry)


def read(pid: int) -> Entry | None:
    """Return the process that has `pid` now; None if there is none, or it is hidden from us."""
    before, _, after = _content(pid, "stat").rpartition(b")")  # a name may hold ") R" itself
    if not before:
        return None
    name = before.partition(b"(")[2].decode(errors="replace")
    fields = after.split()
    state, parent, flags, start = (fields[i].decode() for i in (0, 1, 6, 19))
    if state == "D" and _stops_after_vfork(pid):
        state = "T"
    return Entry(pid, name, state, int(parent), int(flags), int(start))


def everything() -> list[Entry]:
    """Return all processes there are, by pid. Blocks some milliseconds.

    One that forks and ends between the list of pids and the look at its own would take its child
    along unseen. So pids that are new are looked for again, until all that were found are met.
    """
    met: dict[int, Entry | None] = {}
    for _ in range(LOOKS):
        new = {pid: read(pid) for pid in _pids() if pid not in met}
        met |= new
        if None not in new.values():
            break
    return [entry for _, entry in sorted(met.items()) if entry]


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def threads(pid: int) -> list[Entry]:
    """Return all threads of a process, each with its own state; none if it has ended."""
    return [entry for number in _tasks(pid) if (entry := read(number))]


def full_name(entry: Entry) -> str:
    """Return the name; where the kernel has cut it, the file name of the first argument."""
    if len(entry.name.encode()) < CUT:
        return entry.name
    first, _, others = _arguments(entry.pid).partition("\0")
    if not others:  # it may have written something else over its arguments: "name: waiting"
        first = first.partition(" ")[0]
    name = os.path.basename(first)
    return name if name.startswith(entry.name) else entry.name


def command_line(pid: int) -> str:
    """Return the arguments of the process joined by blanks; "" if they cannot be known."""
    return _arguments(pid).replace("\0", " ")


def _arguments(pid: int) -> str:
    return _content(pid, "cmdline").decode(errors="replace").rstrip("\0")


def effective_user(pid: int) -> int | None:
    """Return the number of the user with whose rights the process runs; None if it has ended."""
    numbers = _status(pid, b"Uid:").split()  # real, effective, saved, of the file system
    return int(numbers[1]) if numbers else None


def user_number(user: str) -> int:
    """Return the number of `user`, a name or a number; -1 if there is no such user."""
    import pwd

    if user.isdecimal():
        return int(user)
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return -1


def _stops_after_vfork(pid: int) -> bool:
    """Return whether a process waits in vfork, and stops as soon as it waits no longer.

    Other waits that no signal ends do not count: a fork may be among them, and go on.
    """
    if _content(pid, "wchan").decode() not in VFORK:
        return False
    if int(_status(pid, b"ShdPnd:") or b"0", 16) >> (SIGSTOP - 1) & 1:
        return True
    # another thread has taken the signal already, for all of them
    return any(_status(thread, b"State:").split()[:1] == [b"T"] for thread in _tasks(pid))


def _tasks(pid: int) -> list[int]:
    try:
        return [int(name) for name in os.listdir(f"/proc/{pid}/task")]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _status(pid: int, word: bytes) -> bytes:
    """Return what stands after `word` in the long form of a process's state; nothing if it is gone."""
    for line in _content(pid, "status").splitlines():
        if line.startswith(word):
            return line.removeprefix(word)
    return b""


def _content(pid: int, file: str) -> bytes:
    """Return a file of a process; nothing if it has ended, or hides that from us."""
    try:
        with open(f"/proc/{pid}/{file}", "rb", buffering=0) as stream:
            return stream.readall()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""

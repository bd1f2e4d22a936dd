"""The processes of this machine: which fit, and the kernel's news of them."""

import os
import re
from typing import NamedTuple

from setpoint.processes.connector import Connector
from setpoint_sys.sources import Source

CUT = 15  # bytes that the kernel keeps of a name
LONGEST = 4096  # characters of a command line that are searched


class Stir(NamedTuple):
    """Pids of processes that have started or were renamed, and of those that have ended."""

    born: set[int]
    gone: set[int]


class Population(Source):
    """Tells of a `Stir`; use it as `host.shared(Population)`. Begins where the kernel tells us of processes only."""

    def begin(self) -> None:
        """Open the kernel's socket."""
        self._connector = Connector(self._told)

    def end(self) -> None:
        """Close it."""
        self._connector.close()

    def _told(self, born: set[int], gone: set[int], lost: bool) -> None:
        self.tell(None if lost else Stir(born, gone))


class Table:
    """The processes that fit.

    Args:
        pattern: searched in their names.
        whole: search it in their command lines instead.
        user: name or number of the effective user; empty is any.

    """

    def __init__(self, pattern: re.Pattern[str], whole: bool, user: str) -> None:
        self._pattern, self._whole, self._user = pattern, whole, user
        self._known: frozenset[int] = frozenset()
        self._looking = False

    def look(self) -> list[int]:
        """Return their pids in ascending order. Blocks some milliseconds."""
        import psutil  # 20 ms

        self._looking = True
        try:
            user = number_of(self._user) if self._user else None
            found = [pid for pid in psutil.pids() if self._fits(pid, user)]
            self._known = frozenset(found)
        finally:
            self._looking = False
        return sorted(found)

    def is_concerned(self, stir: Stir) -> bool:
        """Whether another look may find something else."""
        if self._looking or self._known & stir.gone:
            return True
        user = number_of(self._user) if self._user else None
        return any((pid in self._known) != self._fits(pid, user) for pid in stir.born)

    def _fits(self, pid: int, user: int | None) -> bool:
        if pid == os.getpid():
            return False
        text = (self._whole and command_line(pid)) or name_of(pid)
        if not text or not self._pattern.search(text):
            return False
        return is_alive(pid) and (user is None or user == effective_user(pid))


def name_of(pid: int) -> str:
    """Return the name; where the kernel has cut it, the file name of the first argument. "" if it is gone."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            name = file.read().rstrip("\n")
    except OSError:
        return ""
    if len(name.encode()) < CUT:
        return name
    import psutil

    try:
        return psutil.Process(pid).name()
    except psutil.Error:
        return name


def command_line(pid: int) -> str:
    """Return the arguments joined by blanks; "" of a thread of the kernel, and if it is gone."""
    import psutil

    try:
        return " ".join(psutil.Process(pid).cmdline())[:LONGEST]
    except psutil.Error:
        return ""


def is_alive(pid: int) -> bool:
    """Whether it has not ended; what has may wait in the table for its parent."""
    import psutil

    try:
        return psutil.Process(pid).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.Error:
        return False


def effective_user(pid: int) -> int | None:
    """Return the number of the user with whose rights it runs; None if it is gone."""
    import psutil

    try:
        return psutil.Process(pid).uids().effective
    except psutil.Error:
        return None


def number_of(user: str) -> int:
    """Return the number of a user, given by name or number; -1 if there is none."""
    import pwd

    if user.isdecimal():
        return int(user)
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return -1

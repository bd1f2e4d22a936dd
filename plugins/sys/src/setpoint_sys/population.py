"""The processes of this machine: which fit, and the kernel's news of them."""

import os
import re
from collections.abc import Awaitable, Callable
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
    """Tells of a `Stir`; use it as `host.shared(Population)`. Begins where the kernel tells us of processes only.

    is_told: whether it has begun.
    """

    is_told = False

    def begin(self) -> None:
        """Open the kernel's socket."""
        self._connector = Connector(self._told)
        self.is_told = True

    def end(self) -> None:
        """Close it."""
        self._connector.close()
        self.is_told = False

    def _told(self, born: set[int], gone: set[int], lost: bool) -> None:
        self.tell(None if lost else Stir(born, gone))


class Pattern(NamedTuple):
    """Which processes are meant.

    expression: searched in the name.
    whole: search it in the command line instead.
    user: name or number of the effective user; empty is any.
    """

    expression: re.Pattern[str]
    whole: bool
    user: str

    def fits(self, pid: int) -> bool:
        """Whether the process that has `pid` now is meant; this program is not."""
        if pid == os.getpid():
            return False
        text = (self.whole and command_line(pid)) or name_of(pid)
        if not text or not self.expression.search(text) or not is_alive(pid):
            return False
        return not self.user or number_of(self.user) == effective_user(pid)

    def scan(self) -> set[int]:
        """Return all that fit. Blocks some milliseconds."""
        import psutil  # 20 ms

        return {pid for pid in psutil.pids() if self.fits(pid)}


class Roll:
    """The pids of the processes that fit: looked for once, then kept by what the kernel tells.

    Args:
        pattern: what they are to fit.
        population: what tells.
        scan: returns all that fit the pattern, looked for in a thread.

    """

    def __init__(
        self, pattern: Pattern, population: Population, scan: Callable[[], Awaitable[set[int]]]
    ) -> None:
        self._pattern, self._population, self._scan = pattern, population, scan
        self._pids: set[int] = set()
        self._is_known = self._is_looking = False
        self._late: list[Stir | None] = []  # what was told during a look

    async def read(self) -> list[int]:
        """Return the pids in ascending order."""
        if not (self._is_known and self._population.is_told):
            await self._look()
        return sorted(self._pids)

    async def _look(self) -> None:
        """Look for all of them, then take over what was told meanwhile."""
        self._is_looking = True
        try:
            self._pids = await self._scan()
        finally:
            self._is_looking = False
        self._is_known = True
        late, self._late = self._late, []
        for stir in late:
            self.note(stir)

    def note(self, stir: Stir | None) -> bool:
        """Take over what the kernel tells, None if it told too fast; return whether there is something new."""
        if self._is_looking:
            self._late.append(stir)
            return stir is None
        if stir is None:
            self._is_known = False
            return True
        before = len(self._pids), self._pids & (stir.born | stir.gone)
        self._pids -= stir.gone
        for pid in stir.born:
            (self._pids.add if self._pattern.fits(pid) else self._pids.discard)(pid)
        return before != (len(self._pids), self._pids & (stir.born | stir.gone))


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

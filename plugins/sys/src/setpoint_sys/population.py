"""The processes of this machine: which fit, and the kernel's news of them."""

import os
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from setpoint.processes.connector import Connector
from setpoint.processes.proc import Selection, everything, read
from setpoint_sys.sources import Source


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


class Roll:
    """The pids of the processes that are meant: looked for once, then kept by what the kernel tells.

    Args:
        selection: which are meant.
        population: what tells.
        scan: returns all that are meant, looked for in a thread.

    """

    def __init__(
        self, selection: Selection, population: Population, scan: Callable[[], Awaitable[set[int]]]
    ) -> None:
        self._selection, self._population, self._scan = selection, population, scan
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
            (self._pids.add if fits(self._selection, pid) else self._pids.discard)(pid)
        return before != (len(self._pids), self._pids & (stir.born | stir.gone))


def fits(selection: Selection, pid: int) -> bool:
    """Whether the process that has `pid` now is meant; this program is not."""
    entry = read(pid) if pid != os.getpid() else None
    return entry is not None and selection.fits(entry)


def scan(selection: Selection) -> set[int]:
    """Return all that fit, but for this program. Blocks some milliseconds."""
    found = {entry.pid for entry in everything() if selection.fits(entry)}
    return found - {os.getpid()}

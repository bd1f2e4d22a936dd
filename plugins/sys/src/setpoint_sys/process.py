"""The fact `process`."""

import re
from collections.abc import AsyncGenerator

from setpoint import Fact, ParamError, Values
from setpoint.processes.proc import Selection
from setpoint_sys.population import Population, Roll, scan
from setpoint_sys.reading import follow, patiently
from setpoint_sys.sources import Otherwise
from setpoint_sys.ticker import Every, Ticker


class Process(Fact):
    """The processes that fit a pattern: how many, and which.

    Threads of the kernel count, this program and what has ended do not. The kernel tells of processes that start, are
    renamed or end; where it does not (to users before Linux 6.6, in containers) they are looked at by a timer.

    name: a regular expression that is searched in the names, so "^stress" fits stress and stress-ng; a name is that in
        /proc/PID/comm, or where the kernel cut it at 15 bytes the file name of the first argument. Empty fits all.
    cmdline: search it in the command lines, the arguments joined by blanks, up to 4096 characters.
    user: name or number of the effective user; empty is any, one that does not exist fits no process.
    every: seconds between looks where the kernel does not tell, 0.1 to 86400.

    Source: proc_pid_comm(5), Documentation/driver-api/connector.rst.
    """

    kind = "process"
    cmdline: bool = False
    user: str = ""
    every: Every = 2.0

    class Value(Values):
        """The processes that fit.

        count: how many there are.
        pids: which they are, in ascending order.
        """

        count: int
        pids: list[int]

    def __post_init__(self) -> None:
        try:
            re.compile(self.name if isinstance(self.name, str) else "")
        except re.error as error:
            rule = f"must be a regular expression, not {self.name!r}: {error}"
            raise ParamError("name", rule) from None

    def watch(self) -> AsyncGenerator["Process.Value", None]:
        """Yield the processes, then what has become of them."""
        population = self.host.shared(Population)
        selection = Selection(pattern=re.compile(self.name), whole=self.cmdline, user=self.user)
        roll = Roll(selection, population, lambda: patiently(self, lambda: scan(selection)))

        async def read() -> Process.Value:
            pids = await roll.read()
            return self.Value(count=len(pids), pids=pids)

        timer = self.host.shared(Ticker).every(self.every)
        return follow(Otherwise(population.listen(roll.note), timer), read)

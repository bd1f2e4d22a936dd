"""The `process` resource: keeps processes running, paused or absent.

table.py       which processes are meant, which are never touched
signals.py     pausing and continuing, never the wrong one
ending.py      asking to end, then killing
record.py      who was paused by us, kept over a kill
observing.py   noticing that they appear, stop, go on and vanish
commands.py    `setpoint pause` and `setpoint continue`
"""

import re
from functools import cached_property
from signal import Signals
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from setpoint import REWATCH, Change, ParamError, Refused, Resource, Values, hookimpl
from setpoint.errors import suggest
from setpoint.processes.proc import Selection, read
from setpoint.resource import Seconds
from setpoint.watching import Subscription
from setpoint_process.table import is_ordinary, scan, untouchable

if TYPE_CHECKING:
    from setpoint.processes.proc import Entry
    from setpoint_process.record import Notebook
    from setpoint_process.signals import Outcome


class Process(Resource):
    """Programs that are to run, to stand still, or not to be there.

    It signals what there is and starts nothing: use `svc` or `exec` for that. Meant are the
    processes that fit in every regard that is given; those that appear later are met as they
    appear. Never touched are the first process, threads of the kernel, this program, and all that
    it descends from (its shell, its terminal, its service).

    name: the exact name of the processes, unless match or pid is given; then any text.
    match: a regular expression that is searched in the name, so "^stress" fits stress and
        stress-ng; the name is that in /proc/PID/comm, or where the kernel cut it at 15 bytes the
        file name of the first argument. Empty is no expression.
    cmdline: search `match` in the command line, its arguments joined by blanks, up to 4096
        characters.
    pid: the one process with this pid, from 1; 0 is any. Never 1, and none that is never touched.
        Meant is the one that has it at the first look, or was paused with it before a restart: not
        one that gets the pid later.
    user: name or number of the effective user; empty is any, one that does not exist fits no
        process.
    state: running continues what is stopped, whoever stopped it, but leaves what a debugger holds;
        paused stops; absent ends.
    signal: what asks a process to end if it is to be absent: a name as in kill -l, such as TERM or
        INT.
    grace: seconds from the signal to KILL, from 0; 0 kills right after the signal.

    Sends `pids`: the pids of the processes that are meant, in ascending order.
    """

    kind = "process"

    match: Annotated[str, REWATCH] = ""
    cmdline: Annotated[bool, REWATCH] = False
    pid: Annotated[int, msgspec.Meta(ge=0, le=2**22), REWATCH] = 0
    user: Annotated[str, REWATCH] = ""
    state: Literal["running", "paused", "absent"] = "running"
    signal: str = "TERM"
    grace: Seconds = 10.0

    class Sends(Values):
        """What others may receive."""

        pids: list[int]

    def __post_init__(self) -> None:
        try:
            re.compile(self.match)
        except re.error as error:
            raise ParamError(
                "match", f"must be a regular expression, not {self.match!r}: {error}"
            ) from None
        if signal_number(self.signal) is None:
            cure = suggest(self.signal, (name[3:] for name in Signals.__members__))
            raise ParamError("signal", f"must be the name of a signal, not {self.signal!r}", cure)
        if self.cmdline and not self.match:
            raise ParamError("cmdline", "must have an expression to search for", "set match")

    @cached_property
    def selection(self) -> Selection:
        """Which processes are meant; found out once, so that a pid goes on to mean the same one."""
        name = "" if self.match or self.pid else self.name
        pattern = re.compile(self.match) if self.match else None
        selection = Selection(name, pattern, self.cmdline, self.pid, self.user)
        start = self._notebook().read().start_of(self.pid) if self.pid else 0
        return selection._replace(start=start) if start else selection.pinned()

    @hookimpl
    def watch(self) -> Subscription:
        """Look again when such a process appears, stops, goes on or vanishes."""
        from setpoint_process.observing import Observation, observer

        observation = Observation(observer(self.host), self.selection)
        self.memory["observation"] = observation
        return observation

    def check(self) -> list[Change]:
        """Find the processes that are in another state."""
        self._refuse_the_untouchable()
        from setpoint_process.signals import pids

        wrong = [entry for entry in self._look() if self._is_wrong(entry)]
        if not wrong:
            return []
        before = (
            "paused"
            if self.state == "running"
            else "running"
            if self.state == "paused"
            else "present"
        )
        return [Change("state", f"{before}: {pids(wrong)}", self.state)]

    async def apply(self, changes: list[Change]) -> None:
        """Signal the processes that are in another state.

        Raises:
            PermissionError: some belong to other users; the rest has been signalled.
            TimeoutError: some do not stop or end, or appear too fast.

        """
        outcome, verb = await self._signal()
        await self.host.in_thread(self._look)
        outcome.check(verb)

    @hookimpl
    def send(self) -> Sends:
        """Hand out the pids that the last look found."""
        return self.Sends(pids=self.memory.get("pids", []))

    async def _signal(self) -> "tuple[Outcome, str]":
        from setpoint_process.ending import end
        from setpoint_process.signals import pause

        if self.state == "absent":
            number = signal_number(self.signal) or Signals.SIGTERM
            return await end(self.selection, number, self.grace, self.host.in_thread), "end"
        if self.state == "paused":
            return await self.host.in_thread(pause, self.selection, self._notebook().add), "pause"
        return await self.host.in_thread(self._resume), "continue"

    def _resume(self) -> "Outcome":
        from setpoint_process.signals import resume

        outcome = resume(entry for entry in scan(self.selection) if self._is_wrong(entry))
        self._notebook().keep(outcome.denied)
        return outcome

    def _look(self) -> "list[Entry]":
        """Return the processes that are meant, and remember them to send and to compare."""
        found = scan(self.selection)
        self.memory["pids"] = [entry.pid for entry in found]
        if "observation" in self.memory:
            self.memory["observation"].note(found)
        return found

    def _is_wrong(self, entry: "Entry") -> bool:
        """Return whether `entry` is in another state than declared."""
        if self.state == "running":
            return entry.state == "T"
        return self.state == "absent" or not entry.is_paused

    def _notebook(self) -> "Notebook":
        from setpoint_process.record import FILE, Notebook

        return Notebook(self.host.state_path(self) / FILE, self.host, self.id)

    def _refuse_the_untouchable(self) -> None:
        """Raise Refused if the pid is one that is never touched, rather than find nothing to do."""
        entry = read(self.pid) if self.pid else None
        if entry and (self.pid in untouchable() or not is_ordinary(entry)):
            raise Refused(
                f"pid must not be the first process, a kernel thread, this program or one that it "
                f"descends from, not {self.pid} ({entry.name})",
                "give the pid of another process",
            )


def signal_number(name: str) -> Signals | None:
    """Return the signal called `name`, with or without SIG in front; None if there is none."""
    return Signals.__members__.get("SIG" + name.removeprefix("SIG"))

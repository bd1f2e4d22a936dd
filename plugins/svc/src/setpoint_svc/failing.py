"""Units that fail: why, in the words of their journal, and when they are better left alone."""

from collections import deque
from collections.abc import Mapping
from typing import Any

from setpoint import Refused
from setpoint.clock import Clock
from setpoint.dbus.manager import Manager
from setpoint.dbus.units import Unit
from setpoint.host import Host

LINES = 10  # of the journal
PATIENCE = 10.0  # seconds for the journal to be read
MOST, WITHIN = 3, 60.0  # starts that fail, and in how many seconds
RESTARTS = 3  # by systemd itself, one after the other


class Starts:
    """The starts of a unit that had failed.

    Args:
        clock: tells when.

    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begun: deque[float] = deque(maxlen=MOST)

    def forget(self) -> None:
        """Begin anew: something has changed that may have mended it."""
        self._begun.clear()

    async def begin(self, host: Host, manager: Manager, unit: Unit, session: bool) -> None:
        """Take note that `unit` is about to be started.

        Raises:
            Refused: it has failed so often, by our starts or those of systemd, that it is better left alone.

        """
        why = ""
        if unit.active_state == "inactive":
            why = await _why_it_ends(manager, unit)
        elif unit.sub_state.startswith("auto-restart"):
            count = await manager.property(unit.name, "NRestarts", "Service")
            if count >= RESTARTS:
                why = f"it crashes again and again, systemd has restarted it {count} times"
        elif unit.active_state == "failed":
            why = self._why_not_again()
        if why:
            raise Refused(why + await journal(host, unit.name, session))

    def _why_not_again(self) -> str:
        """Return why a unit that has failed is not started again; empty if it is."""
        now = self._clock.monotonic()
        if len(self._begun) == MOST and now - self._begun[0] < WITHIN:
            return f"it fails right after it is started, {MOST} times in {WITHIN:g} s"
        self._begun.append(now)
        return ""


async def _why_it_ends(manager: Manager, unit: Unit) -> str:
    """Return why a unit cannot be kept running; empty if it can."""
    if unit.type != "service" or await manager.property(unit.name, "Type", "Service") != "oneshot":
        return ""
    if await manager.property(unit.name, "RemainAfterExit", "Service"):
        return ""
    return (
        f"{unit.name} ends when its work is done, so it cannot be kept running (Type=oneshot); "
        "give it RemainAfterExit=yes, or a timer"
    )


async def failure(
    host: Host, manager: Manager, unit: Unit, verb: str, result: str, session: bool
) -> ChildProcessError:
    """Return the error for a job that did not have its effect.

    Args:
        host: runs journalctl.
        manager: knows more of the unit.
        unit: as it is after the job.
        verb: what was to be done: "start".
        result: that of the job.
        session: whether it is a unit of a user's session.

    """
    found = await manager.properties(unit)
    why = f"systemd could not {verb} {unit.name}, {_reason(unit, found, result)}"
    return ChildProcessError(why + await journal(host, unit.name, session))


def _reason(unit: Unit, found: Mapping[str, Any], result: str) -> str:
    """Return what became of a job and of the unit."""
    words = [] if result in ("done", "") else [f"its job ended with {result!r}"]
    words.append(f"it is {unit.active_state} ({unit.sub_state})")
    if found.get("Result", "success") != "success":
        status = found.get("ExecMainStatus", 0)
        words.append(f"result {found['Result']!r}" + (f", status {status}" if status else ""))
    if unit.load_state not in ("loaded", "masked"):
        words.append(f"{unit.load_state}: {found.get('LoadError', ('', ''))[1]}")
    return ", ".join(words)


async def journal(host: Host, name: str, session: bool) -> str:
    """Return the last lines of the journal about a unit, each on a line of its own; empty if there are none."""
    which = "--user-unit" if session else "--unit"
    argv = ["journalctl", f"{which}={name}", f"--lines={LINES}", "--output=cat", "--quiet"]
    try:
        done = await host.processes.run(
            [*argv, "--no-pager"], timeout=PATIENCE, limit=8192, env={"LC_ALL": "C"}
        )
    except OSError:  # the journal is a help, and not there on every machine
        return ""
    return "".join(f"\n  {line}" for line in done.stdout.splitlines())

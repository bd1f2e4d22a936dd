"""Units that fail, and when they are better left alone."""

from collections import deque

from setpoint import Refused
from setpoint.clock import Clock
from setpoint.dbus.effects import journal
from setpoint.dbus.manager import Manager
from setpoint.dbus.units import Unit
from setpoint.host import Host

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
        self._since = 0.0  # wall time of the last one

    def forget(self) -> None:
        """Begin anew: something has changed that may have mended it."""
        self._begun.clear()

    async def begin(self, host: Host, manager: Manager, unit: Unit) -> None:
        """Take note that `unit` is about to be started, and have systemd allow it.

        What systemd counts, its own starts too, is forgotten before the first of ours: it may have been mended since.

        Raises:
            Refused: it has failed so often, by our starts or those of systemd, that it is better left alone.

        """
        why, since = "", 0.0
        if unit.active_state == "inactive":
            why = await _why_it_ends(manager, unit)
        elif unit.sub_state.startswith("auto-restart"):
            count = await manager.property(unit.name, "NRestarts", "Service")
            if count >= RESTARTS:
                why = f"it crashes again and again, systemd has restarted it {count} times"
        elif unit.active_state == "failed":
            why, since = await self._why_not_again(manager, unit), self._since
        if why:
            raise Refused(why + await journal(host, manager, unit.name, since))

    async def _why_not_again(self, manager: Manager, unit: Unit) -> str:
        """Return why a unit that has failed is not started again; empty if it is."""
        now = self._clock.monotonic()
        if self._begun and now - self._begun[-1] >= WITHIN:
            self.forget()
        if len(self._begun) == MOST and now - self._begun[0] < WITHIN:
            return f"it fails right after it is started, {MOST} times in {WITHIN:g} s"
        if not self._begun:
            await manager.reset_failed(unit.name)
        self._begun.append(now)
        self._since = self._clock.wall()
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

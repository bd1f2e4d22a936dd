"""What systemd is asked to do with a unit, and whether it had the effect that it should."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from setpoint.dbus.results import story
from setpoint.dbus.units import Unit

if TYPE_CHECKING:
    from setpoint.dbus.manager import Manager
    from setpoint.host import Host

LINES = 10  # of the journal
PATIENCE = 10.0  # seconds for the journal to be read
MEMBERS = {
    "start": "StartUnit",
    "stop": "StopUnit",
    "restart": "RestartUnit",
    "reload": "ReloadUnit",
    "try-restart": "TryRestartUnit",
    "reload-or-try-restart": "ReloadOrTryRestartUnit",
}


async def have_done(
    host: "Host", manager: "Manager", verb: str, name: str, is_done: Callable[[Unit], bool]
) -> None:
    """Have systemd do something with a unit, wait until that has ended, and see that it had its effect.

    Args:
        host: runs journalctl.
        manager: the systemd.
        verb: one of `MEMBERS`.
        name: the full name of the unit.
        is_done: whether the unit is as it should be now.

    Raises:
        ChildProcessError: it is not; with what became of it, and what its journal says since then.
        Refused, OSError: as of the methods of `manager`.

    """
    since = host.clock.wall()
    result = await manager.job(MEMBERS[verb], name)
    unit = await manager.unit(name)
    if result in ("done", "") and is_done(unit):
        return
    why = story(verb, unit, await manager.properties(unit), result)
    raise ChildProcessError(why + await journal(host, manager, unit.name, since))


async def journal(host: "Host", manager: "Manager", name: str, since: float) -> str:
    """Return the last lines of the journal about a unit, each on a line of its own; empty if there are none.

    Args:
        host: runs journalctl.
        manager: the systemd.
        name: the full name of the unit.
        since: wall time; what is older is left out, as it is about something that is over.

    """
    which = "--user-unit" if manager.is_user else "--unit"
    argv = ["journalctl", f"{which}={name}", f"--since=@{since:.6f}", f"--lines={LINES}"]
    try:
        done = await host.processes.run(
            [*argv, "--output=cat", "--quiet", "--no-pager"],
            timeout=PATIENCE,
            limit=8192,
            env={"LC_ALL": "C"},
        )
    except OSError:  # the journal is a help, and not there on every machine
        return ""
    return "".join(f"\n  {line}" for line in done.stdout.splitlines())

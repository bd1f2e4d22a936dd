"""The calls that systemd answers, with patience while it is on its way back to the bus."""

import asyncio
from typing import Any

from setpoint.dbus.bus import Body, Bus
from setpoint.dbus.errors import CallDeniedError, CallError
from setpoint.errors import Refused

NAME = "org.freedesktop.systemd1"
PATH = "/org/freedesktop/systemd1"
MANAGER = f"{NAME}.Manager"
PROPERTIES = "org.freedesktop.DBus.Properties"
BOOTED = "/run/systemd/system"  # Source: sd_booted(3)
PATIENCE = 30.0  # seconds in which systemd comes back to the bus
RETRY = 0.05  # seconds between two looks whether it has
ABSENT = ("ServiceUnknown", "NameHasNoOwner", "NoReply", "Disconnected", "Spawn.ChildExited")


class Systemd:
    """A systemd on a bus.

    bus: on which it is.
    is_there: whether this machine was booted with it; else everything is refused.
    is_user: whether it is that of a user's session.
    """

    def __init__(self, bus: Bus, is_there: bool, is_user: bool = False) -> None:
        self.bus, self.is_there, self.is_user = bus, is_there, is_user

    async def ask(self, member: str, signature: str = "", *body: Any) -> Body:
        """Call a method of its manager; errors as of `call`."""
        return await self.call(PATH, MANAGER, member, signature, *body)

    async def call(
        self, path: str, interface: str, member: str, signature: str = "", *body: Any
    ) -> Body:
        """Call a method of one of its objects, and return what it answers.

        Raises:
            Refused: systemd is not running here, or only root may do this.
            OSError: it refuses, or does not answer.

        """
        if not self.is_there:
            why = f"systemd is not running here, found no {BOOTED}"
            raise Refused(why, "run this on a machine that was booted with systemd")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE
        while True:
            try:
                return await self.bus.call(NAME, path, interface, member, signature, *body)
            except CallDeniedError as error:
                why = f"systemd allows {member} to root only: {error.text.rstrip('.').lower()}"
                raise Refused(why, "run this as root") from None
            except CallError as error:
                if not error.name.endswith(ABSENT) or loop.time() > deadline:
                    raise
            await asyncio.sleep(RETRY)

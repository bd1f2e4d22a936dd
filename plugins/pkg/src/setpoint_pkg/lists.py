"""apt's lists of packages: how old they are, and their refreshing."""

import logging
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from setpoint_pkg.backend import Tell
from setpoint_pkg.commands import Commands
from setpoint_pkg.locks import wait_until_free

if TYPE_CHECKING:
    from setpoint.host import Host

LISTS = "/var/lib/apt/lists"
STAMP = "/var/lib/apt/periodic/update-success-stamp"  # some systems note here that they refreshed
PAUSE = 300.0  # seconds between two refreshments by one engine, whatever is asked


class Lists:
    """The lists of a machine, refreshed once for all who want it."""

    def __init__(self, host: "Host", commands: Commands) -> None:
        self._clock, self._commands = host.clock, commands
        self._tried: float | None = None

    @property
    def may_be_refreshed(self) -> bool:
        """Whether the last time is long enough ago."""
        return self._tried is None or self._clock.monotonic() - self._tried >= PAUSE

    def are_older(self, max_age: float) -> bool:
        """Whether they were refreshed more than `max_age` seconds ago, and may be again."""
        age = self._clock.wall() - max(_modified(LISTS), _modified(STAMP))
        return self.may_be_refreshed and not 0 <= age <= max_age

    async def freshen(self, max_age: float, tell: Tell) -> None:
        """Refresh them if they are older; if a source does not answer, that is logged, for the others did."""
        if not self.are_older(max_age):
            return
        self._tried = self._clock.monotonic()
        await wait_until_free(tell)
        tell("refreshes the lists of packages")
        done = await self._commands.apt_get("-o=APT::Update::Error-Mode=any", "update")
        if done.code == 0:
            os.utime(LISTS)  # apt leaves the time as it is if nothing was new
            return
        wrong = [line for line in done.output.splitlines() if line.startswith(("E: ", "W: "))]
        logging.getLogger("setpoint.pkg").warning(
            "apt could not refresh all lists of packages: %s", "; ".join(wrong) or done
        )


def _modified(path: str) -> float:
    with suppress(FileNotFoundError):
        return os.stat(path).st_mtime
    return 0.0

"""How apt's commands are run: without questions, in English, and with somebody who is told what they say."""

import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

from setpoint.processes import Completed, ProcessEnded

if TYPE_CHECKING:
    from setpoint.host import Host

APT = "/usr/bin/apt-get"
ENVIRONMENT = {
    "LC_ALL": "C",
    "HOME": "/root",  # scripts of packages expect one
    "DEBIAN_FRONTEND": "noninteractive",
    "DEBIAN_PRIORITY": "critical",
    "APT_LISTCHANGES_FRONTEND": "none",
    "UCF_FORCE_CONFFOLD": "1",  # ucf(1) does for some packages what dpkg does for most
}
OPTIONS = (
    "-q",
    "-y",
    "-o=DPkg::Lock::Timeout=120",  # if somebody takes a lock right after it was looked at
    "-o=DPkg::Options::=--force-confdef",
    "-o=DPkg::Options::=--force-confold",
)
GRACE = 60.0  # seconds: on SIGINT apt-get lets dpkg finish the package it is at

Say = Callable[[str], None]


def ignore(line: str) -> None:
    """Tell nobody."""


class Commands:
    """Runs apt-get, apt-cache, apt-mark and dpkg."""

    def __init__(self, host: "Host") -> None:
        self._processes = host.processes

    async def apt_get(self, *words: str, say: Say = ignore) -> Completed:
        """Run apt-get with `words`, and hand each line it says to `say`; return how it ended."""
        return await self.run(APT, *OPTIONS, *words, say=say)

    async def ask(self, *argv: str) -> str:
        """Return what a command says.

        Raises:
            ProcessEnded: its exit code was not 0.

        """
        done = await self._processes.run(argv, limit=1 << 25, env=ENVIRONMENT)
        if done.code != 0:
            raise ProcessEnded(argv[0], "must exit with 0", done)
        return done.stdout

    async def run(self, *argv: str, say: Say) -> Completed:
        """Run any of them; return how it ended."""
        return await self._processes.run(
            argv,
            on_line=lambda _, line: say(written(line)),
            env=ENVIRONMENT,
            stop_signal=signal.SIGINT,
            grace=GRACE,
        )


def written(line: str) -> str:
    """Return what of `line` is left on a terminal, where what comes after a return overwrites what was before."""
    return line.rstrip("\r").rpartition("\r")[2]

"""The tools of the shadow suite, run one at a time: each locks the files, and gives up soon if another has them."""

import asyncio
import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from setpoint.errors import ParamError, Refused

if TYPE_CHECKING:
    from setpoint.host import Host
    from setpoint.processes import Completed
    from setpoint.resource import Resource

PATIENCE = 60.0  # seconds to wait for the lock of others, an editor say
PAUSE = 0.25  # seconds between two tries
LONGEST_NAME = 32
LOCKED = ": cannot lock /etc/"  # what a tool says that gives up

# What exit codes of useradd, usermod, userdel, groupadd, groupmod and groupdel say; the others have but one.
MEANINGS = {
    1: "the files of users could not be written",
    3: "an argument is not one that it takes",
    4: "the number is taken",
    6: "a user or group that it needs is not in the files",
    8: "it is in use: by a process, or as the group of a user",
    9: "the name is taken",
    10: "the files of groups could not be written",
    12: "the home directory could not be made or removed",
}


class ToolFailed(OSError):  # noqa: N818 - an event, which a retry may mend
    """A tool ended with an error.

    Args:
        tool: its name.
        completed: how it ended; the message explains the exit code and has what the tool said.

    """

    def __init__(self, tool: str, completed: "Completed") -> None:
        meaning = MEANINGS.get(completed.code) if tool.startswith(("user", "group")) else None
        said = completed.output.strip().removeprefix(f"{tool}: ").replace("\n", "; ")
        words = ", ".join(filter(None, (str(completed), said)))
        super().__init__(f"{tool}: {meaning or 'it failed'}, found {words}")
        self.completed = completed


class Tools:
    """Runs useradd(8) and its like; one for all resources: `host.shared(Tools)`."""

    def __init__(self, host: "Host") -> None:
        self._host = host
        self._turn = asyncio.Lock()

    async def run(self, resource: "Resource", argv: Sequence[str], *, stdin: str = "") -> None:
        """Run a tool for `resource` when no other one runs.

        Args:
            resource: whose progress it is if others hold the lock.
            argv: the tool and its arguments, which everybody on the machine can see.
            stdin: what it reads; secrets go here.

        Raises:
            Refused: we are not root, or there is no such tool.
            ToolFailed: it did not do it.
            TimeoutError: others held the lock for too long.

        """
        refuse_others()
        async with self._turn:
            done = await self._unlocked(resource, argv, stdin)
        if done.code:
            raise ToolFailed(argv[0], done)

    async def _unlocked(self, resource: "Resource", argv: Sequence[str], stdin: str) -> "Completed":
        """Return how the tool ended once others had given their lock back."""
        until = self._host.clock.monotonic() + PATIENCE
        while is_locked(done := await self._once(argv, stdin)):
            said = done.stderr.strip()
            self._host.progress(resource, f"waiting for others: {said}")
            if self._host.clock.monotonic() > until:
                raise TimeoutError(
                    f"{argv[0]}: the files must be unlocked within {PATIENCE:g} s, found"
                    f" {said!r}; end what edits them, vipw(8) say"
                )
            await asyncio.sleep(PAUSE)
        return done

    async def _once(self, argv: Sequence[str], stdin: str) -> "Completed":
        try:
            return await self._host.processes.run(argv, stdin=stdin.encode(), env={"LC_ALL": "C"})
        except FileNotFoundError:
            cure = "install the package passwd"
            raise Refused(f"there is no program {argv[0]!r}", cure) from None


def is_locked(done: "Completed") -> bool:
    """Whether a tool gave up because others hold the lock."""
    return bool(done.code and LOCKED in done.stderr)


def refuse_others() -> None:
    """Refuse to change users and groups if we are not root."""
    if os.geteuid() != 0:
        raise Refused("only root may change users and groups", "run setpoint as root")


def check_name(param: str, name: object) -> None:
    """See that users and groups may have the name, as useradd(8) has it.

    Args:
        param: where the name stands.
        name: what stands there; what is not text is still to be received.

    Raises:
        ParamError: they may not.

    """
    if not isinstance(name, str):
        return
    if name.isdecimal():
        raise ParamError(
            param, f"must be a name, not the number {name!r}", "numbers go in uid or gid"
        )
    if len(name) > LONGEST_NAME:
        raise ParamError(param, f"must have at most {LONGEST_NAME} characters, not {len(name)}")
    if name in (".", "..") or not re.fullmatch(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*\$?", name):
        cure = "letters, digits, '_', '.' and '-' may be in it, no '-' at its beginning"
        raise ParamError(param, f"must be a name of useradd(8), not {name!r}", cure)

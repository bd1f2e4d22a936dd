"""The fact `exec`."""

import asyncio
import shlex
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Literal

import msgspec

from setpoint import Fact, ParamError
from setpoint.processes import Options, ProcessEnded

SHELL = "/bin/sh"


class Exec(Fact):
    """What a command says: each line that it prints is the value from then on.

    There is none until the first line comes; one that equals the line before is no news. Between two values the
    command may have to wait: it is read no faster than its lines are used. What it prints to its standard error is
    shown only when it fails. It is stopped with all its descendants when nobody needs the value any more.

    Its environment has a PATH of the usual folders, what `env` says, and nothing else.

    name: the command. Without `shell` it is split into words as a shell does it, but nothing in it is expanded; with
        `args` it is the program.
    args: arguments of the program, as they are. Not together with `shell`.
    shell: run it by /bin/sh.
    cwd: absolute path of the folder in which it starts; empty is that of the engine.
    env: its environment beside PATH, which it may replace; empty adds nothing.
    user: name or number of the user it runs as; only root may choose. Empty is that of the engine.
    restart: when it has ended, begin it anew: always, after a failure, or never. If it is not begun anew, the last
        line stands; a failure then is one of the fact.
    delay: seconds from its end to its next beginning, 0.1 to 86400. With a command that prints and ends it is the
        interval.

    Value: a line without its end, at most 65536 characters; a longer one is told in pieces. What is no UTF-8 in it is
    replaced.
    """

    kind = "exec"
    Value = str
    args: tuple[str, ...] = ()
    shell: bool = False
    cwd: str = ""
    env: dict[str, str] = msgspec.field(default_factory=dict)
    user: str = ""
    restart: Literal["always", "failure", "never"] = "always"
    delay: Annotated[float, msgspec.Meta(ge=0.1, le=86_400)] = 1.0

    def __post_init__(self) -> None:
        if isinstance(self.cwd, str) and self.cwd and not self.cwd.startswith("/"):
            raise ParamError("cwd", f"must be absolute, not {self.cwd!r}")
        if self.args and self.shell is True:
            raise ParamError(
                "args", "must not be given with a shell", "write them into the command"
            )
        if isinstance(self.name, str):
            self._check_words()

    def _check_words(self) -> None:
        try:
            words = (
                [self.name.strip()] if self.args or self.shell is True else shlex.split(self.name)
            )
        except ValueError as error:
            rule = f"must be words as a shell has them, found {str(error).lower()}"
            raise ParamError("name", rule, "close it, or put a backslash before it") from None
        if not any(words):
            raise ParamError("name", f"must be a command, not {self.name!r}")

    async def watch(self) -> AsyncGenerator[str, None]:
        """Yield each line.

        Raises:
            OSError: the command cannot be started, or has failed and is not to begin anew.

        """
        before = None
        while True:
            try:
                async with aclosing(
                    self.host.processes.lines(self._argv, **self._options)
                ) as lines:
                    async for line in lines:
                        if line != before:
                            before = line
                            yield line
            except ProcessEnded as ended:
                await self._rest(ended)

    async def _rest(self, ended: ProcessEnded) -> None:
        """Return when the command is to begin anew."""
        failed = ended.completed.code != 0
        if self.restart == "always" or (failed and self.restart == "failure"):
            await asyncio.sleep(self.delay)
        elif failed:
            raise ended
        else:
            await asyncio.get_running_loop().create_future()  # the last line stands

    @property
    def _argv(self) -> list[str]:
        if self.shell:
            return [SHELL, "-c", self.name]
        return [self.name, *self.args] if self.args else shlex.split(self.name)

    @property
    def _options(self) -> Options:
        return Options(cwd=self.cwd, env=self.env, user=self.user)

"""The facts that a graph wants to know: each followed as long as somebody wants it, and no others.

A fact that is asked for is unknown until it has spoken. One that fails keeps the value that it had, and is begun anew
after a while, which grows with each failure in a row; why it failed is kept too.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Any, cast

from setpoint.errors import Refused, text_of
from setpoint.hiding import Secrets
from setpoint.oserrors import told
from setpoint.resource import Fact
from setpoint.values import secrets_in

FIRST, LONGEST = 0.5, 60.0  # seconds until a fact that failed is begun anew
UNKNOWN = object()


class Facts:
    """Follows facts; used on the loop.

    Args:
        changed: called with the name of each fact that has another value than before.
        failed: called with the name of each fact that failed, why, and in how many seconds it is begun anew; negative:
            not again.
        secrets: learns what is secret in their values.

    values: name to value, of those that have spoken.
    problems: name to why it is not known or may be old, of those that fail.

    """

    def __init__(
        self,
        changed: Callable[[str], None],
        failed: Callable[[str, BaseException, float], None],
        secrets: Secrets | None = None,
    ) -> None:
        self._changed, self._failed, self._secrets = changed, failed, secrets or Secrets()
        self.values: dict[str, Any] = {}
        self.problems: dict[str, str] = {}
        self._wanted: dict[str, Fact] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._is_closed = False

    def want(self, wanted: Mapping[str, Fact]) -> None:
        """Follow `wanted`, and nothing else, from now on; equal ones go on undisturbed.

        Raises:
            RuntimeError: it is closed.

        """
        if self._is_closed:
            raise RuntimeError("what followed facts has ended; begin anew")
        for name in [name for name, fact in self._wanted.items() if wanted.get(name) != fact]:
            self._forget(name)
        for name, fact in wanted.items():
            if name not in self._wanted:
                self._wanted[name] = fact
                self._tasks[name] = asyncio.create_task(self._follow(name, fact))

    async def close(self) -> None:
        """Follow nothing any more, and wait until all that was held is given back."""
        self._is_closed = True
        tasks = list(self._tasks.values())
        for name in list(self._wanted):
            self._forget(name)
        await asyncio.gather(*tasks, return_exceptions=True)

    def _forget(self, name: str) -> None:
        del self._wanted[name]
        self._tasks.pop(name).cancel()
        self.values.pop(name, None)
        self.problems.pop(name, None)

    async def _follow(self, name: str, fact: Fact) -> None:
        delay = FIRST
        while True:
            before = self.values.get(name, UNKNOWN)
            try:
                await self._listen(name, fact)
                error: Exception = EOFError("it ended, which a fact never does")
            except Exception as raised:  # whatever a plugin raises
                error = raised
            if self.values.get(name, UNKNOWN) is not before:
                delay = FIRST
            again = -1.0 if isinstance(error, Refused) else delay
            self.problems[name] = why(error)
            self._failed(name, error, again)
            if again < 0:
                return
            await asyncio.sleep(delay)
            delay = min(2 * delay, LONGEST)

    async def _listen(self, name: str, fact: Fact) -> None:
        """Take over what `fact` tells, until it fails."""
        async with aclosing(cast(Any, fact.watch())) as values:
            async for value in values:
                self.problems.pop(name, None)
                if name not in self.values or self.values[name] != value:
                    self.values[name] = value
                    for secret in secrets_in(value):
                        self._secrets.learn(secret)
                    self._changed(name)


def why(error: BaseException) -> str:
    """Return why a fact has failed with `error`, in words for people."""
    return (told(error) if isinstance(error, OSError) else text_of(error)) or type(error).__name__


def tell_if_failed(message: str, task: "asyncio.Task[None]") -> None:
    """Say at once that `task` has failed, which should never happen, and with `message` what follows."""
    if not task.cancelled() and (error := task.exception()) is not None:
        told = {"message": message, "exception": error, "task": task}
        task.get_loop().call_exception_handler(told)

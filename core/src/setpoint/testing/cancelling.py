"""Work that is cancelled at a chosen one of the moments at which it waits."""

import asyncio
from collections.abc import Coroutine, Generator
from functools import partial
from typing import Any

from setpoint.testing.points import NEVER


class CutShort:
    """Awaits `work`, whose task is cancelled where it waits for the time number `at`, from 0.

    waits: how often it has waited so far.
    """

    def __init__(self, work: Coroutine[Any, Any, Any], at: int = NEVER) -> None:
        self._work, self._at = work, at
        self.waits = 0

    async def run(self) -> None:
        """Do the work in a task of its own, to its end or until it has taken note of being cancelled.

        Raises:
            Exception: what the work raised, unless that says that it was cancelled.

        """
        task = asyncio.ensure_future(self._cut())
        await asyncio.wait((task,))
        if not task.cancelled():
            task.result()

    async def _cut(self) -> None:
        await self

    def __await__(self) -> Generator[Any, Any, Any]:
        inner = self._work.__await__()
        go_on = partial(next, inner)
        while True:
            try:
                waited_for = go_on()
            except StopIteration as done:
                return done.value
            if self.waits == self._at:
                task = asyncio.current_task()
                assert task
                task.cancel()  # it hears of it as soon as it waits
            self.waits += 1
            try:
                found = yield waited_for
            except BaseException as error:
                go_on = partial(inner.throw, error)
            else:
                go_on = partial(inner.send, found)

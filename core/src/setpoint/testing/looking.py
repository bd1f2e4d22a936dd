"""A watch as a test follows it: it has begun, and now and then it says "look again"."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

from setpoint.resource import Resource


class Looking:
    """What a watch has said since it began."""

    def __init__(self) -> None:
        self._news = asyncio.Event()
        self._begun = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def news(self, seconds: float) -> bool:
        """Whether the watch says "look again" within `seconds`, or has done so since the last call.

        Raises:
            AssertionError: it ended instead.

        """
        return await self._said(self._news, seconds)

    async def _said(self, event: asyncio.Event, seconds: float) -> bool:
        assert self._task
        waiting = asyncio.ensure_future(event.wait())
        await asyncio.wait(
            (waiting, self._task), timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        waiting.cancel()
        if self._task.done() and not event.is_set():
            self._task.result()  # why it ended, if that was an error
            raise AssertionError("the watch ended; it is to go on until it is stopped")
        said = event.is_set()
        event.clear()
        return said

    async def _follow(self, events: AsyncIterator[None]) -> None:
        async with aclosing(events) as stream:  # type: ignore[type-var]
            async for _ in stream:
                (self._news if self._begun.is_set() else self._begun).set()

    async def begin(self, events: Any, seconds: float) -> None:
        """Follow `events`, a subscription or an async iterator, which has to begin in time."""
        self._task = asyncio.create_task(self._follow(aiter(events)))
        assert await self._said(self._begun, seconds), f"the watch has not begun after {seconds} s"
        self._begun.set()

    async def end(self) -> None:
        """Stop following."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


@asynccontextmanager
async def looking(resource: Resource, seconds: float) -> AsyncIterator[Looking]:
    """Follow the watch of `resource` while the block runs, which begins when watching has begun."""
    found = Looking()
    try:
        await found.begin(resource.watch(), seconds)
        yield found
    finally:
        await found.end()

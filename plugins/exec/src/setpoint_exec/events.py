"""Changes of files and lines of a command as one stream of events."""

import asyncio
from collections.abc import AsyncIterator, Callable

from setpoint.watching import Subscription


async def events(
    files: Subscription, lines: AsyncIterator[str] | None, note: Callable[[], None]
) -> AsyncIterator[None]:
    """Call `note` and yield: when watching has begun, then after lines and changes of `files`.

    The beginning is noted too, since what happened before may have been missed. Several events
    that nobody has asked for yet are one.

    Raises:
        OSError: a file cannot be watched, or what gives the lines has ended.

    """
    news = asyncio.Event()
    files.start(news.set)
    reader = asyncio.create_task(_read(lines, news)) if lines else None
    try:
        while True:
            note()
            yield
            await news.wait()
            news.clear()
            if reader and reader.done():
                await reader
    finally:
        files.stop()
        if reader:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)


async def _read(lines: AsyncIterator[str], news: asyncio.Event) -> None:
    try:
        async for _ in lines:
            news.set()
    finally:
        news.set()

"""A stream of values: what is read when something says that it may have changed."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from setpoint.watching import Subscription
from setpoint_sys.patience import Patience

if TYPE_CHECKING:
    from setpoint.resource import Fact

T = TypeVar("T")

PAUSE = 0.05  # seconds from one look to the next at least: a flood of news is one


async def follow(
    changes: Subscription,
    read: Callable[[], Awaitable[T]],
    *,
    needs: Callable[[], None] | None = None,
) -> AsyncGenerator[T, None]:
    """Yield what `read` returns, at once and after `changes`, unless it equals what was yielded last.

    Args:
        changes: says when to read again; begun before the first look, so that nothing is missed.
        read: looks; it is called again only when it has returned.
        needs: imports, in a thread, what `changes` would else import on the loop.

    Raises:
        OSError: `changes` could not begin, or `read` raised it.
        Refused: what it needs is not installed.

    """
    if needs:
        await Patience().call(needs.__name__, needs)
    loop, news = asyncio.get_running_loop(), asyncio.Event()
    before: list[T] = []
    changes.start(news.set)
    try:
        while True:
            looked = loop.time()
            value = await read()
            if before != [value]:
                before = [value]
                yield value
            await news.wait()
            await asyncio.sleep(looked + PAUSE - loop.time())
            news.clear()
    finally:
        changes.stop()


async def patiently(fact: "Fact", function: Callable[[], T]) -> T:
    """Return what `function` returns, which looks for `fact` in a thread and may hang.

    Raises:
        TimeoutError: it does hang.

    """
    return await fact.host.shared(Patience).call(fact.id, function)

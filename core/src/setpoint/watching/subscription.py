"""What a watcher gives out: the promise to say when to look again."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable


class Subscription(ABC):
    """Says when something may have changed: to a function, or to `async for`.

    Begin it in one way or the other, once at a time. After `stop` it can begin anew.
    """

    __slots__ = ()

    @abstractmethod
    def start(self, changed: Callable[[], None]) -> None:
        """Call `changed` after each possible change from now on; nothing later is missed.

        Args:
            changed: called on the running loop, without a word about what changed; it may come
                too often, and it may start and stop subscriptions.

        Raises:
            OSError: watching could not begin; the caller may try again later.
            RuntimeError: it has begun already, or no loop is running.

        """

    @abstractmethod
    def stop(self) -> None:
        """Call no more, and give back what was held; nothing happens if it has not begun."""

    async def __aiter__(self) -> AsyncGenerator[None, None]:
        """Yield when watching has begun, then once for all the changes since the last item."""
        news = asyncio.Event()
        self.start(news.set)
        try:
            while True:
                yield
                await news.wait()
                news.clear()
        finally:
            self.stop()


class Still(Subscription):
    """Begins at once and never says anything: for what only a notification can move."""

    __slots__ = ()

    def start(self, changed: Callable[[], None]) -> None:
        """Begin, which is all."""

    def stop(self) -> None:
        """Stop what never moved."""


class Many(Subscription):
    """Several subscriptions as one: a change of any is a change.

    Args:
        parts: any number; none is like `Still`.

    """

    __slots__ = ("_parts",)

    def __init__(self, *parts: Subscription) -> None:
        self._parts = parts

    def start(self, changed: Callable[[], None]) -> None:
        """Begin all of them, or none if one fails."""
        begun = []
        try:
            for part in self._parts:
                part.start(changed)
                begun.append(part)
        except BaseException:
            for part in begun:
                part.stop()
            raise

    def stop(self) -> None:
        """Stop all of them."""
        for part in self._parts:
            part.stop()

"""Events by the clock, for what nobody tells of: a repository at the other end of a network, say."""

import asyncio
from collections.abc import Callable

from setpoint.watching.subscription import Subscription


class Every(Subscription):
    """Says every so many seconds that something may have changed; the first time after as many.

    Args:
        seconds: more than 0.

    """

    __slots__ = ("_seconds", "_timer")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None

    def start(self, changed: Callable[[], None]) -> None:
        """Begin to count."""
        if self._timer:
            raise RuntimeError("it has begun already")
        self._wait(changed)

    def stop(self) -> None:
        """Count no more."""
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _wait(self, changed: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._seconds, self._tell, changed)

    def _tell(self, changed: Callable[[], None]) -> None:
        self._wait(changed)  # first, for it may be stopped by whoever is told
        changed()

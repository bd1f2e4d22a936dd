"""All timers of an engine in one heap behind one `call_at`, so that an idle engine has one at most."""

import asyncio
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import count


class Timer:
    """One appointment; `cancel` makes it pass without effect."""

    __slots__ = ("action",)

    def __init__(self, action: Callable[[], None]) -> None:
        self.action: Callable[[], None] | None = action

    def cancel(self) -> None:
        """Do nothing when the time comes."""
        self.action = None


class Timers:
    """Calls functions at times of `now`, which counts seconds as the loop's clock does."""

    def __init__(self, loop: asyncio.AbstractEventLoop, now: Callable[[], float]) -> None:
        self._loop, self._now = loop, now
        self._heap: list[tuple[float, int, Timer]] = []
        self._numbers = count()
        self._handle: asyncio.TimerHandle | None = None

    def after(self, seconds: float, action: Callable[[], None]) -> Timer:
        """Call `action` in `seconds`, 0 or more."""
        timer = Timer(action)
        heappush(self._heap, (self._now() + seconds, next(self._numbers), timer))
        if self._heap[0][2] is timer:
            self._arm()
        return timer

    def close(self) -> None:
        """Forget every appointment."""
        self._heap.clear()
        self._disarm()

    def __len__(self) -> int:
        return sum(entry[2].action is not None for entry in self._heap)

    def _disarm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _arm(self) -> None:
        self._disarm()
        while self._heap and self._heap[0][2].action is None:
            heappop(self._heap)
        if self._heap:
            delay = max(0.0, self._heap[0][0] - self._now())
            self._handle = self._loop.call_later(delay, self.ring)

    def ring(self) -> None:
        """Call what is due. The loop calls this; a test that moves the clock by hand does too."""
        now = self._now()
        while self._heap and self._heap[0][0] <= now:
            action = heappop(self._heap)[2].action
            if action is not None:
                action()
        if len(self._heap) > 64 and len(self) * 2 < len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].action is not None]
            heapify(self._heap)
        self._arm()

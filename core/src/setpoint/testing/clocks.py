"""Clocks for tests: one that stands still until it is moved, and one that jumps over all waiting."""

import asyncio
import time
from typing import Any

from setpoint.clock import Clock

BREATH = 0.001  # seconds in which threads and files may have something to say before time jumps


class HandClock(Clock):
    """A clock that stands still until a test moves it; loops go on as ever.

    now: what both of its times are, in seconds.
    """

    now = 0.0

    def monotonic(self) -> float:
        """Return `now`."""
        return self.now

    def wall(self) -> float:
        """Return `now`."""
        return self.now


class VirtualClock(Clock):
    """Time that jumps to the next timer when nothing else is left to do.

    It rules the loop on which it is first asked for the time, until it is let go: there waiting takes no time. What
    waits for a real program with a time-out may see that first; use a `HandClock` there.

    Args:
        longest: seconds of one jump at most; then the loop turns once.

    ahead: seconds that were jumped over. Add some, and they have passed.

    """

    def __init__(self, longest: float = 2.0) -> None:
        self.ahead = 0.0
        self._longest = longest
        self._loop: Any = None

    def monotonic(self) -> float:
        """Return the machine's time and what was jumped over."""
        if self._loop is None:
            self._rule()
        return time.monotonic() + self.ahead

    def wall(self) -> float:
        """Return the machine's time and what was jumped over."""
        if self._loop is None:
            self._rule()
        return time.time() + self.ahead

    def rule(self, loop: asyncio.AbstractEventLoop) -> None:
        """Be the time of `loop`, which waits with a selector, as Python's own do on Linux."""
        self._loop = loop
        self._select = self._loop._selector.select
        self._loop._selector.select = self._hurry
        self._loop.time = self.monotonic

    def let_go(self) -> None:
        """Let the loop have its own time again."""
        if self._loop is not None and not self._loop.is_closed():
            del self._loop._selector.select, self._loop.time
        self._loop = None

    def _rule(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # a thread asks
            return
        self.rule(loop)

    def _hurry(self, timeout: float | None = None) -> Any:
        """Wait a breath at most, then jump."""
        if timeout is None or timeout <= 0:
            return self._select(timeout)
        found = self._select(min(timeout, BREATH))
        if not found:
            self.ahead += min(timeout, self._longest)
        return found

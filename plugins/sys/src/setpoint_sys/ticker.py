"""The time between looks, for what the kernel tells nobody: one timer for an interval, however many facts look."""

import asyncio
import os
from typing import TYPE_CHECKING, Annotated

import msgspec

from setpoint.watching import Subscription
from setpoint_sys.sources import Source

if TYPE_CHECKING:
    from setpoint.host import Host

# Seconds between looks.
Every = Annotated[float, msgspec.Meta(ge=0.1, le=86_400)]


class Ticker:
    """The intervals of one host.

    Use it as `host.shared(Ticker)`. Ticks lie on a grid for each interval; where the first one lies is left to chance,
    so that a thousand hosts that were started by one command do not all look at the same moment.
    """

    def __init__(self, host: "Host") -> None:
        self._host = host
        self._intervals: dict[float, Interval] = {}

    def every(self, seconds: float) -> Subscription:
        """Return a subscription to the ticks of an interval; the first comes within one interval."""
        if seconds not in self._intervals:
            self._intervals[seconds] = Interval(self._host, seconds)
        return self._intervals[seconds].listen()

    @property
    def timers(self) -> int:
        """How many timers there are now."""
        return sum(interval.is_ticking for interval in self._intervals.values())

    def close(self) -> None:
        """Stop them all."""
        for interval in self._intervals.values():
            interval.close()


class Interval(Source):
    """Ticks on a grid of the monotonic clock; those that were missed are one.

    Args:
        host: whose clock it is.
        seconds: from one tick to the next.

    """

    def __init__(self, host: "Host", seconds: float) -> None:
        super().__init__(host)
        self._clock, self._seconds = host.clock, seconds
        self._next = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_ticking(self) -> bool:
        """Whether it has a timer."""
        return self._timer is not None

    def begin(self) -> None:
        """Begin the grid."""
        share = int.from_bytes(os.urandom(2)) / (1 << 16)
        self._next = self._clock.monotonic() + self._seconds * (1 - share)
        self._wait()

    def end(self) -> None:
        """Tick no more."""
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        rest = max(self._next - self._clock.monotonic(), 0.0)
        self._timer = asyncio.get_running_loop().call_later(rest, self._wake)

    def _wake(self) -> None:
        late = self._clock.monotonic() - self._next
        if late >= 0:
            self._next += self._seconds * (1 + late // self._seconds)
        self._wait()
        if late >= 0:  # a loop may wake a little early
            self.tell()

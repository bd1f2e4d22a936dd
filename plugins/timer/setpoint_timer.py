"""The `timer` resource: changes at an interval, so that what depends on it is looked at again.

Ticks lie on a grid: start, start + interval, start + 2 x interval ... on the monotonic clock. A
tick that comes late does not move the next one, and those that were missed (a busy loop, a clock
that jumped) are one tick: there is no storm.
"""

import asyncio
from collections.abc import Callable
from typing import Annotated, ClassVar

import msgspec

from setpoint import REWATCH, Change, Resource, hookimpl
from setpoint.watching import Subscription

LONGEST = 86_400.0  # seconds; a longer interval is waited for in parts: loops have limits


class Timer(Resource):
    """A tick at an interval.

    At each tick what listens to it is refreshed, and what requires it is checked again. The start
    is no tick; the first one comes an interval later. A notification begins the interval anew.

    name: any.
    interval: seconds from one tick to the next, more than 0, at most 1e9 (30 years).
    """

    kind = "timer"
    quick: ClassVar[bool] = True
    rechecks: ClassVar[bool] = True

    interval: Annotated[float, msgspec.Meta(gt=0, le=1e9), REWATCH]

    @hookimpl
    def watch(self) -> Subscription:
        """Look again at each tick."""
        ticking = Ticking(self)
        self.memory["ticking"] = ticking
        return ticking

    def check(self) -> list[Change]:
        """Find one change if a tick has come since the last one was counted."""
        if not self.memory.get("is_due"):
            return []
        count = self.memory.get("count", 0)
        return [Change("tick", count, count + 1)]

    def apply(self, changes: list[Change]) -> None:
        """Count the tick."""
        self.memory["count"] = changes[0].after
        self.memory["is_due"] = False

    @hookimpl
    def refresh(self) -> None:
        """Begin the interval anew."""
        if "ticking" in self.memory:
            self.memory["ticking"].restart()


class Ticking(Subscription):
    """Marks its timer due at each tick and says "look again"."""

    def __init__(self, timer: Timer) -> None:
        self._timer = timer
        self._changed: Callable[[], None] | None = None
        self._next = 0.0
        self._handle: asyncio.TimerHandle | None = None

    def start(self, changed: Callable[[], None]) -> None:
        """Begin the first interval now.

        Raises:
            RuntimeError: it has begun already.

        """
        if self._changed is not None:
            raise RuntimeError(f"{self._timer}: ticking has begun already")
        self._changed = changed
        self.restart()

    def stop(self) -> None:
        """Tick no more."""
        self._changed = None
        self._cancel()

    def restart(self) -> None:
        """Begin the interval anew, if it was begun at all."""
        if self._changed is not None:
            self._next = self._timer.host.clock.monotonic() + self._timer.interval
            self._wait()

    def _wait(self) -> None:
        self._cancel()
        rest = self._next - self._timer.host.clock.monotonic()
        delay = min(max(rest, 0.0), LONGEST)
        self._handle = asyncio.get_running_loop().call_later(delay, self.wake)

    def _cancel(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def wake(self) -> None:
        """Tick if it is time: the loop may wake early, and does within a long interval."""
        late = self._timer.host.clock.monotonic() - self._next
        if late >= 0:
            interval = self._timer.interval
            self._next += interval * (1 + late // interval)
            self._timer.memory["is_due"] = True
        self._wait()
        if late >= 0 and self._changed is not None:
            self._changed()

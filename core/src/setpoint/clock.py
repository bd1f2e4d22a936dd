"""The time, behind one small class, so that a test can move it by hand."""

import time


class Clock:
    """The machine's clocks. Intervals are monotonic: a step of the wall clock moves none of them."""

    def monotonic(self) -> float:
        """Return seconds from an arbitrary point, never going back; stands still in suspend."""
        return time.monotonic()

    def wall(self) -> float:
        """Return seconds since 1970, for people to read and nothing to depend on."""
        return time.time()

"""How far a transfer is, in words."""

from collections.abc import Callable

from setpoint.clock import Clock

PAUSE = 0.25  # seconds between two words at least
UNITS = ("B", "kB", "MB", "GB", "TB")


class Meter:
    """Tells how much has come, at which rate, and how long the rest will take.

    Args:
        clock: what the rate is told by.
        tell: gets a line at most four times a second.

    """

    def __init__(self, clock: Clock, tell: Callable[[str], None]) -> None:
        self._clock, self._tell = clock, tell
        self._began = self._told = clock.monotonic()
        self._came = 0  # bytes since then

    def add(self, number: int, size: int, total: int) -> None:
        """Note that `number` bytes more have come, which makes `size` of `total`; that is -1 if it is not known."""
        self._came += number
        now = self._clock.monotonic()
        if now - self._told < PAUSE:
            return
        self._told = now
        rate = self._came / (now - self._began)
        text = f"{amount(size)} of {amount(total)}" if total >= 0 else amount(size)
        rest = f", {(total - size) / rate:.0f} s left" if total >= size and rate else ""
        self._tell(f"{text}, {amount(rate)}/s{rest}")


def amount(size: float) -> str:
    """Return a number of bytes as people say it."""
    for unit in UNITS:
        if size < 1000 or unit == UNITS[-1]:
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"

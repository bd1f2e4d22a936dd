"""How often a transfer is tried, and how long it waits in between."""

import random
from collections.abc import Callable

from setpoint_http.faults import BrokenError
from setpoint_http.stopping import Stop

FIRST, LONGEST = 0.2, 30.0  # seconds before the second try, and at most
MOST_PATIENT = (
    300.0  # seconds that a server may ask for; who asks for more is asked again after these
)


class Tries:
    """Counts the tries in a row that brought nothing.

    Args:
        most: how many may follow the first one.
        stop: may end the waiting.
        tell: is told what is waited for.

    """

    def __init__(self, most: int, stop: Stop, tell: Callable[[str], None]) -> None:
        self._most, self._stop, self._tell = most, stop, tell
        self._failed = 0

    def brought_something(self) -> None:
        """Begin to count anew."""
        self._failed = 0

    def failed(self, error: BrokenError) -> None:
        """Wait until it is time for the next try; raise `error`, and how often it was tried, if there is none.

        The pause is doubled each time, and a bit random, so that those who were cut off together do not come back
        together; or it is what the server asks for.
        """
        self._stop.look()
        self._failed += 1
        if self._failed > self._most:
            raise error.after_tries(self._failed)
        pause = min(LONGEST, FIRST * 2 ** (self._failed - 1)) * random.uniform(0.5, 1)
        if error.after is not None:
            pause = min(MOST_PATIENT, error.after)
        self._tell(f"{error.why}; tries again in {pause:.1f} s")
        self._stop.wait(pause)

"""The fact `load`."""

import os
from collections.abc import AsyncGenerator

from setpoint import Fact, Values
from setpoint_sys.reading import follow
from setpoint_sys.ticker import Every, Ticker


class Load(Fact):
    """How many threads run, wait for a processor or for a disk, on average.

    It is looked at by a timer: the kernel computes it every 5 seconds and tells nobody.

    name: empty.
    every: seconds between looks, 0.1 to 86400.

    Source: proc_loadavg(5).
    """

    kind = "load"
    every: Every = 5.0

    class Value(Values):
        """The load averages.

        x1: over the last minute, in threads.
        x5: over the last five minutes.
        x15: over the last quarter of an hour.
        """

        x1: float
        x5: float
        x15: float

    def watch(self) -> AsyncGenerator["Load.Value", None]:
        """Yield the averages, then what they have become."""
        return follow(self.host.shared(Ticker).every(self.every), self._read)

    async def _read(self) -> "Load.Value":
        x1, x5, x15 = (round(average, 2) for average in os.getloadavg())
        return self.Value(x1=x1, x5=x5, x15=x15)

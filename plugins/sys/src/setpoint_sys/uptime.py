"""The fact `uptime`."""

import time
from collections.abc import AsyncGenerator

from setpoint import Fact, Values
from setpoint_sys.reading import follow
from setpoint_sys.smallfiles import line_of
from setpoint_sys.ticker import Every, Ticker


class Uptime(Fact):
    """How long this machine has been running, suspended time included.

    name: empty.
    every: seconds between looks, 0.1 to 86400; by default a minute, since each look is another value.

    Source: clock_gettime(2), CLOCK_BOOTTIME; random(4), boot_id.
    """

    kind = "uptime"
    every: Every = 60.0

    class Value(Values):
        """The time since boot.

        seconds: since boot, whole ones.
        boot: tells this boot from all others, a UUID; empty where the kernel does not tell.
        """

        seconds: int
        boot: str

    def watch(self) -> AsyncGenerator["Uptime.Value", None]:
        """Yield the time since boot, then again and again."""
        boot = line_of("/proc/sys/kernel/random/boot_id")

        async def read() -> Uptime.Value:
            return self.Value(seconds=int(time.clock_gettime(time.CLOCK_BOOTTIME)), boot=boot)

        return follow(self.host.shared(Ticker).every(self.every), read)

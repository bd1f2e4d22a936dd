"""The fact `cpu`."""

import os
from collections.abc import AsyncGenerator

from setpoint import Fact, Values
from setpoint.watching import Many
from setpoint_sys.devices import Devices, libudev
from setpoint_sys.measures import percent
from setpoint_sys.reading import follow
from setpoint_sys.ticker import Every, Ticker

ONLINE = "/sys/devices/system/cpu/online"


class Cpu(Fact):
    """How many processors there are, and how busy they are.

    The number moves when the kernel says that one came or went; the usage is looked at by a timer.

    name: empty.
    every: seconds over which the usage is taken, 0.1 to 86400.

    Source: Documentation/admin-guide/cputopology.rst, proc_stat(5), uevents of the subsystem cpu.
    """

    kind = "cpu"
    every: Every = 10.0

    class Value(Values):
        """The processors.

        count: how many are online, threads of one core counted each.
        usage: percent of their time in which they were not idle, of all together, 0 to 100. The first value is that
            since boot.
        """

        count: int
        usage: float

    def watch(self) -> AsyncGenerator["Cpu.Value", None]:
        """Yield number and usage, then what they have become."""
        host, meter = self.host, Meter()

        async def read() -> Cpu.Value:
            return self.Value(count=count(), usage=meter.read())

        devices = host.shared(Devices).of("cpu")
        changes = Many(host.shared(Ticker).every(self.every), devices)
        return follow(changes, read, needs=libudev)


class Meter:
    """Measures how busy the processors are between two looks."""

    def __init__(self) -> None:
        self._busy = self._total = self._usage = 0.0

    def read(self) -> float:
        """Return the usage since the last call in percent; since boot if it is the first."""
        with open("/proc/stat", encoding="ascii") as file:
            words = file.readline().split()[1:9]  # what follows is of guests, and in the first two
        _, _, _, idle, iowait, *_ = ticks = [int(word) for word in words]
        total = sum(ticks)
        busy = total - idle - iowait
        if total > self._total:
            self._usage = percent(max(busy - self._busy, 0), total - self._total)
        self._busy, self._total = busy, total
        return min(self._usage, 100.0)


def count() -> int:
    """Return the number of processors that are online."""
    try:
        with open(ONLINE, encoding="ascii") as file:
            return in_list(file.read())
    except FileNotFoundError:  # a container without /sys
        return os.cpu_count() or 1


def in_list(text: str) -> int:
    """Return how many numbers a list such as 0-3,7 has."""
    ranges = (part.partition("-") for part in text.strip().split(",") if part)
    return sum(int(last or first) - int(first) + 1 for first, _, last in ranges)

"""The fact `memory`."""

from collections.abc import AsyncGenerator

from setpoint import Fact, Values
from setpoint_sys.measures import percent
from setpoint_sys.reading import follow
from setpoint_sys.ticker import Every, Ticker


class Memory(Fact):
    """How much memory there is, and how much of it is in use.

    It is looked at by a timer: the kernel tells nobody.

    name: empty.
    every: seconds between looks, 0.1 to 86400.

    Source: proc_meminfo(5).
    """

    kind = "memory"
    every: Every = 10.0

    class Value(Values):
        """The memory, in bytes.

        total: of the machine, without what the kernel took at boot.
        available: what programs can still get without swapping.
        free: what is used for nothing at all; little of it is a good sign.
        used: what cannot be had: total without available.
        used_percent: of the total, 0 to 100.
        swap_total: on disk; 0 without swap.
        swap_used: of that.
        swap_percent: of that, 0 to 100; 0 without swap.
        """

        total: int
        available: int
        free: int
        used: int
        used_percent: float
        swap_total: int
        swap_used: int
        swap_percent: float

    def watch(self) -> AsyncGenerator["Memory.Value", None]:
        """Yield what there is, then what it has become."""
        return follow(self.host.shared(Ticker).every(self.every), self._read)

    async def _read(self) -> "Memory.Value":
        with open("/proc/meminfo", "rb", buffering=0) as file:
            return memory(file.read(1 << 16).decode())


def memory(text: str) -> Memory.Value:
    """Return what `text`, as in /proc/meminfo, says."""
    kib = {name: int(rest.split()[0]) for name, _, rest in _split(text)}
    total, free = kib["MemTotal"] << 10, kib["MemFree"] << 10
    available = min(kib["MemAvailable"] << 10, total)
    swap, swap_used = kib["SwapTotal"] << 10, (kib["SwapTotal"] - kib["SwapFree"]) << 10
    return Memory.Value(
        total=total,
        available=available,
        free=free,
        used=total - available,
        used_percent=percent(total - available, total),
        swap_total=swap,
        swap_used=swap_used,
        swap_percent=percent(swap_used, swap),
    )


def _split(text: str) -> list[tuple[str, str, str]]:
    return [line.partition(":") for line in text.splitlines()]

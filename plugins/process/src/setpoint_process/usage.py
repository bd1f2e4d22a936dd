"""What processes use, measured before they are stopped, and the table that shows it."""

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from setpoint.processes.proc import Entry, full_name

SAMPLE = 0.2  # seconds over which the share of a processor is measured
HEAD = ("PID", "NAME", "CPU %", "MEMORY")


class Row(NamedTuple):
    """One process as it is shown.

    cpu: percent of one processor before the stop, above 100 if it used several; None if not
        measured.
    memory: resident bytes.
    """

    pid: int
    name: str
    cpu: float | None
    memory: int

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """What a person reads; a name cannot bring control characters onto the terminal."""
        name = "".join(c if c.isprintable() else "?" for c in self.name)
        cpu = "-" if self.cpu is None else f"{self.cpu:.1f}"
        return str(self.pid), name, cpu, f"{self.memory / 2**20:.1f} MiB"


def processor_shares(entries: Iterable[Entry]) -> dict[int, float]:
    """Measure for SAMPLE seconds; return percent of one processor by pid. Blocks."""
    import psutil

    measured: list[psutil.Process] = []
    for entry in entries:
        with suppress(psutil.Error):
            process = psutil.Process(entry.pid)
            process.cpu_percent()  # the first call only begins
            measured.append(process)
    time.sleep(SAMPLE)
    shares: dict[int, float] = {}
    for process in measured:
        with suppress(psutil.Error):
            shares[process.pid] = process.cpu_percent()
    return shares


def rows(entries: Iterable[Entry], shares: Mapping[int, float]) -> list[Row]:
    """Return what is shown of `entries`, in their order."""
    return [Row(e.pid, full_name(e), shares.get(e.pid), resident(e.pid)) for e in entries]


def resident(pid: int) -> int:
    """Return the bytes of memory that the process holds; 0 if it has ended."""
    import psutil

    try:
        return psutil.Process(pid).memory_info().rss
    except psutil.Error:
        return 0


def table(shown: Sequence[Row]) -> str:
    """Return `shown` as lines: numbers to the right, names to the left, two blanks between."""
    lines = [HEAD, *(row.cells for row in shown)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    return "\n".join(
        f"{pid:>{widths[0]}}  {name:<{widths[1]}}  {cpu:>{widths[2]}}  {memory:>{widths[3]}}"
        for pid, name, cpu, memory in lines
    )

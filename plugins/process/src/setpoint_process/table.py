"""Which processes are meant, and which are never touched."""

import os
from collections.abc import Iterator

from setpoint.processes.proc import Entry, Selection, everything, read

KERNEL_THREAD = 0x00200000  # PF_KTHREAD


def ancestry(pid: int) -> Iterator[int]:
    """Yield `pid`, its parent and so on, up to the first process of the machine."""
    while pid > 0 and (entry := read(pid)) is not None:
        yield pid
        pid = entry.parent


def untouchable() -> frozenset[int]:
    """Return the pids that are never sent a signal, so that nobody saws off the branch he sits on.

    The first process; this one and all it descends from, so its shell, its terminal and the
    service that started it; the leader of its session and all that one descends from.
    """
    return frozenset({1, *ancestry(os.getpid()), *ancestry(os.getsid(0))})


def scan(selection: Selection) -> list[Entry]:
    """Return the processes that are meant and may be touched, by pid. Blocks some milliseconds."""
    spared = untouchable()
    entries = [read(selection.pid)] if selection.pid else everything()
    ordinary = (e for e in entries if e and e.pid not in spared and is_ordinary(e))
    return [entry for entry in ordinary if selection.fits(entry)]


def fits_untouchable(selection: Selection) -> bool:
    """Return whether `selection` means something that is never touched."""
    entries = (read(pid) for pid in untouchable())
    return any(entry and selection.fits(entry) for entry in entries)


def is_ordinary(entry: Entry) -> bool:
    """Return whether `entry` is a program rather than a thread of the kernel."""
    return not entry.flags & KERNEL_THREAD

"""Who was paused by us, on disk before the first signal, so that a kill loses nobody.

A record names each process by pid and start time, and the boot in which those mean something.
Processes that somebody else had stopped before are not in it, and so stay stopped.
"""

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from setpoint.processes.proc import Entry, read

if TYPE_CHECKING:
    from pathlib import Path

    from setpoint.host import Host

FILE = "paused.json"


class Paused(NamedTuple):
    """One process that was paused, by what tells it from all others of its boot."""

    pid: int
    start: int
    name: str


class Record(msgspec.Struct):
    """What one `setpoint pause`, or one resource, has paused.

    by: who: "setpoint pause firefox", "process stress".
    boot: the boot in which the pids and start times mean something.
    processes: those that ran before.
    """

    by: str
    boot: str
    processes: list[Paused]

    def start_of(self, pid: int) -> int:
        """Return when the process that is recorded with `pid` had started; 0 if none of this boot is."""
        starts = {process.pid: process.start for process in self.processes}
        return starts.get(pid, 0) if self.boot == boot() else 0

    def living(self) -> list[Entry]:
        """Return those that are still there, whether they stand or run."""
        if self.boot != boot():
            return []
        entries = ((process, read(process.pid)) for process in self.processes)
        return [e for p, e in entries if e is not None and e.start == p.start and e.is_alive]


class Notebook:
    """One record on disk, 0600, replaced as a whole.

    Args:
        path: the file; its directory is made, 0700, when there is something to write.
        host: whose files it is written with.
        by: who pauses, for a record that is begun anew.

    """

    def __init__(self, path: "Path", host: "Host", by: str = "") -> None:
        self.path, self.host, self.by = path, host, by

    def read(self) -> Record:
        """Return the record; an empty one if there is none.

        Raises:
            ValueError: the file is not a record; the message names it.

        """
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Record)
        except FileNotFoundError:
            return Record(self.by, boot(), [])
        except msgspec.DecodeError as error:
            raise ValueError(
                f"{self.path}: is no record of paused processes, {error}; remove it"
            ) from None

    def add(self, entries: Iterable[Entry]) -> None:
        """Write down `entries` beside those that are in it and still there."""
        held = {entry.identity: entry for entry in [*self.read().living(), *entries]}
        self.keep(held.values())

    def keep(self, entries: Iterable[Entry]) -> None:
        """Write down exactly `entries`; without one the file goes."""
        paused = [Paused(entry.pid, entry.start, entry.name) for entry in entries]
        if not paused:
            self.path.unlink(missing_ok=True)
            return
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        record = Record(self.read().by, boot(), paused)
        self.host.files.write(str(self.path), msgspec.json.encode(record), mode=0o600)


def notebooks(host: "Host") -> Iterator[Notebook]:
    """Yield the notebooks in the state directory of `host`: of commands, then of resources."""
    for pattern in ("paused/*.json", f"resources/process/*/{FILE}"):
        for path in sorted(host.state.glob(pattern)):
            yield Notebook(path, host)


def of_this_command(host: "Host", by: str) -> Notebook:
    """Return the notebook of this process alone, so that two commands do not mix theirs."""
    start = entry.start if (entry := read(os.getpid())) else 0
    return Notebook(host.state / "paused" / f"{os.getpid()}-{start}.json", host, by)


def boot() -> str:
    """Return what tells this boot from all others."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()

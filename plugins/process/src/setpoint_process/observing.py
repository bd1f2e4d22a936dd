"""Noticing that processes appear, change their name, stop, go on and vanish.

The kernel tells of new, renamed and ended processes through the process connector, a netlink group;
it tells nobody but the parent of stopped and continued ones. So those that are known are looked at
once a second, and all of them where the kernel does not open the connector (older than Linux 6.6 to
users who are not root; to containers). One socket and one timer serve all resources of a host.

Source: Documentation/driver-api/connector.rst, include/uapi/linux/cn_proc.h.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from setpoint.processes.connector import Connector
from setpoint.processes.proc import Entry, Selection, read
from setpoint.watching import Subscription
from setpoint_process.table import is_ordinary, scan

if TYPE_CHECKING:
    from setpoint.host import Host

INTERVAL = 1.0  # seconds between looks at what the kernel does not tell

Seen = dict[tuple[int, int], bool]  # which process, whether it is paused


class Observation(Subscription):
    """Calls back when what `selection` means may have changed since `known` was noted.

    known: what the last look found; None before the first one.
    """

    def __init__(self, observer: "Observer", selection: Selection) -> None:
        self.observer, self.selection = observer, selection
        self.known: Seen | None = None
        self._changed: Callable[[], None] | None = None

    def start(self, changed: Callable[[], None]) -> None:
        """Begin; a change from now on is not missed.

        Raises:
            RuntimeError: it has begun already.

        """
        if self._changed is not None:
            raise RuntimeError("this observation has begun already")
        self.observer.add(self)
        self._changed = changed

    def stop(self) -> None:
        """End; the last one closes what the host shares."""
        self._changed = None
        self.observer.remove(self)

    def changed(self) -> None:
        """Call back, whatever it was."""
        if self._changed is not None:
            self._changed()

    def note(self, entries: Iterable[Entry]) -> None:
        """Take `entries` as what is known; called by whoever has looked, from any thread."""
        self.known = seen(entries)

    def notice(self, now: Seen) -> None:
        """Call back if `now` is not what is known."""
        if self.known is not None and now != self.known:
            self.known = now
            self.changed()

    def stir(self, born: dict[int, Entry | None], gone: set[int]) -> None:
        """Call back if a process that appeared or was renamed is meant, or a known one ended."""
        known = {pid for pid, _ in self.known or ()}
        if known & gone or any(self._concerns(known, pid, entry) for pid, entry in born.items()):
            self.changed()

    def _concerns(self, known: set[int], pid: int, entry: Entry | None) -> bool:
        if entry is None:
            return pid in known
        return is_ordinary(entry) and (pid in known) != self.selection.fits(entry)


def seen(entries: Iterable[Entry]) -> Seen:
    """Return what of `entries` is compared from one look to the next."""
    return {entry.identity: entry.is_paused for entry in entries}


class Observer:
    """What all process resources of one host share: the socket to the kernel, and the timer."""

    def __init__(self) -> None:
        self._observations: set[Observation] = set()
        self._connector: Connector | None = None
        self._task: asyncio.Task[None] | None = None

    def add(self, observation: Observation) -> None:
        """Serve `observation` too; the first one opens what is shared."""
        self._observations.add(observation)
        if self._task is None:
            with suppress(OSError):
                self._connector = Connector(self._stir)
            self._task = asyncio.get_running_loop().create_task(self._look_again())

    def remove(self, observation: Observation) -> None:
        """Serve it no longer; the last one closes what is shared."""
        self._observations.discard(observation)
        if self._observations or self._task is None:
            return
        self._task.cancel()
        self._task = None
        if self._connector is not None:
            self._connector.close()
            self._connector = None

    def _stir(self, born: set[int], gone: set[int], lost: bool) -> None:
        """Hand on what the kernel told; if it lost something, everything may have changed."""
        entries = {pid: read(pid) for pid in born}
        for observation in tuple(self._observations):
            if lost:
                observation.changed()
            else:
                observation.stir(entries, gone)

    async def _look_again(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL)
            watched = tuple(self._observations)
            look = _look_at_known if self._connector else _look_at_all
            try:
                found = await asyncio.to_thread(look, watched)
            except OSError:  # out of descriptors, say; the check meets it too, and is heard
                for observation in watched:
                    observation.changed()
                continue
            for observation, now in zip(watched, found, strict=True):
                observation.notice(now)


def _look_at_known(observations: Iterable[Observation]) -> list[Seen]:
    return [seen(_still_there(observation.known or {})) for observation in observations]


def _still_there(known: Seen) -> Iterable[Entry]:
    for pid, start in known:
        entry = read(pid)
        if entry is not None and entry.start == start and entry.is_alive:
            yield entry


def _look_at_all(observations: Iterable[Observation]) -> list[Seen]:
    return [seen(scan(observation.selection)) for observation in observations]


_observers: "WeakKeyDictionary[Host, Observer]" = WeakKeyDictionary()


def observer(host: "Host") -> Observer:
    """Return the one observer of `host`, so that a hundred resources cost one socket."""
    return _observers.setdefault(host, Observer())

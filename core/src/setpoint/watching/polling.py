"""Polling: events for directories that the kernel says nothing about."""

import asyncio
import os
import stat
from collections.abc import Callable, Iterator

from setpoint.clock import Clock
from setpoint.watching.directory import Directory
from setpoint.watching.entry import tell
from setpoint.watching.inotify import ISDIR, LISTING, RENAMED

Signature = tuple[int, ...]  # device, inode, type; then what differs when a file was changed
_KIND = slice(0, 3)
_SLICE = 0.002  # seconds; then the loop is given back before the round goes on
_PATIENCE = 30  # rounds until the kernel is asked again for what it refused


class Poller:
    """Looks at every name that is wanted in blind directories, and makes events of differences.

    One timer for all; none while nothing is polled.

    Args:
        clock: tells how long the loop has been kept.
        done: called after something was found, to settle the trees.

    interval: seconds between two rounds.

    """

    def __init__(self, clock: Clock, done: Callable[[], None]) -> None:
        self.interval = 1.0
        self._clock, self._done = clock, done
        self._seen: dict[Directory, dict[bytes, Signature]] = {}
        self._timer: asyncio.Handle | None = None
        self._round: Iterator[bool] = iter(())
        self._rounds = 0

    @property
    def count(self) -> int:
        """How many paths are looked at in each round, parents of what is subscribed among them."""
        return sum(map(len, self._seen.values()))

    @property
    def is_limited(self) -> bool:
        """Whether something is polled because a limit of the kernel was reached."""
        return any(directory.blind == "limit" for directory in self._seen)

    def begin(self, directory: Directory) -> None:
        """Poll what is wanted of `directory`; what differs from now on is a change."""
        self._seen.setdefault(directory, {})
        for key in directory.table:
            self.remember(directory, key)
        if directory.insiders:
            self.remember(directory, LISTING)
        if self._timer is None:
            self._wait()

    def remember(self, directory: Directory, key: bytes) -> None:
        """Poll the name `key` of `directory` too, if it is not yet."""
        seen = self._seen[directory]
        if key and key not in seen:
            seen[key] = _sign(directory, key)

    def end(self, directory: Directory) -> None:
        """Poll `directory` no more."""
        self._seen.pop(directory, None)
        if not self._seen:
            self.close()

    def close(self) -> None:
        """Poll nothing."""
        self._seen.clear()
        self._round = iter(())
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        if self._seen:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self.interval, self._begin_round)

    def _begin_round(self) -> None:
        self._rounds += 1
        self._round = self._examine_all()
        self._go_on()

    def _go_on(self) -> None:
        """Examine for a slice of time; then let the loop do other things, or wait a second."""
        until = self._clock.monotonic() + _SLICE
        found = False
        for differs in self._round:
            found |= differs
            if self._clock.monotonic() > until:
                self._timer = asyncio.get_running_loop().call_soon(self._go_on)
                break
        else:
            self._wait()
        if found:
            self._done()

    def _examine_all(self) -> Iterator[bool]:
        """Yield of each polled path whether it differs; at times ask for watches again."""
        for directory, seen in list(self._seen.items()):
            for key in list(seen):
                if self._seen.get(directory) is seen:
                    yield _examine(directory, key, seen)
        if self._rounds % _PATIENCE == 0:
            for directory in self._seen:
                if directory.blind == "limit":
                    directory.tree.mark(directory, 0)
            yield self.is_limited


def _examine(directory: Directory, key: bytes, seen: dict[bytes, Signature]) -> bool:
    """Tell those who wait for `key` if it differs from what was seen; return whether it does."""
    entries = directory.entries(key)
    if not entries:
        del seen[key]
        return False
    before, now = seen[key], _sign(directory, key)
    seen[key] = now
    anything = now != before or (directory.blind == "pseudo" and _is_file(now))
    for entry in entries:
        if now[_KIND] != before[_KIND] if isinstance(entry, Directory) else anything:
            directory.tree.mark(entry, RENAMED | ISDIR)
            tell(entry)
    return anything


def _sign(directory: Directory, key: bytes) -> Signature:
    """Return what is there of one name, or of all names in `directory`."""
    if key != LISTING:
        return _signature(f"{directory.path.rstrip('/')}/{os.fsdecode(key.rstrip(bytes(1)))}")
    try:
        with os.scandir(directory.path) as entries:
            return (hash(frozenset((e.name, _signature(e.path)) for e in entries)),)
    except OSError as error:
        return (error.errno or 0,)


def _signature(path: str) -> Signature:
    try:
        found = os.lstat(path)
    except OSError as error:
        return (error.errno or 0,)
    kind = stat.S_IFMT(found.st_mode)
    times = found.st_mtime_ns, found.st_ctime_ns
    return found.st_dev, found.st_ino, kind, found.st_mode, found.st_size, *times


def _is_file(signature: Signature) -> bool:
    return len(signature) > 1 and stat.S_ISREG(signature[2])

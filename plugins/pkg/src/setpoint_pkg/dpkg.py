"""The table of packages that dpkg keeps: read once for all who look, and again when dpkg has written.

dpkg writes each change of state into a small file of its own in `updates`, and now and then all of it into `status`. So
both are read. Files in `updates` that nobody is at work on are those of a dpkg that was interrupted.

Source: dpkg(1), dpkg's lib/dpkg/dbmodify.c.
"""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING

from setpoint.watching import Many, Subscription
from setpoint_pkg.backend import Found

if TYPE_CHECKING:
    from setpoint.host import Host

ADMIN = "/var/lib/dpkg"
STATUS, UPDATES, ARCHITECTURES = f"{ADMIN}/status", f"{ADMIN}/updates", f"{ADMIN}/arch"
ABSENT = Found()
PAUSE = 0.2  # seconds between two looks while dpkg writes and writes
WORDS = {"not-installed": "absent", "config-files": "removed"}  # dpkg's words that are not ours

Signature = tuple[object, ...]
Table = dict[str, Found]


def signature() -> Signature:
    """Return what differs when dpkg has written."""
    found = _stat(STATUS)
    return found and (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns), *updates()


def updates() -> tuple[str, ...]:
    """Return the files with changes that are not in `status` yet, in order."""
    try:
        names = sorted(name for name in os.listdir(UPDATES) if name.isdecimal())
    except FileNotFoundError:
        return ()
    return tuple(names)


@lru_cache(maxsize=1)
def read(signed: Signature) -> Table:
    """Return all packages that dpkg knows, by name and by name:architecture.

    Args:
        signed: the `signature` of now: as long as it is the same nothing is read.

    """
    table: Table = {}
    native = _native()
    for path in (STATUS, *(f"{UPDATES}/{name}" for name in updates())):
        with suppress(FileNotFoundError), open(path, encoding="utf-8", errors="replace") as file:
            _parse(file.read(), native, table)
    return table


def _stat(path: str) -> os.stat_result | None:
    with suppress(FileNotFoundError):
        return os.stat(path)
    return None


def _native() -> str:
    """Return the architecture of this machine if dpkg has several; they are listed then, it first."""
    with suppress(FileNotFoundError), open(ARCHITECTURES, encoding="ascii") as file:
        return file.readline().strip()
    return ""


def _parse(text: str, native: str, table: Table) -> None:
    """Put the paragraphs of `text` into `table`; of several architectures the native one has the bare name."""
    for paragraph in text.split("\n\n"):
        paragraph = "\n" + paragraph
        name = _field(paragraph, "\nPackage: ")
        if not name:
            continue
        want, flag, state = (_field(paragraph, "\nStatus: ").split() + [""] * 3)[:3]
        state = WORDS.get(state, state) if flag == "ok" else f"{state} {flag}"
        version = "" if state == "absent" else _field(paragraph, "\nVersion: ")
        architecture = _field(paragraph, "\nArchitecture: ")
        found = Found(state, version, want == "hold")
        table[f"{name}:{architecture}"] = found
        if architecture in (native, "all", "") or not native or name not in table:
            table[name] = found


def _field(paragraph: str, name: str) -> str:
    """Return the value of a field, found twice as fast as by a regular expression."""
    start = paragraph.find(name)
    if start < 0:
        return ""
    start += len(name)
    end = paragraph.find("\n", start)
    return paragraph[start : end if end >= 0 else None].strip()


class Dpkg:
    """The packages of this machine, for all resources of a host."""

    def __init__(self, host: "Host") -> None:
        self._host = host
        self._turn = asyncio.Lock()
        self._news = Many(host.files.changes(ADMIN), host.files.changes(UPDATES))
        self._watched: set[Entry] = set()
        self._handed: dict[str, Found] = {}  # what somebody was told last
        self._stirred = False
        self._looking: asyncio.Task[None] | None = None

    async def table(self) -> Table:
        """Return all packages as they are now; in a thread if they have to be read."""
        async with self._turn:  # who waited finds them read
            return await self._host.in_thread(read, signature())

    async def find(self, name: str) -> Found:
        """Return a package; when it becomes another one, those who watch it are told."""
        found = self._handed[name] = (await self.table()).get(name, ABSENT)
        return found

    def changes(self, name: str) -> "Entry":
        """Return a subscription to the package `name`."""
        return Entry(self, name)

    def add(self, entry: "Entry") -> None:
        """Watch for `entry` too; the first one begins it."""
        if not self._watched:
            self._news.start(self._stir)
        self._watched.add(entry)

    def remove(self, entry: "Entry") -> None:
        """Watch for it no more; the last one ends it."""
        self._watched.discard(entry)
        if not self._watched:
            self.close()

    def close(self) -> None:
        """Watch nothing."""
        self._news.stop()
        if self._looking:
            self._looking.cancel()
            self._looking = None

    def _stir(self) -> None:
        self._stirred = True
        if self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(self._look())

    async def _look(self) -> None:
        """Tell those whose package is not what it was when they looked; again if dpkg went on writing."""
        while self._stirred:
            self._stirred = False
            try:
                table = await self.table()
            except OSError:  # out of descriptors, say; a check meets it too, and is heard
                table = {}
            for entry in tuple(self._watched):
                if table.get(entry.name, ABSENT) != self._handed.get(entry.name):
                    entry.tell()
            await asyncio.sleep(PAUSE)
        self._looking = None


class Entry(Subscription):
    """Says that a package may have become another one since somebody looked."""

    def __init__(self, dpkg: Dpkg, name: str) -> None:
        self.name = name
        self._dpkg = dpkg
        self._changed: Callable[[], None] | None = None

    def start(self, changed: Callable[[], None]) -> None:
        """Begin; dpkg's files are watched once for all."""
        if self._changed:
            raise RuntimeError("it has begun already")
        self._dpkg.add(self)
        self._changed = changed

    def stop(self) -> None:
        """Say no more."""
        self._changed = None
        self._dpkg.remove(self)

    def tell(self) -> None:
        """Say it."""
        if self._changed:
            self._changed()

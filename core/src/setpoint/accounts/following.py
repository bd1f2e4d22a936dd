"""Who is told when users and groups have changed: only those who look at what is another now.

Each of 300 users that are made in one graph changes a file that all of them watch. If that had all of them checked, it
would take 90,000 checks. So one reader follows the files for all, and asks each whether it sees news.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from setpoint.accounts.tables import FILES, Entries, File, Groups, Tables
from setpoint.watching import Many, Subscription

if TYPE_CHECKING:
    from setpoint.host import Host


class Accounts:
    """The users and groups of this machine; one for all resources: `host.shared(Accounts)`."""

    def __init__(self, host: "Host") -> None:
        self._in_thread = host.in_thread
        self._files = [File(path, host.clock) for path in FILES]
        self._watch = Many(*map(host.files.changes, FILES))
        self._groups = Groups({})
        self._tables: Tables | None = None
        self._told: Tables | None = None  # what the followers know of
        self._reading = threading.Lock()
        self._followers: dict[News, Callable[[], None]] = {}
        self._teller: asyncio.Task[None] | None = None
        self._is_late = False  # something has changed since the teller began to read

    async def read(self) -> Tables:
        """Return what the files say now; on the loop.

        It is never older than what followers have been told of: who keeps what was seen, without waiting for anything
        else before, is told of all that comes later.

        Raises:
            OSError: they cannot be read.

        """
        if current := self._current():
            return current
        tables = await self._in_thread(self.read_now)
        return self._tables or tables

    def read_now(self) -> Tables:
        """Do so in a thread."""
        with self._reading:
            return self._current() or self._read()

    def _current(self) -> Tables | None:
        """Return the tables if they are what the files say; looking costs some microseconds."""
        return self._tables if all(file.is_fresh for file in self._files) else None

    def _read(self) -> Tables:
        passwd, group, shadow = self._files
        changed = passwd.read()
        if group.read():
            self._groups, changed = Groups(group.entries), True
        try:
            changed |= shadow.read()
            secret: Entries | None = shadow.entries
        except PermissionError:
            secret = None
        if changed or self._tables is None:
            self._tables = Tables(passwd.entries, self._groups, secret)
        return self._tables

    def follow(self, news: "News", changed: Callable[[], None]) -> None:
        """Call `changed` when `news` sees some, from now on."""
        if news in self._followers:
            raise RuntimeError("it has begun already")
        if not self._followers:
            self._watch.start(self._changed)
        self._followers[news] = changed

    def leave(self, news: "News") -> None:
        """Do so no more."""
        if self._followers.pop(news, None) and not self._followers:
            self._watch.stop()

    def close(self) -> None:
        """Tell nobody any more."""
        self._followers.clear()
        self._watch.stop()
        if self._teller:
            self._teller.cancel()

    def _changed(self) -> None:
        self._is_late = True
        if self._teller is None:
            self._teller = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        """Read the files until they stand still, and tell whom it concerns."""
        try:
            while self._is_late:
                self._is_late = False
                tables = None
                with suppress(OSError):  # then each will see for itself
                    tables = await self.read()
                if tables is None or tables is not self._told:
                    self._told = tables
                    self._tell_of(tables)
        finally:
            self._teller = None

    def _tell_of(self, tables: Tables | None) -> None:
        for news, changed in tuple(self._followers.items()):
            if news in self._followers and (tables is None or news.sees(tables)):
                changed()


class News(Subscription):
    """Says when the users and groups show something new.

    Args:
        accounts: whose.
        sees: whether tables differ, in what matters, from those that were last looked at.

    """

    __slots__ = ("_accounts", "sees")

    def __init__(self, accounts: Accounts, sees: Callable[[Tables], bool]) -> None:
        self._accounts, self.sees = accounts, sees

    def start(self, changed: Callable[[], None]) -> None:
        """Call `changed` from now on."""
        self._accounts.follow(self, changed)

    def stop(self) -> None:
        """Call no more."""
        self._accounts.leave(self)

"""Users and groups, by name or by number. A look-up is kept until their file changes."""

import grp
import os
import pwd
from collections.abc import Callable
from typing import Any


class _Accounts:
    """Numbers of names, and names of numbers, kept as long as the file of them is untouched."""

    def __init__(
        self, file: str, by_name: Callable[[str], Any], by_id: Callable[[int], Any]
    ) -> None:
        self._file, self._by_name, self._by_id = file, by_name, by_id
        self._read: tuple[int, int] | None = None
        self._ids: dict[str, int] = {}

    def id(self, account: str) -> int | None:
        """Return the number of `account`, which may be one; None if there is no such name."""
        if account.isdecimal():
            return int(account)
        self._forget_if_changed()
        if account not in self._ids:
            try:
                self._ids[account] = self._by_name(account)[2]
            except KeyError:
                return None
        return self._ids[account]

    def name(self, number: int) -> str:
        """Return the name of `number`; itself as text if it has none."""
        try:
            return str(self._by_id(number)[0])
        except KeyError:
            return str(number)

    def _forget_if_changed(self) -> None:
        """Drop what is known if the file was written, say by useradd(8)."""
        try:
            found = os.stat(self._file)
        except OSError:
            self._ids.clear()
            return
        if self._read != (found.st_mtime_ns, found.st_ino):
            self._read = (found.st_mtime_ns, found.st_ino)
            self._ids.clear()


users = _Accounts("/etc/passwd", pwd.getpwnam, pwd.getpwuid)
groups = _Accounts("/etc/group", grp.getgrnam, grp.getgrgid)

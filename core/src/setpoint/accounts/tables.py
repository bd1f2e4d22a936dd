"""The tables of users and groups, as the files in /etc have them.

Only those files are read, not the name service: what LDAP or sssd adds cannot be changed by the tools of this machine.
Parsing 10,000 users takes milliseconds, so it is done once for each change of a file and not for each who asks.
"""

import os
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import NamedTuple

from setpoint.clock import Clock
from setpoint.errors import Refused

PASSWD, GROUP, SHADOW = FILES = ("/etc/passwd", "/etc/group", "/etc/shadow")
# Seconds after which a file that is written once more has another time: a tick of the kernel's clock is 10 ms at most.
SETTLED = 0.02

Entries = Mapping[str, str]  # name to the rest of its line
NONE: Entries = {}
Trace = int  # a hash, so that no secret is kept by who compares it


class User(NamedTuple):
    """A line of passwd(5)."""

    name: str
    uid: int
    gid: int
    comment: str
    homedir: str
    shell: str


class Group(NamedTuple):
    """A line of group(5); `members` are those that have it as a supplementary group."""

    name: str
    gid: int
    members: tuple[str, ...]


class Shadow(NamedTuple):
    """What shadow(5) says of a user.

    password: the encrypted one; "!" or "*" at its beginning lets no password in.
    expiry: the day from which on the account is closed, in days since 1970; None is never.
    """

    password: str
    expiry: int | None

    def __repr__(self) -> str:
        return f"Shadow((secret), {self.expiry})"


class Groups:
    """The entries of /etc/group, and who is in which."""

    def __init__(self, entries: Entries) -> None:
        self.entries = entries

    @cached_property
    def of(self) -> Mapping[str, tuple[str, ...]]:
        """The supplementary groups of each user that has any."""
        found: dict[str, list[str]] = {}
        for group, rest in self.entries.items():
            for member in filter(None, rest.rpartition(":")[2].split(",")):
                found.setdefault(member, []).append(group)
        return {member: tuple(groups) for member, groups in found.items()}


class Tables:
    """What the files say at one time.

    Args:
        passwd: the entries of that file.
        groups: those of /etc/group.
        shadow: those of that file; None if it may not be read.

    """

    def __init__(self, passwd: Entries, groups: Groups, shadow: Entries | None) -> None:
        self._passwd, self._groups, self._shadow = passwd, groups, shadow

    @property
    def users(self) -> list[str]:
        """The names of all users."""
        return list(self._passwd)

    @property
    def groups(self) -> list[str]:
        """The names of all groups."""
        return list(self._groups.entries)

    def user(self, name: str) -> User | None:
        """Return the user of that name; None if there is none, or its line is broken."""
        match self._passwd.get(name, "").split(":"):
            case [_, uid, gid, comment, homedir, shell] if uid.isdecimal() and gid.isdecimal():
                return User(name, int(uid), int(gid), comment, homedir, shell)
        return None

    def group(self, name: str) -> Group | None:
        """Return the group of that name; None if there is none, or its line is broken."""
        match self._groups.entries.get(name, "").split(":"):
            case [_, gid, members] if gid.isdecimal():
                return Group(name, int(gid), tuple(filter(None, members.split(","))))
        return None

    def shadow(self, name: str) -> Shadow | None:
        """Return what is secret about the user of that name; None if nothing is written.

        Raises:
            Refused: we may not read it.

        """
        if self._shadow is None:
            raise Refused(f"only root may read {SHADOW}", "run setpoint as root")
        match self._shadow.get(name, "").split(":"):
            case [password, _, _, _, _, _, expiry, _]:
                return Shadow(password, int(expiry) if expiry.isdecimal() else None)
        return None

    def groups_of(self, name: str) -> frozenset[str]:
        """Return the names of the supplementary groups of a user, who need not exist."""
        return frozenset(self._groups.of.get(name, ()))

    def users_with(self, uid: int) -> list[str]:
        """Return the names of the users with that number."""
        return [name for name in self._passwd if (user := self.user(name)) and user.uid == uid]

    def groups_with(self, gid: int) -> list[str]:
        """Return the names of the groups with that number."""
        return [name for name in self.groups if (group := self.group(name)) and group.gid == gid]

    def trace_of_user(self, name: str, groups: Iterable[str] = ()) -> Trace:
        """Return what differs if that user has changed, or one of `groups` has come, gone or another number.

        It is for comparing only, and costs a microsecond.
        """
        entry = self._groups.entries.get
        numbers = [entry(group, "").rpartition(":")[0] for group in groups]
        secret = self._shadow and self._shadow.get(name)
        return hash((self._passwd.get(name), secret, self._groups.of.get(name), *numbers))

    def trace_of_group(self, name: str, users: Iterable[str] = ()) -> Trace:
        """Return the same of a group, and of `users` who come or go."""
        there = [user in self._passwd for user in users]
        return hash((self._groups.entries.get(name), *there))


class File:
    """One of the files, which is parsed anew when it has changed."""

    def __init__(self, path: str, clock: Clock) -> None:
        self.path, self.entries = path, NONE
        self._clock = clock
        self._data: bytes | None = None
        self._signature: tuple[int, ...] | None = None
        self._since = 0.0  # when this signature was first seen
        self._settled = False

    @property
    def is_fresh(self) -> bool:
        """Whether `entries` are what the file says now."""
        return self._settled and _sign(self.path) == self._signature

    def read(self) -> bool:
        """Read the file; return whether its entries are other ones now.

        Raises:
            PermissionError: we may not.

        """
        signature, now = _sign(self.path), self._clock.monotonic()
        if signature != self._signature:
            self._signature, self._since = signature, now
        # Somebody may write twice within a tick, which does not show in the signature.
        self._settled = now - self._since > SETTLED
        data = _read(self.path)
        if data == self._data:
            return False
        self._data, self.entries = data, _parse(data)
        return True


def _sign(path: str) -> tuple[int, ...]:
    """Return what differs when a file has changed; nothing if there is none."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def _parse(data: bytes) -> Entries:
    """Return the lines of a file by name; of several of one name the first counts, as for getpwnam(3)."""
    entries: dict[str, str] = {}
    for line in data.decode("utf-8", "surrogateescape").split("\n"):
        name, colon, rest = line.partition(":")
        if colon:
            entries.setdefault(name, rest)
    return entries

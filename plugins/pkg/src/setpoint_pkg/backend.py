"""What a package manager has to offer to the resource, and which one this machine has.

To teach the resource another one, write a class that is a `Backend`, and add it to `choose`.
"""

import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple, Protocol

from setpoint import Change, Refused, Thing, Together
from setpoint.watching import Subscription

if TYPE_CHECKING:
    from setpoint.host import Host

GONE = ("absent", "purged")
STATES = ("installed", "newest", *GONE)  # all others are versions
TORN = "half-installed reinstreq"  # as dpkg says it of what it was interrupted in
Tell = Callable[[str], None]


class Found(NamedTuple):
    """A package as it is now.

    state: "installed", "absent", "removed" (its configuration files are there), or in the words of the package manager
        something between, as an interrupted transaction leaves it.
    version: that of the package; empty if it is absent.
    held: whether it is kept as it is.
    newest: the version that would be installed now; empty if that was not asked, or there is none.
    """

    state: str = "absent"
    version: str = ""
    held: bool = False
    newest: str = ""

    @property
    def is_installed(self) -> bool:
        """Whether it is there as a whole."""
        return self.state == "installed"

    @property
    def is_torn(self) -> bool:
        """Whether it can be used for nothing before it is installed anew."""
        return self.state == TORN

    @property
    def shown(self) -> str | None:
        """What it is, in a word; None if it is absent."""
        if self.is_installed:
            return self.version
        return None if self.state == "absent" else self.state


class Wish(NamedTuple):
    """What a resource wants: its params, and how to tell people what is being done for it."""

    name: str
    state: str
    hold: bool | None
    recommends: bool | None
    max_age: float
    tell: Tell

    def differences(self, found: Found) -> list[Change]:
        """Return in what `found` differs from the wish."""
        changes = []
        if not self._is_fulfilled_by(found):
            changes.append(Change("state", found.shown, self._wanted(found)))
        if self.hold is not None and self.hold != found.held:
            changes.append(Change("hold", found.held, self.hold))
        return changes

    def _is_fulfilled_by(self, found: Found) -> bool:
        if self.state == "purged":
            return found.state == "absent"
        if self.state == "absent":
            return found.state in ("absent", "removed")
        if not found.is_installed:
            return False
        if self.state == "newest":
            return found.newest in ("", found.version)
        return self.state == "installed" or fits(found.version, self.state)

    def _wanted(self, found: Found) -> str:
        return (self.state == "newest" and found.newest) or self.state


def fits(version: str, wanted: str) -> bool:
    """Whether `version` is the one that is `wanted`, where "1.2*" is any that begins so."""
    return fnmatchcase(version, wanted)


class Backend(Protocol):
    """A package manager; made once for a host, and used on its loop."""

    def __init__(self, host: "Host") -> None: ...

    def changes(self, name: str, newest: float | None) -> Subscription:
        """Return a subscription to all that may change what `look` finds.

        Args:
            name: the package.
            newest: seconds until the lists of packages count as old, if the newest version is asked for.

        """

    def look(self, name: str, *, newest: bool = False) -> Awaitable[Found]:
        """Return what is known of a package; with `newest` also which version could be installed."""

    def freshen(self, max_age: float, tell: Tell) -> Awaitable[None]:
        """Refresh the lists of packages if they are older than `max_age` seconds."""

    def fulfil(self, wishes: Sequence[Wish]) -> Awaitable[Mapping[Wish, Exception | None]]:
        """Bring about all `wishes`, at best at once, and return for each the error if there was one."""

    def close(self) -> None:
        """Give back what is held."""

    @staticmethod
    def now(name: str) -> Found:
        """Return what is known of a package; may block."""

    @staticmethod
    def brings(name: str) -> Iterable[Thing]:
        """Return what a package owns, or if it is not installed what it is likely to bring; quick."""


def choose() -> type[Backend]:
    """Return the package manager that this machine has.

    Raises:
        Refused: none that is known.

    """
    if os.path.exists("/usr/bin/apt-get") and os.path.isdir("/var/lib/dpkg"):
        from setpoint_pkg.apt import Apt

        return Apt
    raise Refused("this machine must have apt to install packages, found no /usr/bin/apt-get")


class Manager:
    """What all packages of a host share: the package manager, and its transactions."""

    def __init__(self, host: "Host") -> None:
        self.backend = choose()(host)
        self.transactions = Together(self.backend.fulfil, wait=GATHERING)

    def close(self) -> None:
        """Stop what is under way."""
        self.transactions.close()
        self.backend.close()


GATHERING = 0.2  # seconds that the first wish waits for others; each transaction costs more

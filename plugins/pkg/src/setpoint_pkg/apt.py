"""apt: the package manager of Debian and its descendants, by its commands.

Source: apt-get(8), apt-cache(8), apt-mark(8), dpkg(1).
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from setpoint import Thing, Together
from setpoint.watching import Every, Many, Subscription
from setpoint_pkg import owned
from setpoint_pkg.backend import Found, Tell, Wish
from setpoint_pkg.commands import Commands
from setpoint_pkg.dpkg import ABSENT, Dpkg, read, signature
from setpoint_pkg.lists import LISTS, Lists
from setpoint_pkg.policy import Offer, offers

if TYPE_CHECKING:
    from setpoint.host import Host


class Apt:
    """The packages of a Debian machine, for all resources of a host."""

    def __init__(self, host: "Host") -> None:
        self._files = host.files
        self.dpkg = Dpkg(host)
        self.commands = Commands(host)
        self.lists = Lists(host, self.commands)
        self._offers = Together(self._ask, wait=0.0)
        self._turn = asyncio.Lock()

    def changes(self, name: str, newest: float | None) -> Subscription:
        """Return a subscription to what `look` finds; with `newest` the lists count, and that they get old."""
        entry = self.dpkg.changes(name)
        if newest is None:
            return entry
        lists = self._files.changes(LISTS)
        return Many(entry, lists, Every(newest)) if newest else Many(entry, lists)

    async def look(self, name: str, *, newest: bool = False) -> Found:
        """Return what dpkg knows of a package, and apt of newer ones if that is asked."""
        found = await self.dpkg.find(name)
        if not newest:
            return found
        offer = await self._offers.want(name)
        return found._replace(newest=offer.candidate if offer else "")

    async def freshen(self, max_age: float, tell: Tell) -> None:
        """Refresh the lists of packages if they are older than `max_age` seconds."""
        if self.lists.are_older(max_age):
            async with self._turn:
                await self.lists.freshen(max_age, tell)

    async def fulfil(self, wishes: Sequence[Wish]) -> Mapping[Wish, Exception | None]:
        """Bring about all `wishes`, in one transaction if nothing goes wrong."""
        from setpoint_pkg.transaction import Transaction

        async with self._turn:
            return await Transaction(self, wishes).run()

    def close(self) -> None:
        """Stop what is under way, and watch nothing."""
        self._offers.close()
        self.dpkg.close()

    @staticmethod
    def now(name: str) -> Found:
        """Return what dpkg knows of a package now."""
        return read(signature()).get(name, ABSENT)

    @staticmethod
    def brings(name: str) -> Iterable[Thing]:
        """Return what a package owns or is likely to bring."""
        return owned.brings(name)

    async def _ask(self, names: Sequence[str]) -> Mapping[str, Offer | None]:
        """Return what apt offers of each package, asked once for all that want to know it now."""
        known = await offers(self.commands, names)
        return {name: known.get(name) for name in names}

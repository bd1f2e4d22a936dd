"""The `pkg` resource: packages of the distribution, many in one transaction.

backend.py      what a package manager has to offer to the resource, and which one this machine has
apt.py          the one for Debian and its descendants, made of these:
dpkg.py         the table of packages that dpkg keeps, and the news of it
policy.py       which versions there are to install
lists.py        the lists of packages, which get old
locks.py        who else is at work
commands.py     how apt's commands are run
transaction.py  what many resources want, brought about by one command
owned.py        what packages bring
"""

import os
import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Annotated

from setpoint import REWATCH, Change, ParamError, Refused, Resource, Thing, Values, hookimpl
from setpoint.errors import suggest
from setpoint.relations import ANYTHING
from setpoint.resource import Seconds
from setpoint.watching import Subscription
from setpoint_pkg.backend import GONE, STATES, Found, Manager, Wish, choose

# Source: Debian policy 5.6.1 and 5.6.12; a name may be followed by an architecture.
NAME = re.compile(r"[a-z0-9][a-z0-9+.-]*[a-z0-9+.](:[a-z0-9-]+)?")
VERSION = re.compile(r"[0-9][A-Za-z0-9.+:~-]*\*?")


class Pkg(Resource):
    """A package that is installed, in some version, or is not.

    All packages that are to change at the same time do so in one transaction of the package manager. If
    that fails, those that are not at fault are installed all the same, and each fault is told where it is.

    Nobody is asked: questions get their default answer, and configuration files that were edited are
    kept. While another program holds the lock of the package manager it is waited for. A transaction
    that was interrupted before is finished first. Only root can apply it.

    Understood is apt, with its commands; other package managers are refused.

    name: the package, as "nginx", or with an architecture as "libc6:i386".
    state: installed, in whatever version; newest, and updated when the lists offer more; a version, as
        "1.2-3" or as "1.2*" for the newest that begins so, older ones than installed included; absent,
        its configuration files stay; purged, without these. Installed by default.
    hold: true keeps others from updating or removing it, false lets them, null leaves that as it is.
    recommends: true installs what it recommends too, false does not, null as apt is configured.
    max_age: seconds, from 0: lists of packages that are older are refreshed before something is
        installed, and with newest each time they become so; at most once in 5 minutes. A day by
        default. A package that they do not know has them refreshed too.

    Sends `version`: the version that is installed; empty if none is.
    """

    kind = "pkg"

    state: Annotated[str, REWATCH] = "installed"
    hold: bool | None = None
    recommends: bool | None = None
    max_age: Annotated[Seconds, REWATCH] = 86400.0

    class Sends(Values):
        """What others may receive."""

        version: str

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            rule = f"must be a package: lower case, digits and +-., not {self.name!r}"
            raise ParamError("name", rule)
        if not isinstance(self.state, str):
            return
        if self.state not in STATES and not VERSION.fullmatch(self.state):
            rule = f"must be one of {', '.join(STATES)} or a version, not {self.state!r}"
            raise ParamError("state", rule, suggest(self.state, STATES))
        if self.hold is True and self.state in (*GONE, "newest"):
            raise ParamError("hold", f"does not go with state {self.state}", "remove one of them")

    @hookimpl
    def watch(self) -> Subscription:
        """Look again when its entry in the package manager's database becomes another one."""
        backend = self._manager.backend
        return backend.changes(self.name, self.max_age if self.state == "newest" else None)

    @hookimpl
    async def check_apply(self, apply: bool) -> list[Change]:
        """Check and repair; to know the newest version, lists that are too old are refreshed first."""
        if apply and self.state == "newest" and os.geteuid() == 0:
            await self._manager.backend.freshen(self.max_age, self._tell)
        return await super().check_apply(apply)

    async def check(self) -> list[Change]:
        """Compare what is installed with what is declared."""
        found = await self._manager.backend.look(self.name, newest=self.state == "newest")
        self.memory["found"] = found
        return self._wish.differences(found)

    async def apply(self, changes: list[Change]) -> None:
        """Bring it about, together with all others that want something now."""
        if os.geteuid() != 0:
            raise Refused(
                f"only root may install and remove packages, not user {os.geteuid()}", "run as root"
            )
        await self._manager.transactions.want(self._wish)
        self.memory["found"] = await self._manager.backend.look(self.name)

    @hookimpl
    def send(self) -> Sends:
        """Hand out the version that the last look found."""
        found: Found = self.memory["found"]
        return self.Sends(version=found.version if found.is_installed else "")

    def provides(self) -> Iterable[Thing]:
        """Return the package, its units, and the paths that it owns or is likely to own."""
        if self.state in GONE:
            return ()
        try:
            return (Thing("package", self.name), *choose().brings(self.name))
        except Refused:  # on a machine that can be none of this, which its check tells
            return (Thing("package", self.name),)

    def touches(self) -> Iterable[Thing]:
        """Return that nobody knows what a package brings with it."""
        return (ANYTHING,)

    def reversed(self) -> "Pkg":
        """Return the package as it is now: absent, or in this version."""
        found = choose().now(self.name)
        hold = None if self.hold is None else found.held
        if not found.is_installed:
            return Pkg(self.name, state="absent")
        return Pkg(self.name, state=found.version, hold=hold)

    @property
    def _manager(self) -> Manager:
        return self.host.shared(Manager)

    @property
    def _wish(self) -> Wish:
        return Wish(self.name, self.state, self.hold, self.recommends, self.max_age, self._tell)

    @property
    def _tell(self) -> Callable[[str], None]:
        return partial(self.host.progress, self)

"""The fact `hostname`."""

import os
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from setpoint import Fact, Values
from setpoint.watching import Many, Priority
from setpoint_sys.reading import follow
from setpoint_sys.smallfiles import assignments, lines_of
from setpoint_sys.sources import Relay

if TYPE_CHECKING:
    from setpoint.host import Host

STATIC, PRETTY = "/etc/hostname", "/etc/machine-info"


class Hostname(Fact):
    """What this machine is called.

    The kernel tells of each change of its name, and inotify of the two files; so hostnamed, NetworkManager, a DHCP
    client, hostname(1) and an editor are heard alike, with or without a D-Bus. What hostnamed announces there is what
    these three hold.

    name: empty.

    Source: hostname(5), machine-info(5), org.freedesktop.hostname1(5); hostname_poll in kernel/utsname_sysctl.c.
    """

    kind = "hostname"

    class Value(Values):
        """The names of this machine.

        name: what the kernel and its programs take it for now.
        short: that up to its first dot.
        domain: what follows that dot; empty where there is none.
        static: what /etc/hostname says for the next boot; empty if it says nothing.
        pretty: the name for people, as in /etc/machine-info: Ann's laptop; empty if it has none.
        """

        name: str
        short: str
        domain: str
        static: str
        pretty: str

    def watch(self) -> AsyncGenerator["Hostname.Value", None]:
        """Yield the names, then what they have become."""
        files = (self.host.files.changes(path) for path in (STATIC, PRETTY))
        return follow(Many(self.host.shared(renamed).listen(), *files), self._read)

    async def _read(self) -> "Hostname.Value":
        name = os.uname().nodename
        short, _, domain = name.partition(".")
        return self.Value(name=name, short=short, domain=domain, static=static(), pretty=pretty())


def renamed(host: "Host") -> Relay:
    """Return what tells that the kernel has another name for this machine."""
    return Relay(host, Priority("/proc/sys/kernel/hostname"))


def static() -> str:
    """Return the first line of /etc/hostname that is no comment."""
    lines = (line.strip() for line in lines_of(STATIC))
    return next((line for line in lines if line and not line.startswith("#")), "")


def pretty() -> str:
    """Return the pretty name in /etc/machine-info."""
    return assignments(lines_of(PRETTY)).get("PRETTY_HOSTNAME", "")

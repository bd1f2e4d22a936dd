"""The fact `os`."""

import os
from collections.abc import AsyncGenerator

from setpoint import Fact, Values
from setpoint_sys.reading import follow, patiently
from setpoint_sys.smallfiles import assignments, line_of, lines_of
from setpoint_sys.virtual import virtualization

RELEASE = "/etc/os-release"
FAMILIES = {  # as mgmt and Puppet call them, by what stands in ID or ID_LIKE
    "debian": "debian",
    "rhel": "redhat",
    "fedora": "redhat",
    "suse": "suse",
    "arch": "archlinux",
}


class Os(Fact):
    """The distribution, the kernel, and what they run on.

    It moves when /etc/os-release does, as an upgrade makes it; the rest stays until the next boot.

    name: empty.

    Source: os-release(5), uname(2), systemd-detect-virt(1).
    """

    kind = "os"

    class Value(Values):
        """What runs here.

        id: of the distribution, lower case: debian, fedora; linux if it does not say.
        family: debian, redhat, suse, archlinux, or else the id.
        like: ids of the distributions it comes from, the nearest first.
        name: of the distribution, for people, with its version.
        version: of the distribution: 12, 24.04; empty for one that rolls.
        codename: of that version: bookworm; empty where there is none.
        kernel: the release of the kernel: 6.1.0-18-amd64.
        architecture: of the machine, as the kernel calls it: x86_64, aarch64.
        init: name of the first process: systemd.
        virtualization: what it runs in, a container before the machine below it, in the words of systemd-detect-virt:
            docker, kvm, vmware, vm-other. Empty is a machine of its own.
        """

        id: str
        family: str
        like: list[str]
        name: str
        version: str
        codename: str
        kernel: str
        architecture: str
        init: str
        virtualization: str

    def watch(self) -> AsyncGenerator["Os.Value", None]:
        """Yield what runs here, then what it has become."""
        changes = self.host.files.changes(RELEASE)
        return follow(changes, lambda: patiently(self, running))


def running() -> Os.Value:
    """Return what runs here."""
    said, kernel = assignments(lines_of(RELEASE)), os.uname()
    id_, like = said.get("ID", "linux"), said.get("ID_LIKE", "").split()
    return Os.Value(
        id=id_,
        family=next((FAMILIES[one] for one in (id_, *like) if one in FAMILIES), id_),
        like=like,
        name=said.get("PRETTY_NAME", "Linux"),
        version=said.get("VERSION_ID", ""),
        codename=said.get("VERSION_CODENAME", ""),
        kernel=kernel.release,
        architecture=kernel.machine,
        init=line_of("/proc/1/comm"),
        virtualization=virtualization(),  # takes milliseconds on a machine with many processors
    )

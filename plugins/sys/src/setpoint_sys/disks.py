"""The fact `disks`."""

import asyncio
import os
from collections.abc import AsyncGenerator, Iterable
from functools import partial
from typing import TYPE_CHECKING, Literal

from msgspec import structs

from setpoint import Fact, Values
from setpoint.watching import Many, Priority
from setpoint_sys.measures import percent
from setpoint_sys.mounts import MOUNTS, Mount, mounts, on_disks
from setpoint_sys.patience import Patience
from setpoint_sys.reading import follow, patiently
from setpoint_sys.sources import Relay
from setpoint_sys.ticker import Every, Ticker

if TYPE_CHECKING:
    from setpoint.host import Host

PATIENCE = 2.0  # seconds that a server has to tell how full it is
SILENT: Literal["silent"] = "silent"

Room = os.statvfs_result | None | Literal["silent"]
Rooms = dict[Mount, Room]


class Disk(Values):
    """A mounted file system.

    name: where it is mounted, in the words of systemd's units: var-lib for /var/lib, - for /.
    path: where it is mounted.
    device: what is mounted: /dev/vda1, server:/export, tmpfs.
    type: of the file system: ext4, nfs4, tmpfs.
    read_only: whether nothing can be written to it.
    size: in bytes.
    used: percent of it, 0 to 100; as df has it, of what users other than root may fill.
    free: bytes that users other than root can still write.
    inodes_used: percent of the number of files that it can hold; 0 where there is no such limit.
    answers: False for a server that does not say how full it is, within 2 seconds; then the numbers are 0.
    """

    name: str
    path: str
    device: str
    type: str
    read_only: bool
    size: int = 0
    used: float = 0.0
    free: int = 0
    inodes_used: float = 0.0
    answers: bool = True


class Disks(Fact):
    """The mounted file systems that hold something, in the order they were mounted, and how full they are.

    As in df(1), those of the kernel that hold no files are left out, and one that is mounted several times is told
    once. What is mounted and unmounted is told by the kernel; how full they are is looked at by a timer. A server that
    is gone delays only itself.

    name: path of a mount point, to be told of that one only, if it is one; empty is all.
    every: seconds between looks at how full they are, 0.1 to 86400.

    Source: proc_pid_mountinfo(5), statvfs(3), systemd.unit(5).
    """

    kind = "disks"
    Value = list[Disk]
    every: Every = 60.0

    def watch(self) -> AsyncGenerator[list[Disk], None]:
        """Yield the disks, then what they have become."""
        host = self.host
        changes = Many(host.shared(Ticker).every(self.every), host.shared(mounting).listen())
        return follow(changes, self._read)

    async def _read(self) -> list[Disk]:
        found = mounts()
        wanted = [one for one in found if one.path == self.name] if self.name else on_disks(found)
        rooms = await asyncio.gather(self._near(wanted), *map(self._far, wanted))
        known = {mount: room for part in rooms for mount, room in part.items()}
        return [disk(one, known[one]) for one in wanted if is_told(known[one])]

    async def _near(self, wanted: Iterable[Mount]) -> Rooms:
        """Look at what is on this machine, all at once."""
        near = [mount for mount in wanted if not mount.may_hang]
        return await patiently(self, lambda: {mount: room(mount) for mount in near})

    async def _far(self, mount: Mount) -> Rooms:
        """Look at what is on another machine, which may not answer."""
        if not mount.may_hang:
            return {}
        what, patience = f"mount {mount.path}", self.host.shared(Patience)
        try:
            return {mount: await patience.call(what, partial(room, mount), PATIENCE)}
        except TimeoutError:
            return {mount: SILENT}


def mounting(host: "Host") -> Relay:
    """Return what tells that something was mounted or unmounted."""
    return Relay(host, Priority(MOUNTS))


def room(mount: Mount) -> Room:
    """Return how full it is; None if it is gone or not for us to see, `SILENT` if it is broken."""
    try:
        return os.statvfs(mount.path)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    except OSError:
        return SILENT


def is_told(found: Room) -> bool:
    """Whether a file system is one for people."""
    return found == SILENT or (found is not None and found.f_blocks > 0)


def disk(mount: Mount, found: Room) -> Disk:
    """Return what is told of a mount."""
    blank = Disk(
        name=mount.name,
        path=mount.path,
        device=mount.source,
        type=mount.type,
        read_only=mount.read_only,
        answers=isinstance(found, os.statvfs_result),
    )
    if not isinstance(found, os.statvfs_result):
        return blank
    taken = found.f_blocks - found.f_bfree
    return structs.replace(
        blank,
        size=found.f_blocks * found.f_frsize,
        used=percent(taken, taken + found.f_bavail),
        free=found.f_bavail * found.f_frsize,
        inodes_used=percent(found.f_files - found.f_ffree, found.f_files),
    )

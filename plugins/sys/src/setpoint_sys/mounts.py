"""The table of mounts."""

import re
from collections.abc import Sequence
from typing import NamedTuple

MOUNTS = "/proc/self/mountinfo"
# Where a look may wait for a server, or a program: there they are asked one by one.
REMOTE = frozenset(
    """
    9p afs beegfs ceph cifs fuse fuseblk gfs2 glusterfs lustre nfs nfs4 ocfs2 orangefs smb3 smbfs vboxsf virtiofs
""".split()
)
PLAIN = re.compile(rb"[A-Za-z0-9:_.]")


class Mount(NamedTuple):
    """A mount.

    device: number of the file system, the same for all its mounts: 254:0.
    root: what of it is mounted, "/" is all.
    path: where.
    read_only: whether the mount or its file system is.
    type: of the file system.
    source: what is mounted.

    Source: proc_pid_mountinfo(5).
    """

    device: str
    root: str
    path: str
    read_only: bool
    type: str
    source: str

    @property
    def may_hang(self) -> bool:
        """Whether a look at it may wait for a server."""
        return self.type in REMOTE or self.type.startswith("fuse.")

    @property
    def name(self) -> str:
        """The path in the words of systemd's units, which no two paths share."""
        return escaped(self.path)


def mounts() -> list[Mount]:
    """Return what is mounted, in that order; of several at one path the one on top."""
    with open(MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
        found = {mount.path: mount for mount in map(parsed, file)}
    return list(found.values())


def parsed(line: str) -> Mount:
    """Return the mount that a line of the table tells of."""
    before, _, after = line.rstrip("\n").partition(" - ")
    _, _, device, root, path, options = before.split(" ")[:6]
    type_, source, all_options = after.split(" ")[:3]
    read_only = "ro" in (*options.split(","), *all_options.split(","))
    return Mount(device, plain(root), plain(path), read_only, type_, plain(source))


def plain(word: str) -> str:
    """Return a word of the table without the octal numbers that stand for blanks and backslashes."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), word)


def on_disks(found: Sequence[Mount]) -> list[Mount]:
    """Return of each file system the mount that shows most of it, at the shortest path.

    Points where something would be mounted when they are looked at are left out.
    """
    best: dict[str, Mount] = {}
    for mount in found:
        known = best.get(mount.device)
        if mount.type != "autofs" and (known is None or _rank(mount) < _rank(known)):
            best[mount.device] = mount
    chosen = set(best.values())
    return [mount for mount in found if mount in chosen]


def _rank(mount: Mount) -> tuple[int, int]:
    return len(mount.root), len(mount.path)


def escaped(path: str) -> str:
    """Return `path` as systemd has it in the names of units. Source: systemd.unit(5), systemd-escape(1)."""
    words = "-".join(_escaped(part) for part in path.split("/") if part) or "-"
    return f"\\x2e{words[1:]}" if words.startswith(".") else words


def _escaped(part: str) -> str:
    signs = (bytes([byte]) for byte in part.encode("utf-8", "surrogateescape"))
    return "".join(s.decode() if PLAIN.match(s) else f"\\x{s[0]:02x}" for s in signs)

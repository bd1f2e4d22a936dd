"""What brings back the state of now."""

import os
from typing import TYPE_CHECKING

import msgspec

from setpoint import Refused
from setpoint_mount.fstab import Fields
from setpoint_mount.table import Entry, entries

if TYPE_CHECKING:
    from setpoint_mount.resource import Mount


def reverse(mount: "Mount", entry: Entry | None, line: Fields | None) -> "Mount":
    """Return what brings back that `entry` is mounted and `line` is in fstab, or that they are not.

    Raises:
        Refused: what is mounted cannot be named.

    """
    if line is not None:
        return msgspec.structs.replace(
            mount,
            device=line.device,
            type=line.type,
            options=tuple(line.options.split(",")) if line.options else (),
            dump=int(line.dump or 0),
            passno=int(line.passno or 0),
            state="mounted" if entry else "unmounted",
            fstab=True,
        )
    fstab = None if mount.fstab is None else False
    if entry is None:
        return msgspec.structs.replace(mount, state="unmounted", fstab=fstab)
    device, options = _source(entry)
    return msgspec.structs.replace(
        mount, device=device, type=entry.type, options=options, state="mounted", fstab=fstab
    )


def _source(entry: Entry) -> tuple[str, tuple[str, ...]]:
    """Return with which device and options `entry` can be mounted again."""
    if entry.root == "/" or entry.type == "btrfs":
        return entry.source, (*dict.fromkeys((*entry.flags, *entry.options)),)
    for other in entries():
        if other.device == entry.device and other.root == "/" and other.number != entry.number:
            path = os.path.normpath(f"{other.point}/{entry.root}")
            if os.path.exists(path) and os.path.samefile(path, entry.point):
                return path, ("bind", *entry.flags)
    raise Refused(
        f"{entry.root} of {entry.source} is mounted at {entry.point}, and nobody can say where it is from",
        "do without reverse",
    )

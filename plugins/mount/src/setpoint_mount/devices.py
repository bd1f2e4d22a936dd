"""Whether what is mounted is the device that is declared, which has many names."""

import os
import stat
from collections.abc import Sequence

from setpoint_mount.table import Entry

TAGS = ("UUID", "LABEL", "PARTUUID", "PARTLABEL", "ID")  # fstab(5)

_ANY_TYPE = ("", "auto", "none", "bind")
_PLAIN = set("#+-.:=@_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def is_bind(options: Sequence[str]) -> bool:
    """Whether `options` ask for a directory rather than a device."""
    return not {"bind", "rbind"}.isdisjoint(options)


def is_device(wanted: str, options: Sequence[str], entry: Entry) -> bool:
    """Whether `entry` is of the device `wanted`; true if that cannot be told."""
    if is_bind(options):
        return _is_same_file(wanted, entry.point)
    path = resolve(wanted)
    if path is None:
        return True
    if path.startswith("/"):
        return _is_source(path, entry)
    if "/" in path or ":" in path:  # of a network file system
        return path.rstrip("/") == entry.source.rstrip("/")
    return True  # of tmpfs and its like it is but a label


def is_type(wanted: str, entry: Entry) -> bool:
    """Whether `entry` is of the type `wanted`, which may be a family."""
    if wanted in _ANY_TYPE or wanted == entry.type:
        return True
    if entry.type == "fuseblk" or (wanted, entry.type) == ("nfs", "nfs4"):
        return True
    return entry.type.startswith("fuse") and entry.type.endswith(wanted.removeprefix("fuse"))


def resolve(device: str) -> str | None:
    """Return the path of a device that is named by a tag as "UUID=..."; None if udev has not made one.

    Any other is returned as it is.
    """
    tag, equals, value = device.partition("=")
    if not equals or tag not in TAGS:
        return device
    path = f"/dev/disk/by-{tag.lower()}/{_encoded(unquoted(value))}"
    return os.path.realpath(path) if os.path.exists(path) else None


def unquoted(value: str) -> str:
    """Return `value` without the quotes that it may have in fstab."""
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value


def _encoded(value: str) -> str:
    """Return `value` as udev names files after it."""
    words = ((c if c in _PLAIN or ord(c) > 127 else f"\\x{ord(c):02x}") for c in value)
    return "".join(words)


def _is_source(path: str, entry: Entry) -> bool:
    """Whether `entry` is of the block device at `path`, or of a file with an image."""
    try:
        found = os.stat(path)
    except OSError:
        return path == entry.source
    if stat.S_ISBLK(found.st_mode):
        return found.st_rdev in (_number(entry), _number_of_source(entry))
    loop = f"/sys/block/{os.path.basename(entry.source)}/loop/backing_file"
    try:
        with open(loop) as file:
            return file.read().rstrip("\n") == os.path.realpath(path)
    except OSError:
        return path == entry.source


def _number(entry: Entry) -> int:
    return os.makedev(*map(int, entry.device.split(":")))


def _number_of_source(entry: Entry) -> int:
    """Return the number of the device that `entry` says it is of; of btrfs it is not that of `entry`."""
    try:
        return os.stat(entry.source).st_rdev
    except OSError:
        return 0


def _is_same_file(path: str, other: str) -> bool:
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False

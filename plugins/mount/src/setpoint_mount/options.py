"""Whether a mounted file system has the options that are declared; what the kernel adds does not matter.

The kernel shows the options that are not as by default, some of them in other words. What it does not show cannot be
compared, and counts as it is declared.

Source: mount(8), mount_setattr(2), tmpfs(5).
"""

import re
from collections.abc import Iterable, Sequence

from setpoint_mount.devices import is_bind
from setpoint_mount.table import Entry

# A word that the kernel does not show, because it is the default, to those it shows otherwise.
_DEFAULTS = {
    "rw": {"ro"},
    "suid": {"nosuid"},
    "dev": {"nodev"},
    "exec": {"noexec"},
    "symfollow": {"nosymfollow"},
    "atime": {"noatime"},
    "diratime": {"nodiratime"},
    "norelatime": {"relatime"},
    "strictatime": {"relatime", "noatime"},
    "async": {"sync"},
    "nomand": {"mand"},
    "nolazytime": {"lazytime"},
}
_FLAGS = {word for shown in _DEFAULTS.values() for word in shown} | {"dirsync"}
_FOR_BOOT = {"nofail"}  # mount(8) would say that all went well
_SIZE = re.compile(r"(\d+)([kmgt]?)", re.IGNORECASE)
_OCTAL = {"mode", "umask", "fmask", "dmask", "file_mode", "dir_mode"}


def given(options: Iterable[str]) -> list[str]:
    """Return the options to mount with now."""
    return [option for option in options if option not in _FOR_BOOT]


def differing(wanted: Sequence[str], entry: Entry) -> list[str]:
    """Return the options of `wanted` that `entry` has not."""
    found = set(entry.flags)
    if not is_bind(wanted):  # else those of the file system are another's
        found |= set(entry.options)
    values = dict(option.partition("=")[::2] for option in found if "=" in option)
    last = {_about(option): option for option in wanted}  # the last one counts
    return [option for option in last.values() if not _holds(option, found, values)]


def _about(option: str) -> str:
    """Return what `option` is about, which is the same for its opposite."""
    key = option.partition("=")[0]
    return "ro" if key == "rw" else key.removeprefix("no")


def _holds(option: str, found: set[str], values: dict[str, str]) -> bool:
    """Whether `option` is in effect, or that cannot be told."""
    key, equals, value = option.partition("=")
    if equals:
        return key not in values or _is_same(key, value, values[key])
    if option in _DEFAULTS:
        return found.isdisjoint(_DEFAULTS[option])
    if option in _FLAGS:
        return option in found
    opposite = option[2:] if option.startswith("no") else f"no{option}"
    return option in found or opposite not in found


def _is_same(key: str, wanted: str, found: str) -> bool:
    """Whether the values of an option are the same; true if that cannot be told."""
    if wanted == found or wanted.endswith("%"):
        return True
    if key in _OCTAL and {*wanted, *found} <= set("01234567"):
        return int(wanted, 8) == int(found, 8)
    if key in ("uid", "gid") and not wanted.isdigit():
        return True
    return _bytes(wanted) == _bytes(found)


def _bytes(value: str) -> int | str:
    found = _SIZE.fullmatch(value)
    if not found:
        return value
    return int(found[1]) << 10 * " kmgt".index(found[2].lower() or " ")

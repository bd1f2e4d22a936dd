"""Keys: `net.ipv4.ip_forward` and `net/ipv4/ip_forward` are the same one.

If the first separator is a dot, dots separate and a slash stands for a dot within a name; if it is a slash, slashes
separate and dots mean themselves. So the interface eth0.100 is in `net.ipv4.conf.eth0/100.forwarding` and in
`net/ipv4/conf/eth0.100/forwarding`.

Source: sysctl.d(5), sysctl(8).
"""

import re

_SWAPPED = str.maketrans("./", "/.")
_FORBIDDEN = re.compile(r"[\s=*?\[\]\0]|^[-#;]")


def path_of(key: str) -> str:
    """Return where `key` is below /proc/sys: its parts separated by slashes."""
    separator = re.search("[./]", key)
    return key.translate(_SWAPPED) if separator and separator[0] == "." else key


def dotted(path: str) -> str:
    """Return `path`, as from `path_of`, as it is mostly written: with dots."""
    return path.translate(_SWAPPED) if "/" in path else path


def is_key(key: str) -> bool:
    """Whether `key` can be one: no blanks, no patterns, no part that leads elsewhere."""
    parts = path_of(key).split("/")
    return not _FORBIDDEN.search(key) and not {"", ".", ".."}.intersection(parts)

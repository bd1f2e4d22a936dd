"""What can be the name of a machine.

Source: RFC 952, RFC 1123 section 2.1, hostname(7), hostname(5); the kernel takes 64 bytes.
"""

import re

LONGEST = 64  # bytes, HOST_NAME_MAX

_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")
_ADDRESS = re.compile(r"\d+(\.\d+){3}")


def fault(name: str) -> str:
    """Return what `name` breaks, empty if it can be a name."""
    if len(name) > LONGEST:
        return f"must have {LONGEST} characters at most, not {len(name)}"
    if _ADDRESS.fullmatch(name):
        return f"must be a name, not the address {name!r}"
    if not _NAME.fullmatch(name):
        return f"must be letters, digits and hyphens between dots, not {name!r}"
    return ""


def mended(name: str) -> str:
    """Return the name that was meant by `name`, perhaps; empty if there is none."""
    words = (re.sub(r"[^A-Za-z0-9]+", "-", part).strip("-")[:63] for part in name.split("."))
    found = ".".join(filter(None, words))[:LONGEST].rstrip("-.")
    return "" if fault(found) else found

"""Where the names are: /etc/hostname and /etc/machine-info for the next boot, the kernel for now.

Source: hostname(5), machine-info(5), os-release(5) for the form of the second, sethostname(2).
"""

import os
import re
import socket

from setpoint import Refused
from setpoint.editing import edit, read
from setpoint.files import Files

STATIC, INFO, RUNNING = "/etc/hostname", "/etc/machine-info", "/proc/sys/kernel/hostname"

_PRETTY = "PRETTY_HOSTNAME="
_LINES = re.compile(r"[^\n]*\n|[^\n]+")


def static(files: Files) -> str | None:
    """Return the name in /etc/hostname; None if there is none."""
    lines = _text(read(files, STATIC)).splitlines()
    names = (line.strip() for line in lines)
    return next((name for name in names if name and not name.startswith("#")), None)


def running() -> str:
    """Return the name that the kernel has."""
    return os.uname().nodename


def pretty(files: Files) -> str | None:
    """Return the name for people in /etc/machine-info; None if there is none."""
    found = None
    for line in _text(read(files, INFO)).splitlines():
        if line.startswith(_PRETTY):
            found = _unquoted(line.removeprefix(_PRETTY))
    return found or None


def set_static(files: Files, name: str) -> None:
    """Write /etc/hostname."""
    edit(files, STATIC, lambda _: f"{name}\n".encode(), mode=0o644)


def set_running(name: str) -> None:
    """Tell the kernel.

    Raises:
        Refused: we are not root.

    """
    try:
        socket.sethostname(name)
    except PermissionError:
        raise Refused("only root may name this machine", "run this as root") from None


def set_pretty(files: Files, name: str) -> None:
    """Write the one line of /etc/machine-info; all others stay."""

    def edited(data: bytes | None) -> bytes:
        lines = [line for line in _LINES.findall(_text(data)) if not line.startswith(_PRETTY)]
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"
        quoted = re.sub(r'(["$`\\])', r"\\\1", name)
        return "".join([*lines, f'{_PRETTY}"{quoted}"\n']).encode("utf-8", "surrogateescape")

    edit(files, INFO, edited, mode=0o644)


def _text(data: bytes | None) -> str:
    return (data or b"").decode("utf-8", "surrogateescape")


def _unquoted(value: str) -> str:
    """Return the text of `value`, which may be quoted as for a shell."""
    value = value.strip()
    quote = value[:1]
    if quote in ("'", '"') and len(value) > 1 and value.endswith(quote):
        value = value[1:-1]
    return value if quote == "'" else re.sub(r"\\(.)", r"\1", value)

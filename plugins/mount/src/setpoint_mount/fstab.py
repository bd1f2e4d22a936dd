"""The line of /etc/fstab: of all others each byte stays.

Source: fstab(5), libmount.
"""

import re
from typing import NamedTuple

from setpoint_mount.devices import unquoted
from setpoint_mount.table import unescape

PATH = "/etc/fstab"

_LINES = re.compile(r"[^\n]*\n|[^\n]+")
_SPECIAL = re.compile(r"[ \t\n\\#]")
_DEFAULTS = ("", "", "auto", "defaults", "0", "0")


class Fields(NamedTuple):
    """The fields of a line, without escapes; an empty one is not looked at, and takes the default in a new line."""

    device: str = ""
    point: str = ""
    type: str = ""
    options: str = ""
    dump: str = ""
    passno: str = ""

    @property
    def line(self) -> str:
        """The line, without its end."""
        pairs = zip(self, _DEFAULTS, strict=True)
        return "\t".join(_escape(word or default) for word, default in pairs)

    def over(self, other: "Fields") -> "Fields":
        """Return the fields of this one, and those of `other` where this one has none."""
        return Fields(*(word or there for word, there in zip(self, other, strict=True)))

    def differs(self, other: "Fields") -> bool:
        """Whether a field that is given here is another one there."""
        pairs = zip(self, other, _DEFAULTS, strict=True)
        return any(word and word != (there or default) for word, there, default in pairs)


def find(data: bytes | None, wanted: Fields) -> Fields | None:
    """Return what fstab, which holds `data`, has for the mount point of `wanted`; None if nothing."""
    lines = _lines(data)
    at = _place(lines, wanted)
    return None if at is None else _parse(lines[at])


def with_line(data: bytes | None, wanted: Fields) -> bytes:
    """Return `data` with the fields of its line as in `wanted`, or with a new line at the end."""
    lines = _lines(data)
    at = _place(lines, wanted)
    if at is not None:
        lines[at] = _changed(lines[at], wanted)
    else:
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"
        lines.append(f"{wanted.line}\n")
    return _data(lines)


def without_lines(data: bytes | None, point: str) -> bytes | None:
    """Return `data` without the lines for the mount point `point`."""
    if data is None:
        return None
    return _data([line for line in _lines(data) if not _is_for(_parse(line), point)])


def _place(lines: list[str], wanted: Fields) -> int | None:
    """Return which line is meant: of several for the mount point that of the device, else the first one."""
    found = {at: _parse(line) for at, line in enumerate(lines)}
    own = [at for at, fields in found.items() if _is_for(fields, wanted.point)]
    of_device = [at for at in own if getattr(found[at], "device", "") == wanted.device]
    return next(iter(of_device or own), None)


def _is_for(fields: Fields | None, point: str) -> bool:
    return fields is not None and (fields.point.rstrip("/") or "/") == point


def _parse(line: str) -> Fields | None:
    """Return the fields of `line`; None if it is a comment, or none of fstab at all."""
    words = line.split()
    if len(words) < 2 or words[0].startswith("#"):
        return None
    fields = Fields(*map(unescape, words[:6]))
    tag, equals, value = fields.device.partition("=")
    return fields._replace(device=f"{tag}{equals}{unquoted(value)}")


def _changed(line: str, wanted: Fields) -> str:
    """Return `line` with the fields that differ exchanged; its blanks stay."""
    there = _parse(line) or Fields()
    parts = re.findall(r"\S+|\s+", line.rstrip("\r\n"))
    places = [at for at, part in enumerate(parts) if not part.isspace()]
    for number, (word, found) in enumerate(zip(wanted, there, strict=True)):
        if not word or word == (found or _DEFAULTS[number]):
            continue
        while len(places) <= number:
            parts += ["\t", _DEFAULTS[len(places)]]
            places.append(len(parts) - 1)
        parts[places[number]] = _escape(word)
    return "".join(parts) + line[len(line.rstrip("\r\n")) :]


def _escape(word: str) -> str:
    return _SPECIAL.sub(lambda found: f"\\{ord(found[0]):03o}", word)


def _lines(data: bytes | None) -> list[str]:
    return _LINES.findall((data or b"").decode("utf-8", "surrogateescape"))


def _data(lines: list[str]) -> bytes:
    return "".join(lines).encode("utf-8", "surrogateescape")

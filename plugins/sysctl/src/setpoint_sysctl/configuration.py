"""The files that are read at boot: of one the line with our key is ours, the others are only looked at.

Source: sysctl.d(5), sysctl.conf(5).
"""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from setpoint import Refused
from setpoint.editing import read
from setpoint.files import Files
from setpoint_sysctl.kernel import is_same, normalised
from setpoint_sysctl.keys import dotted, path_of

DIRECTORY = "/etc/sysctl.d"
LAST = "/etc/sysctl.conf"  # which sysctl(8) reads after all others
# Of two files with one name that of the first directory counts.
DIRECTORIES = (DIRECTORY, "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d")  # fmt: skip
HEADER = "# This file is kept by setpoint.\n"

_ASSIGNMENT = re.compile(r"\s*(-?)\s*([^\s#;=][^=]*?)\s*=[ \t]*(.*?)\s*")


class Entry(NamedTuple):
    """A line that sets a key.

    lenient: that the kernel does not have the key is no error then.
    """

    path: str
    value: str
    lenient: bool = False

    def __str__(self) -> str:
        return f"{'-' * self.lenient}{dotted(self.path)} = {self.value}".rstrip()

    def is_as(self, other: "Entry | None") -> bool:
        """Whether `other` does the same."""
        return (
            other is not None
            and (self.path, self.lenient) == (other.path, other.lenient)
            and is_same(self.value, other.value)
        )


def own_file(path: str) -> str:
    """Return the file of its own for the key `path`."""
    return f"{DIRECTORY}/99-setpoint-{dotted(path).replace('/', '%2F')}.conf"


def find(data: bytes | None, path: str) -> Entry | None:
    """Return what a file that holds `data` sets for the key `path` in the end."""
    found = [entry for entry in map(_parse, _lines(data)) if entry and entry.path == path]
    return found[-1] if found else None


def with_entry(data: bytes | None, entry: Entry) -> bytes:
    """Return `data` with the last line for its key as `entry` has it, or with a new one at the end."""
    lines = _lines(data) if data is not None else [HEADER]
    own = [at for at, line in enumerate(lines) if _sets(line, entry.path)]
    if own:
        end = lines[own[-1]][len(lines[own[-1]].rstrip("\r\n")) :]
        lines[own[-1]] = f"{entry}{end}"
    else:
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"
        lines.append(f"{entry}\n")
    return _data(lines)


def without_entry(data: bytes | None, path: str) -> bytes | None:
    """Return `data` without the lines for the key `path`; None if only our header would be left."""
    lines = [line for line in _lines(data) if not _sets(line, path)]
    return None if data is None or lines == [HEADER] else _data(lines)


def overriding(files: Files, own: str, entry: Entry) -> Iterator[tuple[str, Entry]]:
    """Yield the files that are read after `own` and set the key of `entry` otherwise."""
    for file in _later(own):
        other = None
        with suppress(OSError, Refused):  # one that we may not read
            other = find(read(files, file), entry.path)
        if other and not is_same(other.value, entry.value):
            yield file, other


def _later(own: str) -> Iterator[str]:
    """Yield the files that are read after `own` and may be of somebody else."""
    if own == LAST:
        return
    found: dict[str, str] = {}
    for directory in reversed(DIRECTORIES):
        with suppress(FileNotFoundError, NotADirectoryError):
            found.update((name, f"{directory}/{name}") for name in os.listdir(directory))
    for name, file in sorted(found.items()):
        is_ours = name.startswith("99-setpoint-")  # for another key: there may be thousands
        if name > os.path.basename(own) and name.endswith(".conf") and not is_ours:
            yield file
    yield LAST


def _parse(line: str) -> Entry | None:
    found = _ASSIGNMENT.fullmatch(line)
    return Entry(path_of(found[2]), normalised(found[3]), bool(found[1])) if found else None


def _sets(line: str, path: str) -> bool:
    entry = _parse(line)
    return entry is not None and entry.path == path


def _lines(data: bytes | None) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+", (data or b"").decode("utf-8", "surrogateescape"))


def _data(lines: list[str]) -> bytes:
    return "".join(lines).encode("utf-8", "surrogateescape")

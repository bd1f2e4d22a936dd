"""The lines of a file of authorized keys: taken apart as sshd does it, and put together again.

What is not ours stays as it is, byte for byte: comments, empty lines, and what neither sshd nor we understand.

Source: sshd(8), AUTHORIZED_KEYS FILE FORMAT; auth2-pubkeyfile.c of OpenSSH.
"""

import re
from typing import NamedTuple

from setpoint_ssh.keys import type_of

BLANKS = " \t\r"
# Within and outside of quotes, \\" is no quote; what has begun is not given back, as sshd does not go back either.
OPTION = re.compile(r'(?:\\"|"(?:\\"|[^"])*+"|[^", \t])++')
OPTIONS = re.compile(rf"{OPTION.pattern}(?:,{OPTION.pattern})*+[ \t]++")
KEY = re.compile(r"([^ \t]++)[ \t]++([^ \t\r]++)(?:[ \t\r]++(.*))?", re.DOTALL)


class Entry(NamedTuple):
    """A line with a key.

    options: as they are written, without the commas between them.
    type: of the key.
    key: in base64.
    comment: the rest of the line, which may be empty.
    """

    options: tuple[str, ...]
    type: str
    key: str
    comment: str


class Wanted(NamedTuple):
    """The line that is to be in the file; a line with its key or with its comment counts as it.

    options: None keeps those that are there.
    key: empty if it is to be absent and known by its comment.
    """

    options: tuple[str, ...] | None
    type: str
    key: str
    comment: str

    def is_meant(self, entry: Entry | None) -> bool:
        """Whether `entry` is the line, perhaps with something else in it."""
        return entry is not None and (entry.key == self.key or entry.comment == self.comment)

    def instead_of(self, entry: Entry | None) -> Entry:
        """Return the line as it is to be where `entry` is now."""
        options = self.options
        if options is None:
            options = entry.options if entry else ()
        return Entry(options, self.type, self.key, self.comment)


def parse(line: bytes) -> Entry | None:
    """Return what is in a line; None if it has no key that sshd would find."""
    text = line.decode("utf-8", "surrogateescape").strip(BLANKS)
    if text.startswith("#"):
        return None
    if found := _key(text, 0):
        return Entry((), *found)
    before = OPTIONS.match(text)
    if before and (found := _key(text, before.end())):
        return Entry(tuple(OPTION.findall(before[0])), *found)
    return None


def write(entry: Entry) -> bytes:
    """Return the line of `entry`, without its end."""
    words = (",".join(entry.options), entry.type, entry.key, entry.comment)
    return " ".join(filter(None, words)).encode("utf-8", "surrogateescape")


def meant(data: bytes, wanted: Wanted) -> list[Entry]:
    """Return the lines in `data` that are `wanted`, in their order."""
    entries = map(parse, data.split(b"\n"))
    return [entry for entry in entries if entry and wanted.is_meant(entry)]


def put(data: bytes | None, wanted: Wanted) -> bytes:
    """Return `data` with the line in it once, where the first one was that is meant, else at the end."""
    lines, is_there = [], False
    for line in _lines(data):
        entry = parse(line)
        if entry is None or not wanted.is_meant(entry):
            lines.append(line)
        elif not is_there:
            is_there = True
            aim = wanted.instead_of(entry)
            lines.append(line if entry == aim else write(aim))
    if not is_there:
        lines.append(write(wanted.instead_of(None)))
    return b"".join(line + b"\n" for line in lines)


def take_out(data: bytes | None, wanted: Wanted) -> bytes | None:
    """Return `data` without the lines that are meant, just as it is if there are none."""
    if data is None or not meant(data, wanted):
        return data
    return b"".join(line + b"\n" for line in _lines(data) if not wanted.is_meant(parse(line)))


def _lines(data: bytes | None) -> list[bytes]:
    """Return the lines, without their ends; the last one need not have any."""
    lines = (data or b"").split(b"\n")
    return lines if lines[-1] else lines[:-1]


def _key(text: str, start: int) -> tuple[str, str, str] | None:
    """Return type, key and comment that `text` has from `start` on; None if that is no key."""
    found = KEY.fullmatch(text, start)
    if found is None or type_of(found[2]) != found[1]:
        return None
    return found[1], found[2], found[3] or ""

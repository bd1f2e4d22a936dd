r"""One record of the kernel's log, as /dev/kmsg hands it out, and which records are wanted.

    6,339,5140900,-;NET: Registered PF_INET6 protocol family
     SUBSYSTEM=net

Before the semicolon: facility times 8 plus level, the sequence number, microseconds since boot, flags, and whatever
later kernels add. After it the text, in which bytes that are not printable, or not ASCII, stand as `\xNN`. Lines that
begin with a blank are properties of the device that it is about.

Source: the kernel's Documentation/ABI/testing/dev-kmsg.
"""

import re
from typing import Literal, NamedTuple, get_args

Level = Literal["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"]
Program = Literal[
    "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp", "audit",
    "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
]  # fmt: skip
Facility = Literal["kern", Program]
LEVELS: tuple[Level, ...] = get_args(Level)
FACILITIES: tuple[Facility, ...] = get_args(Facility)
LONGEST = 1024  # characters of a text that are searched, which is all that today's kernels keep

_ESCAPED = re.compile(rb"\\x([0-9a-f]{2})")


class Record(NamedTuple):
    r"""One record.

    priority: facility times 8 plus level.
    sequence: its number since boot, from 0, without gaps.
    microseconds: since boot, on a clock that stands still while the machine sleeps.
    text: may have several lines; bytes that are no UTF-8 stand as `\xNN`.
    properties: of the device that it is about, such as SUBSYSTEM and DEVICE; mostly none.
    """

    priority: int
    sequence: int
    microseconds: int
    text: str
    properties: dict[str, str]

    @property
    def level(self) -> Level:
        """How severe it is."""
        return LEVELS[self.priority & 7]

    @property
    def facility(self) -> str:
        """Where it comes from; the number, if that has no name."""
        number = self.priority >> 3
        return FACILITIES[number] if number < len(FACILITIES) else str(number)


def parse(data: bytes) -> Record:
    """Return the record that was read as `data`."""
    head, _, body = data.partition(b";")
    priority, sequence, microseconds = map(int, head.split(b",", 3)[:3])
    text, *lines = body.removesuffix(b"\n").split(b"\n")
    pairs = (plain(line[1:]).partition("=") for line in lines)
    properties = {key: value for key, _, value in pairs}
    return Record(priority, sequence, microseconds, plain(text), properties)


def sequence_of(data: bytes) -> int:
    """Return the sequence number of the record that was read as `data`, without the rest."""
    return int(data.split(b",", 2)[1])


def plain(escaped: bytes) -> str:
    """Return text as it was before the kernel escaped it."""
    if b"\\" in escaped:
        escaped = _ESCAPED.sub(lambda found: bytes.fromhex(found[1].decode()), escaped)
    return escaped.decode(errors="backslashreplace")


class Selection(NamedTuple):
    """Which records are wanted: those that fit in every regard.

    pattern: searched in the first LONGEST characters of the text.
    level: this or more severe.
    facility: its name or number; empty is any.
    """

    pattern: re.Pattern[str]
    level: Level = "debug"
    facility: str = ""

    def match(self, record: Record) -> re.Match[str] | None:
        """Return where the pattern fits, if `record` is wanted."""
        if record.priority & 7 > LEVELS.index(self.level):
            return None
        if self.facility and record.facility != self.facility:
            return None
        return self.pattern.search(record.text[:LONGEST])

"""How a record looks on a terminal, as dmesg(1) of util-linux shows it with -x, and for programs."""

import json
import os
import sys
import time
from collections.abc import Mapping
from typing import Literal, NamedTuple

from setpoint_kmsg.buffer import Gap
from setpoint_kmsg.record import Record

Times = Literal["human", "boot", "iso"]
GREEN, YELLOW, BOLD, RED, REVERSE, GAP, PLAIN = (
    "\33[32m", "\33[33m", "\33[1m", "\33[31m", "\33[7;31m", "\33[1;35m", "\33[0m",
)  # fmt: skip
COLORS = {
    "emerg": REVERSE, "alert": REVERSE, "crit": BOLD + RED, "err": RED, "warning": BOLD,
}  # fmt: skip
NAMES = {"warning": "warn"}  # what dmesg calls a level otherwise


class Style(NamedTuple):
    """How records are shown.

    times: of day (human), with zone and microseconds (iso), or seconds since boot.
    color: whether with the colors of a terminal.
    as_json: one JSON document to a line instead.
    """

    times: Times = "human"
    color: bool = False
    as_json: bool = False

    def record(self, record: Record, groups: Mapping[str, str]) -> str:
        """Return the lines that show `record`; `groups` are those that the expression found."""
        if self.as_json:
            return json.dumps(document(record, groups))
        level = NAMES.get(record.level, record.level)
        origin, when = f"{record.facility:<6}:{level:<6}: ", f"{self.when(record)} "
        first, *rest = printable(record.text).split("\n")
        indent = " " * len(origin + when)
        lines = [self._colored(first, record.level), *(indent + line for line in rest)]
        return origin + self._in(GREEN, when) + "\n".join(lines)

    def gap(self, gap: Gap) -> str:
        """Return the line that shows a gap."""
        if self.as_json:
            return json.dumps({"missed": gap.lost, "first": gap.first, "last": gap.last})
        return self._in(GAP, f"-- {gap} --")

    def when(self, record: Record) -> str:
        """Return when `record` was logged."""
        if self.times == "boot":
            seconds, rest = divmod(record.microseconds, 1_000_000)
            return f"[{seconds:5}.{rest:06}]"
        at = wall(record)
        if self.times == "human":
            return time.strftime("[%a %b %e %H:%M:%S %Y]", time.localtime(at))
        from datetime import datetime

        return datetime.fromtimestamp(at).astimezone().isoformat(timespec="microseconds")

    def _colored(self, text: str, level: str) -> str:
        """Return the first line of a text: the part of the kernel it names, and the rest by level."""
        subsystem, colon, rest = text.partition(": ")
        color = COLORS.get(level, "")
        if not colon or len(subsystem) > 40:
            return self._in(color, text)
        return self._in(YELLOW, subsystem + colon) + self._in(color, rest)

    def _in(self, color: str, text: str) -> str:
        return f"{color}{text}{PLAIN}" if self.color and color else text


def document(record: Record, groups: Mapping[str, str]) -> dict[str, object]:
    """Return `record` for programs; `boot` is when it was logged in seconds since boot."""
    return {
        "time": wall(record),
        "boot": record.microseconds / 1e6,
        "level": record.level,
        "facility": record.facility,
        "sequence": record.sequence,
        "text": record.text,
        "groups": dict(groups),
        "properties": record.properties,
    }


def wall(record: Record) -> float:
    """Return when `record` was logged, seconds since 1970; wrong by what the machine has slept since."""
    return time.time() - time.monotonic() + record.microseconds / 1e6


def printable(text: str) -> str:
    """Return `text` without what a terminal would obey; lines and tabs stay."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in "\n\t" else f"\\x{ord(char):02x}" for char in text
    )


def wants_color(when: str) -> bool:
    """Return whether to show colors: `when` is "always", "never", or "auto" for on a terminal."""
    if when == "auto":
        return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return when == "always"

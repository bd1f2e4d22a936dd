"""The lines of a file: what is not touched is written as it was read, byte by byte."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from setpoint import Refused

_BOM = "\ufeff"  # of UTF-8, as editors of Windows write it; part of no line
_ROWS = re.compile(r"[^\n]*\n|[^\n]+")  # not splitlines(): a form feed ends no line
_END = re.compile(r"\r?\n\Z")
BEGIN, END = (
    " BEGIN setpoint ",
    " END setpoint ",
)  # between the sign of a comment and the name of a block


class Row(NamedTuple):
    """One line, and what ends it: a line feed, with a carriage return before it or not, or nothing."""

    text: str
    end: str


class Text:
    """The content of a file as lines, to be changed in place.

    Args:
        path: the file, for errors.
        data: all that it holds. Bytes that are no UTF-8 are kept as they are.

    rows: the lines in order.
    newline: what ends a new line: what ends the first one of the file.

    Raises:
        Refused: it is no text.

    """

    def __init__(self, path: str, data: bytes) -> None:
        if b"\0" in data:
            raise Refused(f"{path} is no text in UTF-8, there is a NUL in it", "leave it alone")
        text = data.decode("utf-8", "surrogateescape")
        self._mark = _BOM if text.startswith(_BOM) else ""
        self.rows = [_row(line) for line in _ROWS.findall(text.removeprefix(_BOM))]
        self.newline = (self.rows[0].end if self.rows else "") or "\n"

    @property
    def data(self) -> bytes:
        """The content of the file as it is now."""
        text = "".join(row.text + row.end for row in self.rows)
        return (self._mark + text).encode("utf-8", "surrogateescape")

    def free(self) -> list[int]:
        """Return which lines are in no marked block, whatever its name: those in one are of that block alone."""
        inside: set[int] = set()
        start, end = 0, None
        for at, row in enumerate(self.rows):
            if BEGIN in row.text:
                start, end = at, row.text.replace(BEGIN, END, 1)
            elif row.text == end:
                inside.update(range(start, at + 1))
                end = None
        return [at for at in range(len(self.rows)) if at not in inside]

    def equal(self, line: str | None) -> list[int]:
        """Return which free lines are `line`."""
        return [at for at in self.free() if self.rows[at].text == line]

    def find(self, pattern: str) -> list[int]:
        """Return which free lines the regular expression `pattern` is found in."""
        search = re.compile(pattern).search
        return [at for at in self.free() if search(self.rows[at].text)]

    def insert(self, at: int, lines: Sequence[str]) -> None:
        """Put `lines` before the line `at`; a last line that has no end gets one if they follow it."""
        if at == len(self.rows) and self.rows and not self.rows[-1].end:
            self.rows[-1] = Row(self.rows[-1].text, self.newline)
        self.rows[at:at] = [Row(line, self.newline) for line in lines]

    def replace(self, start: int, stop: int, lines: Sequence[str]) -> None:
        """Put `lines`, at least one, in the place of those from `start` to before `stop`; the last end stays."""
        end = self.rows[stop - 1].end
        rows = [Row(line, self.newline) for line in lines]
        self.rows[start:stop] = [*rows[:-1], Row(rows[-1].text, end)]

    def remove(self, places: Iterable[int]) -> None:
        """Take away the lines at `places`."""
        gone = set(places)
        self.rows = [row for at, row in enumerate(self.rows) if at not in gone]


def _row(line: str) -> Row:
    found = _END.search(line)
    return Row(line[: found.start()], found[0]) if found else Row(line, "")

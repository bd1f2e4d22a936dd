"""Finding how a text differs from what is declared, and making it as declared: one way for check and apply."""

from typing import TYPE_CHECKING, NamedTuple

from setpoint import Change, Refused
from setpoint_line.text import BEGIN, END, Text

if TYPE_CHECKING:
    from setpoint_line.resource import Line


class Markers(NamedTuple):
    """The lines around a block."""

    begin: str
    end: str


class Block(NamedTuple):
    """Where a block is, its markers included: from `start` to before `stop`."""

    start: int
    stop: int

    def body(self, text: Text) -> list[str]:
        """Return the lines between the markers."""
        return [row.text for row in text.rows[self.start + 1 : self.stop - 1]]


def make(line: "Line", text: Text) -> Change | None:
    """Make `text` as `line` declares; return what differed, None if nothing did.

    Raises:
        Refused: the markers of a block are damaged, so nobody knows where it ends.

    """
    if line.block is not None:
        return _take_block(line, text) if line.state == "absent" else _put_block(line, text)
    if line.state == "absent":
        return _take_lines(line, text)
    return _put_line(line, text, line.line or "")


def markers(line: "Line") -> Markers:
    """Return the markers of the block that `line` declares: its name in a comment."""
    opening, _, closing = line.comment.partition(" ")
    return Markers(*(f"{opening}{word}{line.name} {closing}".rstrip() for word in (BEGIN, END)))


def body(block: str) -> list[str]:
    """Return the lines of `block`, however they end."""
    text = block.replace("\r\n", "\n")
    return text.removesuffix("\n").split("\n") if text else []


def blocks(line: "Line", text: Text) -> list[Block]:
    """Return where the blocks with the markers of `line` are; mostly one or none.

    Raises:
        Refused: a marker is without its other one.

    """
    begin, end = markers(line)
    found, start = [], -1
    for at, row in enumerate(text.rows):
        if row.text not in (begin, end):
            continue
        if (row.text == begin) != (start < 0):
            raise _damaged(line, row.text, at)
        if start < 0:
            start = at
        else:
            found.append(Block(start, at + 1))
            start = -1
    if start >= 0:
        raise _damaged(line, begin, start)
    return found


def places(line: "Line", text: Text) -> list[int]:
    """Return which lines are to be `line.line` because `line.match` is found in them."""
    found = text.find(line.match) if line.match is not None else []
    return {"first": found[:1], "last": found[-1:], "all": found}[line.which]


def leaving(line: "Line", text: Text) -> list[int]:
    """Return which lines are to go."""
    found = text.find(line.match) if line.match is not None else []
    return sorted({*found, *text.equal(line.line)})


def joined(text: Text, found: list[int]) -> str:
    """Return the lines at the places `found` as one text."""
    return "\n".join(text.rows[at].text for at in found)


def _put_line(line: "Line", text: Text, wanted: str) -> Change | None:
    found = places(line, text)
    wrong = [at for at in found if text.rows[at].text != wanted]
    if wrong:
        change = Change("line", joined(text, wrong), "\n".join([wanted] * len(wrong)))
        for at in wrong:
            text.replace(at, at + 1, [wanted])
        return change
    if found or text.equal(wanted):
        return None
    text.insert(_place(line, text), [wanted])
    return Change("line", None, wanted)


def _take_lines(line: "Line", text: Text) -> Change | None:
    gone = leaving(line, text)
    change = Change("line", joined(text, gone), None) if gone else None
    text.remove(gone)
    return change


def _put_block(line: "Line", text: Text) -> Change | None:
    begin, end = markers(line)
    wanted = body(line.block or "")
    found = blocks(line, text)
    if not found:
        text.insert(_place(line, text), [begin, *wanted, end])
        return Change("block", None, "\n".join(wanted))
    there = [row for block in found for row in block.body(text)]
    if len(found) == 1 and there == wanted:
        return None
    for block in found[:0:-1]:  # copies of it, the last first
        text.remove(range(block.start, block.stop))
    text.replace(*found[0], [begin, *wanted, end])
    return Change("block", "\n".join(there), "\n".join(wanted))


def _take_block(line: "Line", text: Text) -> Change | None:
    found = blocks(line, text)
    if not found:
        return None
    there = [row for block in found for row in block.body(text)]
    text.remove(at for block in found for at in range(block.start, block.stop))
    return Change("block", "\n".join(there), None)


def _place(line: "Line", text: Text) -> int:
    """Return before which line a new one goes."""
    end = len(text.rows)
    if "start" in (line.insert_before, line.insert_after):
        return 0
    if line.insert_before not in ("", "end"):
        return min(text.find(line.insert_before), default=end)
    if line.insert_after not in ("", "end"):
        return max(text.find(line.insert_after), default=end - 1) + 1
    return end


def _damaged(line: "Line", marker: str, at: int) -> Refused:
    return Refused(
        f"{line.path} has in line {at + 1} the marker {marker!r} without its other one",
        "put that back or take this one out, by hand: only you know what is in the block",
    )

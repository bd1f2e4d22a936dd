"""What brings back the part of a file that a resource is about to change."""

import re
from typing import TYPE_CHECKING

import msgspec

from setpoint import Refused
from setpoint_line.making import blocks, body, joined, leaving, places
from setpoint_line.text import Text

if TYPE_CHECKING:
    from setpoint_line.resource import Line


def reverse(line: "Line", text: Text) -> "Line | None":
    """Return what brings `text` back once `line` has changed it; None if it changes nothing.

    Raises:
        Refused: several lines would go that one resource cannot bring back.

    """
    if line.block is not None:
        return _of_block(line, text)
    if line.state == "absent":
        return _of_absence(line, text)
    return _of_line(line, text, line.line or "")


def _of_block(line: "Line", text: Text) -> "Line | None":
    found = blocks(line, text)
    if not found:
        return None if line.state == "absent" else _replace(line, state="absent")
    there = found[0].body(text)
    if line.state == "absent":
        return _replace(line, block="\n".join(there), **_position(text, *found[0]))
    return None if there == body(line.block or "") else _replace(line, block="\n".join(there))


def _of_line(line: "Line", text: Text, wanted: str) -> "Line | None":
    found = places(line, text)
    wrong = [at for at in found if text.rows[at].text != wanted]
    if not wrong:
        there = found or text.equal(wanted)
        return None if there else _replace(line, state="absent", match=None)
    before = {text.rows[at].text for at in wrong}
    if len(before) > 1 or (line.which == "all" and text.equal(wanted)):
        raise _lost(line, joined(text, wrong))
    old = before.pop()
    return _replace(line, line=old, match=f"{_exactly(old)}|{_exactly(wanted)}")


def _of_absence(line: "Line", text: Text) -> "Line | None":
    gone = leaving(line, text)
    if not gone:
        return None
    if len(gone) > 1:
        raise _lost(line, joined(text, gone))
    return _replace(
        line, line=text.rows[gone[0]].text, match=None, **_position(text, gone[0], gone[0] + 1)
    )


def _replace(this: "Line", /, **params: str | None) -> "Line":
    return msgspec.structs.replace(this, **{"state": "exists", **params})


def _position(text: Text, start: int, stop: int) -> dict[str, str]:
    """Return the params that say where the lines from `start` to before `stop` are.

    A line beside them says it, if that stands there alone or is the one that would be found; where equal lines stand on
    both sides, such as empty ones, it is one of those.
    """
    free = sorted({*text.free()} - {*range(start, stop)})
    if start == 0 or stop == len(text.rows):
        return {"insert_after": "start" if start == 0 else "end", "insert_before": ""}
    above, below = text.rows[start - 1].text, text.rows[stop].text
    if [at for at in free if text.rows[at].text == above][-1:] == [start - 1]:
        return {"insert_after": _exactly(above), "insert_before": ""}
    if [at for at in free if text.rows[at].text == below][:1] == [stop]:
        return {"insert_after": "", "insert_before": _exactly(below)}
    return {"insert_after": _exactly(above), "insert_before": ""}


def _exactly(text: str) -> str:
    return f"^{re.escape(text)}$"


def _lost(line: "Line", before: str) -> Refused:
    return Refused(
        f"{line.path} has several lines that this would change, and one resource brings back one:"
        f" {before!r}",
        "declare a line for each, or do without reverse",
    )

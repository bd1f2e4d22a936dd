"""The `line` resource: params and verbs."""

import errno
import os
from collections.abc import Iterable
from typing import Annotated, Literal

from setpoint import REWATCH, Change, Need, Resource, Thing, hookimpl
from setpoint.editing import edit, read
from setpoint.watching import Subscription
from setpoint_line.making import make
from setpoint_line.reversal import reverse
from setpoint_line.rules import validate
from setpoint_line.text import Text


class Line(Resource):
    """A line, or a marked block of lines, that a text file has or has not.

    What is in a marked block belongs to that alone: other lines are not looked for in there, nor put there.

    All other bytes of the file stay: its encoding, its ends of lines (a new line ends as the first one of the file), a
    missing end of the last line, unless something comes after it. Owner, mode and extended attributes stay too; another
    hard link to it keeps the old text. A symlink is followed if root or we own it, and stays. Several resources may
    declare lines of one file.

    name: any; it tells the line from others, and is in the markers of a block.
    path: the file, absolute.
    line: the whole line, without its end, exactly. Left out: block or match says what is meant.
    block: lines that stand together between two markers, "# BEGIN setpoint NAME" and "# END setpoint NAME"; empty is a
        block without lines. With state absent its text does not matter. Left out: none.
    state: exists or absent. Absent takes away every line that is equal to line or that match is found in, or the block
        with its markers.
    match: a regular expression of Python, searched in each line; what it is found in is replaced by line. It has to fit
        line itself, unless which is all, or each run would replace one more. Left out: nothing is replaced.
    which: first, last or all: which of the lines that match is found in are replaced.
    insert_after: a regular expression: a new line or block goes after the last line that it is found in; or start or
        end, of the file. At the end if it is found nowhere. Empty: at the end. What is there already stays where it is.
    insert_before: a regular expression: a new line or block goes before the first line that it is found in; or start or
        end. At the end if it is found nowhere. Empty: insert_after says where.
    comment: what begins a comment in that file, for the markers; two signs with a blank between them stand around the
        marker: "<!-- -->".
    create: make the file if it is missing; its directory has to be there. False: then it is an error, and is looked at
        again when the file appears.
    mode: permission bits of a file that is made, octal, from "0000" to "07777". Empty: as the umask has it.
    """

    kind = "line"

    path: Annotated[str, REWATCH]
    line: str | None = None
    block: str | None = None
    state: Literal["exists", "absent"] = "exists"
    match: str | None = None
    which: Literal["first", "last", "all"] = "last"
    insert_after: str = ""
    insert_before: str = ""
    comment: str = "#"
    create: bool = False
    mode: str = ""

    def __post_init__(self) -> None:
        validate(self)

    def provides(self) -> Iterable[Thing]:
        """Return the file, if this one makes it."""
        return (Thing("path", self.path),) if self.create and self.state == "exists" else ()

    def needs(self) -> Iterable[Need]:
        """Return its file, the package that brings that, and the directory that it is in."""
        return (
            Need("path", self.path, "the file it is in"),
            Need("directory", os.path.dirname(self.path), "its parent directory", nearest=True),
            Need("owned", self.path, "the package that owns its file", nearest=True),
        )

    @hookimpl
    def watch(self) -> Subscription:
        """Look again when the file changes."""
        return self.host.files.changes(self.path)

    def check(self) -> list[Change]:
        """Compare the file with what is declared."""
        data = read(self.host.files, self.path)
        change = make(self, Text(self.path, data or b""))
        if change is None:
            return []
        made = [Change("path", None, self.path)] if data is None else []
        return [*made, change]

    def apply(self, changes: list[Change]) -> None:
        """Write the file anew, as declared.

        Raises:
            FileNotFoundError: it is missing, and create is false.

        """
        mode = int(self.mode, 8) if self.mode else None
        edit(self.host.files, self.path, self._edited, mode=mode)

    def reversed(self) -> "Line | None":
        """Return what brings back the line or block of now; a file that was made stays, without it."""
        return reverse(self, Text(self.path, read(self.host.files, self.path) or b""))

    def _edited(self, data: bytes | None) -> bytes | None:
        """Return what the file that holds `data` is to hold."""
        if data is None and self.state == "absent":
            return None
        if data is None and not self.create:
            rule = "no such file, make it with a file resource or write create: true"
            raise FileNotFoundError(errno.ENOENT, rule, self.path)
        text = Text(self.path, data or b"")
        make(self, text)
        return text.data

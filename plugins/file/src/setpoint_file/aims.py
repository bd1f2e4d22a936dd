"""What a file's params come to: worked out once for a check and the apply that follows it."""

import os
import stat
from typing import TYPE_CHECKING

import msgspec

from setpoint_file.accounts import groups, users
from setpoint_file.contents import Content, expand
from setpoint_file.modes import ALL, Mode, parse_mode

if TYPE_CHECKING:
    from setpoint_file.resource import File

SORTS = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink"}
_ANY = Mode(0, 0)


class Aim(msgspec.Struct, gc=False):
    """What is wanted at a path.

    at: the path, without a slash at its end.
    sort: "file", "directory" or "symlink".
    made: it is to be there, and not only to have some attributes if it is.
    content: what it is to hold; None if that is not declared.
    mode: its permission bits.
    found: the status of what the check saw there; None if there was nothing.
    owner: the number of its user; -1 if none is declared, None if there is none of that name.
    group: the number of its group, likewise.
    """

    at: str
    sort: str
    made: bool
    content: Content | None
    mode: Mode = _ANY
    owner: int | None = -1
    group: int | None = -1
    found: os.stat_result | None = None

    def matches(self, status: os.stat_result) -> bool:
        """Whether mode, owner and group are as they are wanted."""
        return (
            status.st_mode & self.mode.declared == self.mode.bits
            and (self.owner == -1 or self.owner == status.st_uid)
            and (self.group == -1 or self.group == status.st_gid)
        )


def aim_of(file: "File") -> Aim:
    """Return what the params of `file` come to.

    Raises:
        OSError: its source or fragments cannot be looked at.

    """
    path = file.path or file.name
    if path[-1] == "/":
        path, sort = path.rstrip("/") or "/", "directory"
    else:
        sort = "symlink" if file.symlink else "file"
    text = file.content
    content = Content(text) if text is not None else _content_elsewhere(file, sort)
    says_what = content is not None or file.source != "" or sort == "directory"
    aim = Aim(path, sort, says_what or file.state == "exists", content)
    if file.mode:
        aim.mode = parse_mode(file.mode)
    elif file.source and sort != "symlink":
        aim.mode = _mode_of_source(file)
    if file.owner:
        aim.owner = users.id(file.owner)
    if file.group:
        aim.group = groups.id(file.group)
    return aim


def _content_elsewhere(file: "File", sort: str) -> Content | None:
    """Return what it is to hold, which other files do; None if that is not declared."""
    if file.fragments:
        return Content(None, expand(file.host.files, file.fragments))
    if file.source and sort == "file":
        return Content(None, (file.source,))
    return None


def _mode_of_source(file: "File") -> Mode:
    source = file.host.files.status(file.source.rstrip("/"), follow=True)
    return _ANY if source is None else Mode(ALL, stat.S_IMODE(source.st_mode))

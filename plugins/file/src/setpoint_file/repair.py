"""What is there is made as declared."""

import os
import stat
from typing import TYPE_CHECKING, TypedDict

from setpoint import Change, Refused
from setpoint_file import backups
from setpoint_file.aims import Aim, aim_of
from setpoint_file.differences import remember

if TYPE_CHECKING:
    from setpoint_file.resource import File


class _Attributes(TypedDict):
    """Mode, owner and group as `Files` takes them."""

    mode: int | None
    owner: int
    group: int


def make(file: "File", changes: list[Change]) -> None:
    """Repair `changes`, which the last check of `file` found.

    Raises:
        Refused: there is no such owner, or it is not there and nothing says what it is.
        OSError: the machine refused.

    """
    aim: Aim = file.memory.pop("aim", None) or _looked_at(file)
    first = changes[0].attribute  # a check puts the gravest first
    if file.state == "absent":
        _clear(file, aim)
        return
    if first == "state":
        _replace(file, aim)
    elif first in ("content", "target", "mode", "owner", "group"):
        _mend(file, aim, first)
    if file.recurse and aim.sort == "directory":
        _make_entries(file, changes)


def _looked_at(file: "File") -> Aim:
    """Return what is wanted, and what is there, if no check has handed that over."""
    aim = aim_of(file)
    aim.found = file.host.files.status(aim.at)
    return aim


def _replace(file: "File", aim: Aim) -> None:
    """Remove what is there if it is in the way, and make what is declared."""
    if aim.found is not None or file.backup:  # what came meanwhile is kept too
        _clear(file, aim)
    files = file.host.files
    if file.recurse:
        backups.make_parents(files, aim.at)
    if aim.sort == "directory":
        files.make_directory(aim.at, **_declared(file, aim, 0))
    elif aim.sort == "symlink":
        _link(file, aim)
    else:
        _write(file, aim, None)


def _clear(file: "File", aim: Aim) -> None:
    """Remove what is there, unless what is made can take its place at once."""
    files = file.host.files
    found = files.status(aim.at)
    if found is None:
        return
    backups.keep(file, aim.at, found)
    in_the_way = file.state == "absent" or aim.sort == "directory" or stat.S_ISDIR(found.st_mode)
    if in_the_way and files.status(aim.at) is not None:  # it may have been moved to be kept
        files.remove(aim.at, recursive=file.recurse or file.force)


def _mend(file: "File", aim: Aim, first: str) -> None:
    """Repair what differs of something of the right sort."""
    files, found = file.host.files, aim.found
    if found is None:
        raise Refused(f"{aim.at} is not there, and nothing says what it is", "write state: exists")
    if first in ("content", "target"):
        backups.keep(file, aim.at, found)
    if first == "content":
        _write(file, aim, found)
    elif first == "target":
        _link(file, aim)
    else:
        files.set_attributes(aim.at, **_declared(file, aim, stat.S_IMODE(found.st_mode)))


def _write(file: "File", aim: Aim, found: os.stat_result | None) -> None:
    """Write its content; what is not declared of the attributes is as `found`."""
    files = file.host.files
    status = files.write(
        aim.at,
        b"" if aim.content is None else aim.content.data(files),
        keep=found or False,
        fsync=file.fsync,
        **_declared(file, aim, 0 if found is None else stat.S_IMODE(found.st_mode)),
    )
    if status is not None and aim.matches(status):
        remember(file, aim, status)


def _link(file: "File", aim: Aim) -> None:
    declared = _declared(file, aim, 0)
    file.host.files.symlink(aim.at, file.source, owner=declared["owner"], group=declared["group"])


def _declared(file: "File", aim: Aim, there: int) -> _Attributes:
    """Return mode, over the bits that are there, owner and group: None and -1 if not declared.

    Raises:
        Refused: there is no such user or group.

    """
    if aim.owner is None:
        raise Refused(f"there is no user {file.owner!r}", "make it first")
    if aim.group is None:
        raise Refused(f"there is no group {file.group!r}", "make it first")
    mode = aim.mode.over(there) if aim.mode.declared else None
    return {"mode": mode, "owner": aim.owner, "group": aim.group}


def _make_entries(file: "File", changes: list[Change]) -> None:
    """Repair what is in a directory.

    Once something was made or replaced, all below it is looked at anew: what the check saw there
    may have been behind a link.
    """
    entries: dict[str, list[Change]] = {}
    for change in changes:
        name, colon, attribute = change.attribute.rpartition(": ")
        if colon:
            entries.setdefault(name, []).append(Change(attribute, change.before, change.after))
        elif change.attribute == "purge":
            _purge(file, f"{file.at}/{change.before}")
    anew = any(change.attribute.rpartition(" ")[2] == "state" for change in changes)
    for name, copy in file.memory.get("tree", {}).items():
        own = copy.check() if anew else entries.get(name)
        if own:
            copy.apply(own)


def _purge(file: "File", path: str) -> None:
    """Remove what nobody declared, or move it to where it is kept."""
    files = file.host.files
    found = files.status(path)
    if found is None:
        return
    backups.keep(file, path, found)
    if files.status(path) is not None:
        files.remove(path, recursive=True)

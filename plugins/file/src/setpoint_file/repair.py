"""What is there is made as declared."""

import os
import stat
from typing import TYPE_CHECKING, TypedDict

from setpoint import Change, Refused
from setpoint_file import backups, differences
from setpoint_file.accounts import groups, users

if TYPE_CHECKING:
    from setpoint_file.resource import File


class _Attributes(TypedDict):
    """How `Files` takes what is declared of mode, owner and group."""

    mode: int | None
    owner: int
    group: int


def make(file: "File", changes: list[Change]) -> None:
    """Repair `changes`, which a check of `file` found.

    Raises:
        Refused: there is no such owner, or it is not there and nothing says what it is.
        OSError: the machine refused.

    """
    own = {change.attribute for change in changes if ": " not in change.attribute}
    if own - {"purge"}:
        _make_itself(file, own)
    if file.is_directory and file.recurse:
        _make_entries(file, changes)


def _make_itself(file: "File", attributes: set[str]) -> None:
    """Make it, remove it, or repair what differs of it."""
    found = file.host.files.status(file.at)
    if "state" in attributes:
        _replace(file, found)
    elif found is None:
        raise Refused(f"{file.at} is not there, and nothing says what it is", "write state: exists")
    elif "content" in attributes:
        backups.keep(file, file.at, found)
        _write(file, found)
    elif "target" in attributes:
        backups.keep(file, file.at, found)
        _make_link(file)
    else:
        file.host.files.set_attributes(file.at, **_declared(file, found))


def _replace(file: "File", found: os.stat_result | None) -> None:
    """Remove what is there if it is in the way, and make what is declared."""
    files = file.host.files
    if found is not None:
        backups.keep(file, file.at, found)
        in_the_way = file.state == "absent" or file.is_directory or stat.S_ISDIR(found.st_mode)
        if in_the_way and files.status(file.at) is not None:
            files.remove(file.at, recursive=file.recurse or file.force)
    if file.state == "absent":
        return
    if file.recurse:
        backups.make_parents(files, file.at)
    if file.is_directory:
        files.make_directory(file.at, **_declared(file, None))
    elif file.symlink:
        _make_link(file)
    else:
        _write(file, None)


def _write(file: "File", found: os.stat_result | None) -> None:
    """Write its content; what is not declared of the attributes is as `found`."""
    files = file.host.files
    content = differences.content_of(file)
    status = files.write(
        file.at,
        b"" if content is None else content.data(files),
        keep=found is not None,
        fsync=file.fsync,
        **_declared(file, found),
    )
    if status is not None and not differences.attribute_differences(file, status):
        differences.remember(file, status)


def _make_link(file: "File") -> None:
    declared = _declared(file, None)
    file.host.files.symlink(file.at, file.source, owner=declared["owner"], group=declared["group"])


def _declared(file: "File", found: os.stat_result | None) -> _Attributes:
    """Return mode, owner and group as `Files` takes them, None and -1 for what is not declared.

    Raises:
        Refused: there is no such user or group.

    """
    mode = differences.mode_of(file)
    there = stat.S_IMODE(found.st_mode) if found is not None else 0
    owner = users.id(file.owner) if file.owner else -1
    group = groups.id(file.group) if file.group else -1
    if owner is None:
        raise Refused(f"there is no user {file.owner!r}", "make it first")
    if group is None:
        raise Refused(f"there is no group {file.group!r}", "make it first")
    return {"mode": mode.over(there) if mode.declared else None, "owner": owner, "group": group}


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
    for name, copy in file.memory["tree"].items():
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

"""How what is there differs from what is declared."""

import os
import stat
import time
from typing import TYPE_CHECKING

from setpoint import Change, Refused
from setpoint_file import trees
from setpoint_file.accounts import groups, users
from setpoint_file.contents import Content, announce, compare, expand
from setpoint_file.modes import Mode, parse_mode
from setpoint_file.signatures import is_settled, signature

if TYPE_CHECKING:
    from setpoint_file.resource import File

_WORDS = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink"}


def find(file: "File") -> list[Change]:
    """Return how what is there differs from what `file` declares.

    Raises:
        Refused: what is there may not be replaced or removed.
        OSError: what is there, or a source, cannot be read.

    """
    now = time.time_ns()
    found = file.host.files.status(file.at)
    if file.state == "absent":
        return _absence(file, found)
    if found is None or word(found) != wanted_word(file):
        changes = _replacement(file, found)
    else:
        changes = _own_differences(file, found)
        if not changes:
            remember(file, found, now)
    if file.is_directory and file.recurse:
        changes += _tree_differences(file)
    return changes


def remember(file: "File", status: os.stat_result, now: int = 0) -> None:
    """Remember what is as declared, if later its status alone, taken after `now`, can tell that."""
    if file.is_directory or file.fragments or (file.source and not file.symlink):
        return
    if is_settled(status, os.path.dirname(file.at), now):
        file.memory["seen"] = signature(status)


def word(status: os.stat_result) -> str:
    """Return what it is, in a word."""
    return _WORDS.get(stat.S_IFMT(status.st_mode), "special file")


def wanted_word(file: "File") -> str:
    """Return what is declared, in a word."""
    if file.is_directory:
        return "directory"
    return "symlink" if file.symlink else "file"


def is_file(status: os.stat_result) -> bool:
    """Whether it is a regular file."""
    return stat.S_ISREG(status.st_mode)


def is_made(file: "File") -> bool:
    """Whether it is to be there, and not only to have some attributes if it is."""
    return bool(file.state == "exists" or file.content is not None or file.source or file.fragments)


def content_of(file: "File") -> Content | None:
    """Return what `file` is to hold; None if that is not declared."""
    if file.content is not None:
        return Content(file.content.encode(), ())
    if file.fragments:
        return Content(None, expand(file.host.files, file.fragments))
    if file.source and not file.symlink and not file.is_directory:
        return Content(None, (file.source,))
    return None


def mode_of(file: "File") -> Mode:
    """Return the declared permission bits; those of the source if only that is declared."""
    if file.mode or not file.source or file.symlink:
        return parse_mode(file.mode)
    source = file.host.files.status(file.source.rstrip("/"), follow=True)
    return Mode(0o7777, stat.S_IMODE(source.st_mode)) if source is not None else parse_mode("")


def _absence(file: "File", found: os.stat_result | None) -> list[Change]:
    """Return the change that it goes, if it may."""
    if found is None:
        return []
    _refuse_special(file, found)
    there = word(found)
    if (there == "directory") != file.is_directory and not file.force:
        raise Refused(
            f"{file.at} is a {there}, not a {wanted_word(file)}", "write force: true to remove it"
        )
    if there == "directory" and not file.recurse and file.host.files.names(file.at):
        raise Refused(f"{file.at} is not empty", "write recurse: true to remove all that is in it")
    return [Change("state", there, None)]


def _replacement(file: "File", found: os.stat_result | None) -> list[Change]:
    """Return all that is declared as changes, as nothing is there, or something else."""
    before = None
    if found is not None:
        before = word(found)
        _refuse_special(file, found)
        if not (file.force and is_made(file)):
            raise Refused(
                f"{file.at} is a {before}, not a {wanted_word(file)}",
                "write force: true to replace it" if is_made(file) else "declare what it is",
            )
    changes = [Change("state", before, wanted_word(file))] if is_made(file) else []
    content = content_of(file)
    if content is not None:
        changes.append(announce(file.host.files, content))
    if file.symlink:
        changes.append(Change("target", None, file.source))
    return changes + attribute_differences(file, None)


def _own_differences(file: "File", found: os.stat_result) -> list[Change]:
    """Return how a file, directory or link of the right sort differs."""
    changes = attribute_differences(file, found)
    if file.symlink:
        target = file.host.files.target(file.at)
        return (
            changes if target == file.source else [Change("target", target, file.source), *changes]
        )
    content = content_of(file)
    if content is None:
        return changes
    change = compare(file.host.files, file.at, found.st_size, content)
    return [change, *changes] if change else changes


def attribute_differences(file: "File", found: os.stat_result | None) -> list[Change]:
    """Return how mode, owner and group differ; all that are declared if nothing is there."""
    changes = []
    mode = mode_of(file)
    if mode.declared:
        there = stat.S_IMODE(found.st_mode) if found is not None else None
        wanted = mode.over(there or 0)
        if there != wanted:
            changes.append(
                Change("mode", None if there is None else f"{there:04o}", f"{wanted:04o}")
            )
    if file.owner and (found is None or users.id(file.owner) != found.st_uid):
        changes.append(Change("owner", users.name(found.st_uid) if found else None, file.owner))
    if file.group and (found is None or groups.id(file.group) != found.st_gid):
        changes.append(Change("group", groups.name(found.st_gid) if found else None, file.group))
    return changes


def _tree_differences(file: "File") -> list[Change]:
    """Return how what is in a directory differs, with the path in there before each attribute."""
    copied = trees.copies(file, file.memory.get("tree", {})) if file.source else {}
    file.memory["tree"] = copied
    changes = [
        Change(f"{name}: {change.attribute}", change.before, change.after)
        for name, copy in copied.items()
        for change in copy.check()
    ]
    if file.purge:
        changes += [Change("purge", name, None) for name in trees.strangers(file, copied)]
    return changes


def _refuse_special(file: "File", found: os.stat_result) -> None:
    """Refuse to touch a device, a pipe or a socket."""
    if stat.S_IFMT(found.st_mode) not in _WORDS:
        raise Refused(f"{file.at} is a device, pipe or socket", "remove it by hand")

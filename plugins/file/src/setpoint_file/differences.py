"""How what is there differs from what is declared."""

import functools
import os
import stat
from typing import TYPE_CHECKING

from setpoint import Change, Refused
from setpoint_file import trees
from setpoint_file.accounts import groups, users
from setpoint_file.aims import SORTS, Aim, aim_of
from setpoint_file.contents import announce, compare
from setpoint_file.signatures import is_settled, signature

if TYPE_CHECKING:
    from setpoint_file.resource import File


def find(file: "File", found: os.stat_result | None, now: int) -> list[Change]:
    """Return how what is there differs from what `file` declares.

    Args:
        file: what is declared.
        found: the status of what is there; None if nothing is.
        now: the wall clock in nanoseconds, read before `found` was taken.

    Raises:
        Refused: what is there may not be replaced or removed.
        OSError: what is there, or a source, cannot be read.

    """
    aim = aim_of(file)
    if file.state == "absent":
        return _absence(file, found)
    if found is None:
        changes = _all(file, aim, None)
    elif SORTS.get(stat.S_IFMT(found.st_mode)) != aim.sort:
        changes = _replacement(file, aim, found)
    else:
        changes = _own_differences(file, aim, found)
        if not changes:
            remember(file, aim, found, now)
    if file.recurse and aim.sort == "directory":
        changes += _tree_differences(file)
    if changes:
        aim.found = found
        file.memory["aim"] = aim
    return changes


def remember(file: "File", aim: Aim, status: os.stat_result, now: int = 0) -> None:
    """Remember what is as declared, if later its status alone can tell that.

    Args:
        file: what is declared.
        aim: what that comes to.
        status: of what is there.
        now: the wall clock in nanoseconds, read before `status` was taken; 0 if it was not.

    """
    if aim.sort == "directory" or (aim.content is not None and aim.content.paths):
        return
    if is_settled(status, aim.at.rpartition("/")[0], now):
        file.memory["seen"] = signature(status)


def _absence(file: "File", found: os.stat_result | None) -> list[Change]:
    """Return the change that it goes, if it may."""
    if found is None:
        return []
    there, sort = _sort(file, found), "directory" if file.is_directory else "file"
    if (there == "directory") != (sort == "directory") and not file.force:
        raise Refused(f"{file.at} is a {there}, not a {sort}", "write force: true to remove it")
    if there == "directory" and not file.recurse and file.host.files.names(file.at):
        raise Refused(f"{file.at} is not empty", "write recurse: true to remove all that is in it")
    return [Change("state", there, None)]


def _replacement(file: "File", aim: Aim, found: os.stat_result) -> list[Change]:
    """Return that what is declared is made in the place of something else, if it may."""
    there = _sort(file, found)
    if not aim.made:
        raise Refused(f"{aim.at} is a {there}, not a {aim.sort}", "write what it is to be")
    if not file.force:
        raise Refused(f"{aim.at} is a {there}, not a {aim.sort}", "write force: true to replace it")
    return _all(file, aim, there)


def _sort(file: "File", found: os.stat_result) -> str:
    """Return what it is in a word; refuse devices, pipes and sockets."""
    sort = SORTS.get(stat.S_IFMT(found.st_mode))
    if sort is None:
        raise Refused(f"{file.at} is a device, pipe or socket", "remove it by hand")
    return sort


def _all(file: "File", aim: Aim, there: str | None) -> list[Change]:
    """Return all that is declared as changes."""
    changes = [_made(there, aim.sort)] if aim.made else []
    if aim.content is not None:
        changes.append(announce(file.host.files, aim.content))
    if aim.sort == "symlink":
        changes.append(Change("target", None, file.source))
    if aim.mode.declared:
        changes.append(_new_mode(aim.mode.bits))
    if file.owner:
        changes.append(Change("owner", None, file.owner))
    if file.group:
        changes.append(Change("group", None, file.group))
    return changes


@functools.cache
def _made(there: str | None, sort: str) -> Change:
    """Return the change that something is made in the place of what is `there`."""
    return Change("state", there, sort)


@functools.cache
def _new_mode(bits: int) -> Change:
    """Return the change that what is not there yet is to have this mode."""
    return Change("mode", None, f"{bits:04o}")


def _own_differences(file: "File", aim: Aim, found: os.stat_result) -> list[Change]:
    """Return how a file, directory or link of the right sort differs."""
    changes = [] if aim.matches(found) else _attribute_differences(file, aim, found)
    if aim.sort == "symlink":
        target = file.host.files.target(aim.at)
        change = None if target == file.source else Change("target", target, file.source)
    elif aim.content is not None:
        change = compare(file.host.files, aim.at, found, aim.content)
    else:
        change = None
    return [change, *changes] if change else changes


def _attribute_differences(file: "File", aim: Aim, found: os.stat_result) -> list[Change]:
    """Return how mode, owner and group differ."""
    changes = []
    there = stat.S_IMODE(found.st_mode)
    wanted = aim.mode.over(there)
    if there != wanted:
        changes.append(Change("mode", f"{there:04o}", f"{wanted:04o}"))
    if aim.owner not in (-1, found.st_uid):
        changes.append(Change("owner", users.name(found.st_uid), file.owner))
    if aim.group not in (-1, found.st_gid):
        changes.append(Change("group", groups.name(found.st_gid), file.group))
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

"""Directories with all that is in them: copied from a source, and purged of what nobody declared."""

import os
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from setpoint import Refused
from setpoint.files import Files

if TYPE_CHECKING:
    from setpoint_file.resource import File


def copies(file: "File", known: dict[str, "File"]) -> dict[str, "File"]:
    """Return a resource for all that lies below the source of `file`, by its path in there.

    Args:
        file: a directory with a source.
        known: what this returned before; those that are as they were keep what they remember.

    """
    found = {}
    for name, status in _walk(file.host.files, file.source.rstrip("/"), ""):
        copy = _copy(file, name, status)
        found[name] = known[name] if known.get(name) == copy else copy
    return found


def strangers(file: "File", copied: dict[str, "File"]) -> list[str]:
    """Return what in the directory of `file` no resource declares, by its path in there.

    Spared are the files of its source, those of other file resources, all that a resource with
    recurse keeps itself, and the directories that these are in.
    """
    root = file.at + "/"
    peers = {peer.at: peer for peer in file.host.peers(file, "file").values() if peer is not file}  # type: ignore[attr-defined]
    within = {at[len(root) :] for at in peers if at.startswith(root)}
    spared = set(copied) | within
    spared |= {above for name in spared for above in _above(name)}
    own = {name for name in within if peers[root + name].recurse}  # type: ignore[attr-defined]
    status = file.host.files.status(file.at)
    if status is None or not stat.S_ISDIR(status.st_mode):
        return []
    return list(_unknown(file, "", spared, own))


def _unknown(file: "File", below: str, spared: set[str], own: set[str]) -> Iterator[str]:
    """Yield what is in the directory `below`, and in those in it, and is not `spared`."""
    files = file.host.files
    for entry in files.names(f"{file.at}/{below}".rstrip("/")):
        name = below + entry
        if name not in spared:
            if not _is_backup(file, name):
                yield name
        elif name not in own:
            status = files.status(f"{file.at}/{name}")
            if status is not None and stat.S_ISDIR(status.st_mode):
                yield from _unknown(file, name + "/", spared, own)


def _is_backup(file: "File", name: str) -> bool:
    """Whether `name` is what a resource in there has kept: PATH.~N~."""
    original, dot, number = name.rpartition(".~")
    path = f"{file.at}/{original}"
    if not dot or not number.endswith("~"):
        return False
    return any(
        peer.backup is True and peer.at == path  # type: ignore[attr-defined]
        for peer in file.host.peers(file, "file").values()
    )


def _above(name: str) -> list[str]:
    """Return the directories that `name` is in: "a/b/c" is in "a/b" and "a"."""
    return [name[:i] for i, letter in enumerate(name) if letter == "/"]


def _walk(files: Files, root: str, below: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield path in `root` and status of all that lies in there, directories before their entries."""
    for entry in files.names(f"{root}/{below}".rstrip("/"), follow=not below):
        name = below + entry
        status = files.status(f"{root}/{name}")
        if status is None:
            continue  # gone since it was listed; its watch will tell
        yield name, status
        if stat.S_ISDIR(status.st_mode):
            yield from _walk(files, root, name + "/")


def _copy(file: "File", name: str, status: os.stat_result) -> "File":
    """Return the resource that keeps one entry of the source of `file`."""
    path, source = f"{file.at}/{name}", file.source + name
    common: dict[str, Any] = {
        "owner": file.owner,
        "group": file.group,
        "force": file.force,
        "backup": file.backup,
        "fsync": file.fsync,
        "_host": file.host,
    }
    make = type(file)
    if stat.S_ISLNK(status.st_mode):
        target = file.host.files.target(source)
        return make(path, symlink=True, source=target, **common)
    mode = f"{stat.S_IMODE(status.st_mode):04o}"
    if stat.S_ISDIR(status.st_mode):
        return make(path + "/", state="exists", mode=mode, **common)
    if stat.S_ISREG(status.st_mode):
        return make(path, source=source, mode=mode, **common)
    raise Refused(f"{source} is not a file, directory or symlink, so it is not copied")

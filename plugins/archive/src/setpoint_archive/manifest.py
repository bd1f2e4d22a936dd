"""What is remembered of an archive that was extracted or made, over restarts: so that a look costs no reading.

A *signature* is what `lstat` says of a file and differs when somebody has changed it: inode, size, modification, mode,
owner and group.
"""

import hashlib
import os
import stat
from contextlib import suppress

import msgspec

from setpoint import Resource
from setpoint_archive.tree import UNFINISHED

Signature = list[int | str]
UNSHOWN = ("name", "meta", "_host", "creates", "purge", "max_size", "max_ratio")  # in what is made


class Manifest(msgspec.Struct, forbid_unknown_fields=True):
    """What was made of what.

    sha256: of the archive, in hexadecimal.
    archive: the signature of the archive.
    params: what it was declared as, digested.
    files: how many files and links.
    entries: what was extracted, its path (one byte a letter) to its signature, that of a directory empty.
    inputs: of what is in an archive that was made, digested.
    """

    sha256: str
    archive: Signature
    params: str
    files: int
    entries: dict[str, Signature] = {}
    inputs: str = ""


def sign(found: os.stat_result) -> Signature:
    """Return the signature of a file."""
    times = found.st_mtime_ns
    return [found.st_ino, found.st_size, times, found.st_mode, found.st_uid, found.st_gid]


def look(path: str) -> Signature | None:
    """Return the signature of what is at `path`: empty of a directory, of a link its target; None if nothing is."""
    try:
        found = os.lstat(path)
        if stat.S_ISLNK(found.st_mode):
            return [os.readlink(path), found.st_uid, found.st_gid]
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISDIR(found.st_mode) and stat.S_IMODE(found.st_mode) != UNFINISHED:
        return []
    return sign(found)


def declared(resource: Resource) -> str:
    """Return a digest of all params that what is made depends on."""
    fields = {
        name: value
        for name, value in msgspec.structs.asdict(resource).items()
        if name not in UNSHOWN
    }
    return hashlib.sha256(msgspec.json.encode(fields)).hexdigest()


def recall(resource: Resource) -> Manifest | None:
    """Return what is remembered of `resource`; None if nothing."""
    if "manifest" not in resource.memory:
        resource.memory["manifest"] = _read(resource)
    manifest: Manifest | None = resource.memory["manifest"]
    return manifest


def keep(resource: Resource, manifest: Manifest) -> None:
    """Remember `manifest`.

    Raises:
        OSError: it cannot be written.

    """
    resource.memory.pop("manifest", None)
    resource.host.state_directory(resource)
    resource.host.files.write(_path(resource), msgspec.json.encode(manifest), mode=0o600)
    resource.memory["manifest"] = manifest


def _read(resource: Resource) -> Manifest | None:
    with suppress(FileNotFoundError, msgspec.DecodeError):  # a damaged one is as none
        return msgspec.json.decode(resource.host.files.read(_path(resource)), type=Manifest)
    return None


def _path(resource: Resource) -> str:
    return f"{resource.host.state_path(resource)}/manifest.json"


def as_key(path: str) -> str:
    """Return a path as text that JSON can have, whatever bytes it is made of."""
    return os.fsencode(path).decode("latin-1")


def as_path(key: str) -> str:
    """Return the path that `as_key` made `key` of."""
    return os.fsdecode(key.encode("latin-1"))

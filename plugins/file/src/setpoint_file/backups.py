"""What is replaced or removed is kept, if that is asked for."""

import itertools
import os
import stat
from typing import TYPE_CHECKING

from setpoint.files import Files
from setpoint.paths import chunks

if TYPE_CHECKING:
    from setpoint_file.resource import File


def keep(file: "File", path: str, found: os.stat_result) -> None:
    """Keep what is at `path` as its params say: a file as a copy, all else is moved.

    Raises:
        OSError: it cannot be kept; then it must not be replaced.

    """
    if not file.backup:
        return
    files = file.host.files
    kept = _free_name(files, file.backup, path)
    if not stat.S_ISREG(found.st_mode):
        files.rename(path, kept)
        return
    own = os.geteuid() == 0
    fd = files.open(path)
    try:
        files.write(
            kept,
            chunks(fd),
            mode=stat.S_IMODE(found.st_mode),
            owner=found.st_uid if own else -1,
            group=found.st_gid if own else -1,
            fsync=file.fsync,
        )
    finally:
        os.close(fd)


def make_parents(files: Files, path: str, mode: int | None = None) -> None:
    """Make the directories above `path` that are missing."""
    parent = os.path.dirname(path)
    if files.status(parent, follow=True) is None:
        make_parents(files, parent, mode)
        files.make_directory(parent, mode=mode)


def _free_name(files: Files, backup: bool | str, path: str) -> str:
    """Return PATH.~N~, here or below the directory `backup`, with the first N that is free."""
    base = path if backup is True else str(backup).rstrip("/") + path
    make_parents(files, base, 0o700)
    names = (f"{base}.~{number}~" for number in itertools.count(1))
    return next(name for name in names if files.status(name) is None)

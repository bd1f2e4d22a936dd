"""What was there before a file is changed, as the file that brings it back."""

import os
import stat
from typing import Any

from setpoint import Refused

TEXT = 1 << 16  # bytes of text that are written into the record itself; more is copied
PRIOR = "prior"


def prior(file: Any) -> dict[str, Any]:
    """Return the params that undo what `file` is about to do.

    Raises:
        Refused: more than one file would have to be kept.

    """
    found = file.host.files.status(file.at)
    if found is None:
        return {"path": _spelled(file), "state": "absent"}
    if stat.S_ISLNK(found.st_mode):
        return {**_at(file), "symlink": True, "source": os.readlink(file.at), "force": True}
    if stat.S_ISDIR(found.st_mode):
        if not file.is_directory or file.recurse or file.state == "absent":
            raise Refused(
                f"{file.at} is a directory, and one that is replaced or changed as a whole is not kept",
                "take out meta.reverse",
            )
        return {"path": file.at + "/", "state": "exists", **_attributes(file, found)}
    params = {**_at(file), "force": True, **_attributes(file, found)}
    return {**params, **_content(file)} if _replaces(file) else params


def _replaces(file: Any) -> bool:
    """Whether more than attributes are about to change."""
    given = file.content is not None or file.source or file.fragments or file.is_directory
    return bool(given or file.state == "absent")


def _at(file: Any) -> dict[str, Any]:
    return {"path": file.at, "state": "exists"}


def _spelled(file: Any) -> Any:
    """Return the path with a slash at its end if it is a directory that is to be made."""
    return file.at + "/" if file.is_directory else file.at


def _attributes(file: Any, found: os.stat_result) -> dict[str, Any]:
    """Return those attributes that `file` manages, or loses when it is removed, as they are now."""
    is_removed = file.state == "absent"
    wanted = {
        "mode": (file.mode or is_removed, f"{stat.S_IMODE(found.st_mode):04o}"),
        "owner": (file.owner or is_removed, str(found.st_uid)),
        "group": (file.group or is_removed, str(found.st_gid)),
    }
    return {name: value for name, (is_managed, value) in wanted.items() if is_managed}


def _content(file: Any) -> dict[str, Any]:
    """Return the content as it is now: a short text as it is, else where a copy of it is kept."""
    files = file.host.files
    content = files.read(file.at)
    if len(content) <= TEXT:
        try:
            return {"content": content.decode()}
        except UnicodeDecodeError:
            pass
    copy = str(file.host.state_directory(file) / PRIOR)
    files.write(copy, content, mode=0o600)
    return {"source": copy}

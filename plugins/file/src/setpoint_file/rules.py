"""Which params of a file go together, checked before anything is looked at."""

import os
import re
from typing import TYPE_CHECKING

from setpoint import ParamError
from setpoint_file.modes import parse_mode

if TYPE_CHECKING:
    from setpoint_file.resource import File

_CONTENTS: dict[str, object] = {
    "content": None,
    "source": "",
    "fragments": (),
}  # what says what is in it, left out


def validate(file: "File") -> None:
    """See that the params of `file` go together; one that is still to be received counts as given.

    Raises:
        ParamError: two do not, or one is not what it may be.

    """
    path = file.path or file.name
    _require_absolute("path", path)
    if "/." in path and re.search(r"/\.\.?(/|$)", path):
        raise ParamError("path", f"must have no . or .. in it, not {path!r}")
    is_directory = path[-1] == "/"
    if file.source != "" or file.fragments != () or is_directory or file.state == "absent":
        _validate_content(file, is_directory)
    if file.symlink or file.purge:
        _validate_kind(file, is_directory)
    if file.mode:
        _validate_mode(file.mode)
    if isinstance(file.backup, str):
        _require_absolute("backup", file.backup)


def _require_absolute(param: str, path: str) -> None:
    if path[:1] != "/" or "\0" in path:
        raise ParamError(param, f"must be an absolute path, not {path!r}")


def _validate_mode(mode: str) -> None:
    try:
        parse_mode(mode)
    except ValueError as error:
        raise ParamError("mode", str(error), 'write "0644", in quotes') from None


def _validate_content(file: "File", is_directory: bool) -> None:
    """See that at most one param says what is in it, and that it can hold that."""
    given = [param for param, empty in _CONTENTS.items() if getattr(file, param) != empty]
    if len(given) > 1:
        raise ParamError(given[1], f"does not go with {given[0]}", "keep one of them")
    if given and file.state == "absent":
        raise ParamError(given[0], "does not go with state absent", "remove one of them")
    if is_directory and given and given[0] != "source":
        raise ParamError(
            given[0], "does not go with a directory", "write path without / at its end"
        )
    if file.source and not file.symlink:
        _validate_source(file, is_directory)
    for fragment in file.fragments or ():
        _require_absolute("fragments", fragment)
        if fragment.endswith("/") and os.path.dirname(file.at) == fragment.rstrip("/"):
            raise ParamError("fragments", f"must not hold the file itself, as {fragment!r} does")


def _validate_source(file: "File", is_directory: bool) -> None:
    _require_absolute("source", file.source)
    if file.source.endswith("/") != is_directory:
        raise ParamError(
            "source", "and path must both end in / or neither", "a slash at the end means directory"
        )
    if is_directory and not file.recurse:
        raise ParamError("source", "needs recurse to copy a directory", "write recurse: true")
    if f"{file.at}/".startswith(f"{file.source.rstrip('/')}/"):
        raise ParamError("source", f"must not lie where it is copied to, as {file.source!r} does")


def _validate_kind(file: "File", is_directory: bool) -> None:
    """See that what is asked for can be had with a file, a directory or a link."""
    if file.symlink and is_directory:
        raise ParamError(
            "symlink", "does not go with a directory", "write path without / at its end"
        )
    if file.symlink and file.source == "":
        raise ParamError(
            "symlink", "needs source, where it is to lead", "write source: /the/target"
        )
    if file.symlink and file.mode != "":
        raise ParamError("mode", "does not go with symlink: a link has none", "remove one of them")
    if file.purge and not (is_directory and file.recurse):
        raise ParamError(
            "purge", "needs a directory and recurse", "write recurse: true, path with /"
        )
    if file.purge and file.state == "absent":
        raise ParamError("purge", "does not go with state absent", "remove one of them")
    if file.purge and file.backup is True:
        raise ParamError("backup", "must name a directory elsewhere if there is purge")

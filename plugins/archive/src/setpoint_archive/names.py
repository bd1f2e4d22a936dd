"""Names of members: which are refused, which are wanted, and where a link may lead."""

import os
import re
from collections.abc import Iterable
from fnmatch import translate
from itertools import accumulate

from setpoint import Refused

LONGEST_PART, LONGEST = 255, 4095  # bytes; Linux: NAME_MAX, PATH_MAX
CURE = "do not trust this archive, or exclude it"


def clean(name: str) -> str:
    """Return where the member `name` goes, relative; empty for the directory itself.

    Raises:
        Refused: that is outside, or nowhere on Linux.

    """
    if name.startswith("/"):
        raise hostile(name, "is absolute")
    if "\0" in name:
        raise hostile(name, "has a NUL in it")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise hostile(name, "leads out of the directory")
    path = "/".join(parts)
    if len(os.fsencode(path)) > LONGEST or any(len(os.fsencode(p)) > LONGEST_PART for p in parts):
        raise hostile(name[:40] + "...", "is longer than names can be")
    return path


def check_target(path: str, target: str) -> None:
    """See that a symlink at `path` leads to something inside.

    Its `..` may only stand in front: there they lead through real directories, each to its parent; after the name of
    another link they could lead anywhere.

    Raises:
        Refused: it may lead out.

    """
    parts = [part for part in target.split("/") if part not in ("", ".")]
    up = next((i for i, part in enumerate(parts) if part != ".."), len(parts))
    if target.startswith("/") or up > path.count("/") or ".." in parts[up:]:
        raise hostile(path, f"is a link out of the directory, to {target!r}")
    if not target or "\0" in target or len(os.fsencode(target)) > LONGEST:
        raise hostile(path, "is a link to nothing that can be")


def hostile(name: str, why: str) -> Refused:
    """Return the error for a member that is not extracted."""
    return Refused(f"member {name!r} {why}", CURE)


def strip(path: str, number: int) -> str:
    """Return `path` without its first `number` directories; empty if it has no more."""
    return "/".join(path.split("/")[number:])


def shown(path: str) -> str:
    """Return `path` as text that can be printed and sent, whatever bytes it has."""
    return os.fsencode(path).decode(errors="backslashreplace")


class Wanted:
    """Tells by patterns which members are wanted."""

    def __init__(self, include: Iterable[str], exclude: Iterable[str]) -> None:
        self._include, self._exclude = _pattern(include), _pattern(exclude)

    def __call__(self, name: str) -> bool:
        """Whether the member `name` is wanted: it, or a directory it lies in."""
        if self._include is self._exclude is None:
            return True
        parts = name.strip("/").removeprefix("./").split("/")
        paths = list(accumulate(parts, "{}/{}".format))
        if self._exclude and any(map(self._exclude.fullmatch, paths)):
            return False
        return self._include is None or any(map(self._include.fullmatch, paths))


def _pattern(patterns: Iterable[str]) -> re.Pattern[str] | None:
    expressions = [translate(pattern.strip("/")) for pattern in patterns]
    return re.compile("|".join(expressions)) if expressions else None

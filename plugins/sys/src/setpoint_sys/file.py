"""The fact `file`."""

import os
import stat
from collections.abc import AsyncGenerator
from typing import Annotated

import msgspec

from setpoint import Fact, ParamError, Values
from setpoint_sys.reading import follow, patiently

TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "directory"}


class File(Fact):
    """What is at a path, and what is in it.

    The file and its parents need not exist, and may come and go. A symlink is followed if root or this process owns
    it. Changes are told by inotify; on file systems of other machines, and in /proc and /sys, it is looked at once a
    second.

    name: the path, absolute.
    limit: bytes of the content that are read, 0 to 16777216; 0 reads none.

    Source: inotify(7), stat(2).
    """

    kind = "file"
    limit: Annotated[int, msgspec.Meta(ge=0, le=1 << 24)] = 1 << 16

    class Value(Values):
        """What is there.

        exists: whether anything is.
        type: file, directory or other; empty if nothing is there.
        content: the text of a file, up to the limit; what is no UTF-8 in it is replaced. Of anything else empty.
        truncated: whether the file has more than that.
        size: of a file, in bytes; else 0.
        mtime: when it was last modified, in seconds since 1970; 0 if nothing is there.
        """

        exists: bool
        type: str = ""
        content: str = ""
        truncated: bool = False
        size: int = 0
        mtime: float = 0.0

    def __post_init__(self) -> None:
        if isinstance(self.name, str) and not self.name.startswith("/"):
            raise ParamError("name", f"must be an absolute path, not {self.name!r}")

    def watch(self) -> AsyncGenerator["File.Value", None]:
        """Yield what is there, then what it has become.

        Raises:
            OSError: the path leads to something that may not be read.
            Refused: a symlink of somebody else is on the way.

        """
        return follow(self.host.files.changes(self.name), lambda: patiently(self, self._look))

    def _look(self) -> "File.Value":
        found = self.host.files.status(self.name, follow=True)
        if found is None:
            return self.Value(exists=False)
        if not stat.S_ISREG(found.st_mode):
            type_ = TYPES.get(stat.S_IFMT(found.st_mode), "other")
            return self.Value(exists=True, type=type_, mtime=found.st_mtime)
        try:
            descriptor = self.host.files.open(self.name, follow=True)
        except FileNotFoundError:  # it was there a moment ago
            return self.Value(exists=False)
        with open(descriptor, "rb") as file:
            return self._read(file.read(self.limit + 1), os.fstat(descriptor))

    def _read(self, content: bytes, found: os.stat_result) -> "File.Value":
        return self.Value(
            exists=True,
            type="file",
            content=content[: self.limit].decode("utf-8", "replace"),
            truncated=len(content) > self.limit,
            size=found.st_size,
            mtime=found.st_mtime,
        )

"""Writing below a directory, through no link: each step down opens the next directory in the one before.

Whoever swaps a directory for a link meanwhile gains nothing: what is open is where it was.
"""

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

from setpoint import Refused
from setpoint.paths import Place
from setpoint.replacing import NEW, adorn, fill
from setpoint.temporaries import remove_leftovers, temporary_name
from setpoint_archive.names import shown

UNFINISHED = (
    0o1700  # a directory that is to get its owner and mode yet; nobody else has use for this one
)
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Belongings(NamedTuple):
    """Whose things are, and what those may do who are allowed to read files; -1 and None: as it comes."""

    owner: int = -1
    group: int = -1
    mode: int | None = None

    def of_file(self, mode: int) -> int:
        """Return the permission bits of a file that has `mode` in an archive."""
        if self.mode is not None:
            return _with_x(self.mode) if mode & 0o100 else self.mode
        return (mode & 0o755) | 0o600 if mode & 0o100 else (mode & 0o644) | 0o600

    @property
    def of_directory(self) -> int:
        """The permission bits of a directory."""
        return _with_x(0o755 if self.mode is None else self.mode)


def _with_x(mode: int) -> int:
    return mode | (mode & 0o444) >> 2


class Tree:
    """A directory that is written into.

    Args:
        fd: a descriptor of it; closed with this.
        path: where it is, for messages.
        belongings: whose the things in it become.

    """

    def __init__(self, fd: int, path: str, belongings: Belongings) -> None:
        self._way: list[tuple[str, int]] = [("", fd)]  # the directories down to where we are
        self._path, self._belongings = path, belongings
        self._cleaned: set[str] = set()

    def __enter__(self) -> "Tree":
        return self

    def __exit__(self, *_: object) -> None:
        while self._way:
            os.close(self._way.pop()[1])

    def make_directory(self, path: str) -> None:
        """See that there is a directory at `path`."""
        self._descend(path, make=True)

    def put_file(self, path: str, chunks: Iterable[bytes], mode: int, mtime: float) -> None:
        """Put a file at `path`, as a whole."""
        place = self._place(path)
        temporary = temporary_name()
        fd = os.open(temporary, NEW, 0o600, dir_fd=place.fd)
        try:
            fill(fd, chunks)
            adorn(
                fd, self._belongings.of_file(mode), self._belongings.owner, self._belongings.group
            )
            os.utime(fd, (mtime, mtime))
            self._replace(place, temporary)
        except BaseException:
            place.remove(temporary)
            raise
        finally:
            os.close(fd)

    def put_symlink(self, path: str, target: str) -> None:
        """Put a symlink that leads to `target` at `path`."""
        place = self._place(path)
        temporary = temporary_name()
        os.symlink(target, temporary, dir_fd=place.fd)
        try:
            owner, group, _ = self._belongings
            os.chown(temporary, owner, group, dir_fd=place.fd, follow_symlinks=False)
            self._replace(place, temporary)
        except BaseException:
            place.remove(temporary)
            raise

    def put_hardlink(self, path: str, other: str) -> None:
        """Make `path` another name of the file at `other`, which was put before."""
        place = self._place(path)
        source = os.dup(self._descend(other.rpartition("/")[0]))
        temporary = temporary_name()
        try:
            there = self._descend(path.rpartition("/")[0])
            name = other.rpartition("/")[2]
            os.link(name, temporary, src_dir_fd=source, dst_dir_fd=there, follow_symlinks=False)
            self._replace(Place(place.name, place.parent, "", there), temporary)
            place.remove(temporary)  # rename(2) does nothing if both are the same file
        finally:
            os.close(source)

    def remove(self, path: str) -> None:
        """Remove the file, link or empty directory at `path`, if it is there."""
        with suppress(FileNotFoundError, NotADirectoryError, Refused):
            fd = self._descend(path.rpartition("/")[0])
            name = path.rpartition("/")[2]
            if stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
                with suppress(OSError):  # somebody else has put something into it
                    os.rmdir(name, dir_fd=fd)
            else:
                os.unlink(name, dir_fd=fd)

    def _place(self, path: str) -> Place:
        """Return the place of a file, in its directory, which is made; what the dead left in there goes."""
        parent, _, name = path.rpartition("/")
        fd = self._descend(parent, make=True)
        place = Place(name, f"{self._path}/{parent}", "", fd)
        if parent not in self._cleaned:
            self._cleaned.add(parent)
            remove_leftovers(place)
        return place

    def _replace(self, place: Place, temporary: str) -> None:
        try:
            place.replace(temporary)
        except (IsADirectoryError, NotADirectoryError):
            where = shown(os.path.join(place.parent, place.name))
            raise Refused(f"{where} is a directory, and none in the archive", "remove it") from None

    def _descend(self, path: str, *, make: bool = False) -> int:
        """Return the descriptor of the directory at `path`, made if it is missing; it stays ours."""
        while self._way[-1][0] and not f"{path}/".startswith(f"{self._way[-1][0]}/"):
            os.close(self._way.pop()[1])
        here = self._way[-1][0]
        for part in path[len(here) :].split("/"):
            if part:
                here = f"{here}/{part}" if here else part
                self._way.append((here, self._step(self._way[-1][1], part, here, make)))
        return self._way[-1][1]

    def _step(self, fd: int, part: str, path: str, make: bool) -> int:
        """Open a directory in one that is open; one that was made just now, or before we were killed, gets its mode."""
        if make:
            with suppress(FileExistsError):
                os.mkdir(part, UNFINISHED, dir_fd=fd)
        try:
            step = os.open(part, DIRECTORY, dir_fd=fd)
        except NotADirectoryError:
            where = shown(os.path.join(self._path, path))
            raise Refused(
                f"{where} must be a directory, found something else", "remove it"
            ) from None
        if make and stat.S_IMODE(os.fstat(step).st_mode) == UNFINISHED:
            owner, group, _ = self._belongings
            adorn(step, self._belongings.of_directory, owner, group)
        return step

"""Files, written as a whole and never through a link that somebody else put there.

A file is made under another name beside the one it replaces, readable by nobody else, filled, given
its owner and mode, and renamed: who reads sees the old one or the new one. What a killed process
left behind has a name that tells so, and goes when something is next written into that directory.
"""

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

from setpoint import oserrors
from setpoint.errors import Refused
from setpoint.paths import (
    READ,
    Place,
    is_guarded,
    look_behind,
    open_behind,
    open_path,
    read_regular,
    refuse_special,
)
from setpoint.replacing import (
    adorn,
    is_ours,
    refuse_borrowed,
    replaced,
    write_anew,
    write_at_once,
)
from setpoint.temporaries import is_temporary, remove_leftovers, temporary_name

if TYPE_CHECKING:
    from setpoint.watching import Subscription, Watcher

GUARDED_FOR = 0.1  # seconds that a look at the owners of a directory is good for: one batch
MOST_DIRECTORIES = 4096  # remembered; then all are forgotten, which costs one look each

Path = str | os.PathLike[str]


class Files:
    """The files of this machine, for kinds that read and write them.

    Paths are absolute and end without a slash. A symlink on the way is followed only if root or
    this process owns it, else every method raises `Refused`; the last part is never followed
    unless that is asked for. `OSError` is raised as the kernel says it.
    """

    def __init__(self, watcher: "Watcher") -> None:
        self._watcher = watcher
        self._guarded: dict[str, float] = {}  # directory to the time until which its name is good
        self._cleaned: set[str] = set()

    def changes(self, path: Path, recursive: bool = False) -> "Subscription":
        """Return a subscription that says when to look at `path` again; there may be nothing yet.

        Args:
            path: a file or a directory, of which the entries count too.
            recursive: all that lies below it counts.

        """
        return self._watcher.path(path, recursive=recursive)

    def status(self, path: Path, *, follow: bool = False) -> os.stat_result | None:
        """Return the status of what is at `path`, of a link itself; None if there is nothing.

        Args:
            path: anything.
            follow: of a symlink that root or this process owns, return that of what it leads to.

        """
        try:
            if follow:
                return look_behind(os.fspath(path))
            with self._place(path) as place:
                return place.look()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def open(self, path: Path, *, follow: bool = False) -> int:
        """Return a descriptor to read the regular file at `path` from; close it.

        Args:
            path: the file.
            follow: if it is a symlink that root or this process owns, take what it leads to.

        Raises:
            Refused: it is something else; a device is not opened.

        """
        if follow:
            return open_behind(os.fspath(path))
        with self._place(path) as place:
            refuse_special(path, place.look())
            fd = place.open(READ)
        try:
            refuse_special(path, os.fstat(fd))  # what was looked at may have been swapped
        except Refused:
            os.close(fd)
            raise
        return fd

    def read(self, path: Path, *, known: os.stat_result | None = None) -> bytes:
        """Return all that the regular file at `path` holds; raises what `open` does.

        Args:
            path: the file.
            known: the status of what is there, if that was just looked at: saves a look.

        """
        path = os.fspath(path)
        parent = path[: path.rfind("/") + 1]
        if known is not None and self._guarded.get(parent, 0.0) > monotonic():
            refuse_special(path, known)
            fd = os.open(path, READ | os.O_NOFOLLOW)
        else:
            fd = self.open(path)
        try:
            return read_regular(path, fd)
        finally:
            os.close(fd)

    def target(self, path: Path) -> str:
        """Return where the symlink at `path` leads, as it is written."""
        with self._place(path) as place:
            return os.readlink(place.name, dir_fd=place.fd)

    def names(self, path: Path, *, follow: bool = False) -> list[str]:
        """Return the names in the directory at `path`, sorted, without those of unfinished files."""
        fd = self.open_directory(path, follow=follow)
        try:
            return sorted(name for name in os.listdir(fd) if not is_temporary(name))
        finally:
            os.close(fd)

    def open_directory(self, path: Path, *, follow: bool = False) -> int:
        """Return a descriptor of the directory at `path`, to list or to work in; close it."""
        with self._place(f"{os.fspath(path)}/." if follow else path) as place:
            return place.open(os.O_RDONLY | os.O_DIRECTORY)

    def write(
        self,
        path: Path,
        data: bytes | Iterable[bytes],
        *,
        mode: int | None = None,
        owner: int = -1,
        group: int = -1,
        keep: bool | os.stat_result = False,
        fsync: bool = False,
    ) -> os.stat_result | None:
        """Put a file that holds `data` at `path`; a file or link that was there goes.

        Args:
            path: the file; its directory must exist.
            data: all of it, or its parts in order.
            mode: its permission bits; None as the umask has it.
            owner: its user; -1 is this process's.
            group: its group; -1 is this process's, or the directory's if that is set-gid.
            keep: what is not given, and the extended attributes, are those of the file it replaces;
                the status of that file, if it was just looked at, saves a look.
            fsync: return only when it would survive that the power goes.

        Returns:
            Its status, now that it is there; None if somebody wrote to it meanwhile.

        """
        path = os.fspath(path)
        parent = path[: path.rfind("/") + 1]
        if (
            (mode is not None and owner == group == -1 and not fsync and type(data) is bytes)
            and (keep is False or (keep is not True and is_ours(keep)))
            and parent in self._cleaned
            and self._guarded.get(parent, 0.0) > monotonic()
        ):
            try:
                return write_at_once(path, parent + temporary_name(), data, mode, keep or None)
            except OSError as error:
                oserrors.name(error, path)
                raise
        with self._place(path) as place:
            old = replaced(place) if keep else None
            return write_anew(place, self._temporary(place), data, mode, owner, group, old, fsync)

    def symlink(self, path: Path, target: str, *, owner: int = -1, group: int = -1) -> None:
        """Put a symlink that leads to `target` at `path`; a file or link that was there goes."""
        with self._place(path) as place:
            temporary = self._temporary(place)
            os.symlink(target, temporary, dir_fd=place.fd)
            try:
                if owner != -1 or group != -1:
                    os.chown(temporary, owner, group, dir_fd=place.fd, follow_symlinks=False)
                place.replace(temporary)
            except BaseException:
                place.remove(temporary)
                raise

    def make_directory(
        self, path: Path, *, mode: int | None = None, owner: int = -1, group: int = -1
    ) -> None:
        """Make the directory at `path`, in one that exists. Arguments are those of `write`."""
        with self._place(path) as place:
            os.mkdir(place.name, 0o777 if mode is None else 0o700, dir_fd=place.fd)
            if mode is not None or owner != -1 or group != -1:
                fd = place.open(os.O_RDONLY | os.O_DIRECTORY)
                try:
                    adorn(fd, mode, owner, group)
                finally:
                    os.close(fd)

    def set_attributes(
        self, path: Path, *, mode: int | None = None, owner: int = -1, group: int = -1
    ) -> None:
        """Give what is at `path` this mode, owner and group; None and -1 leave them as they are.

        Raises:
            Refused: it may be another's file, put here by a hard link.

        """
        with self._place(path) as place:
            fd = place.open(os.O_PATH)
            try:
                refuse_borrowed(path, fd, place)
                itself = f"/proc/self/fd/{fd}"  # what was looked at, which need not be readable
                if owner != -1 or group != -1:
                    os.chown(itself, owner, group)
                if mode is not None:
                    os.chmod(itself, mode)  # last: chown(2) clears set-uid
            finally:
                os.close(fd)

    def rename(self, path: Path, new: Path) -> None:
        """Move what is at `path` to `new`, on the same file system; a file there is replaced."""
        with self._place(path) as old, self._place(new) as place:
            os.rename(old.name, place.name, src_dir_fd=old.fd, dst_dir_fd=place.fd)

    def remove(self, path: Path, *, recursive: bool = False) -> None:
        """Remove what is at `path`, a link itself; a directory with all in it, if `recursive`.

        Raises:
            OSError: it is a directory that holds something, and not `recursive`.

        """
        with self._place(path) as place:
            if not stat.S_ISDIR(place.look().st_mode):
                place.remove(place.name)
            elif recursive:
                import shutil  # heavy, and rarely needed

                shutil.rmtree(place.name, dir_fd=place.fd)
            else:
                os.rmdir(place.name, dir_fd=place.fd)

    def _place(self, path: Path) -> Place:
        """Return `path` in its directory: by name if nobody else could make that mean another."""
        path = os.fspath(path)
        parent, slash, name = path.rpartition("/")
        parent += slash
        if self._guarded.get(parent, 0.0) > monotonic() or self._is_guarded(parent):
            return Place(path, parent, parent)
        return Place(name, parent, "", open_path(parent, os.O_DIRECTORY))

    def _is_guarded(self, directory: str) -> bool:
        """Look who may swap `directory`, and remember it for a moment if nobody can."""
        if not directory.startswith("/"):
            raise ValueError(f"a path must be absolute, not below {directory!r}")
        if not is_guarded(directory):
            return False
        if len(self._guarded) >= MOST_DIRECTORIES:
            self._guarded.clear()
        self._guarded[directory] = monotonic() + GUARDED_FOR
        return True

    def _temporary(self, place: Place) -> str:
        """Return a free name beside `place`; the first time in a directory, clean that."""
        if place.parent not in self._cleaned:
            if len(self._cleaned) >= MOST_DIRECTORIES:
                self._cleaned.clear()
            with suppress(PermissionError):  # a directory that may be written but not listed
                remove_leftovers(place)
            self._cleaned.add(place.parent)
        return place.prefix + temporary_name()

"""The `file` resource: params and verbs."""

import os
import stat
from collections.abc import Iterable
from time import time_ns
from typing import Annotated, Any, Literal

from setpoint import REWATCH, Change, Need, Refused, Resource, Thing, Values, hookimpl
from setpoint.watching import Many, Subscription
from setpoint_file import contents, differences, relations, repair, undoing
from setpoint_file.rules import validate
from setpoint_file.signatures import medium, signature

NOTHING: list[Change] = []  # what an untouched file costs is one stat, and not a list as well

_look = os.lstat


class File(Resource):
    """A file, directory or symlink, or that there is none.

    name: its path, if path is empty.
    path: where it is, absolute; a slash at the end means a directory. Empty takes the name.
    state: exists, absent, or empty: then a directory is made, and a file if content, source or
        fragments say what is in it.
    content: all of its text, written as UTF-8. Left out: what is in it is not looked at.
    source: the file whose content it gets, absolute; a directory, ending in a slash, is copied with
        all that is in it and needs recurse. With symlink: where it leads. Empty: none.
    fragments: files whose contents it gets one after the other, absolute; those in a directory,
        ending in a slash, in the order of their names. Empty: none.
    mode: its permission bits, octal from "0000" to "07777", or symbolic like "u=rw,g=r,o=", where a
        class that is not named stays as it is. Empty: as those of the source, else not looked at; a
        new file gets what the umask leaves.
    owner: its user, name or number; with a source directory of all that is copied. Empty: not
        looked at.
    group: its group, name or number; with a source directory of all that is copied. Empty: not
        looked at.
    recurse: make missing directories above it, copy the source directory with all that is in it,
        remove a directory with all that is in it. False: none of these.
    force: put it in the place of a directory, file or symlink that is something else than declared.
        False: that is refused. Devices, pipes and sockets are never replaced.
    purge: remove from the directory what neither the source nor another file resource declares;
        needs recurse. False: nothing.
    symlink: make a symlink that leads to source, absolute or relative, there or not. False: no link.
    backup: keep what is replaced or removed, with its mode: true as PATH.~N~ with N from 1, or below
        the directory given, absolute. False: not.
    fsync: return only when a new content would survive that the power goes. False: not.

    Sends `path`: where it is, without a slash at the end.
    Sends `sha256`: of what is in it, in hexadecimal; empty if it is not a file.
    Sends `size`: of what is in it, in bytes; 0 if it is not a file.
    """

    kind = "file"

    path: Annotated[str, REWATCH] = ""
    state: Literal["", "exists", "absent"] = ""
    content: str | None = None
    source: Annotated[str, REWATCH] = ""
    fragments: Annotated[tuple[str, ...], REWATCH] = ()
    mode: str = ""
    owner: str = ""
    group: str = ""
    recurse: Annotated[bool, REWATCH] = False
    force: bool = False
    purge: bool = False
    symlink: Annotated[bool, REWATCH] = False
    backup: bool | str = False
    fsync: bool = False

    class Sends(Values):
        """What others may receive of a file."""

        path: str
        sha256: str
        size: int

    def __post_init__(self) -> None:
        validate(self)
        self.forget()

    @property
    def is_directory(self) -> bool:
        """Whether a directory is declared."""
        return (self.path or self.name).endswith("/")

    @property
    def at(self) -> str:
        """The path without a slash at its end."""
        return (self.path or self.name).rstrip("/") or "/"

    @property
    def quick(self) -> bool:  # type: ignore[override] # here it depends on the params
        """Whether a check and apply take microseconds: something small, on a disk of this machine."""
        if self.fsync or self.recurse or self.force or self.fragments or self.backup:
            return False
        if self.source and not self.symlink:
            return False
        content = self.content
        if content is not None and (not isinstance(content, str) or len(content) > contents.SMALL):
            return False
        path = self.path or self.name
        return medium(path[: path.rfind("/", 0, -1)] or "/").local

    def forget(self) -> None:
        """Forget what the last check saw."""
        for key in ("seen", "aim", "tree"):
            self.__dict__.pop(key, None)

    def provides(self) -> Iterable[Thing]:
        """Return what others may wait for: its path, and a place for what lies below."""
        return relations.provided(self)

    def needs(self) -> Iterable[Need]:
        """Return what it waits for: the directory it lies in, owner, group, where its content is from."""
        return relations.needed(self)

    def touches(self) -> Iterable[Thing]:
        """Return what a change of it changes: with some declarations all that lies below too."""
        return relations.touched(self)

    def reads(self) -> Iterable[Thing]:
        """Return what its check looks at: its path, and where content and owners come from."""
        return relations.read(self)

    @hookimpl
    def watch(self) -> Subscription:
        """Say when it, its source or its fragments may have changed."""
        files = self.host.files
        own = files.changes(self.at, self.recurse)
        given = [self.source] if self.source and not self.symlink else list(self.fragments or ())
        if not given:
            return own
        return Many(own, *(files.changes(path.rstrip("/"), self.recurse) for path in given))

    def check(self) -> list[Change]:
        """Compare what is there with the params; of an untouched file only the status is read."""
        memory = self.__dict__
        path = self.path or self.name
        now = time_ns()
        try:
            try:  # by its name, wherever that leads: what follows from it is done with care
                found = _look(path if path[-1] != "/" else self.at)
            except (FileNotFoundError, NotADirectoryError):
                found = None
            if "seen" in memory:
                if found is not None and signature(found) == memory["seen"]:
                    return NOTHING
                del memory["seen"]
            return differences.find(self, found, now)
        except PermissionError as error:
            raise _refusal(self, "look at", error) from error

    def apply(self, changes: list[Change]) -> None:
        """Repair `changes`: a new content comes as a new file in the place of the old one."""
        try:
            repair.make(self, changes)
        except PermissionError as error:
            raise _refusal(self, "change", error) from error
        except FileNotFoundError as error:
            parent = os.path.dirname(self.at)
            if os.path.lexists(parent):
                raise
            raise FileNotFoundError(
                f"{parent} is not there; declare it too, or write recurse: true"
            ) from error

    def reversed(self) -> "File":
        """Return the file that brings back what is there now: its content, and what it manages of the rest."""
        return File(self.name, **undoing.prior(self))

    @hookimpl
    def send(self) -> Values:
        """Read it, and return where it is, its digest and its size."""
        files = self.host.files
        status = files.status(self.at)
        if status is None or not stat.S_ISREG(status.st_mode):
            return self.Sends(path=self.at, sha256="", size=0)
        return self.Sends(path=self.at, sha256=contents.digest(files, self.at), size=status.st_size)


def _refusal(file: Any, verb: str, error: PermissionError) -> Refused:
    """Return the error that says what this process may not do."""
    what = f"{error.filename}: " if error.filename and error.filename != file.at else ""
    who = "root" if os.geteuid() == 0 else f"user {os.geteuid()}"
    cure = "" if os.geteuid() == 0 else "run as root"
    return Refused(f"{who} may not {verb} {file.at}: {what}{(error.strerror or '').lower()}", cure)

"""Where the authorized keys of a user are, and whether nobody else can lead us elsewhere.

The directory belongs to a user whom root may not trust: links and borrowed files in it are refused. The rules for
owners and modes are those of sshd, which ignores a file that others could write to; what sshd accepts is left as it is.

Source: safe_path in misc.c of OpenSSH; sshd_config(5), StrictModes.
"""

import os
import stat
from typing import NamedTuple

from setpoint import Change, Refused
from setpoint.accounts import Tables
from setpoint.files import Files
from setpoint.paths import WRITABLE_BY_OTHERS

KEYS = ".ssh/authorized_keys"
DIRECTORY_MODE, MODE, SHARED_MODE = 0o700, 0o600, 0o644


class Place(NamedTuple):
    """The file of a user.

    user: the login name.
    uid, gid: the numbers of the user and of the primary group.
    home: the home directory.
    path: the file.
    """

    user: str
    uid: int
    gid: int
    home: str
    path: str

    @property
    def directory(self) -> str:
        """The directory of the file."""
        return os.path.dirname(self.path)

    @property
    def is_at_home(self) -> bool:
        """Whether the file is the user's own, in the home directory; others are root's."""
        return self.path.startswith(f"{self.home}/")


def find(name: str, target: str, tables: Tables) -> Place | None:
    """Return where the keys of a user are; None if there is no such user. May ask the name service."""
    account = tables.user(name)
    if account:
        uid, gid, home = account.uid, account.gid, account.homedir
    else:
        import pwd

        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            return None
        uid, gid, home = entry.pw_uid, entry.pw_gid, entry.pw_dir
    home = os.path.normpath(home)
    return Place(name, uid, gid, home, target or os.path.join(home, KEYS))


def faults(place: Place, files: Files) -> list[Change]:
    """Return for what sshd would ignore the file, or could not read it.

    Raises:
        Refused: it is not safe to touch what is there.

    """
    return [*_of_directory(place, files), *_of_file(place, files)]


def mend(place: Place, files: Files) -> None:
    """Make the directory if it is missing, and mend what `faults` finds.

    Raises:
        Refused: there is no home directory, or what is there is not safe to touch.

    """
    own = {"owner": place.uid, "group": place.gid} if os.geteuid() == 0 else {}
    if place.is_at_home and files.status(place.home, follow=True) is None:
        cure = "declare the user with create_home: true"
        raise Refused(f"user {place.user!r} has no home directory {place.home}", cure)
    for change in faults(place, files):
        if change.attribute == "directory":
            files.make_directory(place.directory, mode=DIRECTORY_MODE, **own)
        elif change.attribute.startswith("directory "):
            files.set_attributes(place.directory, mode=DIRECTORY_MODE, **own)
        else:
            files.set_attributes(place.path, mode=MODE)


def _of_directory(place: Place, files: Files) -> list[Change]:
    found = files.status(place.directory, follow=True)
    if not place.is_at_home or place.directory == place.home:
        return []
    if found is None:
        return [Change("directory", None, f"{DIRECTORY_MODE:04o}")]
    if not stat.S_ISDIR(found.st_mode):
        raise Refused(f"{place.directory} is no directory", "remove it")
    if found.st_uid not in (0, place.uid):
        cure = f"give it to {place.user!r}, or remove it"
        raise Refused(f"{place.directory} belongs to the user with uid {found.st_uid}", cure)
    if (
        found.st_uid != place.uid and not found.st_mode & stat.S_IXOTH
    ):  # we were killed when it was just made
        return [Change("directory owner", "root", place.user)]
    if found.st_mode & WRITABLE_BY_OTHERS:
        return [Change("directory mode", _octal(found), f"{DIRECTORY_MODE:04o}")]
    return []


def _of_file(place: Place, files: Files) -> list[Change]:
    found = files.status(place.path, follow=True)
    if found is None:
        return []
    if not stat.S_ISREG(found.st_mode):
        raise Refused(f"{place.path} is not a regular file", "remove it")
    if not place.is_at_home:
        return []
    cure = f"give it to {place.user!r}, or remove it"
    if found.st_uid not in (0, place.uid):
        raise Refused(f"{place.path} belongs to the user with uid {found.st_uid}", cure)
    if found.st_uid != place.uid and (found.st_nlink > 1 or not found.st_mode & stat.S_IROTH):
        raise Refused(f"{place.path} belongs to root and is not for {place.user!r}", cure)
    if found.st_mode & WRITABLE_BY_OTHERS:
        return [Change("mode", _octal(found), f"{MODE:04o}")]
    return []


def _octal(found: os.stat_result) -> str:
    return f"{stat.S_IMODE(found.st_mode):04o}"

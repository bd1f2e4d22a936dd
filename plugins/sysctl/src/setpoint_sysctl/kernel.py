"""Reading and writing /proc/sys.

It is no place for atomic files: a setting is one write(2). Nobody but the kernel makes names in there, so a path that
has no `..` leads where it says.
"""

import errno
import os
import re
import stat

from setpoint import Refused
from setpoint.errors import suggest
from setpoint_sysctl.keys import dotted

ROOT = "/proc/sys"

_OCTAL = re.compile("-?0[0-7]+")


def place(path: str) -> str:
    """Return the file of the key `path`."""
    return f"{ROOT}/{path}"


def read(path: str) -> str | None:
    """Return the value of the key `path`, each run of blanks as one; None if the kernel has no such key.

    Raises:
        Refused: it has no value that can be read.
        OSError: it cannot be read now.

    """
    try:
        with open(place(path), encoding="utf-8", errors="surrogateescape") as file:
            return normalised(file.read())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except IsADirectoryError:
        cure = f"name one of them: {', '.join(sorted(os.listdir(place(path)))[:9])}"
        raise Refused(f"{dotted(path)} is a group of settings", cure) from None
    except PermissionError:
        raise _unreadable(path) from None


def write(path: str, value: str) -> str:
    """Give the key `path` a value; return it as the kernel has it then.

    Raises:
        Refused: we may not, or the kernel does not take that value, or makes another one of it.
        OSError: it cannot be written now, as in a container where /proc/sys is read-only.

    """
    try:
        fd = os.open(place(path), os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, f"{value}\n".encode("utf-8", "surrogateescape"))
        finally:
            os.close(fd)
    except PermissionError:
        raise _not_ours(path) from None
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ERANGE):
            raise Refused(f"the kernel does not take {value!r} for {dotted(path)}") from error
        raise
    found = read(path)
    if found is None or not is_same(found, value):
        raise Refused(
            f"the kernel made {found!r} of {value!r} for {dotted(path)}",
            "declare what it makes of it",
        )
    return found


def missing(path: str) -> FileNotFoundError:
    """Return the error that there is no key `path`, with one that is meant perhaps."""
    parent, _, name = place(path).rpartition("/")
    while not os.path.isdir(parent):
        parent, _, name = parent.rpartition("/")
    prefix = parent.removeprefix(ROOT).lstrip("/")
    keys = [dotted(f"{prefix}/{key}".lstrip("/")) for key in os.listdir(parent)]
    meant = suggest(dotted(f"{prefix}/{name}".lstrip("/")), keys)
    cure = f"{meant or 'load the module that has it'}, or write optional: true"
    return FileNotFoundError(errno.ENOENT, f"the kernel has no such setting; {cure}", dotted(path))


def normalised(value: object) -> str:
    """Return `value` as text, each run of blanks as one."""
    return " ".join(str(value).split())


def is_same(found: str, wanted: str) -> bool:
    """Whether two values are the same to the kernel, which reads numbers as C does."""
    return [*map(_number, found.split())] == [*map(_number, wanted.split())]


def _number(word: str) -> int | str:
    try:
        return int(word, 8) if _OCTAL.fullmatch(word) else int(word, 0)
    except ValueError:
        return word


def _unreadable(path: str) -> Refused:
    if stat.S_IMODE(os.stat(place(path)).st_mode) & 0o444 == 0:
        return Refused(
            f"{dotted(path)} can only be written: it is an order to the kernel, not a setting",
            "give the order with exec",
        )
    return _not_ours(path)


def _not_ours(path: str) -> Refused:
    if os.geteuid() == 0:
        return Refused(f"{dotted(path)} is read-only", "leave it as it is")
    return Refused(f"only root may set {dotted(path)}", "run this as root")

"""Members of a zip."""

import re
import stat
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import IO

from setpoint import Refused
from setpoint_archive.members import CHUNK, Member
from setpoint_archive.names import LONGEST, Wanted, hostile

UTF8, ENCRYPTED = 0x800, 0x1  # flags; APPNOTE.TXT 4.4.4
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, RuntimeError)


def unzip(file: IO[bytes], wanted: Wanted) -> Iterator[Member]:
    """Yield the members of the zip in `file`, under their names in it.

    Raises:
        Refused: it is none, is damaged or encrypted, or has something that is no file, directory or link.

    """
    try:
        with zipfile.ZipFile(file) as archive:
            for info in archive.infolist():
                name = _name(info)
                if wanted(name):
                    yield _member(archive, info, name)
    except DAMAGED as error:
        raise Refused(f"the archive is damaged: {error}", "fetch it again") from error


def _name(info: zipfile.ZipInfo) -> str:
    """Return the name as its maker meant it: many write UTF-8 without saying so, some backslashes.

    Source: APPNOTE.TXT 4.4.17.1 and Appendix D.
    """
    name = info.orig_filename
    if not info.flag_bits & UTF8:
        with suppress(UnicodeError):  # then it is cp437, as the standard has it
            name = name.encode("cp437").decode("utf-8")
    name = name.replace("\\", "/")
    if re.match("[A-Za-z]:", name):
        raise hostile(name, "is absolute")
    return name


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> Member:
    """Return what `info` says."""
    mode = info.external_attr >> 16  # 0 if it was not made on Unix
    sort = stat.S_IFMT(mode)
    if info.flag_bits & ENCRYPTED:
        raise Refused(f"member {name!r} must not be encrypted", "give it without a password")
    if name.endswith("/") or stat.S_ISDIR(mode):
        return Member(name, "directory")
    if sort == stat.S_IFLNK:
        return Member(name, "symlink", target=_target(archive, info))
    if sort not in (0, stat.S_IFREG):
        raise hostile(name, "is a device, a pipe or something unknown")
    permissions = stat.S_IMODE(mode) or 0o644
    chunks = partial(_chunks, archive, info)
    return Member(name, "file", permissions, _modified(info), info.file_size, chunks=chunks)


def _modified(info: zipfile.ZipInfo) -> float:
    """Return when it was modified, by the clock on the wall: a zip knows no zone."""
    try:
        return time.mktime((*info.date_time, 0, 0, -1))
    except OverflowError:  # in month 0, say
        return 0.0


def _target(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    with archive.open(info) as data:
        return data.read(LONGEST + 1).decode("utf-8", "surrogateescape")


def _chunks(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    try:
        with archive.open(info) as data:
            while piece := data.read(CHUNK):
                yield piece
    except DAMAGED as error:
        raise Refused(f"the archive is damaged: {error}", "fetch it again") from error

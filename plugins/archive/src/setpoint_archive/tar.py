"""Members of a tar."""

import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import IO, Any, cast

from setpoint import Refused
from setpoint_archive.compression import CHUNK, Tape, decompressed
from setpoint_archive.members import Limits, Member
from setpoint_archive.names import Wanted, hostile

HEADER = 1 << 20  # bytes that all headers of one member may have
MOST_SECONDS = 1 << 34  # what ext4 can have
DAMAGED = (tarfile.TarError, EOFError, ValueError, OverflowError, zlib.error, lzma.LZMAError)


def untar(file: IO[bytes], beginning: bytes, limits: Limits, wanted: Wanted) -> Iterator[Member]:
    """Yield the members of the tar in `file`, under their names in it.

    Raises:
        Refused: it is none, is damaged, or has something that is no file, directory or link.

    """
    tape = Tape(decompressed(file, beginning), limits.check)
    with damage_told():
        tar = _opened(tape)
        for info in _headers(tar, tape):
            if wanted(info.name):
                yield _member(info, partial(_chunks, tar, tape, info))
        tape.drain()


def _opened(tape: Tape) -> tarfile.TarFile:
    tape.allowance = HEADER
    options: dict[str, Any] = {"encoding": "utf-8", "errors": "surrogateescape"}
    return tarfile.TarFile(fileobj=tape, **options)  # type: ignore[arg-type] # all that it uses


def _headers(tar: tarfile.TarFile, tape: Tape) -> Iterator[tarfile.TarInfo]:
    while (info := tar.next()) is not None:
        yield info
        tar.members.clear()  # type: ignore[attr-defined] # it would remember all
        tape.allowance = HEADER
    if tape.last.strip(b"\0"):  # it takes what makes no sense for the end
        raise tarfile.ReadError("a header makes no sense")


def _member(info: tarfile.TarInfo, chunks: Callable[[], Iterator[bytes]]) -> Member:
    """Return what `info` says."""
    if info.isreg():
        return Member(info.name, "file", info.mode, _modified(info), info.size, chunks=chunks)
    if info.isdir():
        return Member(info.name, "directory")
    if info.issym():
        return Member(info.name, "symlink", target=info.linkname)
    if info.islnk():
        return Member(info.name, "hardlink", target=info.linkname)
    raise hostile(info.name, "is a device, a pipe or something unknown")


def _modified(info: tarfile.TarInfo) -> float:
    """Return when it was modified; 0 for what no file system can have, among them what is no number."""
    return info.mtime if 0 <= info.mtime < MOST_SECONDS else 0.0


def _chunks(tar: tarfile.TarFile, tape: Tape, info: tarfile.TarInfo) -> Iterator[bytes]:
    """Yield what is in a file; holes of a sparse one are zeros."""
    tape.allowance = info.size + 2 * CHUNK
    with damage_told(), cast(IO[bytes], tar.extractfile(info)) as data:
        while piece := data.read(CHUNK):
            yield piece


@contextmanager
def damage_told() -> Iterator[None]:
    """Raise what a decoder meets as what it is for people: a damage, and none of their mistakes."""
    try:
        yield
    except RecursionError:
        raise Refused("a member of the archive must have few headers, one has hundreds") from None
    except OSError as error:
        if error.errno:  # the disk's
            raise
        raise _damaged(error) from error
    except DAMAGED as error:
        raise _damaged(error) from error
    except Exception as error:
        if type(error).__name__ != "ZstdError":  # of one library or the other
            raise
        raise _damaged(error) from error


def _damaged(error: Exception) -> Refused:
    return Refused(f"it is no archive, or is damaged: {error}", "fetch it again")

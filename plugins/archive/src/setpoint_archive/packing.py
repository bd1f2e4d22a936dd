"""The bytes of an archive, piece by piece: the same for the same content, whoever makes it and when."""

import io
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, Protocol

CHUNK = 1 << 20


class Input(NamedTuple):
    """Something that is put into an archive.

    name: what it is called in there.
    path: where it is.
    status: as `lstat` has it: a file, a directory or a symlink.
    """

    name: str
    path: str
    status: os.stat_result

    @property
    def mode(self) -> int:
        """Its permission bits as they go into the archive: without those of set-user-ID and the like."""
        return stat.S_IMODE(self.status.st_mode) & 0o777

    @property
    def target(self) -> str:
        """Where it leads, if it is a symlink."""
        return os.readlink(self.path) if stat.S_ISLNK(self.status.st_mode) else ""


Open = Callable[[str], int]


class Compressor(Protocol):
    """What all compressors have."""

    def compress(self, data: bytes, /) -> bytes:
        """Return what can be written now."""

    def flush(self) -> bytes:
        """Return the rest."""


def pack(form: str, inputs: Iterable[Input], mtime: int, opened: Open) -> Iterator[bytes]:
    """Yield an archive of `inputs`, which come in their order in it.

    Args:
        form: "zip", or the compression of a tar, empty for none.
        inputs: what is put into it.
        mtime: when all of it was modified, seconds since 1970.
        opened: opens a file to read it.

    Raises:
        OSError: a file is not what it was when it was looked at.

    """
    if form == "zip":
        yield from _zip(inputs, mtime, opened)
    elif form:
        compressor = _compressor(form)
        for piece in _tar(inputs, mtime, opened):
            yield compressor.compress(piece)
        yield compressor.flush()
    else:
        yield from _tar(inputs, mtime, opened)


def _compressor(form: str) -> Compressor:
    if form == "gz":
        import zlib

        return zlib.compressobj(6, zlib.DEFLATED, 31)  # with the header of gzip, which has no time
    if form == "bz2":
        import bz2

        return bz2.BZ2Compressor()
    if form == "xz":
        import lzma

        return lzma.LZMACompressor(check=lzma.CHECK_CRC64)
    if sys.version_info >= (3, 14):
        from compression.zstd import ZstdCompressor

        return ZstdCompressor()
    import zstandard

    return zstandard.ZstdCompressor(write_checksum=True).compressobj()


def _tar(inputs: Iterable[Input], mtime: int, opened: Open) -> Iterator[bytes]:
    import tarfile

    for one in inputs:
        info = tarfile.TarInfo(one.name)
        info.mode, info.mtime = one.mode, mtime
        if stat.S_ISDIR(one.status.st_mode):
            info.type = tarfile.DIRTYPE
        elif stat.S_ISLNK(one.status.st_mode):
            info.type, info.linkname = tarfile.SYMTYPE, one.target
        else:
            info.size = one.status.st_size
        yield info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
        if info.isreg():
            yield from _content(one, opened)
            yield bytes(-info.size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _zip(inputs: Iterable[Input], mtime: int, opened: Open) -> Iterator[bytes]:
    import time
    import zipfile

    sink = _Sink()
    modified = time.gmtime(max(mtime, 315532800))[:6]  # a zip knows nothing before 1980
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for one in inputs:
            is_directory = stat.S_ISDIR(one.status.st_mode)
            info = zipfile.ZipInfo(one.name + "/" * is_directory, modified)
            info.external_attr = (stat.S_IFMT(one.status.st_mode) | one.mode) << 16
            info.create_system = 3  # Unix
            info.compress_type = zipfile.ZIP_STORED if is_directory else zipfile.ZIP_DEFLATED
            with archive.open(info, "w", force_zip64=one.status.st_size >= 1 << 31) as entry:
                for piece in _content(one, opened):
                    entry.write(piece)
                    yield sink.take()
    yield sink.take()


def _content(one: Input, opened: Open) -> Iterator[bytes]:
    """Yield what is in a file, or where a link leads; nothing of a directory.

    Raises:
        OSError: the file has another size than it had.

    """
    if not stat.S_ISREG(one.status.st_mode):
        if one.target:
            yield os.fsencode(one.target)
        return
    rest = one.status.st_size
    fd = opened(one.path)
    try:
        while piece := os.read(fd, CHUNK):
            rest -= len(piece)
            if rest < 0:
                break
            yield piece
    finally:
        os.close(fd)
    if rest:
        raise OSError(f"{one.path} was changed while it was read")


class _Sink(io.RawIOBase):
    """Takes what is written until somebody takes it away; a zip needs a file that it may write to."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        """Return that it is."""
        return True

    def write(self, data: Any) -> int:
        """Keep `data`."""
        self._pieces.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        """Return what was written since the last time."""
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken

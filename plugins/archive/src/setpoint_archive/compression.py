"""What is around a tar: gzip, bzip2, xz or zstd, read forward, and never more than is allowed.

Each reader gives out a bounded piece at a time, whatever a few bytes of input would become.
"""

import io
import sys
from collections.abc import Callable
from typing import IO, Any, Protocol

from setpoint import Refused

CHUNK = 1 << 16
MEMORY = 1 << 28  # bytes that a decoder may use: 256 MiB; xz -9 needs 65, zstd --long 128

MAGIC = {b"\x1f\x8b": "gz", b"BZh": "bz2", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zst"}


class Decoder(Protocol):
    """A decompressor of the standard library, which gives out as much as is asked for."""

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes without more input."""

    @property
    def unused_data(self) -> bytes:
        """What came after the end."""

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """Return what `data` becomes, `max_length` bytes at most."""


class Decoded(io.RawIOBase):
    """Reads what is compressed in `file`, one stream after the other."""

    def __init__(self, file: IO[bytes], make: Any) -> None:
        self._file, self._make = file, make
        self._decoder: Decoder = make()

    def readable(self) -> bool:
        """Return that it is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` as far as one piece goes; 0 at the end.

        Raises:
            EOFError: the input ended within a stream.

        """
        while True:
            data = self._input()
            if data is None:
                return 0
            piece = self._decoder.decompress(data, len(buffer))
            if piece:
                buffer[: len(piece)] = piece
                return len(piece)

    def _input(self) -> bytes | None:
        """Return what the decoder is to have next; None if all is done."""
        if self._decoder.eof:
            data = self._decoder.unused_data or self._file.read(CHUNK)
            if not data.strip(b"\0"):  # padding, of zeros
                return None
            self._decoder = self._make()
            return data
        if not self._decoder.needs_input:
            return b""
        data = self._file.read(CHUNK)
        if not data:
            raise EOFError("it ends too early")
        return data


def decompressed(file: IO[bytes], beginning: bytes) -> IO[bytes]:
    """Return what is in `file`, which begins so: decompressed, or as it is if no compression is recognized."""
    form = next((MAGIC[magic] for magic in MAGIC if beginning.startswith(magic)), "")
    if form == "gz":
        import gzip

        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    if form == "zst":
        return _zstd(file)
    if form:
        return io.BufferedReader(Decoded(file, _bz2 if form == "bz2" else _xz), CHUNK)
    return file


def _bz2() -> Decoder:
    import bz2

    return bz2.BZ2Decompressor()


def _xz() -> Decoder:
    import lzma

    return lzma.LZMADecompressor(memlimit=MEMORY)


def _zstd(file: IO[bytes]) -> IO[bytes]:
    if sys.version_info >= (3, 14):
        from compression.zstd import DecompressionParameter, ZstdDecompressor

        options = {DecompressionParameter.window_log_max: 27}
        return io.BufferedReader(Decoded(file, lambda: ZstdDecompressor(options=options)), CHUNK)
    import zstandard

    decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 27)
    return decompressor.stream_reader(file, read_across_frames=True)


class Tape:
    """A tar as `tarfile` reads it: forward, with a look back at the last block, and within bounds.

    Args:
        file: what is on it.
        check: told how many bytes have passed; raises if that is too much.

    allowance: bytes that may still be read: headers come whole into memory, whatever size they claim.
    last: what was read last.

    """

    def __init__(self, file: IO[bytes], check: Callable[[int], None]) -> None:
        self._file, self._check = file, check
        self._at = 0
        self._behind = 0  # how far back `seek` has gone, within `_tail`
        self._tail = b""
        self.allowance = 0
        self.last = b""

    def tell(self) -> int:
        """Return how many bytes have passed."""
        return self._at - self._behind

    def seek(self, position: int) -> None:
        """Pass on to `position`, or back by a few bytes."""
        behind = self._at - position
        if 0 <= behind <= len(self._tail):
            self._behind = behind
            return
        self._behind = 0
        while self._at < position:
            if not self._pass(min(position - self._at, CHUNK)):
                return  # tarfile reads on, and finds that nothing comes

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes, fewer only at the end.

        Raises:
            Refused: it is more than is allowed.

        """
        if size > self.allowance:
            raise Refused("a header of the archive must be small, this claims to be huge")
        self.allowance -= size
        pieces = [self._tail[len(self._tail) - self._behind :][:size]] if self._behind else []
        self._behind -= len(pieces[0]) if pieces else 0
        missing = size - sum(map(len, pieces))
        while missing and (piece := self._pass(min(missing, CHUNK))):
            pieces.append(piece)
            missing -= len(piece)
        self.last = b"".join(pieces)
        return self.last

    def drain(self) -> None:
        """Pass all that is left: a sum may stand at the end of what is compressed."""
        while self._pass(CHUNK):
            pass

    def _pass(self, size: int) -> bytes:
        piece = self._file.read(size)
        self._at += len(piece)
        self._check(self._at)
        self._tail = piece[-512:] if len(piece) >= 512 else (self._tail + piece)[-512:]
        return piece

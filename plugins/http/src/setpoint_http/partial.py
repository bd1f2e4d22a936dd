"""What has come so far of a download, in the state directory: a break, or a killed process, costs only the rest."""

import functools
import os
from collections.abc import Iterator
from contextlib import suppress

import msgspec

from setpoint import Refused
from setpoint.files import Files
from setpoint.paths import chunks
from setpoint_http.digests import Hashes
from setpoint_http.faults import is_full

OPEN = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class Note(msgspec.Struct, frozen=True):
    """What tells whether the rest belongs to what has come.

    url: where it comes from.
    validator: what the server has to know it by; "" if it cannot be resumed.
    total: bytes that it is to have; -1 if the server did not say.
    boot: when it was begun: after a crash of the machine a file may have holes.
    """

    url: str
    validator: str
    total: int
    boot: str


class Partial:
    """The file, open; one at a time for a directory.

    size: bytes that have come.
    """

    def __init__(self, files: Files, directory: str, url: str, algorithms: tuple[str, ...]) -> None:
        self.path = os.path.join(directory, "partial")
        self._files, self._algorithms, self._url = files, algorithms, url
        self._fd = os.open(self.path, OPEN, 0o600)
        self._note = self._read_note()
        self.size = 0
        self._hashes = Hashes(algorithms)
        self._take_over()

    def __enter__(self) -> "Partial":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    @property
    def validator(self) -> str:
        """What the server has to know by what the rest is asked for; "" if all has to come anew."""
        return self._note.validator if self.size else ""

    @property
    def total(self) -> int:
        """Bytes that it is to have; -1 if that is not known."""
        return self._note.total

    @property
    def is_short(self) -> bool:
        """Whether more is to come."""
        return self.total >= 0 and self.size < self.total

    def begin(self, validator: str, total: int) -> None:
        """Forget what has come: all of it comes anew, as the server has it now."""
        self._cut(0)
        self._hashes = Hashes(self._algorithms)
        self._note = Note(self._url, validator, total, boot())
        self._files.write(f"{self.path}.json", msgspec.json.encode(self._note), mode=0o600)

    def add(self, piece: bytes) -> None:
        """Put `piece` at the end.

        Raises:
            OSError: it cannot be written; on a full disk nothing is kept.

        """
        try:
            done = os.pwrite(self._fd, piece, self.size)
            while done < len(piece):
                done += os.pwrite(self._fd, piece[done:], self.size + done)
        except OSError as error:
            if is_full(error):
                self._cut(0)
            raise
        self._hashes.add(piece)
        self.size += len(piece)

    def digests(self) -> dict[str, str]:
        """Return the digests of what has come, by algorithm."""
        return self._hashes.digests()

    def pieces(self) -> Iterator[bytes]:
        """Yield all that has come."""
        os.lseek(self._fd, 0, os.SEEK_SET)
        yield from chunks(self._fd)

    def drop(self) -> None:
        """Remove it; what was done with it is done."""
        for path in (self.path, f"{self.path}.json"):
            with suppress(FileNotFoundError):
                os.unlink(path)

    def _read_note(self) -> Note:
        """Return what was written down when it was begun, if that is about the same file."""
        nothing = Note(self._url, "", -1, "")
        try:
            note = msgspec.json.decode(self._files.read(f"{self.path}.json"), type=Note)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, Refused):
            return nothing
        return note if (note.url, note.boot) == (self._url, boot()) else nothing

    def _take_over(self) -> None:
        """Go on where an earlier process was; of a whole file the last byte is left to ask for.

        The answer tells whether it still is what the server has.
        """
        found = os.fstat(self._fd).st_size
        if not self._note.validator or 0 <= self._note.total < found:
            found = 0
        self._cut(found - 1 if found and found == self._note.total else found)
        for piece in self.pieces():
            self._hashes.add(piece)

    def _cut(self, size: int) -> None:
        os.ftruncate(self._fd, size)
        self.size = size


@functools.cache
def boot() -> str:
    """Return what tells this boot of the machine from others."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()

"""What is sent: a text in memory, or an open file; never anything outside of what is served."""

import mimetypes
import os
import stat
import time
from typing import Protocol

from setpoint import Refused
from setpoint.files import Files
from setpoint.paths import READ, open_beneath
from setpoint.temporaries import is_temporary
from setpoint_http.record import TICK
from setpoint_http.table import Offer, Text

UNKNOWN = "application/octet-stream"
INDEX = "index.html"  # stands for its directory


class Body(Protocol):
    """What is sent.

    size: bytes.
    etag: with its quotes; weak if the same may be written again with another content.
    modified: seconds since 1970.
    content_type: as HTTP has it.
    """

    size: int
    etag: str
    modified: float
    content_type: str

    def read(self, offset: int, most: int) -> bytes:
        """Return up to `most` bytes; may block."""

    def close(self) -> None:
        """Give it back."""


class TextBody:
    """A text."""

    def __init__(self, text: Text, content_type: str) -> None:
        self._data, self.content_type = text.data, content_type
        self.size, self.modified = len(text.data), float(text.since)
        self.etag = f'"{text.digest[:32]}"'

    def read(self, offset: int, most: int) -> bytes:
        """Return a part of it."""
        return self._data[offset : offset + most]

    def close(self) -> None:
        """Hold nothing."""


class FileBody:
    """A file, open: what is sent is one version, even if it is replaced meanwhile."""

    def __init__(self, fd: int, content_type: str) -> None:
        self._fd, self.content_type = fd, content_type
        found = os.fstat(fd)
        self.size, self.modified = found.st_size, found.st_mtime
        etag = f'"{found.st_ino:x}-{found.st_ctime_ns:x}-{found.st_size:x}"'
        settled = time.time() - found.st_ctime > TICK
        self.etag = etag if settled else f"W/{etag}"

    def read(self, offset: int, most: int) -> bytes:
        """Return a part of it; empty if it was cut off."""
        return os.pread(self._fd, most, offset)

    def close(self) -> None:
        """Close it."""
        os.close(self._fd)


def open_body(files: Files, offer: Offer, below: str) -> Body | None:
    """Return what is asked for, open; None if there is nothing, or nothing to be read. May block.

    Args:
        files: of this machine.
        offer: what is served.
        below: the path below it, decoded; may come from a stranger.

    """
    if offer.text is not None:
        return TextBody(offer.text, offer.content_type or "text/plain; charset=utf-8")
    if below.endswith("/") or (not below and offer.location.endswith("/")):
        below += INDEX
    name = below or offer.path
    if is_temporary(name.rpartition("/")[2]):
        return None
    try:
        fd = _open_below(files, offer.path, below) if below else files.open(name, follow=True)
    except (OSError, Refused, ValueError):
        return None
    guessed, encoding = mimetypes.guess_type(name)
    known = guessed if guessed and not encoding else UNKNOWN  # a .tar.gz is to stay one
    return FileBody(fd, offer.content_type or known)


def _open_below(files: Files, directory: str, below: str) -> int:
    """Return a descriptor of a regular file in `directory`; links are followed only within."""
    root = files.open_directory(directory, follow=True)
    try:
        fd = open_beneath(root, below)
    finally:
        os.close(root)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):  # to open a pipe or a device may move something
            raise Refused(f"{below} is not a regular file")
        return os.open(f"/proc/self/fd/{fd}", READ)
    finally:
        os.close(fd)

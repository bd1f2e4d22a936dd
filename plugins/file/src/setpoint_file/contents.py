"""What a file is to hold: a text, or what other files hold, one after the other."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress

import msgspec

from setpoint import Change
from setpoint.files import Files
from setpoint.paths import CHUNK, chunks

SMALL = 1 << 16  # bytes that are read at once, compared on the loop, and shown in a plan
STEP = (
    CHUNK // 4
)  # letters, of 4 bytes at most: to encode 10 MB at once costs more than to write it


class Content(msgspec.Struct, frozen=True, gc=False):
    """What a file is to hold.

    text: all of it; None if it is in files.
    paths: the files that hold its parts, in order.
    """

    text: str | None
    paths: tuple[str, ...] = ()

    def size(self, files: Files) -> int:
        """Return how many bytes it is.

        Raises:
            OSError: one of its files is missing, or may not be read.

        """
        if self.text is None:
            return sum(_size(files, path) for path in self.paths)
        return len(self.text) if self.text.isascii() else sum(map(len, self.pieces(files)))

    def data(self, files: Files) -> bytes | Iterator[bytes]:
        """Return all of it as `Files` writes it."""
        text = self.text
        if text is not None and len(text) <= STEP:
            return text.encode()
        return self.pieces(files)

    def pieces(self, files: Files) -> Iterator[bytes]:
        """Yield all of it, at most `CHUNK` bytes at a time."""
        if self.text is not None:
            for start in range(0, len(self.text), STEP):
                yield self.text[start : start + STEP].encode()
        for path in self.paths:
            yield from _pieces(files, path, follow=True)


def expand(files: Files, fragments: Iterable[str]) -> tuple[str, ...]:
    """Return the files among `fragments`, and those in the directories, which end with a slash."""
    found: list[str] = []
    for fragment in fragments:
        if fragment.endswith("/"):
            paths = [fragment + name for name in files.names(fragment.rstrip("/"), follow=True)]
            found += [path for path in paths if not os.path.isdir(path)]
        else:
            found.append(fragment)
    return tuple(found)


def compare(files: Files, path: str, found: os.stat_result, wanted: Content) -> Change | None:
    """Return how the file at `path`, with the status `found`, differs from `wanted`; None if not."""
    size, text = found.st_size, wanted.text
    if size <= SMALL and text is not None and len(text) <= SMALL // 4:
        before = files.read(path, known=found)
        if before == text.encode():
            return None
        with suppress(UnicodeDecodeError):
            return Change("content", before.decode(), text)
    wanted_size = wanted.size(files)
    if size == wanted_size and _is_equal(files, path, wanted):
        return None
    if size <= SMALL and wanted_size <= SMALL:
        before, after = files.read(path), b"".join(wanted.pieces(files))
        if (texts := _as_texts(before, after)) is not None:
            return Change("content", *texts)
    digests = size == wanted_size  # else the sizes tell, and nothing more needs to be read
    return Change(
        "content",
        _describe(size, _pieces(files, path) if digests else None),
        _describe(wanted_size, wanted.pieces(files) if digests else None),
    )


def announce(files: Files, wanted: Content) -> Change:
    """Return the change that a file which is not there yet is to hold `wanted`."""
    text = wanted.text
    if text is not None and (len(text) <= SMALL // 4 or wanted.size(files) <= SMALL):
        return Change("content", None, text)
    size = wanted.size(files)
    if size <= SMALL:
        texts = _as_texts(b"", b"".join(wanted.pieces(files)))
        if texts is not None:
            return Change("content", None, texts[1])
    return Change("content", None, _describe(size, None))


def digest(files: Files, path: str) -> str:
    """Return the SHA-256 of what the file at `path` holds, in hexadecimal."""
    return _digest(_pieces(files, path))


def _is_equal(files: Files, path: str, wanted: Content) -> bool:
    """Whether the file at `path` holds `wanted`; stops reading where it does not."""
    fd = files.open(path)
    try:
        return all(_read(fd, len(piece)) == piece for piece in wanted.pieces(files))
    finally:
        os.close(fd)


def _read(fd: int, size: int) -> bytes:
    """Return the next `size` bytes, fewer only at the end."""
    found = os.read(fd, size)
    while len(found) < size and (more := os.read(fd, size - len(found))):
        found += more
    return found


def _pieces(files: Files, path: str, *, follow: bool = False) -> Iterator[bytes]:
    """Yield what the file at `path` holds."""
    fd = files.open(path, follow=follow)
    try:
        yield from chunks(fd)
    finally:
        os.close(fd)


def _size(files: Files, path: str) -> int:
    """Return the size of the file at `path`, or of what a link there leads to."""
    fd = files.open(path, follow=True)
    try:
        return os.fstat(fd).st_size
    finally:
        os.close(fd)


def _as_texts(*contents: bytes) -> tuple[str, ...] | None:
    """Return them as text, None if one is not UTF-8."""
    try:
        return tuple(content.decode() for content in contents)
    except UnicodeDecodeError:
        return None


def _digest(pieces: Iterable[bytes]) -> str:
    sha256 = hashlib.sha256()
    for piece in pieces:
        sha256.update(piece)
    return sha256.hexdigest()


def _describe(size: int, pieces: Iterable[bytes] | None) -> str:
    """Return what is said of a content that is not shown."""
    return f"{size} bytes" if pieces is None else f"{size} bytes, sha256 {_digest(pieces)}"

"""What the HTTP server for tests has at its paths, what goes wrong with it, and what it was asked."""

import io
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

PATIENCE = 10.0  # seconds that anything is waited for


class Fault(NamedTuple):
    """What goes wrong with one answer; each part may be combined with others.

    status: answer with this status and no content; 0 answers as usual.
    retry_after: the header of that name: seconds or a date; empty sends none.
    pause: seconds before the answer begins.
    rate: bytes a second, at most; 0 is no limit.
    cut: close the connection after so many bytes of the body; -1 never.
    hold: after so many bytes of the body wait until the page is released; -1 never.
    length: the Content-Length that is claimed, right or not; -1 claims the right one.
    endless: send the body over and over, in chunks, until the client has had enough.
    """

    status: int = 0
    retry_after: str = ""
    pause: float = 0.0
    rate: int = 0
    cut: int = -1
    hold: int = -1
    length: int = -1
    endless: bool = False


class Asked:
    """One request, and how it was answered so far.

    method, path: as asked.
    headers: of the request, names in lower case.
    status: of the answer; 0 before it has begun.
    sent: bytes of its body.
    """

    def __init__(self, method: str, path: str, headers: Mapping[str, str]) -> None:
        self.method, self.path, self.headers = method, path, headers
        self.status = self.sent = 0

    def __repr__(self) -> str:
        return f"<{self.method} {self.path}: {self.status}, {self.sent} bytes>"


class Page:
    """What the server has at one path; may be changed at any time.

    body: the content, or the path of a file that holds it.
    etag: with its quotes; empty sends none.
    modified: seconds since 1970; None sends no Last-Modified.
    location: where to redirect to; empty does not.
    ranges: whether Range is understood.
    headers: more headers of the answers.
    """

    def __init__(self, body: bytes | Path, etag: str, modified: float | None) -> None:
        self.body, self.etag, self.modified = body, etag, modified
        self.location = ""
        self.ranges = True
        self.headers: dict[str, str] = {}
        self._faults: deque[Fault] = deque()
        self._held, self._released = threading.Event(), threading.Event()

    def fault(self, fault: Fault | None = None, *, times: int = 1, **parts: object) -> None:
        """Let the next `times` answers go wrong, after those that are to go wrong already.

        Args:
            fault: how.
            times: how many answers.
            parts: instead of `fault`, its fields.

        """
        self._faults.extend([fault or Fault(**parts)] * times)  # type: ignore[arg-type]

    def next_fault(self) -> Fault:
        """Return how the next answer goes wrong; in no way if nothing else was said."""
        try:
            return self._faults.popleft()
        except IndexError:
            return Fault()

    def wait_until_held(self) -> None:
        """Return when an answer has come to where it is to be held.

        Raises:
            TimeoutError: none has.

        """
        if not self._held.wait(PATIENCE):
            raise TimeoutError(f"no answer was held within {PATIENCE:g} s")

    def release(self) -> None:
        """Let answers that are held go on, and hold none from now on."""
        self._released.set()

    def hold(self) -> None:
        """Wait until the page is released; called by the server."""
        self._held.set()
        self._released.wait(PATIENCE)

    def open(self) -> BinaryIO:
        """Return the body as a file."""
        return io.BytesIO(self.body) if isinstance(self.body, bytes) else self.body.open("rb")

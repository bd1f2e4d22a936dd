"""What a program says: handed on line by line, kept within bounds, and how it ended."""

import signal
from codecs import getincrementaldecoder
from collections.abc import Callable

import msgspec

LONGEST = 1 << 16  # characters; a longer line is handed on in pieces

OnLine = Callable[[str, str], object]


class Completed(msgspec.Struct, frozen=True):
    """How a program ended and what it printed; invalid UTF-8 is replaced.

    code: its exit code; as shells have it, 128 and the signal for one that was killed.
    signal: what killed it; 0 if it ended by itself.
    output: both streams as they came; lines of one may overtake those of the other by a moment.
    dropped: bytes that are missing in `output`; where they were in a text it says so.
    """

    code: int
    signal: int
    stdout: str
    stderr: str
    output: str
    dropped: int

    def __str__(self) -> str:
        if not self.signal:
            return f"exit code {self.code}"
        known = self.signal in set(signal.Signals)
        return f"killed by {signal.Signals(self.signal).name if known else self.signal}"

    __repr__ = __str__  # a traceback shows this, and output may hold secrets

    @property
    def said(self) -> str:
        """Its last ten lines, 4,000 characters at most, as the end of a message; or nothing."""
        output = self.output.rstrip()
        end = output[-4000:]
        if len(output) > len(end):  # a piece of a line may be a piece of a secret, unrecognized
            end = end.partition("\n")[2] or end
        last = "\n".join(end.splitlines()[-10:])
        return f"; its last words:\n{last}" if last else ""


class ProcessEnded(OSError):  # noqa: N818 - an event, which is an error for some
    """A program ended in a way it should not.

    Args:
        program: what was run.
        rule: how it should have ended: "must exit with 0".
        completed: how it did; its last lines of output are part of the message.

    """

    def __init__(self, program: str, rule: str, completed: Completed) -> None:
        super().__init__(f"{program}: {rule}, found {completed}{completed.said}")
        self.completed = completed


class TookTooLong(TimeoutError):  # noqa: N818 - says what it did
    """A program was stopped because its time was over.

    Args:
        program: what was run.
        seconds: how long it had.
        completed: how it ended then; its last lines of output are part of the message.

    """

    def __init__(self, program: str, seconds: float, completed: Completed) -> None:
        super().__init__(f"{program}: must end within {seconds:g} s, was stopped{completed.said}")
        self.completed = completed


class Kept:
    """The first and the last bytes of what was written; those between are counted and dropped."""

    def __init__(self, limit: int) -> None:
        self.head, self.tail, self.half, self.dropped = bytearray(), bytearray(), limit // 2, 0

    def add(self, chunk: bytes) -> None:
        """Take over `chunk`."""
        room = self.half - len(self.head)
        self.head += chunk[:room]
        self.tail += chunk[room:]
        excess = len(self.tail) - self.half
        if excess > 0:
            del self.tail[:excess]
            self.dropped += excess

    def text(self) -> str:
        """Return what was kept, with a line in it that says how much was not."""
        if not self.dropped:
            return (self.head + self.tail).decode("utf-8", "replace")
        head, tail = (part.decode("utf-8", "replace") for part in (self.head, self.tail))
        return f"{head}\n[{self.dropped} bytes dropped]\n{tail}"


class Lines:
    """Hands on the lines of one stream as their bytes arrive.

    brief: hand on only the newest line of each chunk.
    """

    def __init__(self, stream: str, on_line: OnLine) -> None:
        self.stream, self.on_line, self.rest, self.brief = stream, on_line, "", False
        self.decode = getincrementaldecoder("utf-8")("replace").decode

    def add(self, chunk: bytes) -> None:
        """Hand on the lines that `chunk` completes; nothing says that the stream has ended."""
        text = self.rest + self.decode(chunk, not chunk)
        done, newline, self.rest = text.rpartition("\n")
        if newline:
            for line in done.rsplit("\n", 1)[-1:] if self.brief else done.split("\n"):
                self._emit(line)
        if self.rest and (not chunk or len(self.rest) >= LONGEST):
            last, self.rest = self.rest, ""
            self._emit(last)

    def _emit(self, line: str) -> None:
        text = line.removesuffix("\r")
        for start in range(0, len(text) or 1, LONGEST):
            if self.on_line(self.stream, text[start : start + LONGEST]) is False:
                self.brief = True

"""The kernel's own log, which all that runs on this machine shares: each test looks for a tag of its own."""

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from setpoint_kmsg.buffer import RingBuffer
from setpoint_kmsg.record import Record, parse

ALLOWED = 10  # writes to one open device; the kernel drops what else is written to it within 5 s


class Kernel:
    """The log, with messages that only this test has written.

    tag: is in each of them.
    """

    def __init__(self) -> None:
        self.tag = f"tag-{uuid.uuid4().hex[:12]}"

    def log(self, text: str, priority: int = 14) -> None:
        """Write one message."""
        with _device() as fd:
            os.write(fd, f"<{priority}>{self.tag} {text}\n".encode())

    def flood(self, number: int = 100_000) -> None:
        """Write `number` messages as fast as it goes, which is more than the log has room for."""
        for begin in range(0, number, ALLOWED):
            with _device() as fd:
                for count in range(begin, min(number, begin + ALLOWED)):
                    os.write(fd, f"<14>{self.tag} flood {count}\n".encode())

    def records(self) -> list[Record]:
        """Return what the log has of this test."""
        with closing(RingBuffer()) as buffer:
            found = [parse(data) for data in iter(buffer.read, None)]
        return [record for record in found if self.tag in record.text]

    def texts(self) -> list[str]:
        """Return the texts that the log has of this test, without the tag."""
        return [record.text.replace(self.tag, "").strip() for record in self.records()]


@contextmanager
def _device() -> Iterator[int]:
    fd = os.open("/dev/kmsg", os.O_WRONLY)
    try:
        yield fd
    finally:
        os.close(fd)


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


@pytest.fixture
def as_nobody() -> Iterator[Callable[[], None]]:
    """Take the rights of root from this process until the test ends."""
    yield lambda: os.seteuid(65534)
    os.seteuid(0)

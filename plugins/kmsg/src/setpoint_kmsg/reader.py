"""One reader of the kernel's log for all that follow it, on the loop.

There is one descriptor, open while somebody follows. Who joins has it rewound: so each may begin with what is older,
and the others skip what they have had. Nothing is kept here; the kernel's ring buffer is the queue. A flood takes
only a share of the loop: after BATCH records the reader rests, and what is overwritten meanwhile is a gap that each
follower counts and reports.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from setpoint_kmsg.buffer import RingBuffer, Track
from setpoint_kmsg.record import Record, parse, sequence_of

if TYPE_CHECKING:
    from setpoint.host import Host

BATCH = 500  # records read in one go, which takes about 2 ms
REST = 0.005  # seconds between two goes while there are more: 100,000 records a second at most


class Follower:
    """Somebody who is given the records one after the other.

    Args:
        take: called on the loop with each record; it must be quick.
        track: where it is; it is given what that takes.

    is_current: whether it has had all that there is.

    """

    def __init__(self, take: Callable[[Record], None], track: Track) -> None:
        self.take, self.track = take, track
        self.is_current = False
        self.error: OSError | None = None
        self.news = asyncio.Event()

    async def more(self) -> None:
        """Return when it was given more, has lost something, or has become current.

        Raises:
            OSError: the log can be read no more.

        """
        await self.news.wait()
        self.news.clear()
        if self.error:
            raise self.error


class Reader:
    """Reads the log for all followers of one host: `host.shared(Reader)`."""

    def __init__(self, host: "Host") -> None:
        self._followers: list[Follower] = []
        self._buffer: RingBuffer | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    @contextmanager
    def following(self, follower: Follower) -> Iterator[None]:
        """Give `follower` the records from the oldest on, until the end of the context.

        Raises:
            Refused: the log cannot be read here, or not by us.

        """
        self._begin()
        self._followers.append(follower)
        try:
            yield
        finally:
            with suppress(ValueError):  # it may have failed meanwhile
                self._followers.remove(follower)
            if not self._followers:
                self.close()

    def _begin(self) -> None:
        if self._buffer is None:
            self._buffer, self._loop = RingBuffer(), asyncio.get_running_loop()
            self._loop.add_reader(self._buffer.fileno(), self._read)
        self._buffer.rewind()
        self._wake()  # there may be nothing to read, and then the newcomer is current

    def _wake(self) -> None:
        """Read as soon as the loop comes to it."""
        assert self._loop
        if self._timer:
            self._timer.cancel()
        self._timer = self._loop.call_later(0, self._read_again)

    def _read_again(self) -> None:
        assert self._loop
        assert self._buffer
        self._timer = None
        self._loop.add_reader(self._buffer.fileno(), self._read)
        self._read()

    def _read(self) -> None:
        """Hand out what there is, up to BATCH records; then rest if there is more."""
        assert self._loop
        assert self._buffer
        try:
            is_current = self._hand_out()
        except OSError as error:
            self._fail(error)
            return
        for follower in self._followers:
            follower.is_current = is_current
            follower.news.set()
        if not is_current:
            self._loop.remove_reader(self._buffer.fileno())
            self._timer = self._loop.call_later(REST, self._read_again)

    def _hand_out(self) -> bool:
        """Return whether there was no more."""
        assert self._buffer
        for _ in range(BATCH):
            data = self._buffer.read()
            if data is None:
                return True
            sequence, record = sequence_of(data), None
            for follower in self._followers:
                if follower.track.take(sequence):
                    record = record or parse(data)
                    follower.take(record)
        return False

    def _fail(self, error: OSError) -> None:
        """Tell all followers, who may begin anew."""
        followers = self._followers.copy()
        self._followers.clear()
        self.close()
        for follower in followers:
            follower.error = error
            follower.news.set()

    def close(self) -> None:
        """Read no more."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._buffer and self._loop:
            if not self._loop.is_closed():
                self._loop.remove_reader(self._buffer.fileno())
            self._buffer.close()
            self._buffer = None

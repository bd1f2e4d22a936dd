"""One reader of the kernel's log for all that follow it, on the loop.

There is one descriptor, open while somebody follows. Who joins has it rewound: so each may begin with what is older,
and the others skip what they have had. Nothing is kept here; the kernel's ring buffer is the queue. A flood takes
only a share of the loop: after each go the reader rests, and what is overwritten meanwhile is a gap that each
follower counts and reports.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from setpoint_kmsg.buffer import RingBuffer, Track
from setpoint_kmsg.record import Record, parse, sequence_of

if TYPE_CHECKING:
    from setpoint.host import Host

BATCH = 500  # records handed out in one go, which takes about 2 ms
SLICE = 0.005  # seconds that a go takes at most, however many follow
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
        self._open: tuple[asyncio.AbstractEventLoop, RingBuffer] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @contextmanager
    def following(self, follower: Follower) -> Iterator[None]:
        """Give `follower` the records from the oldest on, until the end of the context.

        Raises:
            Refused: the log cannot be read here, or not by us.

        """
        self._rewind()
        self._followers.append(follower)
        try:
            yield
        finally:
            if follower in self._followers:  # else reading has failed
                self._followers.remove(follower)
            if not self._followers:
                self.close()

    def _rewind(self) -> None:
        """Begin with the oldest record, at once: even if there is none, to tell a newcomer so."""
        if self._open is None:
            self._open = asyncio.get_running_loop(), RingBuffer()
        loop, buffer = self._open
        buffer.rewind()
        self._later(0.0, loop, buffer)

    def _later(self, seconds: float, loop: asyncio.AbstractEventLoop, buffer: RingBuffer) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = loop.call_later(seconds, self._read, loop, buffer)

    def _read(self, loop: asyncio.AbstractEventLoop, buffer: RingBuffer) -> None:
        """Hand out what there is, or as much as one go may take; then wait for more, or rest before the next go."""
        try:
            is_current = self._hand_out(buffer)
        except OSError as error:
            self._fail(error)
            return
        for follower in self._followers:
            follower.is_current = is_current
            follower.news.set()
        if is_current:
            loop.add_reader(buffer.fileno(), self._read, loop, buffer)
        else:
            loop.remove_reader(buffer.fileno())
            self._later(REST, loop, buffer)

    def _hand_out(self, buffer: RingBuffer) -> bool:
        """Return whether there was no more."""
        until = monotonic() + SLICE
        for _ in range(BATCH):
            data = buffer.read()
            if data is None:
                return True
            sequence, record = sequence_of(data), None
            for follower in self._followers:
                if follower.track.take(sequence):
                    record = record or parse(data)
                    follower.take(record)
            if monotonic() > until:
                break
        return False

    def _fail(self, error: OSError) -> None:
        """Tell all followers, who may begin anew."""
        followers, self._followers = self._followers, []
        self.close()
        for follower in followers:
            follower.error = error
            follower.news.set()

    def close(self) -> None:
        """Read no more."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._open:
            loop, buffer = self._open
            if not loop.is_closed():
                loop.remove_reader(buffer.fileno())
            buffer.close()
            self._open = None

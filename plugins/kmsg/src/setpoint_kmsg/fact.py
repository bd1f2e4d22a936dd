"""The fact `kmsg`: the last message in the kernel's log that fits an expression."""

import re
from collections import deque
from collections.abc import AsyncIterator
from typing import Annotated, Literal

import msgspec

from setpoint import Fact, ParamError, Values
from setpoint.clock import Clock
from setpoint_kmsg.buffer import Track
from setpoint_kmsg.position import Mark, Position
from setpoint_kmsg.reader import Follower, Reader
from setpoint_kmsg.record import Facility, Level, Record, Selection

TELL = 1.0  # seconds between two reports of gaps while a flood goes on


class Message(Values):
    """One message.

    time: when it was logged, seconds since 1970. The kernel counts from boot and not while the machine sleeps, so what
        was logged before a sleep seems later than it was.
    level: how severe it is, "emerg" to "debug"; empty if there is no message yet.
    facility: where it comes from, "kern" or the name that a program gave; empty if there is none yet.
    sequence: its number since boot, from 0; it tells a new message from one that was known. -1 if there is none yet.
    text: all of it, which may be several lines; empty if there is none yet.
    groups: what the named groups of the expression found, by name; "" for one that took no part.
    properties: of the device that it is about, such as SUBSYSTEM and DEVICE; mostly none.
    """

    time: float = 0.0
    level: str = ""
    facility: str = ""
    sequence: int = -1
    text: str = ""
    groups: dict[str, str] = msgspec.field(default_factory=dict)
    properties: dict[str, str] = msgspec.field(default_factory=dict)


class LastMessage(Message):
    """The last message, and what was before it.

    missed: how many messages, fitting or not, were overwritten before they could be read, since this run began; those
        that were lost between two runs are counted too.
    history: the last messages that fit, this one included, the oldest first; as many as the param says.
    """

    missed: int = 0
    history: list[Message] = msgspec.field(default_factory=list)


class Kmsg(Fact):
    """The last message in the kernel's log that fits an expression: dmesg, as a value that changes.

    It is a state: after a restart it is the message that it was, as long as the kernel has that, and those that were
    logged meanwhile follow; none is new twice. In the first run only messages count that are logged from then on, after
    a reboot all that the kernel has. Many messages that come at once may be told as one change, `history` has them.

    All such facts share one reader, which takes 100,000 messages a second at most. If more are logged, the kernel
    overwrites some before they are read. Such a gap is logged with its sequence numbers, and counted.

    name: a regular expression that is searched in the text, in its first 1,024 characters; empty fits everything. Its
        named groups are handed out.
    level: this or more severe: emerg, alert, crit, err, warning, notice, info or debug, which is everything.
    facility: the part of the system that logged it: kern is the kernel itself, a program gives user, daemon ... local7;
        empty is any.
    history: how many messages are kept in the value, from 0 to 1,000.
    old: in the first run let messages count that were logged before.
    """

    kind = "kmsg"
    Value = LastMessage

    level: Level = "debug"
    facility: Literal["", Facility] = ""
    history: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 0
    old: bool = False

    def __post_init__(self) -> None:
        try:
            re.compile(self.name)
        except re.error as error:
            rule = f"must be a regular expression, not {self.name!r}: {error}"
            raise ParamError("name", rule) from None

    async def watch(self) -> AsyncIterator[LastMessage]:
        """Yield the last message, then each time there is another one or some were lost.

        Raises:
            Refused: there is no /dev/kmsg, or we may not read it.
            OSError: the log or our place in it cannot be read or kept.

        """
        with Position(self._file) as position:
            collected = _Collected(self, position)
            with self.host.shared(Reader).following(collected.follower):
                try:
                    await collected.until_current()
                    while True:
                        yield collected.value()
                        await collected.news()
                finally:
                    collected.keep()

    @property
    def _file(self) -> str:
        """Where our place in the log is kept: facts that differ in what they skip have one each."""
        name = f"position.{self.level}.{self.facility or 'any'}"
        return str(self.host.state_directory(self) / name)


class _Collected:
    """What one fact has taken from the log, and up to where.

    Args:
        fact: whose.
        position: where an earlier run was.

    """

    def __init__(self, fact: Kmsg, position: Position) -> None:
        self._fact, self._position = fact, position
        self._selection = Selection(re.compile(fact.name), fact.level, fact.facility)
        self._found: deque[Message] = deque(maxlen=max(fact.history, 1))
        mark = position.recall()
        self._begin = mark.begin if mark else 0 if fact.old else None  # None: when all old was seen
        self._track = Track(self._begin or 0, mark.next if mark else None)
        self.follower = Follower(self._take, self._track)
        self._gap_told = -TELL
        self._told = (-1, 0)

    def _take(self, record: Record) -> None:
        match = None if self._begin is None else self._selection.match(record)
        if match:
            self._found.append(message(record, match.groupdict(""), self._fact.host.clock))

    async def until_current(self) -> None:
        """Return when all that is in the log was seen, and from then on nothing is missed."""
        while not self.follower.is_current:
            await self.follower.more()
        if self._begin is None:
            self._begin = self._track.next
        self._note()

    async def news(self) -> None:
        """Return when the value differs from the last one."""
        while self._state == self._told:
            await self.follower.more()
            self._note()

    def value(self) -> LastMessage:
        """Return the last message and what belongs to it."""
        self._told = self._state
        last = msgspec.structs.asdict(self._found[-1]) if self._found else {}
        history = list(self._found) if self._fact.history else []
        return LastMessage(**last, missed=self._track.missed, history=history)

    def keep(self) -> None:
        """Keep the place, unless it is not known yet."""
        if self._begin is not None:
            self._position.keep(Mark(self._begin, self._track.known))

    @property
    def _state(self) -> tuple[int, int]:
        """What tells one value from another."""
        return self._found[-1].sequence if self._found else -1, self._track.missed

    def _note(self) -> None:
        """Keep the place, and report what was lost: during a flood once a second."""
        self.keep()
        now = self._fact.host.clock.monotonic()
        if self._track.gap and (self.follower.is_current or now - self._gap_told >= TELL):
            self._gap_told = now
            self._fact.host.log(self._fact).warning("%s", self._track.tell())


def message(record: Record, groups: dict[str, str], clock: Clock) -> Message:
    """Return `record` as a value, with the time that it was by `clock`."""
    return Message(
        time=clock.wall() - clock.monotonic() + record.microseconds / 1e6,
        level=record.level,
        facility=record.facility,
        sequence=record.sequence,
        text=record.text,
        groups=groups,
        properties=record.properties,
    )

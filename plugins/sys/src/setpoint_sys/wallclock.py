"""The time of day: the moments at which a second, a minute, an hour or a day begins."""

import asyncio
import ctypes
import errno
import os
import time
from contextlib import ExitStack
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Literal

from setpoint.watching import Many, Subscription
from setpoint_sys.sources import Readable, Source

if TYPE_CHECKING:
    from setpoint.host import Host

Unit = Literal["second", "minute", "hour", "day"]

LOCALTIME = "/etc/localtime"
CHUNK = 600.0  # seconds that are waited for at once: the wall clock may be slewed meanwhile
SIZES = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
BELOW = ("day", "hour", "minute", "second", "microsecond")


def began(unit: Unit, now: datetime) -> datetime:
    """Return when the `unit` that `now` is in began."""
    smaller = dict.fromkeys(BELOW[BELOW.index(unit) + 1 :], 0)
    return now.replace(**smaller)  # type: ignore[arg-type]


def ends(unit: Unit, now: datetime) -> float:
    """Return when the `unit` that `now` is in ends, in seconds since 1970.

    Args:
        unit: days have 23 to 25 hours.
        now: with a time zone, or without one in that of this machine.

    """
    begin = began(unit, now)
    if unit == "day":
        return (begin + timedelta(days=1)).timestamp()
    end = begin.timestamp() + SIZES[unit]
    return end if end > now.timestamp() else now.timestamp() + SIZES[unit]


class Calendar:
    """All that the facts of one host know of the wall clock; use it as `host.shared(Calendar)`."""

    def __init__(self, host: "Host") -> None:
        self._host = host
        self._turns: dict[tuple[Unit, tzinfo | None], Turns] = {}

    def turns(self, unit: Unit, zone: tzinfo | None) -> Subscription:
        """Return a subscription to the beginnings of units, and to whatever else moves the time of day."""
        key = unit, zone
        if key not in self._turns:
            self._turns[key] = Turns(self._host, unit, zone)
        return self._turns[key].listen()

    def close(self) -> None:
        """Stop all timers."""
        for turns in self._turns.values():
            turns.close()


class Turns(Source):
    """The moments at which a unit of time begins, one timer for all who listen.

    Args:
        host: whose clock it is.
        unit: of time.
        zone: in which it counts; None is that of this machine.

    """

    def __init__(self, host: "Host", unit: Unit, zone: tzinfo | None) -> None:
        super().__init__(host)
        self._clock, self._unit, self._zone = host.clock, unit, zone
        self._steps = Many(host.shared(Steps).listen(), host.files.changes(LOCALTIME))
        self._next = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Wait for the next one."""
        self._steps.start(self._stepped)
        self._plan()

    def end(self) -> None:
        """Wait no more."""
        self._steps.stop()
        self._cancel()

    def _cancel(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _stepped(self) -> None:
        time.tzset()
        self._plan()
        self.tell()

    def _plan(self) -> None:
        self._next = ends(self._unit, datetime.fromtimestamp(self._clock.wall(), self._zone))
        self._wait()

    def _wait(self) -> None:
        self._cancel()
        rest = self._next - self._clock.wall()
        self._timer = asyncio.get_running_loop().call_later(min(max(rest, 0), CHUNK), self._wake)

    def _wake(self) -> None:
        if self._clock.wall() < self._next:
            self._wait()
        else:
            self._plan()
            self.tell()


class Times(ctypes.Structure):
    """When a timer expires first, and how often then: `struct itimerspec`."""

    _fields_ = (("interval", ctypes.c_long * 2), ("value", ctypes.c_long * 2))


class Steps(Readable):
    """The moments at which somebody sets the wall clock, or the machine wakes.

    A timer that never expires, but is cancelled by the kernel at every step of the clock.

    Source: timerfd_create(2), TFD_TIMER_CANCEL_ON_SET.
    """

    NEVER = 2**31 - 1  # seconds since 1970, which every kernel accepts; then it expires once
    ABSOLUTE, CANCEL_ON_SET = 1, 2

    def connect(self, held: ExitStack) -> int:
        """Return the descriptor of the timer."""
        libc = ctypes.CDLL(None, use_errno=True)
        descriptor = libc.timerfd_create(time.CLOCK_REALTIME, os.O_NONBLOCK | os.O_CLOEXEC)
        if descriptor < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "timerfd_create")
        held.callback(os.close, descriptor)
        never = Times((0, 0), (self.NEVER, 0))
        flags = self.ABSOLUTE | self.CANCEL_ON_SET
        if libc.timerfd_settime(descriptor, flags, ctypes.byref(never), None) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "timerfd_settime")
        return descriptor  # type: ignore[no-any-return]

    def drain(self) -> None:
        """Tell of a step."""
        try:
            os.read(self.descriptor, 8)
        except OSError as error:
            if error.errno == errno.EAGAIN:
                return
            if error.errno != errno.ECANCELED:
                raise
        self.tell()

"""The facts `datetime` and `weekday`."""

from collections.abc import AsyncGenerator
from datetime import datetime, tzinfo

from setpoint import Fact, ParamError, Values
from setpoint_sys.reading import follow
from setpoint_sys.wallclock import Calendar, Unit, began

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Datetime(Fact):
    """The date and the time of day, in whole minutes or what is asked for.

    It moves when such a unit begins, and at once when the clock is set, the machine wakes, or the time zone becomes
    another one. A smaller unit costs more: whoever reads it is looked at again each time.

    name: empty.
    every: the smallest unit that counts: second, minute, hour or day. The value is that of its beginning.
    timezone: a name of the IANA database such as Europe/Berlin; empty is the one of this machine.

    Source: timerfd_create(2), localtime(5), tzfile(5).
    """

    kind = "datetime"
    every: Unit = "minute"
    timezone: str = ""

    class Value(Values):
        """A moment.

        timestamp: seconds since 1970.
        iso: as in ISO 8601, with the offset from UTC: 2026-11-22T13:16:00+01:00.
        date: the date in it: 2026-11-22.
        year: with its century.
        month: 1 to 12.
        day: of the month, 1 to 31.
        hour: 0 to 23.
        minute: 0 to 59.
        second: 0 to 59.
        weekday: monday to sunday.
        week: of the year as in ISO 8601, 1 to 53.
        """

        timestamp: int
        iso: str
        date: str
        year: int
        month: int
        day: int
        hour: int
        minute: int
        second: int
        weekday: str
        week: int

    def __post_init__(self) -> None:
        _zone(self.timezone)

    def watch(self) -> AsyncGenerator["Datetime.Value", None]:
        """Yield the moment, then each one at which a unit begins."""
        zone = _zone(self.timezone)

        async def read() -> Datetime.Value:
            return moment(began(self.every, datetime.fromtimestamp(self.host.clock.wall(), zone)))

        return follow(self.host.shared(Calendar).turns(self.every, zone), read)


class Weekday(Fact):
    """The day of the week; it moves at midnight.

    name: empty.
    timezone: a name of the IANA database such as Europe/Berlin; empty is the one of this machine.

    Value: monday to sunday.
    """

    kind = "weekday"
    Value = str
    timezone: str = ""

    def __post_init__(self) -> None:
        _zone(self.timezone)

    def watch(self) -> AsyncGenerator[str, None]:
        """Yield the day, then each one that begins."""
        zone = _zone(self.timezone)

        async def read() -> str:
            now = datetime.fromtimestamp(self.host.clock.wall(), zone)
            return WEEKDAYS[now.weekday()]

        return follow(self.host.shared(Calendar).turns("day", zone), read)


def moment(begin: datetime) -> Datetime.Value:
    """Return all that is to be said of a moment, which has the time zone of this machine if it has none."""
    shown = begin if begin.tzinfo else begin.astimezone()
    return Datetime.Value(
        timestamp=int(begin.timestamp()),
        iso=shown.isoformat(),
        date=shown.date().isoformat(),
        year=begin.year,
        month=begin.month,
        day=begin.day,
        hour=begin.hour,
        minute=begin.minute,
        second=begin.second,
        weekday=WEEKDAYS[begin.weekday()],
        week=begin.isocalendar().week,
    )


def _zone(name: str) -> tzinfo | None:
    """Return the time zone called `name`; None for that of this machine, or if the name is still to come.

    Raises:
        ParamError: there is none.

    """
    if not name or not isinstance(name, str):
        return None
    from zoneinfo import ZoneInfo  # 5 ms, and few name one

    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        rule = f"must be a name of the IANA database, not {name!r}"
        raise ParamError("timezone", rule, "write one such as Europe/Berlin") from None

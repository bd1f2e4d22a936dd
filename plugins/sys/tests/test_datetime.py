"""The time of day: it moves when a unit begins, when the clock is set, and when the time zone becomes another."""

import asyncio
import ctypes
import time
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint import ParamError
from setpoint.testing import FactSuite
from setpoint_sys.datetime import WEEKDAYS, Datetime, Weekday, moment
from setpoint_sys.wallclock import Calendar, Steps, began, ends

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "America/Sao_Paulo",
]
MOMENTS = st.integers(0, 2**31 - 1).map(float) | st.floats(1.5e9, 1.9e9)
DAY = 86_400


class TestDatetime(FactSuite):
    """Seconds that pass are the change."""

    @pytest.fixture
    def fact(self, virtual_host):
        return Datetime(every="second", _host=virtual_host)

    async def change(self, fact):
        fact.host.clock.ahead += 1


class TestWeekday(FactSuite):
    patience = 3.0 * DAY

    @pytest.fixture
    def fact(self, virtual_host):
        return Weekday(_host=virtual_host)

    async def change(self, fact):
        fact.host.clock.ahead += DAY


def at(clock, text: str) -> None:
    """Let it be that time now, with an offset from UTC in it."""
    clock.ahead += datetime.fromisoformat(text).timestamp() - clock.wall()


@given(st.sampled_from(["second", "minute", "day"]), MOMENTS, st.sampled_from(ZONES))
def test_a_unit_ends_where_the_next_one_begins(unit, wall, zone):
    zone = ZoneInfo(zone)
    now = datetime.fromtimestamp(wall, zone)
    begin, end = began(unit, now), ends(unit, now)
    assert begin.timestamp() <= wall < end
    last, first = (datetime.fromtimestamp(second, zone) for second in (end - 1e-3, end))
    assert began(unit, last) == begin
    assert began(unit, first) != begin
    if unit == "day":
        assert 22 * 3600 < end - begin.timestamp() < 26 * 3600
        assert first.date() == now.date() + timedelta(days=1) or zone.key == "Pacific/Apia"


@given(MOMENTS, st.sampled_from(ZONES))
def test_hours_begin_and_end(wall, zone):
    now = datetime.fromtimestamp(wall, ZoneInfo(zone))
    assert began("hour", now).minute == began("hour", now).second == 0
    assert now.timestamp() < ends("hour", now) <= now.timestamp() + 3600


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)]
)
def test_a_day_has_the_hours_that_it_has(day, hours):
    now = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=ZoneInfo("Europe/Berlin"))
    assert ends("day", now) - began("day", now).timestamp() == hours * 3600


def test_all_parts_are_of_one_moment():
    berlin = ZoneInfo("Europe/Berlin")
    value = moment(datetime(2027, 1, 1, 0, 30, tzinfo=berlin))
    assert value.iso == "2027-01-01T00:30:00+01:00"
    assert (value.year, value.month, value.day, value.hour, value.minute, value.second) == (
        2027,
        1,
        1,
        0,
        30,
        0,
    )
    assert (value.date, value.weekday, value.week) == ("2027-01-01", "friday", 53)
    assert value.timestamp == 1798759800


async def test_by_default_it_moves_on_the_minute(virtual_host, virtual_clock, follow):
    async with follow(Datetime(timezone="UTC", _host=virtual_host), DAY) as values:
        first = await values.next()
        for number in range(1, 200):
            value = await values.next()
            assert value.timestamp == first.timestamp + 60 * number
            assert value.second == 0
            assert 0 <= virtual_clock.wall() - value.timestamp < 5


async def test_the_weekday_moves_at_midnight_and_not_before(virtual_host, virtual_clock, follow):
    at(virtual_clock, "2026-03-27T12:00+01:00")
    async with follow(Weekday(timezone="Europe/Berlin", _host=virtual_host), 3 * DAY) as values:
        told = [(await values.next(), virtual_clock.wall()) for _ in range(5)]
    assert [day for day, _ in told] == ["friday", "saturday", "sunday", "monday", "tuesday"]
    for day, wall in told[1:]:  # the sunday has 23 hours
        midnight = datetime.fromtimestamp(wall, ZoneInfo("Europe/Berlin"))
        assert (midnight.hour, midnight.minute) == (0, 0)
        assert WEEKDAYS[midnight.weekday()] == day


async def test_facts_of_one_unit_share_one_timer(virtual_host):
    facts = [Datetime(_host=virtual_host).watch() for _ in range(10)]
    facts += [Weekday(_host=virtual_host).watch() for _ in range(10)]
    for fact in facts:
        await anext(fact)
    assert len(virtual_host.shared(Calendar)._turns) == 2
    for fact in facts:
        await fact.aclose()


@pytest.fixture
def set_clock():
    """Set the clock of the machine, by a nanosecond that is taken back: a real step that nobody can notice."""

    class Timex(ctypes.Structure):
        _fields_ = (
            ("modes", ctypes.c_uint),
            ("_", ctypes.c_long * 8),
            ("time", ctypes.c_long * 2),
            ("rest", ctypes.c_long * 32),
        )

    libc = ctypes.CDLL(None, use_errno=True)
    add = 0x100 | 0x2000  # ADJ_SETOFFSET | ADJ_NANO

    def step(seconds: int, nanoseconds: int) -> None:
        assert libc.adjtimex(ctypes.byref(Timex(modes=add, time=(seconds, nanoseconds)))) >= 0

    steps = [(-1, 999_999_999), (0, 1)]
    yield lambda: step(*steps.pop())
    if len(steps) == 1:
        step(*steps.pop())


@pytest.mark.root
async def test_it_is_looked_at_again_when_the_clock_is_set(host, set_clock, follow):
    told = asyncio.Event()
    subscription = host.shared(Steps).listen()
    subscription.start(told.set)
    try:
        async with follow(Weekday(timezone="UTC", _host=host)) as values:
            await values.next()
            set_clock()
            async with asyncio.timeout(5):
                await told.wait()
    finally:
        subscription.stop()


@pytest.mark.root
async def test_the_time_zone_of_the_machine_may_become_another(host, private, follow, monkeypatch):
    monkeypatch.delenv("TZ", raising=False)
    private("/etc")
    local = Path("/etc/localtime")

    def move(zone: str) -> None:
        local.unlink(missing_ok=True)
        local.symlink_to(f"/usr/share/zoneinfo/{zone}")

    move("Etc/UTC")
    time.tzset()
    async with follow(Datetime(every="hour", _host=host)) as values:
        assert (await values.next()).iso.endswith("+00:00")
        move("Asia/Tokyo")
        await values.until(lambda value: value.iso.endswith("+09:00"))
    move("Etc/UTC")
    time.tzset()


@pytest.mark.parametrize("name", ["Europe/Nowhere", "../etc/passwd", "/etc/passwd", "a\0b"])
@pytest.mark.parametrize("fact", [Datetime, Weekday])
def test_a_time_zone_must_be_one(fact, name):
    with pytest.raises(ParamError, match=r"^timezone must be a name of the IANA database, not "):
        fact(timezone=name)

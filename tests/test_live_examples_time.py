"""Examples of live graphs that are about time: months, nights, and the half minute of a canary, none waited for."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from setpoint import Engine, graphfile
from setpoint.engine.events import Changed, Converged
from setpoint.graphfile.live import Live
from setpoint.plugins import Plugins
from setpoint.testing.clocks import HandClock
from setpoint_sys.datetime import moment

EXAMPLES = Path(__file__).parents[1] / "examples/live"
BERLIN = ZoneInfo("Europe/Berlin")
Step = Callable[[Mapping[str, Any]], Any]


@pytest.fixture
def live(tmp_path: Path) -> Callable[..., Live]:
    """Reads an example whose place is that of this test."""

    def read(name: str, clock: Any = None) -> Live:
        path = tmp_path / f"{name}.yaml"
        text = (EXAMPLES / path.name).read_text()
        path.write_text(text.replace("/tmp/setpoint-demo", str(tmp_path / "demo")))
        return graphfile.live([path], Plugins(), clock=clock)

    return read


@asynccontextmanager
async def keeping(live: Live, host: Any, values: Mapping[str, Any]) -> AsyncIterator[Step]:
    """Run it with these values of facts; yield what gives it others, and returns what changed then."""
    engine = Engine(live.evaluate(values), plugins=Plugins(), host=host)
    converged, changed = asyncio.Event(), list[str]()

    def told(event: Any) -> None:
        if isinstance(event, Changed):
            changed.append(event.id)
        elif isinstance(event, Converged):
            converged.set()

    async def step(values: Mapping[str, Any]) -> list[str]:
        changed.clear(), converged.clear()
        engine.swap(live.evaluate(values))
        await converged.wait()
        return list(changed)

    engine.listen(told)
    run = asyncio.create_task(engine.run())
    async with asyncio.timeout(15):
        await converged.wait()
        try:
            yield step
        finally:
            engine.stop()
            await run


async def test_a_new_month_is_a_reason_for_a_new_password(live, host, tmp_path):
    asked = {"exists": False, "mtime": 0.0}
    day, passwords = datetime(2026, 11, 20, tzinfo=BERLIN), {}
    values = {"asked": asked, "today": moment(day)}
    async with keeping(live("password-rotation"), host, values) as step:
        for _ in range(60):
            changed = await step({"asked": asked, "today": moment(day)})
            assert (f"file {tmp_path}/demo/database.env" in changed) == (day.day == 1)
            passwords[day.year, day.month] = (tmp_path / "demo/told").read_text()
            day += timedelta(days=1)
    assert list(passwords) == [(2026, 11), (2026, 12), (2027, 1)]
    assert len(set(passwords.values())) == 3


async def test_updates_are_allowed_at_night_and_on_weekends(live, host, tmp_path):
    allowed, hour = tmp_path / "demo/updates-allowed", timedelta(hours=1)
    now = datetime(2026, 11, 16, tzinfo=BERLIN)  # a monday
    async with keeping(live("night"), host, {"now": moment(now)}) as step:
        for _ in range(7 * 24):
            await step({"now": moment(now)})
            weekend = now.weekday() >= 5
            assert allowed.exists() == (weekend or now.hour in (22, 23, 0, 1, 2, 3, 4, 5)), now
            if weekend:
                assert allowed.read_text() == "until monday"
            now += hour


async def test_a_canary_has_to_be_well_for_half_a_minute(live):
    clock = HandClock()
    canary = live("canary", clock)

    def rolled_out(candidate: str, said: str) -> bool:
        values = {"candidate": {"content": f"{candidate}\n"}, "canary": {"content": f"{said}\n"}}
        return bool(canary.evaluate(values).resources.keys() - {"exec roll it out"})

    assert not rolled_out("1.5", "1.4 ok")
    for now, said, expected in (
        (0, "1.5 ok", False),
        (29.9, "1.5 ok", False),
        (29.95, "1.5 slow", False),  # in vain
        (31, "1.5 ok", False),
        (60.9, "1.5 ok", False),
        (61, "1.5 ok", True),
        (62, "1.5 ok", True),
        (63, "1.5 slow", False),
    ):
        clock.now = now
        assert rolled_out("1.5", said) == expected, now
        assert (
            expected or said != "1.5 ok" or canary.wake_at == pytest.approx(61 if now > 30 else 30)
        )

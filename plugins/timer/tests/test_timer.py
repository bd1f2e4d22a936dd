"""Timer: ticks on a grid, never in a storm, and a tick is a change."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from setpoint import Change, Engine, Resource, hookimpl
from setpoint.engine.events import Changed
from setpoint.graph import Edge, Graph
from setpoint.host import Host
from setpoint.testing import HandClock, ResourceSuite, VirtualClock
from setpoint_timer import Timer

INTERVAL = 0.02


class Ticks:
    """Counts what the watch of a timer says, and lets a test wait for the next."""

    def __init__(self, timer: Timer) -> None:
        self.count = 0
        self._news = asyncio.Event()
        self._subscription = timer.watch()
        self._subscription.start(self._heard)

    def _heard(self) -> None:
        self.count += 1
        self._news.set()

    def at(self, clock: HandClock, now: float) -> int:
        """Move `clock`, wake the timer as its loop would, and return how often it ticked so far."""
        clock.now = now
        self._subscription.wake()
        return self.count

    async def next(self) -> None:
        self._news.clear()
        await self._news.wait()

    def stop(self) -> None:
        self._subscription.stop()


@pytest.fixture
def host(tmp_path: Path, virtual_clock: VirtualClock) -> Iterator[Host]:
    host = Host(state=tmp_path, clock=virtual_clock)
    yield host
    host.close()


@pytest.fixture
def by_hand() -> HandClock:
    return HandClock()


@pytest.fixture
async def timer(host: Host) -> Timer:
    return Timer("every so often", interval=INTERVAL, _host=host)


async def test_the_start_is_no_tick(timer: Timer) -> None:
    ticks = Ticks(timer)
    assert await timer.check_apply(apply=True) == []
    ticks.stop()


async def test_each_tick_is_one_change_and_is_counted(timer: Timer) -> None:
    ticks = Ticks(timer)
    for count in range(3):
        await ticks.next()
        assert await timer.check_apply(apply=True) == [Change("tick", count, count + 1)]
        assert await timer.check_apply(apply=True) == []
    ticks.stop()


async def test_a_tick_that_is_only_looked_at_stays_due(timer: Timer) -> None:
    ticks = Ticks(timer)
    await ticks.next()
    assert await timer.check_apply(apply=False) == [Change("tick", 0, 1)]
    assert await timer.check_apply(apply=True) == [Change("tick", 0, 1)]
    ticks.stop()


async def test_missed_ticks_are_one_tick(timer: Timer, virtual_clock: VirtualClock) -> None:
    ticks = Ticks(timer)
    virtual_clock.ahead = 1_000_000 * INTERVAL
    await ticks.next()
    assert ticks.count == 1
    assert await timer.check_apply(apply=True) == [Change("tick", 0, 1)]
    await ticks.next()
    assert ticks.count == 2
    ticks.stop()


async def test_a_late_tick_does_not_move_the_next_one(by_hand: HandClock) -> None:
    timer = Timer("t", interval=10.0, _host=Host(clock=by_hand))
    ticks = Ticks(timer)
    assert [ticks.at(by_hand, now) for now in (9.9, 10.3, 19.9, 20.0, 24.0, 58.0, 60.0)] == [
        *(0, 1, 1, 2, 2, 3, 4)
    ]
    ticks.stop()


async def test_a_notification_begins_the_interval_anew(by_hand: HandClock) -> None:
    timer = Timer("t", interval=10.0, _host=Host(clock=by_hand))
    ticks = Ticks(timer)
    assert ticks.at(by_hand, 9.0) == 0
    timer.refresh()
    assert ticks.at(by_hand, 18.9) == 0
    assert ticks.at(by_hand, 19.0) == 1
    ticks.stop()


async def test_a_notification_before_the_watch_begins_is_harmless(timer: Timer) -> None:
    timer.refresh()
    assert await timer.check_apply(apply=True) == []


async def test_what_is_stopped_ticks_no_more(timer: Timer, virtual_clock: VirtualClock) -> None:
    ticks = Ticks(timer)
    ticks.stop()
    other = Ticks(Timer("other", interval=INTERVAL, _host=timer.host))
    for _ in range(3):
        await other.next()
    assert ticks.count == 0
    other.stop()


async def test_a_watch_that_has_begun_does_not_begin_again(timer: Timer) -> None:
    watch = timer.watch()
    watch.start(lambda: None)
    with pytest.raises(RuntimeError, match="begun already"):
        watch.start(lambda: None)
    watch.stop()


@pytest.mark.parametrize("interval", [0, -1, 1e10, float("nan")])
def test_an_interval_out_of_range_is_refused(interval: float) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"name": "t", "interval": interval}, Timer)


def test_what_requires_it_is_checked_again_at_each_tick() -> None:
    assert Timer.rechecks


class TestTimer(ResourceSuite):
    checks = False  # a tick is a change, but time alone makes it

    @pytest.fixture
    def resource(self, host: Host) -> Timer:
        return Timer("every so often", interval=INTERVAL, _host=host)

    async def disturb(self, resource: Timer) -> None:
        """Let time pass, which it does anyway."""


class Counted(Resource):
    """Counts how often it was checked and refreshed."""

    kind = "counted"
    quick = True

    def check(self) -> list[Change]:
        self.memory["checks"] = self.memory.get("checks", 0) + 1
        return []

    @hookimpl
    def refresh(self) -> None:
        self.memory["refreshes"] = self.memory.get("refreshes", 0) + 1


async def test_a_tick_refreshes_who_listens_and_has_who_requires_checked_again(host: Host) -> None:
    graph = Graph()
    listens, requires = Counted("listens"), Counted("requires")
    graph.add(Timer("t", interval=INTERVAL), listens, requires)
    graph.connect(Edge("timer t", listens.id, "hold"))
    graph.connect(Edge("timer t", requires.id))
    engine = Engine(graph, host=host, durable=False)
    ticks: list[int] = []
    events: set[str] = set()

    def heard(event: object) -> None:
        events.add(type(event).__name__)
        if isinstance(event, Changed):
            ticks.append(event.changes[0].after)
            if len(ticks) == 10:
                engine.stop()

    engine.listen(heard)
    await engine.run()
    assert ticks == list(range(1, 11))
    assert listens.memory["refreshes"] >= 9  # what came before the stop
    assert requires.memory["checks"] >= 9
    assert "Fighting" not in events  # it changes of its own accord

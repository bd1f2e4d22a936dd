"""What pytest gets from `setpoint.testing`: cheap to load, and its fixtures do what they say."""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from setpoint import Change, Resource, hookimpl
from setpoint.engine.events import Changed, Failed, Refreshed
from setpoint.host import Host
from setpoint.testing import Crash, Engines, HandClock, VirtualClock
from setpoint.testing.killing import LifeError
from setpoint.testing.lives import as_nobody
from setpoint.testing.points import spread
from setpoint.watching import Subscription

LOADED = """
import json, sys
import pytest
before = set(sys.modules)
import setpoint.testing.plugin
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def test_to_load_it_costs_next_to_nothing() -> None:
    ran = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, check=True)
    modules = set(json.loads(ran.stdout))
    own = {name for name in modules if name.startswith("setpoint")}
    assert own >= {"setpoint", "setpoint.testing", "setpoint.testing.plugin"}
    assert {name for name in own if name.count(".") == 1} <= {"setpoint.lazily", "setpoint.testing"}
    assert {name.partition(".")[0] for name in modules - own} <= {"_ctypes", "ctypes"}


def test_each_fixture_says_what_it_gives() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "--fixtures", "-q", "-p", "no:cacheprovider", __file__],
        capture_output=True,
        text=True,
        check=False,
    )
    for name in ("crash", "engine", "host", "private", "systemd", "virtual_clock"):
        assert f"{name} " in ran.stdout or f"{name} [" in ran.stdout
    assert "no docstring available" not in ran.stdout.partition("setpoint.testing")[2]


def test_a_fixture_of_a_conftest_comes_first(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "import pytest\n@pytest.fixture\ndef host():\n    return 'mine'\n"
    )
    (tmp_path / "test_it.py").write_text("def test_it(host):\n    assert host == 'mine'\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "1 passed" in ran.stdout


def test_the_host_has_a_state_of_its_own_beside_the_directory_of_the_test(
    host: Host, tmp_path: Path
) -> None:
    assert not list(host.state.iterdir())
    assert not list(tmp_path.iterdir())


class Mark(Resource):
    """A file that is there."""

    kind = "mark"

    @hookimpl
    def watch(self) -> Subscription:
        return self.host.files.changes(self.name)

    def check(self) -> list[Change]:
        if self.name.endswith("broken"):
            raise OSError("broken")
        return [] if Path(self.name).exists() else [Change("state", None, "exists")]

    def apply(self, changes: list[Change]) -> None:
        Path(self.name).touch()


class Bell(Resource):
    """Rings when it is notified."""

    kind = "bell"

    def check(self) -> list[Change]:
        return []

    @hookimpl
    def refresh(self) -> None:
        self.memory["rung"] = True


async def test_an_engine_runs_a_graph_to_its_end_and_tells(engine: Engines, tmp_path: Path) -> None:
    mark, bell = Mark(str(tmp_path / "mark")), Bell("bell")
    result = await engine.converge(mark, bell, edges=f"{mark.id} ~> {bell.id}")
    assert result.ok
    assert result.repairs == 1
    assert bell.memory["rung"]
    assert [type(event) for event in engine.events[:2]] == [Changed, Refreshed]


async def test_edges_without_a_notification_are_order_alone(
    engine: Engines, tmp_path: Path
) -> None:
    mark, bell = Mark(str(tmp_path / "mark")), Bell("bell")
    await engine.converge(mark, bell, edges=f"{mark.id} -> {bell.id}")
    assert not bell.memory


async def test_an_engine_keeps_a_graph_beside_the_test(engine: Engines, tmp_path: Path) -> None:
    mark = Mark(str(tmp_path / "mark"))
    async with engine.keeping(mark) as kept:
        Path(mark.name).unlink()
        changed = await kept.told(Changed, mark.id)
        assert changed.changes == (Change("state", None, "exists"),)
    assert kept.result.repairs == 2


async def test_a_failure_is_an_event_and_part_of_the_result(
    engine: Engines, tmp_path: Path
) -> None:
    broken = Mark(str(tmp_path / "broken"))
    result = await engine.converge(broken)
    assert "broken" in result.failed[broken.id]
    assert any(isinstance(event, Failed) for event in engine.events)


async def test_an_engine_that_ends_by_itself_is_not_waited_for(
    engine: Engines, tmp_path: Path
) -> None:
    async with engine.keeping(Bell("bell")) as kept:
        kept.engine.stop()
        with pytest.raises(AssertionError, match="the engine ended"):
            await kept.told(Changed)


async def test_a_virtual_clock_lets_an_hour_pass_at_once(virtual_clock: VirtualClock) -> None:
    began, really = virtual_clock.monotonic(), time.monotonic()
    await asyncio.sleep(100)
    assert 100 <= virtual_clock.monotonic() - began < 101
    assert time.monotonic() - really < 5


async def test_under_a_virtual_clock_timers_keep_their_order(virtual_clock: VirtualClock) -> None:
    virtual_clock.monotonic()
    order: list[int] = []
    loop = asyncio.get_running_loop()
    for delay in (30, 10, 20):
        loop.call_later(delay, order.append, delay)
    await asyncio.sleep(40)
    assert order == [10, 20, 30]


async def test_what_is_added_to_a_virtual_clock_has_passed(virtual_clock: VirtualClock) -> None:
    began = virtual_clock.monotonic(), virtual_clock.wall()
    virtual_clock.ahead += 1e6
    assert virtual_clock.monotonic() - began[0] > 1e6
    assert virtual_clock.wall() - began[1] > 1e6


async def test_a_loop_that_is_let_go_has_its_own_time_again() -> None:
    clock, loop = VirtualClock(), asyncio.get_running_loop()
    clock.rule(loop)
    clock.ahead = 1e6
    assert loop.time() > 1e6 - 1
    clock.let_go()
    assert abs(loop.time() - time.monotonic()) < 1


def test_a_virtual_clock_rules_no_loop_when_a_thread_asks() -> None:
    clock = VirtualClock()
    assert abs(clock.monotonic() - time.monotonic()) < 1
    clock.let_go()


def test_a_clock_in_the_hand_moves_by_hand_alone() -> None:
    clock = HandClock()
    clock.now = 5.0
    assert (clock.monotonic(), clock.wall()) == (5.0, 5.0)


async def test_a_life_is_killed_before_a_call_that_changes_something(
    crash: Crash, tmp_path: Path
) -> None:
    async def work() -> None:
        for name in "abc":
            (tmp_path / name).mkdir()

    killed = await crash.live(work, killed_at=1)
    assert (killed.killed, killed.calls) == (True, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


async def test_lives_are_killed_all_over_their_work(crash: Crash, tmp_path: Path) -> None:
    async def work() -> None:
        for number in range(30):
            (tmp_path / str(number)).mkdir()

    async def begin() -> None:
        for path in tmp_path.iterdir():
            path.rmdir()

    lives = [life async for life in crash.lives(work, begin, 10)]
    assert not lives[0].killed
    calls = [life.calls for life in lives[1:] if life.killed]
    assert len(calls) == 10
    assert calls == sorted({*calls})
    assert (calls[0], calls[-1]) == (1, lives[0].calls)


async def test_what_a_killed_life_has_started_is_waited_for(crash: Crash, tmp_path: Path) -> None:
    begun, done, mine = (tmp_path / name for name in ("begun", "done", "mine"))

    async def work() -> None:
        script = f"mkdir {begun}; read x; mkdir {done}"
        child = subprocess.Popen(["/bin/sh", "-c", script], stdin=-1)  # noqa: ASYNC220 - nobody waits
        mine.mkdir()
        child.communicate()

    async def begin() -> None:
        for path in tmp_path.iterdir():
            path.rmdir()

    orphans = 0
    async for life in crash.lives(work, begin):
        assert begun.exists() == done.exists()
        orphans += life.killed and done.exists()
    assert orphans


async def test_a_life_that_fails_is_an_error(
    crash: Crash, capfd: pytest.CaptureFixture[str]
) -> None:
    async def work() -> None:
        raise ValueError("something is wrong")

    with pytest.raises(LifeError, match="it ended with 1"):
        await crash.live(work)
    assert "something is wrong" in capfd.readouterr().err


async def test_while_a_life_goes_on_so_does_the_loop_of_the_test(
    crash: Crash, tmp_path: Path
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()

    async def work() -> None:
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "socket"))
        writer.write(b"hello\n")
        assert await reader.read() == b"hello\n"
        writer.close()

    server = await asyncio.start_unix_server(answer, str(tmp_path / "socket"))
    assert not (await crash.live(work)).killed
    server.close()
    await server.wait_closed()


@pytest.mark.root
async def test_nobody_may_not_do_what_root_may(tmp_path: Path) -> None:
    async def work(state: str) -> None:
        (Path(state) / "mine").mkdir()
        (tmp_path / "yours").mkdir()

    ending = await as_nobody(work)
    assert "PermissionError" in ending.sorts
    assert "yours" in ending.text


async def test_what_goes_well_for_nobody_has_no_error() -> None:
    async def work(state: str) -> None:
        (Path(state) / "mine").mkdir()

    assert (await as_nobody(work)).sorts == ()


@pytest.mark.parametrize(
    ("total", "most", "points"),
    [(0, 5, []), (3, 5, [0, 1, 2]), (9, 3, [0, 4, 8]), (100, 1, [0]), (100, 0, [])],
)
def test_points_are_spread_from_the_first_to_the_last(
    total: int, most: int, points: list[int]
) -> None:
    assert spread(total, most) == points

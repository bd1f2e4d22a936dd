"""Three hundred units over one connection, on a systemd of their own: its bus is killed, its files are read anew."""

import asyncio
import logging
import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from setpoint.dbus.connection import Connection
from setpoint.engine.events import Changed, Converged, Failed
from setpoint.host import Host
from setpoint.testing.engines import Engines
from setpoint.testing.systemd import Systemd, booted
from setpoint_svc import Svc

pytestmark = [pytest.mark.root, pytest.mark.timeout(60)]

COUNT = 300
NAMES = [f"many{number}.service" for number in range(COUNT)]
UNLIMITED = "[Unit]\nStartLimitIntervalSec=0\n"


@pytest.fixture(scope="module")
def own_systemd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Systemd]:
    directory = tmp_path_factory.mktemp("systemd")
    with booted(directory, tmp_path_factory.getbasetemp()) as one:
        for name in ("dbus.service", "dbus.socket"):  # which are killed more often than they may be
            (one.root / f"etc/systemd/system/{name}.d").mkdir()
            one.unit(f"{name}.d/unlimited.conf", UNLIMITED)
        one.unit("dbus.socket.d/often.conf", "[Socket]\nTriggerLimitIntervalSec=0\n")
        for name in NAMES:
            one.unit(name, f"{UNLIMITED}[Service]\nExecStart=/bin/sleep 1000\n")
        # systemd forgets when a unit ended, and the unit, unless another one speaks of it
        one.unit("many.target", f"[Unit]\nAfter={' '.join(NAMES)}\n")
        one.run(["systemctl", "daemon-reload"])
        one.run(["systemctl", "start", "many.target"])
        yield one


@pytest.fixture
def inside(own_systemd: Systemd) -> Iterator[Systemd]:
    with own_systemd.inside():
        yield own_systemd


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Connection]:
    """Return the connections that were opened."""
    found: list[Connection] = []
    connect = Connection.__init__

    def note(self: Connection, *args: object) -> None:
        found.append(self)
        connect(self, *args)

    monkeypatch.setattr(Connection, "__init__", note)
    return found


@pytest.fixture
def units(inside: Systemd) -> list[Svc]:
    return [Svc(name, state="running") for name in NAMES]


def run(*argv: str) -> str:
    """Return what a program prints; it is asked again if systemd hung up on it."""
    while True:
        ran = subprocess.run([*argv], capture_output=True, text=True)
        if "Transport endpoint is not connected" not in ran.stderr:
            return ran.stdout.strip()


def are_up() -> bool:
    return set(run("systemctl", "is-active", *NAMES).split()) == {"active"}


def gaps(names: list[str]) -> list[float]:
    """Return the seconds between the last end of each unit and its last begin, by systemd's own clock."""
    begin, end = "ActiveEnterTimestampMonotonic", "InactiveEnterTimestampMonotonic"
    found = []
    for lines in run("systemctl", "show", *names, f"--property={begin},{end}").split("\n\n"):
        times = dict(line.split("=") for line in lines.splitlines())
        found.append((int(times[begin]) - int(times[end])) / 1e6)
    return sorted(found)


async def test_they_need_one_connection_and_what_is_stopped_is_up_again_in_no_time(
    inside: Systemd, units: list[Svc], opened: list[Connection], engine: Engines
) -> None:
    async with engine.keeping(*units) as kept:
        assert await asyncio.to_thread(are_up)
        began = time.process_time()
        await asyncio.sleep(1)  # what is measured is that nothing happens
        idle = time.process_time() - began
        stopped = random.sample(NAMES, 40)
        for name in stopped:
            await asyncio.to_thread(run, "systemctl", "stop", name)
            await kept.told(Changed, f"svc {name}")
    late = gaps(stopped)
    logging.info(
        "repaired after %.1f ms (p50), %.1f ms (the last of 40)",
        late[len(late) // 2] * 1e3,
        late[-1] * 1e3,
    )
    logging.info("idle with %.2f %% of a processor", idle * 100)
    assert late[0] > 0
    assert late[-1] < 0.25
    assert idle < 0.03
    assert len(opened) == 1


async def test_they_are_right_after_the_bus_was_killed_and_systemd_read_its_files_again_and_again(
    inside: Systemd, units: list[Svc], opened: list[Connection], engine: Engines
) -> None:
    async with engine.keeping(*units) as kept:
        reading = asyncio.create_task(read_files())
        stopping = asyncio.create_task(stop(random.sample(NAMES, 30)))
        for _ in range(20):
            await kill_the_bus(inside, opened)
        reading.cancel()
        await stopping
        async with asyncio.timeout(20):
            while not await asyncio.to_thread(are_up):
                await kept.told(Converged)
    assert not [event for event in engine.events if isinstance(event, Failed)]


async def kill_the_bus(inside: Systemd, opened: list[Connection]) -> None:
    """Return when we are connected to the next one."""
    before = len(opened)
    for path in (inside.root / "proc").glob("[0-9]*/comm"):
        with suppress(FileNotFoundError):
            if path.read_text() == "dbus-daemon\n":
                await asyncio.to_thread(inside.run, ["kill", "-KILL", path.parent.name])
    while len(opened) == before:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.01)


async def read_files() -> None:
    while True:
        await asyncio.to_thread(run, "systemctl", "daemon-reload")
        await asyncio.sleep(0.1)  # else there is no time in which anybody could do anything


async def stop(names: list[str]) -> None:
    for name in names:
        await asyncio.to_thread(run, "systemctl", "stop", name)


def test_systemd_may_be_executed_anew(inside: Systemd, tmp_path: Path) -> None:
    async def watch() -> None:
        engines = Engines(Host(state=tmp_path))
        unit = Svc("many0", state="running")
        async with engines.keeping(unit) as kept:
            await asyncio.to_thread(run, "systemctl", "daemon-reexec")
            await asyncio.to_thread(run, "systemctl", "stop", "many0.service")
            await kept.told(Changed)
        engines.host.close()

    asyncio.run(watch())
